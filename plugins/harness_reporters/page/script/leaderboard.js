// The ranked table of a task, with what can be seen at a glance below it.
const NAMING = ["rank", "model", "strategy", "seeds"];
const MORE_IS_BETTER = ["samples/s", "gain", "answered"];

function matching(table) {
  const words = at("q").toLowerCase();
  return table.rows.filter(
    (row) =>
      (!at("model") || row.model === at("model")) &&
      (!at("strategy") || row.strategy === at("strategy")) &&
      `${row.model} ${row.strategy}`.toLowerCase().includes(words),
  );
}

const scoreIn = (table, row, context) => table.in_contexts[`${row.model}\n${row.strategy}`]?.[context] ?? null;

/** Where bars begin and end: the tenths around all intervals. */
function scaleOf(scores) {
  const bounds = scores.flat().filter(Number.isFinite);
  if (!bounds.length) return [0, 1];
  const low = Math.floor(10 * Math.min(...bounds) + 1e-9) / 10;
  const high = Math.ceil(10 * Math.max(...bounds) - 1e-9) / 10;
  return high > low ? [low, high] : [low, low + 0.1];
}

/** An interval as a bar with its score; the number stands beside it, so it is hidden from screen readers. */
function bar([value, low, high], [from, to]) {
  if (![value, low, high].every(Number.isFinite)) return null;
  const where = (number) => `${(100 * (number - from)) / (to - from)}%`;
  return h("span", { class: "bar", "aria-hidden": "true", style: { "--low": where(low), "--high": where(high), "--value": where(value) } });
}

const scaleMarks = ([from, to]) => h("span", { class: "scale", "aria-hidden": "true" }, h("span", {}, `${+from.toFixed(2)}`), h("span", {}, `${+to.toFixed(2)}`));

function rowHeading(table, row) {
  const seeds = row.seeds.length > 1 ? h("span", { class: "seeds" }, `${row.seeds.length} seeds`) : null;
  const answered = table.trials?.some((trial) => trial.key === row.keys[0]);
  const links = answered
    ? h("p", { class: "links" },
      h("a", { href: elsewhere({ view: "answers", task: table.id, trial: row.keys[0] }) }, "Answers"),
      h("a", { href: elsewhere({ view: "diagnosis", task: table.id, trial: row.keys[0] }) }, "Diagnosis"))
    : null;
  return h("th", { scope: "row" },
    h("span", { class: "model" }, breakable(row.model)),
    h("span", { class: "strategy" }, breakable(row.strategy), seeds),
    h("details", {}, h("summary", {}, "Details"), links, h("dl", {}, row.details.map(([term, said]) => [h("dt", {}, term), h("dd", {}, said)]))));
}

function rankCell(table, row) {
  const number = table.columns.findIndex(({ name }) => name === "rank");
  const text = number < 0 ? "\u2014" : row.cells[number].text;
  if (!row.tied) return h("td", { class: "rank" }, text);
  return h("td", { class: "rank", title: "can't be told from the best row" }, text.slice(0, -board.tied.length), h("span", { class: "tied" }, board.tied));
}

