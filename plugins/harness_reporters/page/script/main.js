// Which view of which task is shown.
const VIEWS = {
  overview: ["Overview", overviewView],
  suites: ["Suites", suitesView],
  leaderboard: ["Leaderboard", leaderboardView],
  diagnosis: ["Diagnosis", diagnosisView],
  answers: ["Answers", answersView],
  compare: ["Compare", compareView],
  about: ["How to read this", aboutView],
};
const OF_ALL_TASKS = ["overview", "suites", "about"];

/** Views that are only there where there is something for them. */
const THERE = { overview: () => board.tables.length > 1, suites: () => board.suites.length > 0 };
const isThere = (name) => name in VIEWS && (THERE[name]?.() ?? true);

let current = { key: "", update: () => {} };

const currentView = () => (isThere(at("view")) ? at("view") : isThere("overview") ? "overview" : "leaderboard");
const currentTable = () => tables().find((table) => table.id === at("task")) ?? tables()[0];

/** Every row on every task, by the metric that ranks there. */
function overviewView(_, container) {
  const all = tables();
  const rows = new Map();
  all.forEach((table) => table.rows.forEach((row) => {
    const name = `${row.model}\n${row.strategy}`;
    if (!rows.has(name)) rows.set(name, { ...row, on: new Map() });
    if (!rows.get(name).on.has(table.id)) rows.get(name).on.set(table.id, row);
  }));
  // Those that are ranked on more tasks come first, then by their mean rank.
  const ranks = (row) => [...row.on.values()].map((one) => one.rank).filter((rank) => rank !== null);
  const shown = [...rows.values()].sort((x, y) => ranks(y).length - ranks(x).length || d3.mean(ranks(x)) - d3.mean(ranks(y)));
  const scales = new Map(all.map((table) => [table.id, scaleOf(table.rows.map((row) => row.scores[table.metrics[0]] ?? []))]));
  const cell = (table, row) => {
    const score = row?.scores[table.metrics[0]];
    return score ? h("td", {}, fixed(score[0]), row.rank === 1 ? h("span", { class: "first" }, " best") : null, h("small", {}, `[${fixed(score[1])}, ${fixed(score[2])}]`), bar(score, scales.get(table.id))) : h("td", { class: "nothing" }, "\u2014");
  };
  container.append(
    h("ul", { class: "findings" }, all.map((table) => h("li", {}, h("a", { href: elsewhere({ view: "leaderboard", task: table.id }) }, table.name), " ", table.headline))),
    h("div", { class: "scroll", role: "region", "aria-label": "All tasks", tabindex: "0" }, h("table", { class: "leaders" },
      h("caption", {}, "Every row on every task"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, "model and strategy"), all.map((table) => h("th", { scope: "col" }, table.name, h("small", {}, `${table.metrics[0] ?? ""} \u00b7 n=${table.n.toLocaleString("en")}`), scaleMarks(scales.get(table.id)))))),
      h("tbody", {}, shown.map((row) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "model" }, breakable(row.model)), h("span", { class: "strategy" }, breakable(row.strategy))), all.map((table) => cell(table, row.on.get(table.id)))))))));
  return () => {};
}

function navigation(view, table) {
  const several = board.tables.length > 1;
  const link = (name) => h("a", { href: elsewhere({ view: name, task: table.id }), "aria-current": name === view && "page" }, VIEWS[name][0]);
  const names = Object.keys(VIEWS).filter(isThere);
  const pills = several && tables().map((one) => h("a", { href: elsewhere({ view: OF_ALL_TASKS.includes(view) ? "leaderboard" : view, task: one.id, context: "", trial: "" }), "aria-current": !OF_ALL_TASKS.includes(view) && one.id === table.id && "true" }, one.name));
  return [h("nav", { class: "views", "aria-label": "Views" }, names.map(link)), pills ? h("nav", { class: "tasks", "aria-label": "Tasks" }, pills) : null];
}

function render() {
  if (!board.tables.length) {
    document.getElementById("main").replaceChildren(h("p", { class: "headline" }, "There are no trials yet."));
    return Promise.resolve();
  }
  const [view, table] = [currentView(), currentTable()];
  const key = `${view}\n${table.id}`;
  document.getElementById("navigation").replaceChildren(...navigation(view, table).filter(Boolean));
  if (key !== current.key) {
    const heading = OF_ALL_TASKS.includes(view) ? [VIEWS[view][0]] : [table.task, " ", h("small", {}, table.facts)];
    const container = h("div", { class: `view ${view}` }, h("h2", { id: "heading", tabindex: "-1" }, heading));
    document.getElementById("main").replaceChildren(container);
    current = { key, update: VIEWS[view][1](table, container) };
    document.title = `${OF_ALL_TASKS.includes(view) ? VIEWS[view][0] : `${table.name}: ${VIEWS[view][0].toLowerCase()}`} \u00b7 ${board.title}`;
  }
  return Promise.resolve(current.update()).catch((error) => {
    document.getElementById("main").append(h("p", { class: "empty", role: "alert" }, `This can't be shown: ${error.message}`));
    throw error;
  });
}

/** Shows new data at the same place: the same scroll, the same field with the same cursor. */
async function refresh() {
  const focused = document.activeElement;
  const [id, start, end, top] = [focused?.id, focused?.selectionStart, focused?.selectionEnd, scrollY];
  const typed = focused?.value;
  current.key = "";
  await render();
  subtitle();
  const again = id && document.getElementById(id);
  if (again) {
    if (typed !== undefined && again.type === "search") again.value = typed;
    again.focus({ preventScroll: true });
    if (again.type === "search") again.setSelectionRange(start, end);
  }
  scrollTo({ top });
}

function subtitle() {
  const rows = board.tables.flatMap((table) => table.rows);
  const [models, strategies] = ["model", "strategy"].map((name) => new Set(rows.map((row) => row[name])).size);
  document.getElementById("subtitle").textContent = rows.length
    ? [count(models, "model"), count(strategies, "strategy", "strategies"), count(board.tables.length, "task")].join(" \u00b7 ") : "";
}

document.getElementById("tools").append(themeButton());
// A fragment is where one is: the link that skips the navigation moves the focus without it.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
addEventListener("hashchange", () => {
  const before = current.key;
  render();
  if (current.key !== before) {
    scrollTo({ top: 0 });
    document.getElementById("heading")?.focus({ preventScroll: true });
  }
});
subtitle();
render();
live();
