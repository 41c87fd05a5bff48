// Draws the large charts with Plotly, where scripts run. Colours are read from the page's tokens, so a change of theme
// draws them again. Without script the SVG in the same figure stays.
"use strict";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const drawings = {
  trend(data) {
    const night = { x: data.nights, hovertemplate: "%{y:.1f} %<extra></extra>" };
    const ends = [data.nights[0], data.nights[data.nights.length - 1]];
    const still = { x: ends, mode: "lines", hoverinfo: "skip" };
    const traces = [];
    if (data.band) {
      const [lower, mean, upper] = data.band;
      traces.push({ ...still, y: [upper, upper], line: { width: 0 } });
      traces.push({ ...still, y: [lower, lower], line: { width: 0 }, fill: "tonexty", fillcolor: token("band") });
      traces.push({ ...still, y: [mean, mean], line: { color: token("data-2"), width: 1, dash: "dash" } });
    }
    const isChanged = (day) => data.changed !== null && day >= data.changed;
    const colours = data.nights.map((day) => token(isChanged(day) ? "drift-fill" : "data"));
    const line = { color: token("data"), width: 1.6 };
    traces.push({ ...night, y: data.values, mode: "lines+markers", connectgaps: false, cliponaxis: false, line, marker: { color: colours, size: 6 } });
    const aside = { symbol: "circle-open", size: 9, color: token("ink-2") };
    traces.push({ ...night, y: data.aside, mode: "markers", cliponaxis: false, marker: aside, hovertemplate: "%{y:.1f} %, set aside<extra></extra>" });
    const layout = { yaxis: { range: data.range, ticksuffix: " %" }, margin: { l: 130, r: 12, t: 12, b: 28 } };
    if (data.changed) {
      const edge = new Date(Date.parse(data.changed) - 12 * 3600 * 1000).toISOString().slice(0, 16);
      layout.shapes = [{ type: "line", x0: edge, x1: edge, yref: "paper", y0: 0, y1: 1, line: { color: token("drift-fill"), width: 1.5 } }];
      layout.annotations = [{ x: edge, yref: "paper", y: 0.02, text: "change dated", showarrow: false, xanchor: "right", font: { color: token("drift") } }];
    }
    return [traces, { ...nightly(data.nights), ...layout }];
  },

  scatter(data) {
    const front = data.spots.filter((spot) => spot.front);
    const step = { x: front.map((spot) => spot.cost), y: front.map((spot) => spot.value), mode: "lines", hoverinfo: "skip" };
    const dots = {
      x: data.spots.map((spot) => spot.cost), y: data.spots.map((spot) => spot.value), mode: "markers+text", cliponaxis: false,
      text: data.spots.map((spot) => (spot.front ? `<b>${plain(spot.label)}</b>` : plain(spot.label))),
      textposition: data.spots.map((spot) => spot.side), textfont: { color: token("ink-2") },
      error_y: {
        array: data.spots.map((spot) => spot.upper), arrayminus: data.spots.map((spot) => spot.lower), symmetric: false,
        color: token("data-2"), thickness: 1.5, width: 0,
      },
      marker: {
        size: 10, symbol: data.spots.map((spot) => (spot.drifting ? "diamond" : "circle")),
        color: data.spots.map((spot) => (spot.drifting ? token("drift-fill") : spot.front ? token("data") : token("panel"))),
        line: { width: 1.5, color: data.spots.map((spot) => (spot.drifting ? token("drift-fill") : token("data"))) },
      },
      customdata: data.spots.map((spot) => [plain(spot.model), (spot.value - spot.lower).toFixed(1), (spot.value + spot.upper).toFixed(1)]),
      hovertemplate: "%{customdata[0]}<br>%{y:.1f} %, %{customdata[1]} to %{customdata[2]}<br>%{x:.3~g} USD<extra></extra>",
    };
    const axis = { type: "log", tickvals: data.ticks, ticktext: data.ticks.map(String), title: { text: "USD per 1000 answers, log scale", font: { size: 12 } }, gridcolor: token("rule"), zeroline: false, fixedrange: true };
    const line = { color: token("ink"), width: 1, dash: "dash", shape: "hv" };
    return [[{ ...step, line }, dots], { hovermode: "closest", xaxis: axis, yaxis: { range: data.range, ticksuffix: " %" }, margin: { l: 48, r: 16, t: 12, b: 44 } }];
  },
};

const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

// An axis of nights, with a tick for whole days only.
function nightly(nights) {
  const days = (Date.parse(nights[nights.length - 1]) - Date.parse(nights[0])) / 86400000;
  const dtick = Math.max(1, Math.ceil(days / 8)) * 86400000;
  const range = [nights[0], nights[nights.length - 1]];
  return { hovermode: "x unified", xaxis: { range, tickformat: "%-d %b", dtick, tick0: nights[0], showgrid: false, zeroline: false, fixedrange: true } };
}

function layOut(own) {
  const font = { family: token("sans"), size: 12, color: token("ink-3") };
  return {
    ...own, font, showlegend: false, dragmode: false, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    hoverlabel: { bgcolor: token("panel"), bordercolor: token("rule-2"), font: { ...font, color: token("ink") } },
    yaxis: { gridcolor: token("rule"), zeroline: false, fixedrange: true, ...own.yaxis },
  };
}

function draw() {
  if (window.innerWidth <= 640) return; // the narrow drawing says it better
  for (const script of document.querySelectorAll("script[data-plot]")) {
    const place = document.getElementById(script.dataset.plot);
    const data = JSON.parse(script.textContent);
    const [traces, layout] = drawings[data.kind](data);
    place.style.height = `${place.dataset.height}px`;
    place.closest("figure").classList.add("drawn");
    Plotly.react(place, traces, layOut(layout), { displayModeBar: false, responsive: true });
  }
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
