"use strict";
(() => {
  const rows = [...document.querySelectorAll("#rows > details")];
  const buttons = [...document.querySelectorAll(".filters button")];
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");

  function apply() {
    const on = buttons.filter((b) => b.getAttribute("aria-pressed") === "true");
    const outcomes = new Set(on.map((b) => b.dataset.outcome));
    const words = search.value.toLowerCase();
    let count = 0;
    for (const row of rows) {
      const fits = (!outcomes.size || outcomes.has(row.dataset.outcome)) &&
        (!words || row.textContent.toLowerCase().includes(words));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = count === rows.length ? "" : count + " of " + rows.length;
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!pressed));
      apply();
    });
  }
  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, 120);
  });
  document.querySelector(".filters").hidden = rows.length === 0;
})();
