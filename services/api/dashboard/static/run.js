// Keeps a running run's progress up to date, as the server draws it, and loads the page again when the run is over.
"use strict";

const SAID_EVERY_MS = 5000; // what is read aloud must not come faster

const live = document.getElementById("live");
const said = document.getElementById("said");
const events = new EventSource(live.dataset.events);
let saidAt = Date.now();

function show(drawn) {
  live.innerHTML = drawn; // the server's own words, with everything foreign escaped there
  if (Date.now() - saidAt >= SAID_EVERY_MS) {
    said.textContent = live.querySelector("[data-said]").textContent;
    saidAt = Date.now();
  }
}

events.addEventListener("progress", (event) => show(event.data));
events.addEventListener("finished", () => {
  events.close();
  location.reload();
});
events.addEventListener("error", () => {
  // Where the browser does not try again by itself, the session is over or the run is gone: the page tells which.
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), SAID_EVERY_MS);
});
