// What the page shows: the board at once, single answers when somebody looks at them.
let board = JSON.parse(document.getElementById("board").textContent);
let blocks = new Map(
  [...document.querySelectorAll('script[type="application/gzip"]')].map((node) => [node.id, node.textContent]),
);
let unpacked = new Map();

// Tables have an id that a link can hold and a name to be read: where a task has several, by their numbers of samples.
function tables() {
  const seen = new Map();
  return board.tables.map((table) => {
    const before = seen.get(table.task) ?? 0;
    seen.set(table.task, before + 1);
    const alone = board.tables.filter((other) => other.task === table.task).length === 1;
    return { ...table, id: before ? `${table.task}~${before + 1}` : table.task, name: alone ? table.task : `${table.task} (${table.n.toLocaleString("en")})` };
  });
}

/** Takes what a live page has fetched. */
function replaceData(newBoard, newBlocks) {
  board = newBoard;
  blocks = newBlocks;
  unpacked = new Map();
}

async function unpack(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function block(id) {
  if (!unpacked.has(id)) unpacked.set(id, unpack(blocks.get(id)));
  return unpacked.get(id);
}

/** The answers of a trial with its texts. */
async function answersOf(table, key) {
  const [columns, texts] = await Promise.all([block(`trial-${key}`), block(table.texts)]);
  return new Answers(table.trials.find((trial) => trial.key === key), columns, texts, table.shown);
}

class Answers {
  constructor(trial, columns, texts, shown) {
    this.trial = trial;
    this.shown = shown;
    this.columns = columns;
    this.texts = texts;
    this.length = columns.ids.length;
    this.found = new Map(columns.ids.map((id, at) => [id, at]));
    this.searchable = [];
  }

  id(at) { return this.columns.ids[at]; }
  text(number) { return number < 0 ? null : this.texts.texts[number]; }
  list(number) { return number < 0 ? [] : this.texts.lists[number].map((one) => this.text(one)); }
  target(at) { return this.text(this.columns.targets[at]); }
  answer(at) { return this.text(this.columns.answers[at]); }
  context(at) { return this.text(this.columns.contexts[at]); }
  said(at) { return this.text(this.columns.said[at]); }
  scores(at) { return this.columns.scores[at]; }
  reason(at) { return this.columns.reasons[at] ?? ""; }

  /** What the metric says of this answer alone; null where answers are right or wrong, and where it says nothing. */
  alone(at) { return this.columns.alone?.[at] ?? null; }

  /** right, wrong, none (no answer, which counts as wrong), failed (not scored), or answered where nothing is right or wrong. */
  outcome(at) {
    const status = this.columns.status[at];
    if (status === "f") return "failed";
    if (!this.shown.judged) return status === "e" || status === "u" ? "none" : "answered";
    if (this.columns.judged[at] ?? (this.columns.answers[at] >= 0 && this.columns.answers[at] === this.columns.targets[at])) return "right";
    return this.columns.answers[at] < 0 ? "none" : "wrong";
  }

  requests(at) {
    return (this.columns.asked?.[at] ?? []).map(([kind, before, query, answers, after]) => {
      const [instruction = "", ...demonstrations] = this.list(before);
      return { kind, instruction, demonstrations, query: this.text(query), answers: this.list(answers), after: this.text(after) };
    });
  }

  /** What a sample is about, on one line. */
  gist(at) {
    const request = this.columns.asked?.[at]?.[0];
    const text = request ? this.text(request[2]) : this.said(at) ?? "";
    return text.slice(0, 400).replace(/\s+/g, " ").trim().slice(0, 160);
  }

  /** What the scores are of: labels, or the choices of this sample. */
  names(at) {
    if (this.columns.labels.length === this.scores(at).length) return this.columns.labels;
    const choices = this.requests(at)[0]?.answers ?? [];
    return this.scores(at).map((_, number) => (choices[number] === undefined ? `${number}` : `${number}: ${choices[number].trim()}`));
  }

  /** The place of a target or an answer among the scores; -1 where it has none. */
  place(at, said) {
    const place = this.columns.labels.length ? this.columns.labels.indexOf(said) : /^\d+$/.test(said ?? "") ? Number(said) : -1;
    return place < this.scores(at).length ? place : -1;
  }

  shares(at) {
    const scores = this.scores(at).map((score) => score ?? -Infinity);
    const top = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - top));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }

  holds(at, words) {
    this.searchable[at] ??= [
      this.id(at), this.answer(at), this.target(at), this.said(at), ...this.requests(at).map((request) => request.query),
    ].join("\n").toLowerCase();
    return this.searchable[at].includes(words);
  }
}
