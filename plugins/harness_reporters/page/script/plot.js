// What the charts have in common: they are drawn for the width that there is, and again when that changes.

/** A figure whose picture `draw(width)` makes; null where there is nothing to draw. */
function figure(caption, draw, { most = 760 } = {}) {
  const canvas = h("div", { class: "canvas" });
  const node = h("figure", {}, canvas, h("figcaption", {}, caption));
  let drawn = 0;
  node.redraw = () => {
    const width = Math.min(canvas.clientWidth || drawn || most, most);
    drawn = width;
    canvas.replaceChildren(draw(width) ?? "");
  };
  new ResizeObserver(() => { if (canvas.clientWidth && Math.min(canvas.clientWidth, most) !== drawn) node.redraw(); }).observe(canvas);
  return node;
}

/** A picture with axes: `x` and `y` are scales of D3 whose ranges are the frame's edges. */
function framed({ width, height, margin, label, x, y, xTicks, yTicks, xTitle, yTitle, xFormat, yFormat }) {
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, class: "chart" });
  const bottom = s("g", { transform: `translate(0,${height - margin.bottom})`, class: "axis" });
  const left = s("g", { transform: `translate(${margin.left},0)`, class: "axis" });
  svg.append(bottom, left);
  d3.select(bottom).call((Array.isArray(xTicks) ? d3.axisBottom(x).tickValues(xTicks).tickFormat(xFormat) : d3.axisBottom(x).ticks(xTicks, xFormat)).tickSize(-(height - margin.top - margin.bottom)).tickPadding(8));
  d3.select(left).call(d3.axisLeft(y).ticks(yTicks, yFormat).tickSize(-(width - margin.left - margin.right)).tickPadding(8));
  svg.append(
    s("text", { class: "title", x: width - margin.right, y: height - 6, "text-anchor": "end" }, xTitle),
    s("text", { class: "title", x: 4, y: 14 }, yTitle),
  );
  return svg;
}

/** Where a logarithmic axis has its marks: at powers of ten, or at 1, 2 and 5 of each where these are few. */
function logMarks(scale) {
  const all = scale.ticks();
  const powers = all.filter((value) => Number.isInteger(+Math.log10(value).toFixed(9)));
  if (powers.length > 2) return powers;
  const lead = (value) => +(value / 10 ** Math.floor(Math.log10(value) + 1e-9)).toFixed(6);
  return all.filter((value) => [1, 2, 5].includes(lead(value)));
}

/** Colours of models, in the order in which they first appear in a table. */
function colours(table) {
  const models = [...new Set(table.rows.map((row) => row.model))];
  return new Map(models.map((model, number) => [model, `var(--series-${number % 8})`]));
}

/** Which model has which colour. */
function legend(pairs) {
  return h("ul", { class: "legend" }, pairs.map(([name, colour]) => h("li", {}, h("span", { class: "swatch", style: { background: colour } }), name)));
}
