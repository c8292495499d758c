// Two trials on the same samples: who is better, could it be chance, and where do they part.
const KINDS = { "only-a": "only A right", "only-b": "only B right", "both-wrong": "both wrong", "both-right": "both right" };
const DEGREES = { "only-a": "A better", "only-b": "B better", "both-equal": "equal" };

/** How much better A does than B on a sample, by a metric that answers have alone. */
const leadOf = (a, b, one, other) => (a.shown.loss ? -1 : 1) * ((a.alone(one) ?? 0) - (b.alone(other) ?? 0));

/** Metrics that are the share of right answers. */
const COUNTED = ["accuracy", "exact_match"];

function kindOf(a, b, one, other) {
  if (!a.shown.judged) {
    const lead = leadOf(a, b, one, other);
    return lead > 0 ? "only-a" : lead < 0 ? "only-b" : "both-equal";
  }
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
  // At first the best row and the next one, not two seeds of the best.
  const another = table.trials.find(({ model, strategy }) => model !== table.trials[0].model || strategy !== table.trials[0].strategy);
  const first = { a: table.trials[0], b: another ?? table.trials[1] };
  const named = (name) => table.trials.find(({ key }) => key === at(name)) ?? first[name];
  const options = table.trials.map((one) => [one.key, trialNamed(one)]);
  const names = table.shown.judged ? KINDS : DEGREES;
  const score = table.metrics[0];
  const place = h("div", {}, h("p", { class: "empty" }, "Reading the answers \u2026"));
  const controls = fields([
    choice("A", "a", options, { value: () => named("a").key }),
    choice("B", "b", options, { value: () => named("b").key }),
    choice("Show", "flip", [...Object.entries(names), ["all", "all samples"]], { all: table.shown.judged ? "where one is right" : "where one is better" }),
    search("Search prompts and answers", "q"),
  ], ["flip", "q"]);
  container.append(withoutTexts(), controls, place);
  let [a, b] = [null, null];
  let kinds = new Map();

  function verdict() {
    const counts = Object.fromEntries(Object.keys(names).map((kind) => [kind, 0]));
    kinds.forEach((kind) => { counts[kind] += 1; });
    const pair = pairOf(table, a.trial.key, b.trial.key);
    const p = pair && (pair.p < 0.001 ? "p < 0.001" : `p = ${fixed(pair.p)}`);
    const signed = (value) => `${value > 0 ? "+" : ""}${fixed(value)}`;
    return [
      h("p", { class: "headline" }, pair
        ? `A's ${COUNTED.includes(score) ? "share of right answers" : score} minus B's${table.losses.includes(score) ? " (less is better)" : ""}: ${signed(pair.difference)} [${signed(pair.low)}, ${signed(pair.high)}]. ${pair.p < 0.05 ? "Chance alone would hardly do that" : "Chance alone can do that"}: ${p} by ${COUNTED.includes(score) ? "McNemar's exact test" : "a paired test of what each sample adds"}, for this pair by itself.`
        : `They have ${count(kinds.size, "sample")} in common.`),
      h("ul", { class: "counts" }, Object.entries(names).map(([kind, text]) =>
        h("li", {}, h("a", { href: address({ flip: kind, page: "", sample: "" }), "aria-current": at("flip") === kind && "true" }, h("strong", {}, counts[kind].toLocaleString("en")), ` ${text}`)))),
    ];
  }

  function item(one) {
    const other = b.found.get(a.id(one));
    const side = (letter, answers, at_) => h("section", { "aria-label": letter }, h("h3", {}, `${letter}: ${trialNamed(answers.trial)}`), wholeAnswer(answers, at_, { heading: "h4", of: ` of ${letter}` }));
    return entry(a.id(one), [
      h("span", { class: "pair" }, h("span", { class: "letter" }, "A"), badge(a, one), h("span", { class: "letter" }, "B"), badge(b, other)),
      h("span", { class: "gist" }, a.gist(one) || b.gist(other) || a.id(one)),
      h("span", { class: "verdict" }, a.target(one) ? [`${a.answer(one) ?? "\u2014"} / ${b.answer(other) ?? "\u2014"}`, h("span", { class: "instead" }, ` for ${a.target(one)}`)] : ""),
      h("span", { class: "id", title: a.id(one) }, a.id(one)),
    ], () => h("div", { class: "sides" }, side("A", a, one), side("B", b, other)));
  }

  return async () => {
    const [one, other] = [named("a").key, named("b").key];
    controls.sync("");
    if (a?.trial.key !== one || b?.trial.key !== other) {
      const read = await Promise.all([answersOf(table, one), answersOf(table, other)]);
      if (named("a").key !== one || named("b").key !== other || !place.isConnected) return;
      [a, b] = read;
      // Samples that failed are not scored, and two trials need not have answered the same ones.
      kinds = new Map(d3.range(a.length)
        .map((mine) => [mine, b.found.get(a.id(mine))])
        .filter(([mine, its]) => its !== undefined && a.outcome(mine) !== "failed" && b.outcome(its) !== "failed")
        .map(([mine, its]) => [mine, kindOf(a, b, mine, its)]));
    }
    const [flip, words] = [at("flip"), at("q").toLowerCase()];
    const shown = [...kinds].filter(([mine, kind]) =>
      (flip === "all" || (flip ? kind === flip : kind.startsWith("only"))) &&
      (!words || a.holds(mine, words) || b.holds(b.found.get(a.id(mine)), words))).map(([mine]) => mine);
    if (!table.shown.judged) shown.sort((x, y) => Math.abs(leadOf(a, b, y, b.found.get(a.id(y)))) - Math.abs(leadOf(a, b, x, b.found.get(a.id(x)))));
    controls.sync(`${shown.length.toLocaleString("en")} of ${count(kinds.size, "sample")}`);
    place.replaceChildren(drawnOf(a), ...verdict(), ...listed(shown, (mine) => a.id(mine), item));
    showSample();
  };
}
