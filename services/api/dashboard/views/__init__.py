"""What each page shows, as values: read, put in words and in order, and not yet HTML."""
