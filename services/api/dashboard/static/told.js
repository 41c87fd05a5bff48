// Tells what a run would take while its form is filled in. Without script, a button of the form does.
"use strict";

const PATIENCE_MS = 400;
const form = document.querySelector("form[data-told]");
const place = document.getElementById("told");
let waiting = 0;
let asked = 0;

async function tell() {
  const mine = ++asked;
  try {
    const answer = await fetch(form.dataset.told, { method: "POST", body: new FormData(form) });
    const text = await answer.text();
    if (!answer.ok || mine !== asked) return;
    const wasOpen = place.querySelector("details")?.open;
    place.innerHTML = text;
    if (wasOpen) place.querySelector("details")?.setAttribute("open", "");
  } catch { /* the button is still there */ }
}

if (form && !form.querySelector("button[disabled]")) {
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(tell, PATIENCE_MS);
  });
  if (!place.querySelector("details")) tell();
}
