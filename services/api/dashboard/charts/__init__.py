"""Charts as geometry: values in, paths out. Templates put them into SVG."""
