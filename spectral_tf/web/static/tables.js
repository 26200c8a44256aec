// Tables are sorted by a click on the name of a column; a second click turns the order round.
"use strict";
(() => {
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.k === undefined ? cell.textContent.trim() : Number(cell.dataset.k);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a === b ? 0 : a < b ? -1 : 1;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  const sort = (table, header, column) => {
    const turn = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [keyOf(row, column), row]);
    const known = rows.filter(([key]) => key !== "");
    known.sort(([a], [b]) => turn * compare(a, b));
    body.append(...[...known, ...rows.filter(([key]) => key === "")].map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table:not(.key)")) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, header, column));
    });
  }
  for (const note of document.querySelectorAll(".scripted")) note.hidden = false;
})();
