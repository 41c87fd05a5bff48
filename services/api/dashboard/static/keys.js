// Presses a form's buttons by their keys, such as 1, 2 and 3.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select")) return;
  document.querySelector(`form[data-keys] button[data-key="${CSS.escape(event.key)}"]:enabled`)?.click();
});
