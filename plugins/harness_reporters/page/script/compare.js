// Two trials on the same samples: who is better, could it be chance, and where do they part.
const KINDS = { "only-a": "only A right", "only-b": "only B right", "both-wrong": "both wrong", "both-right": "both right" };

function kindOf(a, b, one, other) {
  const [first, second] = [a.outcome(one) === "right", b.outcome(other) === "right"];
  return first ? (second ? "both-right" : "only-a") : second ? "only-b" : "both-wrong";
}

/** What the harness computed of these two, A minus B; null where it did not. */
function pairOf(table, a, b) {
  for (const [first, second, difference, low, high, p] of table.pairs ?? []) {
    if (first === a && second === b) return { difference, low, high, p };
    if (first === b && second === a) return { difference: -difference, low: -high, high: -low, p };
  }
  return null;
}

function compareView(table, container) {
  if ((table.trials?.length ?? 0) < 2) {
    container.append(h("p", { class: "empty" }, "Two trials with single answers are needed for this."));
    return () => {};
  }
  const named = (name, number) => table.trials.find(({ key }) => key === at(name)) ?? table.trials[number];
  const options = table.trials.map((one) => [one.key, trialNamed(one)]);
  const place = h("div", {}, h("p", { class: "empty" }, "Reading the answers \u2026"));
  const controls = fields([
    choice("A", "a", options, { value: () => named("a", 0).key }),
    choice("B", "b", options, { value: () => named("b", 1).key }),
    choice("Show", "flip", [...Object.entries(KINDS), ["all", "all samples"]], { all: "where one is right" }),
    search("Search prompts and answers", "q"),
  ], ["flip", "q"]);
  container.append(controls, place);
  let [a, b] = [null, null];
  let kinds = new Map();

  function verdict() {
    const counts = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
    kinds.forEach((kind) => { counts[kind] += 1; });
    const pair = pairOf(table, a.trial.key, b.trial.key);
    const p = pair && (pair.p < 0.001 ? "p < 0.001" : `p = ${fixed(pair.p)}`);
    const signed = (value) => `${value > 0 ? "+" : ""}${fixed(value)}`;
    return [
      h("p", { class: "headline" }, pair
        ? `A has ${signed(pair.difference)} [${signed(pair.low)}, ${signed(pair.high)}] more of the samples right than B: ${pair.p < 0.05 ? "more than chance explains" : "chance can explain it"} (McNemar's exact test, ${p}, for this pair alone).`
        : `They have ${count(kinds.size, "sample")} in common.`),
      h("ul", { class: "counts" }, Object.entries(KINDS).map(([kind, text]) =>
        h("li", {}, h("a", { href: address({ flip: kind, page: "", sample: "" }), "aria-current": at("flip") === kind && "true" }, h("strong", {}, counts[kind].toLocaleString("en")), ` ${text}`)))),
    ];
  }

  function item(one) {
    const other = b.found.get(a.id(one));
    const side = (letter, answers, at_) => h("section", { "aria-label": letter }, h("h4", {}, `${letter}: ${trialNamed(answers.trial)}`), wholeAnswer(answers, at_));
    return entry(a.id(one), [
      h("span", { class: "pair" }, h("span", { class: "letter" }, "A"), badge(a.outcome(one)), h("span", { class: "letter" }, "B"), badge(b.outcome(other))),
      h("span", { class: "gist" }, a.gist(one) || b.gist(other) || a.id(one)),
      h("span", { class: "verdict" }, `${a.answer(one) ?? "\u2014"} / ${b.answer(other) ?? "\u2014"}`, h("span", { class: "instead" }, ` for ${a.target(one)}`)),
      h("span", { class: "id" }, a.id(one)),
    ], () => h("div", { class: "sides" }, side("A", a, one), side("B", b, other)));
  }

  return async () => {
    const [first, second] = [named("a", 0).key, named("b", 1).key];
    controls.sync("");
    if (a?.trial.key !== first || b?.trial.key !== second) {
      const read = await Promise.all([answersOf(table, first), answersOf(table, second)]);
      if (named("a", 0).key !== first || named("b", 1).key !== second || !place.isConnected) return;
      [a, b] = read;
      // Samples that failed are not scored, and two trials need not have answered the same ones.
      kinds = new Map(d3.range(a.length)
        .filter((one) => b.found.has(a.id(one)) && a.outcome(one) !== "failed" && b.outcome(b.found.get(a.id(one))) !== "failed")
        .map((one) => [one, kindOf(a, b, one, b.found.get(a.id(one)))]));
    }
    const [flip, words] = [at("flip"), at("q").toLowerCase()];
    const ones = [...kinds].filter(([one, kind]) =>
      (flip === "all" || (flip ? kind === flip : kind.startsWith("only"))) &&
      (!words || a.holds(one, words) || b.holds(b.found.get(a.id(one)), words))).map(([one]) => one);
    controls.sync(`${ones.length.toLocaleString("en")} of ${count(kinds.size, "sample")}`);
    place.replaceChildren(...verdict(), ...listed(ones, (one) => a.id(one), item));
    showSample();
  };
}
