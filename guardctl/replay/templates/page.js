"use strict";
// Sorting: each table by whichever heading is pressed, up and down alternately.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.parentElement;
    const column = heading.cellIndex;
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = heading.closest("table").tBodies[0];
    const key = (row) => {
      const cell = row.cells[column];
      return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent.trim();
    };
    const rows = [...body.rows].map((row) => [key(row), row]);
    const order = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en"));
    rows.sort((a, b) => order(a[0], b[0]) * (descending ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
  });
}

// Filtering: rows of the findings, and their messages with them.
const filters = ["filter", "severity", "kind"].map((id) => document.getElementById(id));
if (filters[0]) {
  const rows = [...document.querySelectorAll("#findings tbody tr")];
  const apply = () => {
    const [text, severity, kind] = filters.map((filter) => filter.value);
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase();
      const fits =
        words.every((word) => content.includes(word)) &&
        (!severity || row.dataset.severity === severity) &&
        (!kind || row.dataset.kind === kind);
      row.hidden = !fits;
      document.getElementById("card-" + row.dataset.card).hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = `${shown} of ${rows.length} shown`;
  };
  for (const filter of filters) filter.addEventListener("input", apply);
  apply();
}
