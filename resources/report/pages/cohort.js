"use strict";
(() => {
  const table = document.getElementById("sessions");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const shown = document.getElementById("shown");
  const words = document.getElementById("words");
  const kinds = [...document.querySelectorAll("#filters input[type=checkbox]")];
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function valueOf(row, column) {
    const cell = row.cells[column];
    const given = cell.dataset.value;
    return given === undefined ? cell.textContent.trim() : given === "" ? "" : Number(given);
  }

  function sort(column, down) {
    const values = new Map(rows.map((row) => [row, valueOf(row, column)]));
    rows.sort((one, other) => {
      const [a, b] = [values.get(one), values.get(other)];
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = typeof a === "number" ? a - b : collator.compare(a, b);
      return down ? -order : order;
    });
    body.append(...rows);
    heads.forEach((head, number) => {
      if (head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
      if (number === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  }

  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
  });

  const texts = new Map(rows.map((row) => [row, row.dataset.search.toLocaleLowerCase()]));
  function filter() {
    const wanted = words.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const states = new Set(kinds.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const row of rows) {
      const fits = states.has(row.dataset.state) && wanted.every((word) => texts.get(row).includes(word));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = count + " of " + rows.length + " sessions shown";
  }

  words.addEventListener("input", filter);
  kinds.forEach((box) => box.addEventListener("change", filter));
  addEventListener("hashchange", reveal);
  function reveal() {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (row && row.hidden) {
      words.value = "";
      kinds.forEach((box) => { box.checked = true; });
      filter();
      row.scrollIntoView({ block: "center" });
    }
  }
  filter();
  reveal();
})();
