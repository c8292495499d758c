// Scores in each context as a heat map: a table, so that it can be read, sorted and copied.

function contextsPart(table) {
  if (!table.contexts) return null;
  const names = table.contexts.map(([name]) => name);
  const better = table.losses.includes(table.metrics[0]) ? Math.min : Math.max;
  const place = h("div");
  const node = h("section", { "aria-labelledby": "contexts" }, h("h3", { id: "contexts" }, `${table.metrics[0]} in each context`), place);

  function valuesOf(row) {
    return names.map((name) => scoreIn(table, row, name));
  }

  function draw(rows) {
    const all = rows.flatMap(valuesOf).filter(Boolean).map(([value]) => value);
    const [low, high] = d3.extent(all);
    const heat = (value) => (high > low ? (value - low) / (high - low) : 0.5);
    const spread = (row) => { const [least, most] = d3.extent(valuesOf(row).filter(Boolean), ([value]) => value); return most - least; };
    const worst = (row) => { const found = valuesOf(row).filter(Boolean).map(([value]) => value); return -better(...found.map((value) => -value)); };
    const keys = { spread, model: (row) => `${row.model} ${row.strategy}` };
    const by = at("csort");
    const shown = by ? sorted(rows, keys[by] ?? ((row) => scoreIn(table, row, by)?.[0] ?? null), at("cdir") || "desc") : rows;
    const heading = (name, label, attributes = {}, first = "desc") => sortHeading(name, label, { attributes, first, names: ["csort", "cdir"] });
    return h("div", { class: "scroll", role: "region", "aria-label": `Contexts of ${table.heading}`, tabindex: "0" },
      h("table", { class: "heats" },
        h("caption", {}, `${table.metrics[0]} of ranked rows in each context of ${table.task}`),
        h("thead", {}, h("tr", {}, heading("model", "model and strategy", { class: "text" }, "asc"),
          table.contexts.map(([name, n]) => heading(name, [name, h("small", {}, `n=${n.toLocaleString("en")}`)])), heading("spread", "spread"))),
        h("tbody", {}, shown.map((row) => h("tr", {},
          h("th", { scope: "row" }, h("span", { class: "model" }, breakable(row.model)), h("span", { class: "strategy" }, breakable(row.strategy))),
          valuesOf(row).map((score) => score
            ? h("td", { class: "heat", style: { "--heat": heat(score[0]).toFixed(3) } },
              h("span", { class: score[0] === worst(row) ? "worst" : null }, fixed(score[0])),
              h("small", {}, `[${fixed(score[1])}, ${fixed(score[2])}]`))
            : h("td", {}, "\u2014")),
          h("td", {}, fixed(spread(row))))))));
  }

  return {
    node,
    update(matched) {
      const rows = matched.filter((row) => valuesOf(row).some(Boolean));
      node.hidden = !rows.length;
      if (rows.length) place.replaceChildren(draw(rows), h("p", { class: "caption" }, "Darker is higher; underlined is a row's worst context; spread is its best minus its worst."));
    },
  };
}
