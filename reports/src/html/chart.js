// Axes and marks as SVG. Colours come from the page's style, so that they follow light and dark.

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

/** A number as a reader wants it: at most four digits, grouped, without an exponent where that is short. */
function digits(value) {
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  return value.toLocaleString("en-GB", { maximumSignificantDigits: size >= 1e4 ? 6 : 4 });
}

/** `psnr (dB) ↑`. */
function axisName({ name, unit, better }) {
  const arrow = { higher: " ↑", lower: " ↓", neither: "" }[better];
  return `${name}${unit === "" ? "" : ` (${unit})`}${arrow}`;
}

/** Round places between two values: 1, 2 or 5 times a power of ten. */
function ticks({ low, high, log }, most) {
  if (log) {
    const all = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      for (const digit of [1, 2, 5]) all.push(digit * 10 ** power);
    }
    const within = all.filter((tick) => tick >= low && tick <= high);
    const tens = within.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
    return within.length > most && tens.length > 1 ? tens : within;
  }
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= rough);
  const all = [];
  for (let at = Math.ceil(low / step); at * step <= high + 1e-9 * step; at += 1) {
    // Many steps of 0.1 add up to 0.30000000000000004.
    all.push(Number((at * step).toPrecision(12)));
  }
  return all;
}

/** The extent of some values, and a little further on both sides. */
function extent(values, log = false) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) return { low: low / 1.15, high: high * 1.15, log };
  const margin = 0.05 * (high - low) || 0.05 * Math.abs(high) || 1;
  return { low: low - margin, high: high + margin, log };
}

/**
 * An empty plot: `x` and `y` have low, high, log and label. Gives the element, the group for marks, and
 * where a value goes.
 */
function plot(holder, x, y, summary) {
  const width = Math.max(280, Math.min(820, holder.clientWidth || 640));
  const height = Math.round(Math.max(250, Math.min(440, 0.58 * width)));
  const yTicks = ticks(y, 6);
  const left = 16 + 7.5 * Math.max(...yTicks.map((tick) => digits(tick).length));
  const box = { left, right: width - 14, top: 34, bottom: height - 48 };
  const place = ({ low, high, log }, from, to) => (value) => {
    const along = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return from + along * (to - from);
  };
  const [toX, toY] = [place(x, box.left, box.right), place(y, box.bottom, box.top)];
  const element = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": summary, class: "plot",
  });
  const grid = svg("g", { class: "grid" });
  for (const tick of yTicks) {
    const at = toY(tick);
    grid.append(svg("line", { x1: box.left, x2: box.right, y1: at, y2: at }));
    grid.append(svg("text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, digits(tick)));
  }
  for (const tick of ticks(x, Math.max(3, Math.floor(width / 110)))) {
    const at = toX(tick);
    grid.append(svg("line", { x1: at, x2: at, y1: box.bottom, y2: box.bottom + 5 }));
    grid.append(svg("text", { x: at, y: box.bottom + 20, "text-anchor": "middle" }, digits(tick)));
  }
  grid.append(svg("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }));
  const names = svg("g", { class: "names" });
  names.append(svg("text", { x: 4, y: 16 }, fitted(y.label, width - 8)));
  names.append(svg("text", { x: box.right, y: height - 8, "text-anchor": "end" }, fitted(x.label, width - 8)));
  const marks = svg("g", { class: "marks" });
  element.append(grid, names, marks);
  return { element, marks, toX, toY, box, width, height };
}

/** A label cut to so many pixels, about 7 a letter. */
function fitted(text, width) {
  const most = Math.floor(width / 7);
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

/** A mark that says what it is when it is pointed at. */
function titled(mark, text) {
  mark.append(svg("title", {}, text));
  return mark;
}

/** Draws anew when the width of the holder changes. */
function whenResized(holder, redraw) {
  let width = holder.clientWidth;
  const again = settled(redraw, 100);
  new ResizeObserver(() => {
    if (Math.abs(holder.clientWidth - width) < 2) return;
    width = holder.clientWidth;
    again();
  }).observe(holder);
}

/** A table of texts, the first column naming the rows; those in `numbers` are read by their ends. */
function valueTable(caption, heads, rows) {
  const head = html("tr", {}, ...heads.map((text) => html("th", { scope: "col" }, text)));
  const body = rows.map(([name, ...cells]) => html("tr", {}, html("th", { scope: "row" }, name),
    ...cells.map((text) => html("td", {}, text))));
  const table = html("table", { className: "values" }, html("caption", {}, caption),
    html("thead", {}, head), html("tbody", {}, ...body));
  const region = html("div", { className: "scroll", tabIndex: 0 }, table);
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", caption);
  return region;
}

