// One answer: whether it counted, why, what was asked, and what was said.
const OUTCOMES = { right: "right", wrong: "wrong", answered: "answered", none: "no answer", failed: "failed" };

/** What became of an answer, in a word or by its score. */
function badge(answers, at) {
  const outcome = answers.outcome(at);
  const alone = answers.alone(at);
  return h("span", { class: `badge ${outcome}`, title: alone === null ? null : `${answers.shown.by} of this answer alone` }, alone === null ? OUTCOMES[outcome] : fixed(alone));
}

/** Target and answer on one line. */
function verdictOf(answers, at) {
  const [outcome, answer, target] = [answers.outcome(at), answers.answer(at), answers.target(at)];
  if (outcome === "right") return target;
  if (!target) return answer ?? "";
  return [answer ?? OUTCOMES[outcome], h("span", { class: "instead" }, ` for ${target}`)];
}
const quoted = (text) => `\u201c${text.length > 80 ? `${text.slice(0, 80)}\u2026` : text}\u201d`;
const ordinal = (n) => `${n}${["th", "st", "nd", "rd"][n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] ?? "th"}`;

/** Why it was counted as it was, in words. */
function why(answers, at) {
  const [target, answer] = [answers.target(at), answers.answer(at)];
  const status = answers.columns.status[at];
  const cut = status === "t" ? " The question or the answer was cut; it counts as it is." : "";
  if (status === "f") return `Failed, so it is not scored: ${answers.reason(at) || "no reason is known"}.`;
  if (!answers.shown.judged) return scored(answers, at) + cut;
  if (answer === null) return `Wrong: ${status === "u" ? "no answer was found in what it wrote" : "it gave no answer"}; the target is ${quoted(target)}.${cut}`;
  const right = answers.outcome(at) === "right";
  if (right && answer !== target) return `Right: its answer ${quoted(answer)} is one of those that count; the target is ${quoted(target)}.${cut}`;
  const scores = answers.scores(at);
  const [mine, its] = [answers.place(at, answer), answers.place(at, target)];
  const order = scores.map((_, place) => place).sort((a, b) => (scores[b] ?? -Infinity) - (scores[a] ?? -Infinity));
  if (scores.length < 2 || order[0] !== mine || its < 0) {
    return (right ? `Right: its answer ${quoted(answer)} is the target.` : `Wrong: it answered ${quoted(answer)}, the target is ${quoted(target)}.`) + cut;
  }
  const names = answers.names(at);
  if (right) return `Right: ${quoted(names[mine])} has the highest score, ${fixed(scores[mine] - scores[order[1]], 2)} above ${quoted(names[order[1]])}.${cut}`;
  return `Wrong: ${quoted(names[mine])} has the highest score; the target ${quoted(names[its])} comes ${ordinal(order.indexOf(its) + 1)}, ${fixed(scores[mine] - scores[its], 2)} lower.${cut}`;
}

/** What the metric says of an answer that is neither right nor wrong. */
function scored(answers, at) {
  const [target, answer, alone] = [answers.target(at), answers.answer(at), answers.alone(at)];
  const { by, loss } = answers.shown;
  const said = alone === null ? "" : `${by} of this ${target || answer ? "answer" : "text"} alone: ${fixed(alone)}${loss ? " (less is better)" : ""}.`;
  const given = answer === null ? (target ? "It gave no answer." : "") : `It answered ${quoted(answer)}.`;
  return [said, given, target ? `The target is ${quoted(target)}.` : ""].filter(Boolean).join(" ") || "It was read.";
}

function scoreBars(answers, at, of) {
  const scores = answers.scores(at);
  if (!scores.length || !answers.shown.judged) return null;
  const shares = answers.shares(at);
  const names = answers.names(at);
  const [mine, its] = [answers.place(at, answers.answer(at)), answers.place(at, answers.target(at))];
  const mark = (place) => [place === its && "target", place === mine && "answer"].filter(Boolean).join(", ");
  return h("div", { class: "scroll", role: "region", "aria-label": `Scores${of}`, tabindex: "0" }, h("table", { class: "scores" },
    h("caption", {}, "Scores of the choices"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, "choice"), h("th", { scope: "col" }, "score"), h("th", { scope: "col" }, "share"), h("th", { scope: "col", class: "text" }, "which is"))),
    h("tbody", {}, scores.map((score, place) => h("tr", { class: place === mine ? "chosen" : null },
      h("th", { scope: "row" }, names[place].slice(0, 200)), h("td", {}, fixed(score)),
      h("td", { class: "share" }, percent(shares[place]), h("span", { class: "level", "aria-hidden": "true", style: { "--value": `${100 * shares[place]}%` } })),
      h("td", { class: "text" }, mark(place)))))));
}

function promptOf(answers, at, heading) {
  const { untold, caveats = [] } = answers.columns;
  if (untold) return h("p", { class: "caption" }, `What was asked is not shown: ${untold}.`);
  const [, , dropped, cut] = answers.columns.usage[at];
  const told = [
    ...caveats.map((note) => `Made again without the model: ${note}.`),
    dropped ? `${count(dropped, "demonstration")} of these were left out: the model's window is too small.` : "",
    cut ? `${count(cut, "token")} at the left of the question were cut.` : "",
  ].filter(Boolean);
  return [
    told.map((text) => h("p", { class: "caption" }, text)),
    answers.requests(at).map((request) => h("div", {},
      h(heading, { class: "sub" }, `Asked (${request.kind})`),
      request.demonstrations.length
        ? h("details", { class: "demonstrations" }, h("summary", {}, count(request.demonstrations.length, "demonstration")), h("pre", { tabindex: "0" }, request.instruction, request.demonstrations.join("")))
        : request.instruction && h("pre", { class: "instruction", tabindex: "0" }, request.instruction),
      h("pre", { tabindex: "0" }, request.query, request.after && h("span", { class: "after" }, ` \u2026${request.after}`)),
      request.kind.startsWith("LogLikelihood") || request.kind.startsWith("FillMask")
        ? h("p", { class: "caption" }, "followed by ", request.answers.slice(0, 40).flatMap((answer, number) => [number ? ", " : "", h("code", {}, JSON.stringify(answer))]))
        : null)),
  ];
}

/** All that is known of one answer; `of` tells it from another one on the page. */
function wholeAnswer(answers, at, { heading = "h3", of = "" } = {}) {
  const [read, written] = answers.columns.usage[at];
  const ms = answers.columns.ms[at];
  const facts = [
    answers.context(at) !== null && `context ${answers.context(at)}`,
    read ? `${count(read, "token")} read` : "",
    written ? `${count(written, "token")} written` : "",
    Number.isFinite(ms) && `${quantity(ms)} ms`,
  ].filter(Boolean);
  return h("div", { class: "whole" },
    h("p", { class: "why" }, why(answers, at)),
    facts.length ? h("p", { class: "caption" }, facts.join(" \u00b7 ")) : null,
    answers.said(at) === null ? null : [h(heading, { class: "sub" }, "It wrote"), h("pre", { tabindex: "0" }, answers.said(at) || "(nothing)")],
    scoreBars(answers, at, of),
    promptOf(answers, at, heading));
}
