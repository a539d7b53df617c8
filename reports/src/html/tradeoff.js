// One metric against another by tokenizer, with the front of what nothing beats in both.

/** What people plot first; each side lists metrics in the order in which they are looked for. */
const COSTS = ["encoder-macs", "decoder-macs", "gflops", "bpp", "latent-floats"];
const MACS = COSTS.slice(0, 3);
const QUESTIONS = [
  ["rFID against GMACs", MACS, ["rfid"]],
  ["PSNR against GMACs", MACS, ["psnr"]],
  ["Probe accuracy against PSNR", ["psnr"], ["top1", "mean-per-class"]],
  ["Probe accuracy against rFID", ["rfid"], ["top1", "mean-per-class"]],
  ["PSNR against rate", ["bpp"], ["psnr"]],
  ["PSNR against latent floats", ["latent-floats"], ["psnr"]],
  ["PSNR against rFID", ["rfid"], ["psnr"]],
];

const sameWeights = (a, b) => a.weights === b.weights || a.weights === "" || b.weights === "";

/** What is published of the same pictures of one version of a paper, and what was measured. */
const sameSource = (a, b) => a.paper === b.paper && (a.data === b.data || a.data === "" || b.data === "");

/**
 * Points that both axes know. Within a leaderboard rows are matched, between two tokenizers: by the same
 * run where it has both, else by the first row of that tokenizer and those weights. What is published is
 * matched within its source, and never with what was measured.
 */
function joined(xAxis, yAxis) {
  const points = [];
  for (const y of yAxis.points) {
    const alike = xAxis.points.filter((x) => sameSource(x, y) && (xAxis.board === yAxis.board
      ? x.row === y.row
      : x.tokenizer === y.tokenizer && sameWeights(x, y)));
    const x = alike.find((x) => x.run === y.run) ?? alike[0];
    if (x === undefined) continue;
    const source = x.source === y.source ? y.source : `${y.source}; ${x.source}`;
    points.push({ name: y.name, x: x.value, y: y.value, xText: x.text, yText: y.text, source });
  }
  return points;
}

/** Of those that were measured, those that no other is as good as in both and better in one; none where an axis has no direction. */
function front(points, xAxis, yAxis) {
  const sign = { higher: 1, lower: -1 };
  const [u, v] = [sign[xAxis.better], sign[yAxis.better]];
  if (u === undefined || v === undefined) return new Set();
  const beats = (a, b) => u * a.x >= u * b.x && v * a.y >= v * b.y && (a.x !== b.x || a.y !== b.y);
  const measured = points.filter(({ source }) => source === undefined);
  return new Set(measured.filter((point) => !measured.some((other) => beats(other, point))));
}

/** The corners of the front from left to right; what is not on it lies on the far side of them. */
function staircase(best, xAxis, toX, toY) {
  const sorted = [...best].sort((a, b) => a.x - b.x).map(({ x, y }) => [toX(x), toY(y)]);
  return sorted.flatMap(([x, y], at) => {
    if (at === 0) return [[x, y]];
    const [left, before] = sorted[at - 1];
    return [xAxis.better === "lower" ? [x, before] : [left, y], [x, y]];
  });
}

/** Puts names beside points where there is room, those on the front first. */
function label(points, best, corners, { toX, toY, marks, box }) {
  const taken = points.map(({ x, y }) => [toX(x) - 5, toY(y) - 5, toX(x) + 5, toY(y) + 5]);
  corners.slice(1).forEach(([x, y], at) => {
    const [left, before] = corners[at];
    taken.push([Math.min(left, x), Math.min(before, y), Math.max(left, x), Math.max(before, y)]);
  });
  const isFree = ([a, b, c, d]) => a >= box.left && c <= box.right + 12 && b >= box.top - 14 && d <= box.bottom
    && taken.every(([e, f, g, h]) => c < e || a > g || d < f || b > h);
  const ordered = [...points].sort((a, b) => best.has(b) - best.has(a));
  for (const point of ordered) {
    const [x, y, name] = [toX(point.x), toY(point.y), fitted(point.name, 200)];
    const width = 6.8 * [...name].length;
    const spots = [["start", x + 9, y + 4], ["end", x - 9, y + 4], ["middle", x, y - 10], ["middle", x, y + 19],
      ["end", x - 6, y - 8], ["start", x + 6, y - 8], ["end", x - 6, y + 17], ["start", x + 6, y + 17]];
    for (const [anchor, at, base] of spots) {
      const left = { start: at, end: at - width, middle: at - width / 2 }[anchor];
      const frame = [left, base - 11, left + width, base + 3];
      if (!isFree(frame)) continue;
      taken.push(frame);
      marks.append(svg("text", { x: at, y: base, "text-anchor": anchor, class: best.has(point) ? "label front" : "label" }, name));
      break;
    }
  }
}

