// The answers of one trial, one by one.
const PAGE = 25;
const WITHOUT_TEXTS = "Prompts, inputs and texts that models wrote are left out of this file; names of samples, targets, answers and scores are in it.";

const trialNamed = ({ model, strategy, seed, seeds }) => `${model} \u00b7 ${strategy}${seeds > 1 ? ` \u00b7 seed ${seed}` : ""}`;

/** Values that are in a column, with how often. */
function tally(answers, of) {
  const counts = new Map();
  for (let place = 0; place < answers.length; place++) {
    const value = of(place);
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
}

/** An entry that opens: its content is made when it is opened, since a page of 25 prompts is long. */
function entry(id, summary, content) {
  const body = h("div");
  const node = h("details", { class: "entry", id: `sample-${id}`, toggle: () => {
    if (node.open && !body.firstChild) body.append(content());
    const shown = at("sample") === id;
    if (node.open !== shown) history.replaceState(null, "", address({ sample: node.open ? id : "" }));
  } }, h("summary", {}, summary), body);
  if (at("sample") === id) {
    body.append(content());
    node.open = true;
  }
  return h("li", {}, node);
}

/** The page that is shown: the one that is named, or the one that has the sample that is. */
function pageOf(found, ids) {
  if (at("page") || !at("sample")) return Math.min(Number(at("page")) || 0, Math.max(0, Math.ceil(found.length / PAGE) - 1));
  return Math.max(0, Math.floor(found.findIndex((place) => ids(place) === at("sample")) / PAGE));
}

function listed(found, ids, item) {
  const page = pageOf(found, ids);
  const shown = found.slice(page * PAGE, (page + 1) * PAGE);
  return [shown.length ? h("ol", { class: "entries", start: page * PAGE + 1 }, shown.map(item)) : h("p", { class: "empty" }, "No answer is like that."), pager(found.length, PAGE, page) ?? ""];
}

/** Says what is not in the file, where texts were left out of it. */
const withoutTexts = () => board.texts ? "" : h("p", { class: "caption" }, WITHOUT_TEXTS);

/** Says that samples were drawn, where they are too many for a file. */
const drawnOf = (answers) => answers.columns.of
  ? h("p", { class: "caption" }, `The answers to ${answers.length.toLocaleString("en")} of ${count(answers.columns.of, "sample")}, drawn by their names, are in this file. Scores, tests and the diagnosis are of all.`) : "";

function showSample() {
  if (at("sample")) document.getElementById(`sample-${at("sample")}`)?.scrollIntoView({ block: "nearest" });
}

function answersView(table, container) {
  if (!table.trials?.length) {
    container.append(h("p", { class: "empty" }, "No single answers are in this file."));
    return () => {};
  }
  const chosen = () => table.trials.find(({ key }) => key === at("trial")) ?? table.trials[0];
  const place = h("div", {}, h("p", { class: "empty" }, "Reading the answers \u2026"));
  let controls = null;
  let answers = null;
  container.append(withoutTexts(), place);

  function build() {
    const outcomes = tally(answers, (one) => answers.outcome(one));
    const contexts = tally(answers, (one) => answers.context(one));
    const targets = tally(answers, (one) => answers.target(one));
    const options = (counts) => [...counts].sort(([x], [y]) => x.localeCompare(y, "en", { numeric: true })).map(([value, n]) => [value, `${value} (${n.toLocaleString("en")})`]);
    const few = targets.size <= 100;
    return fields([
      choice("Model and strategy", "trial", table.trials.map((one) => [one.key, trialNamed(one)]), { value: () => chosen().key }),
      choice("Show", "show", Object.keys(OUTCOMES).filter((name) => outcomes.has(name)).map((name) => [name, `${OUTCOMES[name]} (${outcomes.get(name).toLocaleString("en")})`]), { all: `all (${answers.length.toLocaleString("en")})` }),
      answers.columns.alone ? choice("Order", "order", [["worst", "worst first"], ["best", "best first"]], { all: "as in the data" }) : null,
      contexts.size ? choice("Context", "context", options(contexts), { all: "all contexts" }) : null,
      few && targets.size > 1 ? choice("Target", "target", options(targets), { all: "all targets" }) : null,
      few && targets.size > 1 ? choice("Answer", "said", options(tally(answers, (one) => answers.answer(one))), { all: "all answers" }) : null,
      search("Search prompts and answers", "q"),
    ].filter(Boolean), ["show", "order", "context", "target", "said", "q"]);
  }

  function found() {
    const [show, context, target, said, words] = ["show", "context", "target", "said", "q"].map(at);
    const all = d3.range(answers.length).filter((one) =>
      (!show || answers.outcome(one) === show) && (!context || answers.context(one) === context) && (!target || answers.target(one) === target) &&
      (!said || answers.answer(one) === said) && (!words || answers.holds(one, words.toLowerCase())));
    const up = (at("order") === "worst") !== Boolean(table.shown.loss);
    return at("order") && answers.columns.alone ? sorted(all, (one) => answers.alone(one), up ? "asc" : "desc") : all;
  }

  function item(one) {
    return entry(answers.id(one), [
      badge(answers, one),
      h("span", { class: "gist" }, answers.gist(one) || answers.id(one)),
      h("span", { class: "verdict" }, verdictOf(answers, one)),
      h("span", { class: "id", title: answers.id(one) }, answers.id(one)),
    ], () => wholeAnswer(answers, one));
  }

  return async () => {
    const key = chosen().key;
    if (answers?.trial.key !== key) {
      const read = await answersOf(table, key);
      if (chosen().key !== key || !place.isConnected) return;
      answers = read;
      controls = build();
    }
    const ones = found();
    controls.sync(ones.length === answers.length ? "" : `${ones.length.toLocaleString("en")} of ${count(answers.length, "answer")}`);
    const list = h("div", {}, listed(ones, (one) => answers.id(one), item));
    if (controls.parentNode === place) place.lastChild.replaceWith(list);
    else place.replaceChildren(drawnOf(answers), controls, list);
    showSample();
  };
}
