// Tables sort by a click on a heading; films play while they can be seen.
for (const table of document.querySelectorAll("table.sorts")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button")?.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((one) => one.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const text = row.cells[column].dataset.value ?? row.cells[column].textContent;
        return text !== "" && !isNaN(text) ? Number(text) : text;
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        return typeof x === typeof y ? (x > y) - (x < y) : (typeof x > typeof y) - 0.5;
      });
      table.tBodies[0].append(...(down ? rows.reverse() : rows));
    });
  });
}
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) target.play().catch(() => {});
    else target.pause();
  }
});
document.querySelectorAll("video").forEach((film) => watcher.observe(film));
