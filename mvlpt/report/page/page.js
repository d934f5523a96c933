"use strict";
(function () {
  const status = document.getElementById("status");

  // Sorting: headings become buttons; fields without a value stay last in either direction.
  function sortBy(table, column, heading) {
    const body = table.tBodies[0];
    const numeric = heading.classList.contains("number");
    const before = heading.getAttribute("aria-sort");
    const first = numeric ? "descending" : "ascending";
    const direction = before === "none" ? first : before === "ascending" ? "descending" : "ascending";
    const sign = direction === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.key;
    const rows = Array.from(body.rows);
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true }));
    });
    body.append(...rows);
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", direction);
    status.textContent = `sorted by ${heading.textContent.trim()}, ${direction}`;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sortBy(table, column, heading));
    });
  }

  // A link to a part that is folded opens it.
  function open() {
    let part = null;
    try { part = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
    if (part && part.matches("details")) { part.open = true; part.scrollIntoView(); }
  }
  addEventListener("hashchange", open);
  open();

  // Only what scrolls takes the focus of the keyboard.
  function updateFocus(within) {
    for (const frame of within.querySelectorAll(".scroll[role=region]")) {
      if (frame.clientWidth === 0) continue;
      if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
      else frame.removeAttribute("tabindex");
    }
  }
  updateFocus(document);
  addEventListener("resize", () => updateFocus(document));
  document.addEventListener("toggle", (event) => updateFocus(event.target), true);

  // On paper everything is open.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = Array.from(document.querySelectorAll("details:not([open])"));
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of folded) part.open = false; });
})();