function leaderTable(table, rows) {
  const by = table.metrics[0];
  const context = table.contexts?.some(([name]) => name === at("context")) ? at("context") : "";
  const scale = scaleOf(table.rows.map((row) => row.scores[by] ?? []));
  const contextScale = scaleOf(table.rows.map((row) => (context && scoreIn(table, row, context)) || []));
  const shown = table.columns.map((column, number) => ({ ...column, number })).filter(({ name }) => !NAMING.includes(name));
  const heading = (column, number) => sortHeading(column.name, column.name.replaceAll("_", "_\u200b"), {
    attributes: { class: column.numeric ? null : "text" },
    first: (table.metrics.includes(column.name) && !table.losses.includes(column.name)) || MORE_IS_BETTER.includes(column.name) ? "desc" : "asc",
  });
  const head = shown.map((column, number) => {
    const cell = heading(column, number);
    if (number === 0) cell.append(scaleMarks(scale));
    return cell;
  });
  if (context) {
    const cell = sortHeading("in context", `${by} in ${context}`, { first: "desc" });
    cell.append(scaleMarks(contextScale));
    head.splice(1, 0, cell);
  }
  const cellsOf = (row) => {
    const cells = shown.map((column, number) => {
      const { text, small } = row.cells[column.number];
      return h("td", { class: column.numeric ? null : "text" }, text, small && h("small", {}, small), number === 0 && row.scores[by] && bar(row.scores[by], scale));
    });
    if (context) {
      const score = scoreIn(table, row, context);
      cells.splice(1, 0, score ? h("td", {}, fixed(score[0]), h("small", {}, `[${fixed(score[1])}, ${fixed(score[2])}]`), bar(score, contextScale)) : h("td", {}, "\u2014"));
    }
    return cells;
  };
  return h("div", { class: "scroll", role: "region", "aria-label": `Leaderboard of ${table.heading}`, tabindex: "0" },
    h("table", { class: "leaders" },
      h("caption", {}, `${table.heading}, ranked by ${by ?? "nothing"}`),
      h("thead", {}, h("tr", {}, sortHeading("rank", "rank", { attributes: { class: "rank" } }), sortHeading("model", "model and strategy", { attributes: { class: "text" } }), head)),
      h("tbody", {}, rows.map((row) => h("tr", { class: row.rank === null ? "unranked" : row.rank === 1 ? "best" : null }, rankCell(table, row), rowHeading(table, row), cellsOf(row))))));
}

function ordered(table, rows) {
  const by = at("sort");
  const number = table.columns.findIndex((column) => column.name === by);
  const keys = {
    "": null,
    "in context": (row) => scoreIn(table, row, at("context"))?.[0] ?? null,
    model: (row) => `${row.model} ${row.strategy}`,
    rank: (row) => row.rank,
  };
  const key = by in keys ? keys[by] : number < 0 ? null : (row) => row.cells[number].sort;
  return key ? sorted(rows, key, at("dir") || "asc") : rows;
}

function leaderboardView(table, container) {
  const models = [...new Set(table.rows.map((row) => row.model))];
  const strategies = [...new Set(table.rows.map((row) => row.strategy))];
  const controls = fields(
    [
      search("Search", "q"),
      models.length > 1 && choice("Model", "model", models, { all: "all models" }),
      strategies.length > 1 && choice("Strategy", "strategy", strategies, { all: "all strategies" }),
      table.contexts && choice("Context", "context", table.contexts.map(([name, n]) => [name, `${name} (n=${n})`]), { all: "all contexts" }),
    ].filter(Boolean),
    ["q", "model", "strategy", "context", "sort", "dir"],
  );
  const place = h("div");
  const parts = [tradeoffPart(table), contextsPart(table), curvesPart(table)].filter(Boolean);
  container.append(
    h("p", { class: "headline" }, table.headline),
    table.warning ? h("p", { class: "warning" }, h("strong", {}, "Warning: "), table.warning) : "",
    table.rows.length > 1 ? controls : "",
    place,
    ...parts.map((part) => part.node),
    table.unranked.length ? h("section", { "aria-labelledby": "unranked" },
      h("h3", { id: "unranked" }, "Not ranked"),
      h("ul", { class: "reasons" }, table.unranked.map(([label, why]) => h("li", {}, h("strong", {}, breakable(label)), " ", why)))) : "",
    table.notes.length ? h("section", { "aria-labelledby": "notes" },
      h("h3", { id: "notes" }, "Notes"),
      h("ul", { class: "reasons" }, table.notes.map(([note, on]) => h("li", {}, note, " ", h("small", {}, `(${on})`))))) : "",
  );
  return () => {
    const rows = matching(table);
    controls.sync(rows.length === table.rows.length ? "" : `${rows.length} of ${count(table.rows.length, "row")}`);
    place.replaceChildren(rows.length ? leaderTable(table, ordered(table, rows)) : h("p", { class: "empty" }, table.rows.length ? "No row is like that." : "No row has a score yet."));
    parts.forEach((part) => part.update(rows));
  };
}
