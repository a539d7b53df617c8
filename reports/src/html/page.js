// The page's own script. It sorts and filters tables and draws what #data holds.
// Names come from file names and other programs: they are put in as text, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const announce = (text) => { document.getElementById("status").textContent = text; };

/** An HTML element; whatever stands in `children` as text stays text. */
function html(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** A select with its label; `groups` are [heading, [[value, text], ...]], without heading where it is "". */
function choice(label, groups, onchange) {
  const select = html("select", { onchange });
  for (const [heading, options] of groups) {
    const made = options.map(([value, text]) => html("option", { value }, text));
    select.append(...(heading ? [html("optgroup", { label: heading }, ...made)] : made));
  }
  const wrapped = html("label", { className: "choice" }, html("span", {}, label), select);
  return { wrapped, select };
}

/** Calls back once for a burst of changes. */
function settled(callback, milliseconds = 150) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(callback, milliseconds);
  };
}

// Sorting. A cell's data-key is its place among the values of its column, worked out where the
// table was ranked: infinity, ties and what has no value stand as they do there.

function key(cell, ofWords) {
  if (ofWords) return cell.textContent.trim() || null;
  return "key" in cell.dataset ? Number(cell.dataset.key) : null;
}

function sort(table, head) {
  const at = head.cellIndex;
  const ofWords = head.dataset.kind === "words";
  const now = head.getAttribute("aria-sort");
  const turned = now === "ascending" ? "descending" : "ascending";
  const order = now === null ? head.dataset.first : turned;
  const sign = order === "ascending" ? 1 : -1;
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (ofWords ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  };
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: key(row.cells[at], ofWords) }));
  rows.sort((a, b) => compare(a.key, b.key));
  body.append(...rows.map(({ row }) => row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  announce(`Sorted by ${head.querySelector("button").textContent}, ${order}`);
}

function makeSortable(table) {
  for (const head of table.tHead.rows[0].cells) {
    const name = head.querySelector(".h");
    const button = html("button", { type: "button", onclick: () => sort(table, head) });
    button.append(...name.childNodes);
    name.replaceWith(button);
  }
}

// Filtering.

const tables = [...document.querySelectorAll("main > .board > .scroll > table.values")];
/** Whether the filter shows a tokenizer of this name. */
let isShown = () => true;
const onFilter = [];

function filterRows(text) {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  isShown = (name) => words.every((word) => name.toLowerCase().includes(word));
  let [shown, all] = [0, 0];
  for (const body of tables.flatMap((table) => [...table.tBodies])) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
    for (const row of rows) {
      row.hidden = !isShown(row.cells[0].textContent);
      shown += row.hidden ? 0 : 1;
      all += 1;
    }
    for (const group of body.querySelectorAll(".group")) group.hidden = rows.every((row) => row.hidden);
  }
  for (const sheet of document.querySelectorAll(".sheet")) sheet.hidden = !isShown(sheet.dataset.name);
  onFilter.forEach((redraw) => redraw());
  announce(`${shown} of ${all} rows are shown`);
}

function showMetric(metric, isWanted) {
  for (const table of tables) {
    const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.metric === metric);
    for (const head of heads) {
      const at = head.cellIndex;
      for (const row of table.rows) {
        if (!row.classList.contains("group")) row.cells[at].hidden = !isWanted;
      }
    }
  }
}

function makeControls() {
  const form = document.getElementById("controls");
  const metrics = new Set();
  for (const head of document.querySelectorAll("th[data-metric]")) metrics.add(head.dataset.metric);
  const input = html("input", { type: "search", id: "filter", autocomplete: "off", spellcheck: false });
  input.placeholder = "jpeg, sd-vae …";
  const filter = settled(() => filterRows(input.value));
  input.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.append(html("label", { className: "choice" }, html("span", {}, "Filter tokenizers"), input));
  if (metrics.size > 1) {
    const boxes = [...metrics].map((metric) => {
      const box = html("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        showMetric(metric, box.checked);
        announce(`${metric} is ${box.checked ? "shown" : "hidden"}`);
      });
      return html("label", {}, box, ` ${metric}`);
    });
    form.append(html("fieldset", {}, html("legend", {}, "Metrics"), ...boxes));
  }
  form.hidden = false;
}

if (tables.length > 0) {
  // A published table stays in the order of its source.
  tables.filter((table) => table.querySelector("th[data-metric]") !== null).forEach(makeSortable);
  makeControls();
}

// Paper shows what is folded in, but for the pictures.
const folded = () => [...document.querySelectorAll("details.provenance, details.summary")];
addEventListener("beforeprint", () => {
  for (const details of folded().filter((details) => !details.open)) {
    details.open = true;
    details.dataset.printed = "";
  }
});
addEventListener("afterprint", () => {
  for (const details of document.querySelectorAll("details[data-printed]")) {
    details.open = false;
    delete details.dataset.printed;
  }
});

