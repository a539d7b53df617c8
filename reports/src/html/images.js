// Single images: metric against metric, tokenizer against tokenizer, and histograms.

/** Ranks from 0 on, ties sharing their mean. */
function ranks(values) {
  const order = values.map((_, at) => at).sort((a, b) => values[a] - values[b]);
  const found = new Array(values.length);
  for (let first = 0; first < order.length;) {
    let last = first;
    while (last + 1 < order.length && values[order[last + 1]] === values[order[first]]) last += 1;
    for (let at = first; at <= last; at += 1) found[order[at]] = (first + last) / 2;
    first = last + 1;
  }
  return found;
}

/** Spearman's rank correlation; null where one side does not vary. */
function spearman(xs, ys) {
  const [a, b] = [ranks(xs), ranks(ys)];
  const middle = (xs.length - 1) / 2;
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((_, at) => {
    ab += (a[at] - middle) * (b[at] - middle);
    aa += (a[at] - middle) ** 2;
    bb += (b[at] - middle) ** 2;
  });
  return aa * bb === 0 ? null : ab / Math.sqrt(aa * bb);
}

const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`;

/** The images that both sides have as finite numbers, and how many are left out for want of one. */
function pairs(ids, xs, ys) {
  const points = [];
  let exact = 0;
  ids.forEach((id, at) => {
    const [x, y] = [xs[at], ys[at]];
    if (typeof x === "number" && typeof y === "number") points.push({ id, x, y });
    else if (x === "inf" || y === "inf") exact += 1;
  });
  return { points, exact };
}

const withoutError = (exact) => (exact === 0 ? "" : ` ${plural(exact, "image")} without error (∞) not drawn.`);

function scatter(holder, { points, exact }, x, y, words) {
  if (points.length === 0) return nothing(`Nothing to draw.${withoutError(exact)}`);
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const both = words.diagonal ? extent([...xs, ...ys]) : null;
  const rho = spearman(xs, ys);
  const correlation = rho === null ? "" : ` Spearman's rank correlation ${rho.toFixed(2)}.`;
  const summary = `${words.what}, ${plural(points.length, "image")}.${words.more(points)}${correlation}${withoutError(exact)}`;
  const drawn = plot(holder, { ...(both ?? extent(xs)), label: x }, { ...(both ?? extent(ys)), label: y }, summary);
  const { marks, toX, toY } = drawn;
  if (both !== null) {
    const [low, high] = [both.low, both.high];
    marks.append(svg("line", { class: "diagonal", x1: toX(low), y1: toY(low), x2: toX(high), y2: toY(high) }));
  }
  for (const { id, x, y } of points) {
    marks.append(titled(svg("circle", { cx: toX(x), cy: toY(y), r: 3.2 }), `${id}: ${digits(x)}, ${digits(y)}`));
  }
  const sorted = [...points].sort((a, b) => a.y - b.y);
  const ends = sorted.length > 10 ? [...sorted.slice(0, 5), ...sorted.slice(-5)] : sorted;
  const rows = ends.map(({ id, x, y }) => [id, digits(x), digits(y)]);
  return { element: drawn.element, summary, table: valueTable(`Least and greatest by ${y}`, ["image", x, y], rows) };
}

const nothing = (summary) => ({ element: html("p", { className: "empty" }, summary), summary, table: null });

/** As many bins as Freedman and Diaconis advise, between 8 and 40. */
function binEdges(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const quartile = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  const [low, high] = [sorted[0], sorted[sorted.length - 1]];
  const wide = (2 * (quartile(0.75) - quartile(0.25))) / Math.cbrt(sorted.length);
  const count = Math.min(40, Math.max(8, wide > 0 ? Math.ceil((high - low) / wide) : 8));
  const step = (high - low || Math.abs(high) || 1) / count;
  return Array.from({ length: count + 1 }, (_, at) => low + at * step);
}

function counts(values, edges) {
  const found = new Array(edges.length - 1).fill(0);
  const step = edges[1] - edges[0];
  for (const value of values) {
    found[Math.min(found.length - 1, Math.max(0, Math.floor((value - edges[0]) / step)))] += 1;
  }
  return found;
}

function histogram(holder, series, metric) {
  const finite = series.map(({ name, values }) => ({ name, values: values.filter((value) => typeof value === "number"),
    exact: values.filter((value) => value === "inf").length }));
  const all = finite.flatMap(({ values }) => values);
  const exact = finite.map(({ name, exact }) => (exact === 0 ? "" : ` Of ${name} ${plural(exact, "image")} without error (∞) not drawn.`)).join("");
  if (all.length === 0) return nothing(`Nothing to draw.${exact}`);
  const edges = binEdges(all);
  const bars = finite.map(({ values }) => counts(values, edges));
  const most = Math.max(...bars.flat());
  const middle = (values) => digits([...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]);
  const medians = finite.filter(({ values }) => values.length > 0).map(({ name, values }) => `${name}: median ${middle(values)}`);
  const summary = `Histogram of ${metric.name}. ${medians.join("; ")}.${exact}`;
  const x = { low: edges[0], high: edges[edges.length - 1], label: axisName(metric) };
  const drawn = plot(holder, x, { low: 0, high: 1.08 * most, label: "images" }, summary);
  const { marks, toX, toY } = drawn;
  bars[0].forEach((count, at) => {
    const [from, to] = [toX(edges[at]), toX(edges[at + 1])];
    const bar = svg("rect", { x: from + 0.5, width: Math.max(1, to - from - 1), y: toY(count), height: toY(0) - toY(count) });
    marks.append(titled(bar, `${digits(edges[at])} to ${digits(edges[at + 1])}: ${plural(count, "image")}`));
  });
  if (bars.length > 1) {
    const steps = bars[1].map((count, at) => `V${toY(count)}H${toX(edges[at + 1])}`).join("");
    marks.append(svg("path", { class: "second", d: `M${toX(edges[0])},${toY(0)}${steps}V${toY(0)}` }));
  }
  const heads = [`${metric.name} from`, "to", ...finite.map(({ name }) => name)];
  const rows = bars[0].map((_, at) => [digits(edges[at]), digits(edges[at + 1]), ...bars.map((bar) => String(bar[at]))]);
  return { element: drawn.element, summary, table: valueTable(`Images by ${metric.name}`, heads, rows), legend: finite.map(({ name }) => name) };
}