/** A diamond on the front, a triangle for what is published, a circle for the others. */
function markOf(point, best, cx, cy) {
  if (point.source !== undefined) return svg("path", { class: "cited", d: `M${cx},${cy - 5.5}l5.2,9.2h-10.4Z` });
  if (best.has(point)) return svg("path", { class: "best", d: `M${cx},${cy - 6.5}l6.5,6.5l-6.5,6.5l-6.5,-6.5Z` });
  return svg("circle", { class: "other", cx, cy, r: 4.2 });
}

function tradeoff(holder, xAxis, yAxis, log) {
  const points = joined(xAxis, yAxis).filter(({ name }) => isShown(name));
  if (points.length === 0) return nothing("No tokenizer has both.");
  const best = front(points, xAxis, yAxis);
  const cited = points.filter(({ source }) => source !== undefined).length;
  const counts = [[points.length - cited, "tokenizer"], [cited, "published point"]].filter(([count]) => count > 0);
  const count = counts.map(([count, what]) => plural(count, what)).join(" and ");
  const onFront = [...best].sort((a, b) => a.x - b.x).map(({ name }) => name);
  const without = cited === points.length ? "nothing here was measured" : "one of the two has no direction";
  const told = best.size === 0 ? `No front: ${without}.` : `On the front: ${onFront.join(", ")}.`;
  const summary = `${yAxis.name} against ${xAxis.name}, ${count}. ${told}`;
  const x = { ...extent(points.map(({ x }) => x), log), label: axisName(xAxis) };
  const y = { ...extent(points.map(({ y }) => y)), label: axisName(yAxis) };
  const drawn = plot(holder, x, y, summary);
  const { marks, toX, toY } = drawn;
  const corners = staircase(best, xAxis, toX, toY);
  if (best.size > 1) marks.append(svg("polyline", { class: "front", points: corners.join(" ") }));
  for (const point of points) {
    const [cx, cy] = [toX(point.x), toY(point.y)];
    const mark = markOf(point, best, cx, cy);
    const source = point.source === undefined ? "" : ` (${point.source})`;
    marks.append(titled(mark, `${point.name}: ${point.xText}, ${point.yText}${source}`));
  }
  label(points, best, corners, drawn);
  const stands = (point) => point.source ?? (best.has(point) ? "yes" : "no");
  const rows = points.map((point) => [point.name, point.xText, point.yText, stands(point)]);
  return { element: drawn.element, summary, table: valueTable(summary, ["tokenizer", axisName(xAxis), axisName(yAxis), "front"], rows) };
}

function makeTradeoff(holder) {
  const groups = new Map();
  data.axes.forEach((axis, at) => groups.set(axis.of, [...(groups.get(axis.of) ?? []), [String(at), axisName(axis)]]));
  // The axes in the order in which they are wanted, each with something to join.
  const wanted = (metrics) => metrics.flatMap((metric) => data.axes.filter((axis) => axis.metric === metric));
  const questions = QUESTIONS.flatMap(([name, xs, ys]) => {
    const pairs = wanted(xs).flatMap((x) => wanted(ys).map((y) => [x, y]));
    const pair = pairs.find(([x, y]) => joined(x, y).length > 1);
    return pair === undefined ? [] : [{ name, x: data.axes.indexOf(pair[0]), y: data.axes.indexOf(pair[1]) }];
  });
  const xChoice = choice("Across", [...groups], () => draw(true, true));
  const yChoice = choice("Upwards", [...groups], () => draw(true, true));
  const log = html("input", { type: "checkbox", onchange: () => draw(true, false) });
  const figure = html("figure", { className: "chart" });
  const table = html("details", { className: "numbers" }, html("summary", {}, "Values of the plot"));
  const start = questions[0] ?? { x: Math.min(1, data.axes.length - 1), y: 0 };
  [xChoice.select.value, yChoice.select.value] = [String(start.x), String(start.y)];

  function draw(isAsked, isNewAxis) {
    const [x, y] = [data.axes[Number(xChoice.select.value)], data.axes[Number(yChoice.select.value)]];
    const values = x.points.map(({ value }) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    log.disabled = low <= 0;
    if (isNewAxis) log.checked = low > 0 && high / low > 30;
    const { element, summary, table: rows } = tradeoff(figure, x, y, log.checked && low > 0);
    figure.replaceChildren(element, html("figcaption", { hidden: rows === null }, summary));
    table.replaceChildren(table.firstElementChild, ...(rows === null ? [] : [rows]));
    table.hidden = rows === null;
    if (isAsked) announce(summary);
  }
  const buttons = questions.map(({ name, x, y }) => html("button", { type: "button", onclick: () => {
    [xChoice.select.value, yChoice.select.value] = [String(x), String(y)];
    draw(true, true);
  } }, name));
  const asked = html("div", { className: "questions" }, ...buttons);
  const logarithmic = html("label", { className: "check" }, log, " logarithmic across");
  holder.append(asked, html("div", { className: "choices" }, yChoice.wrapped, xChoice.wrapped, logarithmic), figure, table);
  holder.hidden = false;
  draw(false, true);
  onFilter.push(() => draw(false, false));
  whenResized(figure, () => draw(false, false));
}

const tradeoffHolder = document.getElementById("tradeoff");
if (tradeoffHolder !== null) makeTradeoff(tradeoffHolder);
