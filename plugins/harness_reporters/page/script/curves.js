// Scores against how much was learned from, where a board has such curves.

function curvesPart(table) {
  if (!table.curves?.length) return null;
  const node = h("section", { "aria-labelledby": "curves" }, h("h3", { id: "curves" }, "Learning curves"));
  const palette = new Map(table.curves.map((curve, number) => [curve, `var(--series-${number % 8})`]));

  function draw(width) {
    const height = Math.round(Math.min(400, Math.max(280, width * 0.52)));
    const margin = { left: 52, right: 18, top: 28, bottom: 44 };
    const points = table.curves.flatMap((curve) => curve.points);
    const [least, most] = d3.extent(points.filter((point) => point.x > 0), (point) => point.x);
    const x = d3.scaleLog([least / 1.2, most * 1.2], [margin.left, width - margin.right]);
    const y = d3.scaleLinear(scaleOf(points.map((point) => point.score)), [height - margin.bottom, margin.top]);
    const svg = framed({
      width, height, margin, x, y, xTicks: logMarks(x), yTicks: 5, xFormat: quantityTick, yFormat: ".2f",
      xTitle: `${table.curves[0].unit} (log)`, yTitle: table.curves[0].metric,
      label: `${table.curves[0].metric} against ${table.curves[0].unit}: ${table.curves.map((curve) => curve.name).join(", ")}`,
    });
    for (const curve of table.curves) {
      const shown = curve.points.filter((point) => point.x > 0);
      const band = d3.area().x((point) => x(point.x)).y0((point) => y(point.score[1])).y1((point) => y(point.score[2]));
      const line = d3.line().x((point) => x(point.x)).y((point) => y(point.score[0]));
      svg.append(s("g", { class: "curve", style: { "--colour": palette.get(curve) } },
        s("path", { class: "band", d: band(shown) }), s("path", { class: "line", d: line(shown) }),
        shown.map((point) => s("circle", { cx: x(point.x), cy: y(point.score[0]), r: 3.5 }, s("title", {}, `${curve.name}: ${fixed(point.score[0])} with ${point.x}`)))));
    }
    return svg;
  }

  const picture = figure("Bands are 95% intervals.", draw);
  node.append(picture, legend(table.curves.map((curve) => [curve.name, palette.get(curve)])));
  return { node, update: () => picture.redraw() };
}