/** Says which of two tokenizers is better on how many images. */
function duel(points, better, xName, yName) {
  if (better === "neither") return "";
  const sign = better === "higher" ? 1 : -1;
  const count = (wanted) => points.filter(({ x, y }) => Math.sign(sign * (y - x)) === wanted).length;
  return ` ${yName} is better on ${count(1)}, ${xName} on ${count(-1)}, equal on ${count(0)}.`;
}

function makeExplorer(holder) {
  const images = data.images[Number(holder.dataset.board)];
  const named = (list) => [["", list.map((name, at) => [String(at), name])]];
  const metricNames = images.metrics.map(({ name }) => name);
  const views = [["histogram", "Histogram"], ["metrics", "Metric against metric"], ["tokenizers", "Tokenizer against tokenizer"]];
  const view = choice("Plot", [["", views]], () => draw(true));
  const tokenizer = choice("Tokenizer", named(images.tokenizers), () => draw(true));
  const other = choice("Against tokenizer", [["", [["", "none"]]], ...named(images.tokenizers)], () => draw(true));
  const metric = choice("Metric", named(metricNames), () => draw(true));
  const against = choice("Against metric", named(metricNames), () => draw(true));
  const figure = html("figure", { className: "chart" });
  const table = html("details", { className: "numbers" }, html("summary", {}, "Values of the plot"));
  if (images.metrics.length > 1) against.select.value = "1";
  // What is without error throughout has nothing to show.
  const varies = (m, t) => (images.values[m][t] ?? []).some((value) => typeof value === "number");
  const first = (m, other) => {
    const all = images.tokenizers.map((_, at) => at).filter((at) => at !== other);
    return String(all.find((at) => varies(m, at)) ?? all[0] ?? 0);
  };
  tokenizer.select.value = first(0, null);

  const shown = () => ({
    view: view.select.value, t: Number(tokenizer.select.value), m: Number(metric.select.value), n: Number(against.select.value),
    u: other.select.value === "" ? null : Number(other.select.value),
  });
  function made() {
    const { view, t, u, m, n } = shown();
    const of = (metric, tokenizer) => images.values[metric][tokenizer] ?? [];
    const [first, second] = [images.tokenizers[t], images.tokenizers[u ?? t]];
    if (view === "histogram") {
      const wanted = u === null || u === t ? [t] : [t, u];
      return histogram(figure, wanted.map((at) => ({ name: images.tokenizers[at], values: of(m, at) })), images.metrics[m]);
    }
    if (view === "metrics") {
      const words = { what: `${metricNames[n]} against ${metricNames[m]} of ${first}`, more: () => "" };
      return scatter(figure, pairs(images.ids, of(m, t), of(n, t)), axisName(images.metrics[m]), axisName(images.metrics[n]), words);
    }
    const { better, name } = images.metrics[m];
    const words = { what: `${name} of ${second} against ${first}`, diagonal: true, more: (points) => duel(points, better, first, second) };
    const label = (tokenizer) => axisName({ ...images.metrics[m], name: `${name} of ${tokenizer}` });
    return scatter(figure, pairs(images.ids, of(m, t), of(m, u ?? t)), label(first), label(second), words);
  }
  function draw(isAsked) {
    const { view, u, t, m } = shown();
    against.wrapped.hidden = view !== "metrics";
    other.wrapped.hidden = view === "metrics" || images.tokenizers.length < 2;
    if (view === "tokenizers" && u === null) other.select.value = first(m, t);
    const { element, summary, table: values, legend } = made();
    const caption = html("figcaption", { hidden: values === null }, summary);
    if (legend !== undefined && legend.length > 1) {
      caption.prepend(html("span", { className: "key filled" }, legend[0]), html("span", { className: "key dashed" }, legend[1]));
    }
    figure.replaceChildren(element, caption);
    table.replaceChildren(table.firstElementChild, ...(values === null ? [] : [values]));
    table.hidden = values === null;
    if (isAsked) announce(summary);
  }
  const controls = [view, metric, against, tokenizer, other].map(({ wrapped }) => wrapped);
  holder.append(html("div", { className: "choices" }, ...controls), figure, table);
  if (images.ids.length < images.n) {
    const [some, all] = [images.ids.length, images.n].map((count) => count.toLocaleString("en-GB"));
    holder.append(html("p", { className: "soft sampled" }, `The plots show ${some} of ${all} images, picked by the hash of their names; the tables count all.`));
  }
  holder.hidden = false;
  draw(false);
  whenResized(figure, () => draw(false));
}

document.querySelectorAll(".explorer").forEach(makeExplorer);

