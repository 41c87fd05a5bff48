// Lets people choose the alarm budget by a slider, and tells at once what it means. Without script, its select does.
"use strict";

for (const form of document.querySelectorAll("form[data-slider]")) {
  const select = form.querySelector("select");
  const ends = form.querySelector(".ends");
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = 0;
  slider.max = select.options.length - 1;
  slider.step = 1;
  slider.id = select.id;
  slider.setAttribute("aria-describedby", select.getAttribute("aria-describedby"));

  const tell = () => {
    const chosen = select.options[select.selectedIndex].dataset;
    slider.setAttribute("aria-valuetext", `${chosen.nights} nights`);
    ends.querySelector("output").textContent = chosen.nights;
    for (const place of form.querySelectorAll("[data-of]")) place.textContent = chosen[place.dataset.of];
  };
  slider.addEventListener("input", () => {
    select.selectedIndex = slider.value;
    tell();
  });

  slider.value = select.selectedIndex;
  select.removeAttribute("id");
  select.hidden = true;
  select.before(slider);
  ends.hidden = false;
  tell();
}
