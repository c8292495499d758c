// Scores against the number of labelled examples, where strategies have run with several.

function curvesPart(table) {
  if (!table.curves) return null;
  const { metric, lines, said } = table.curves;
  const palette = new Map(lines.map((line, number) => [line, `var(--series-${number % 8})`]));
  // A strategy that learns from no examples has no place on a logarithmic axis: it is a level that others reach.
  const learned = lines.filter((line) => !line.flat).flatMap((line) => line.points).filter((point) => point.labels > 0);

  function draw(width) {
    if (!learned.length) return null;
    const height = Math.round(Math.min(400, Math.max(280, width * 0.52)));
    const margin = { left: 52, right: 18, top: 28, bottom: 44 };
    const [least, most] = d3.extent(learned, (point) => point.labels);
    const x = d3.scaleLog([least / 1.2, most * 1.2], [margin.left, width - margin.right]);
    const y = d3.scaleLinear(scaleOf(lines.flatMap((line) => line.points.map((point) => point.score))), [height - margin.bottom, margin.top]);
    const svg = framed({
      width, height, margin, x, y, xTicks: logMarks(x), yTicks: 5, xFormat: quantityTick,
      xTitle: "labelled examples (log)", yTitle: metric,
      label: `${metric} against labelled examples: ${lines.map(({ name, points }) => `${name} ${points.map(({ labels, score }) => `${fixed(score[0])} with ${labels}`).join(", ")}`).join("; ")}`,
    });
    for (const line of lines) {
      const points = line.flat
        ? [margin.left, width - margin.right].map((px) => ({ px, labels: line.points[0].labels, score: line.points[0].score }))
        : line.points.filter((point) => point.labels > 0).map((point) => ({ px: x(point.labels), ...point }));
      const band = d3.area().x((point) => point.px).y0((point) => y(point.score[1])).y1((point) => y(point.score[2]));
      const path = d3.line().x((point) => point.px).y((point) => y(point.score[0]));
      svg.append(s("g", { class: line.flat ? "curve flat" : "curve", style: { "--colour": palette.get(line) } },
        line.flat ? null : s("path", { class: "band", d: band(points) }), s("path", { class: "line", d: path(points) }),
        points.map((point) => line.flat ? null : s("circle", { cx: point.px, cy: y(point.score[0]), r: 3.5 },
          s("title", {}, `${line.name}: ${fixed(point.score[0])} [${fixed(point.score[1])}, ${fixed(point.score[2])}] with ${count(point.labels, "label")}`)))));
    }
    return svg;
  }

  const picture = figure("Bands are 95% intervals; dashed: strategies that ran with one number of examples only.", draw);
  const node = h("section", { "aria-labelledby": "curves" },
    h("h3", { id: "curves" }, "Learning curves"), picture, legend(lines.map((line) => [line.name, palette.get(line)])),
    said.length ? h("ul", { class: "reasons" }, said.map((text) => h("li", {}, text))) : null);
  return { node, update: () => picture.redraw() };
}
