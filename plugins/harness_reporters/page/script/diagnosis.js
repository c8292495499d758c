// Which label is taken for which, and whether a model is as sure as it is right.

function diagnosisView(table, container) {
  if (!table.diagnoses?.length) {
    container.append(h("p", { class: "empty" }, "No single answers are in this file."));
    return () => {};
  }
  const chosen = () => table.diagnoses.find((one) => one.keys.includes(at("trial"))) ?? table.diagnoses[0];
  const named = (one) => { const trial = table.trials.find(({ key }) => key === one.keys[0]); return `${trial.model} \u00b7 ${trial.strategy}`; };
  const controls = fields([choice("Model and strategy", "trial", table.diagnoses.map((one) => [one.keys[0], named(one)]), { value: () => chosen().keys[0] })], []);
  const place = h("div", { class: "columns" });
  container.append(controls, place);
  return () => {
    const one = chosen();
    controls.sync("");
    if (!table.shown.judged) {
      const spread = one.histogram && histogramFigure(table, one.histogram);
      place.replaceChildren(h("section", { "aria-labelledby": "spread" }, h("h3", { id: "spread" }, "How do single answers score?"),
        spread || h("p", { class: "empty" }, "Nothing tells how its answers score by themselves.")));
      spread?.redraw();
      return;
    }
    const reliability = one.reliability && reliabilityFigure(one.reliability);
    place.replaceChildren(
      h("section", { "aria-labelledby": "confusion" }, h("h3", { id: "confusion" }, "What is taken for what"),
        one.confusion ? confusionTable(table, one) : h("p", { class: "empty" }, "Its answers are too many to be set against one another.")),
      h("section", { "aria-labelledby": "reliability" }, h("h3", { id: "reliability" }, "Is it as sure as it is right?"),
        reliability || h("p", { class: "empty" }, "Its answers have no scores.")));
    reliability?.redraw();
  };
}

function confusionTable(table, { keys, confusion: { labels, counts } }) {
  const unanswered = counts.some((row) => row.at(-1));
  const columns = unanswered ? [...labels, null] : labels;
  const shade = (share, right) => ({ "--heat": share.toFixed(3), "--tint": right ? "var(--right)" : "var(--wrong)" });
  const cell = (row, from, to) => {
    const n = counts[from][to];
    const total = d3.sum(row);
    const said = to === labels.length ? null : labels[to];
    const href = elsewhere({ view: "answers", trial: keys[0], target: labels[from], said: said ?? "", show: said === null ? "none" : "" });
    // The link leads to one seed's answers: with several seeds their counts are more than it shows.
    return h("td", { class: "heat confused", style: shade(total ? n / total : 0, from === to) }, n ? h("a", { href, title: `${labels[from]} taken for ${said ?? "nothing"}` }, n.toLocaleString("en")) : "\u00b7");
  };
  return h("div", {},
    h("div", { class: "scroll", role: "region", "aria-label": "Confusion matrix", tabindex: "0" },
      h("table", { class: "confusion" },
        h("caption", {}, "Targets in rows, answers in columns"),
        h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, "target \u2193 answer \u2192"), columns.map((name) => h("th", { scope: "col" }, name ?? "no answer")), h("th", { scope: "col" }, "right"))),
        h("tbody", {}, counts.map((row, from) => h("tr", {}, h("th", { scope: "row" }, labels[from]), columns.map((_, to) => cell(row, from, to)), h("td", {}, percent(row[from] / d3.sum(row)))))))),
    h("p", { class: "caption" }, `Shades are shares of a row. A number leads to its answers${keys.length > 1 ? `; it counts ${keys.length} seeds, the link shows the first` : ""}${table.drawn ? "; of them those that are in this file" : ""}.`));
}

/** How many answers have which score by themselves. */
function histogramFigure(table, { low, high, counts }) {
  const { by, loss } = table.shown;
  const total = d3.sum(counts);
  const edge = (number) => low + ((high - low) * number) / counts.length;
  return figure(`${by} of each of ${count(total, "answer")} alone${loss ? "; less is better" : ""}. The score of the table is of all together.`, (width) => {
    const height = 300;
    const margin = { left: 52, right: 14, top: 28, bottom: 44 };
    const x = d3.scaleLinear([low, high], [margin.left, width - margin.right]);
    const y = d3.scaleLinear([0, Math.max(...counts)], [height - margin.bottom, margin.top]).nice();
    const told = counts.map((n, bin) => n ? `${n} from ${fixed(edge(bin), 2)} to ${fixed(edge(bin + 1), 2)}` : "").filter(Boolean);
    const svg = framed({ width, height, margin, x, y, xTicks: 6, yTicks: 5, xTitle: by, yTitle: "answers", label: `${by} of single answers: ${told.join("; ")}` });
    counts.forEach((n, bin) => n && svg.append(s("rect", { class: "amount", x: x(edge(bin)) + 1, width: Math.max(1, x(edge(bin + 1)) - x(edge(bin)) - 2), y: y(n), height: y(0) - y(n) },
      s("title", {}, `${count(n, "answer")} from ${fixed(edge(bin), 2)} to ${fixed(edge(bin + 1), 2)}`))));
    return svg;
  }, { most: 640 });
}

function reliabilityFigure({ n, bins, error }) {
  const caption = `Expected calibration error ${fixed(error)} over ${count(n, "answer")}. Confidence is the largest share of a softmax over the stored scores; on the diagonal it is as often right as it is sure. Bars below: how many answers.`;
  const picture = figure(caption, (width) => {
    const height = 360;
    const margin = { left: 52, right: 14, top: 28, bottom: 44 };
    const floor = height - margin.bottom - 46;
    const x = d3.scaleLinear([0, 1], [margin.left, width - margin.right]);
    const y = d3.scaleLinear([0, 1], [floor, margin.top]);
    const most = Math.max(...bins.map(([size]) => size));
    const size = d3.scaleLinear([0, most], [height - margin.bottom, floor + 10]);
    const svg = framed({
      width, height: height - 46, margin, x, y, xTicks: 5, yTicks: 5, xFormat: ".1f", yFormat: ".1f", xTitle: "", yTitle: "share that is right",
      label: `Accuracy against confidence: ${bins.map(([size_, confidence, right]) => size_ ? `${size_} at ${fixed(confidence, 2)}: ${fixed(right, 2)}` : "").filter(Boolean).join("; ")}`,
    });
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.append(s("line", { class: "diagonal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }), s("text", { class: "title", x: width - margin.right, y: height - 6, "text-anchor": "end" }, "confidence"));
    // The ticks of the x axis move below the counts.
    svg.querySelectorAll(".axis")[0].querySelectorAll("text").forEach((tick) => tick.setAttribute("y", 58));
    const line = d3.line().x(([, confidence]) => x(confidence)).y(([, , right]) => y(right));
    svg.append(s("path", { class: "calibration", d: line(bins.filter(([size_]) => size_)) }));
    bins.forEach(([size_, confidence, right], number) => {
      if (!size_) return;
      svg.append(
        s("rect", { class: "amount", x: x(number / bins.length) + 1, width: x(0.1) - x(0) - 2, y: size(size_), height: size(0) - size(size_) }, s("title", {}, count(size_, "answer"))),
        s("circle", { class: "calibrated", cx: x(confidence), cy: y(right), r: 5 }, s("title", {}, `${count(size_, "answer")}: confidence ${fixed(confidence, 2)}, right ${fixed(right, 2)}`)));
    });
    return svg;
  }, { most: 520 });
  return picture;
}
