// Means over the tasks of a suite: a row for each model and strategy, a column for all tasks and for each kind of them.

function suitePart(suite, number) {
  const kinds = suite.kinds.length > 1 ? suite.kinds : [];
  const names = ["sort", "dir"].map((name) => `${name}${number || ""}`);
  const scale = scaleOf(suite.rows.map((row) => row.score));
  const place = h("div");
  const keys = { rank: (row) => row.rank, model: (row) => `${row.model} ${row.strategy}`, mean: (row) => row.score[0], tasks: (row) => row.tasks };
  const kindKey = (row) => row.kinds[at(names[0]).slice("kind ".length)]?.[0] ?? null;
  const heading = (name, label, attributes = {}, first = "desc") => sortHeading(name, label, { attributes, first, names });
  const score = (found) => (found ? [fixed(found[0]), h("small", {}, `[${fixed(found[1])}, ${fixed(found[2])}]`)] : "\u2014");

  function draw() {
    const by = at(names[0]);
    const rows = by ? sorted(suite.rows, keys[by] ?? kindKey, at(names[1]) || (by === "rank" || by === "model" ? "asc" : "desc")) : suite.rows;
    const mean = heading("mean", "mean");
    mean.append(scaleMarks(scale));
    return h("div", { class: "scroll", role: "region", "aria-label": `Means over ${suite.suite}`, tabindex: "0" },
      h("table", { class: "leaders" },
        h("caption", {}, `Means over the tasks of ${suite.suite}`),
        h("thead", {}, h("tr", {}, heading("rank", "rank", { class: "rank" }, "asc"), heading("model", "model and strategy", { class: "text" }, "asc"), mean, heading("tasks", "tasks"),
          kinds.map((kind) => heading(`kind ${kind}`, kind)))),
        h("tbody", {}, rows.map((row) => h("tr", { class: row.rank === null ? "unranked" : row.rank === 1 ? "best" : null },
          h("td", { class: "rank" }, row.rank === null ? "\u2014" : `${row.rank}`),
          h("th", { scope: "row" }, h("span", { class: "model" }, breakable(row.model)), h("span", { class: "strategy" }, breakable(row.strategy))),
          h("td", {}, score(row.score), bar(row.score, scale)),
          h("td", {}, `${row.tasks} of ${suite.tasks.length}`),
          kinds.map((kind) => h("td", {}, score(row.kinds[kind]))))))));
  }

  const known = new Map(tables().map((table) => [table.task, table.id]));
  const links = suite.tasks.map((task) => (known.has(task) ? h("a", { href: elsewhere({ view: "leaderboard", task: known.get(task) }) }, task) : task));
  const node = h("section", { "aria-labelledby": `suite-${number}` },
    h("h3", { id: `suite-${number}` }, suite.suite),
    h("p", { class: "caption" }, suite.tasks.length ? ["Mean over ", links.flatMap((link, place) => (place ? [", ", link] : [link])), "."] : "None of its tasks has scores."),
    place,
    suite.notes.length ? h("ul", { class: "reasons" }, suite.notes.map((note) => h("li", {}, note))) : "");
  return { node, update: () => place.replaceChildren(suite.rows.length ? draw() : "") };
}

function suitesView(_, container) {
  const parts = board.suites.map(suitePart);
  container.append(...parts.map((part) => part.node), h("p", { class: "caption" },
    "Each task counts by its first metric, as a share of the highest that there can be. The interval tells of other samples of the same tasks, not of other tasks. A row that lacks a task has no rank."));
  return () => parts.forEach((part) => part.update());
}
