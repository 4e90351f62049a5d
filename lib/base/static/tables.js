// Makes of a table what one can sort, search, page, copy and download, by DataTables, which itables brings along.
// Without it (another frontend, no network, a notebook that is not trusted) the table is there all the same.
import DataTable from "./dt_bundle.js";

export function show(table) {
  if (table.classList.contains("dataTable")) return;
  const inLab = document.getElementById("jupyter-config-data");
  const dark = inLab ? document.body.dataset.jpThemeLight === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
  const style = document.getElementById("runbook-datatables") ?? document.createElement("link");
  if (!style.id && !document.getElementById("runbook-tables-inline")) {
    Object.assign(style, { id: "runbook-datatables", rel: "stylesheet", href: new URL("dt_bundle.css", import.meta.url) });
    document.head.append(style);
  }
  const scroll = table.parentElement;
  scroll.style.maxHeight = "none";
  const shown = new DataTable(table, {
    order: [], // as the rows came
    pageLength: 25,
    lengthMenu: [10, 25, 100, { label: "all", value: -1 }],
    autoWidth: false,
    language: { search: "Search", lengthMenu: "_MENU_ rows a page", info: "_START_ to _END_ of _TOTAL_ rows" },
    layout: { topStart: { pageLength: {}, buttons: ["copyHtml5", "csvHtml5"] }, topEnd: "search" },
  });
  // What is printed is whole.
  let rows = 25;
  window.addEventListener("beforeprint", () => {
    rows = shown.page.len();
    shown.page.len(-1).draw();
  });
  window.addEventListener("afterprint", () => shown.page.len(rows).draw());
}
