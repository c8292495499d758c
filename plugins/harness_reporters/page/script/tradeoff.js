// Scores against what they cost: which rows nothing else beats in both.

/** The rows that no other one beats in both, from the cheapest on. `better(x, y)` compares scores. */
function frontOf(points, better) {
  const front = [];
  for (const point of [...points].sort((a, b) => a.cost - b.cost || (better(a.score, b.score) ? -1 : 1))) {
    if (!front.length || better(point.score, front.at(-1).score)) front.push(point);
  }
  return front;
}

function tradeoffPart(table) {
  const ranked = table.rows.filter((row) => row.rank !== null);
  const costs = [...new Set(ranked.flatMap((row) => Object.keys(row.measures)))].filter(
    (name) => ranked.filter((row) => name in row.measures).length > 1);
  if (!costs.length || !table.metrics.length) return null;
  const cost = () => (costs.includes(at("cost")) ? at("cost") : costs[0]);
  const metric = () => (table.metrics.includes(at("metric")) ? at("metric") : table.metrics[0]);
  const palette = colours(table);
  let rows = ranked;

  const points = () => rows
    .filter((row) => row.rank !== null && row.measures[cost()] && Number.isFinite(row.scores[metric()]?.[0]))
    .map((row) => ({ row, cost: row.measures[cost()], score: row.scores[metric()][0], low: row.scores[metric()][1], high: row.scores[metric()][2] }));
  const front = (shown) => frontOf(shown, table.losses.includes(metric()) ? (a, b) => a < b : (a, b) => a > b);
  const said = ({ row, score, cost: spent }) => `${row.cells[0].text} ${row.model} \u00b7 ${row.strategy}: ${fixed(score)}, ${quantity(spent)}`;

  function draw(width) {
    const shown = points();
    if (!shown.length) return h("p", { class: "empty" }, "No row that is shown has both.");
    const height = Math.round(Math.min(400, Math.max(280, width * 0.52)));
    const margin = { left: 52, right: 18, top: 28, bottom: 44 };
    const [cheapest, dearest] = d3.extent(shown, (point) => point.cost);
    const x = d3.scaleLog([cheapest / 1.6, dearest * 1.6], [margin.left, width - margin.right]);
    const y = d3.scaleLinear(scaleOf(shown.map(({ score, low, high }) => [score, low, high])), [height - margin.bottom, margin.top]);
    const best = front(shown);
    const svg = framed({
      width, height, margin, x, y, xTicks: logMarks(x), yTicks: 5, xFormat: quantityTick,
      xTitle: `${cost()} (log)`, yTitle: metric(),
      label: `${metric()} against ${cost()}. Nothing beats in both: ${best.map(said).join("; ")}`,
    });
    const line = d3.line().x((point) => x(point.cost)).y((point) => y(point.score)).curve(d3.curveStepAfter);
    svg.append(s("path", { class: "front", d: line(best) }));
    for (const point of [...shown].reverse()) {
      const colour = palette.get(point.row.model);
      const [px, py] = [x(point.cost), y(point.score)];
      svg.append(s("g", { class: best.includes(point) ? "point on-front" : "point", style: { "--colour": colour } },
        s("title", {}, said(point)),
        Number.isFinite(point.low) && Number.isFinite(point.high) ? s("line", { class: "whisker", x1: px, x2: px, y1: y(point.low), y2: y(point.high) }) : null,
        s("circle", { cx: px, cy: py, r: 10 }),
        s("text", { x: px, y: py + 4, "text-anchor": "middle" }, point.row.rank)));
    }
    return svg;
  }

  const picture = figure("Numbers are ranks, bars 95% intervals. On the line: nothing else is both cheaper and better.", draw);
  const controls = fields([
    choice("Against", "cost", costs, { value: cost }),
    table.metrics.length > 1 && choice("Score", "metric", table.metrics, { value: metric }),
  ].filter(Boolean), []);
  const key = h("div");
  const node = h("section", { "aria-labelledby": "tradeoff" }, h("h3", { id: "tradeoff" }, "What it costs"), controls, picture, key);
  return {
    node,
    update(matched) {
      rows = matched;
      controls.sync("");
      picture.redraw();
      key.replaceChildren(legend([...palette].filter(([model]) => points().some((point) => point.row.model === model))));
    },
  };
}

const quantityTick = (value) => (value >= 1 ? value.toLocaleString("en") : `${+value.toPrecision(1)}`);
