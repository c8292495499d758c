"""What a task file may say of some data: its kind, fields, labels and prompt, guessed from the columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.columns import NAMES
from harness.errors import UsageError, nearest
from harness.wording import expression, said, template_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.columns import Column, Table
    from harness.records import Kind

LABELS = ("label", "labels", "class", "category", "target", "intent", "sentiment", "topic", "tag", "type", "y", "gold")
ANSWERS = (
    *("final_answer", "answer", "answers", "ideal", "target", "output", "completion", "response", "reply", "summary"),
    *("highlights", "translation", "reference", "gold", "correct", "solution", "result"),
)
QUESTIONS = ("question", "query", "problem", "prompt", "instruction", "input", "q", "utterance")
PASSAGES = ("context", "passage", "paragraph", "article", "document", "story", "text", "background")
TEXTS = (
    *("text", "sentence", "review", "content", "body", "message", "tweet", "comment", "document", "article", "premise"),
    *("hypothesis", "sentence1", "sentence2", "question1", "question2", "title", "source", "utterance"),
)

MOST_LABELS = 300
"""Different texts that are labels; of numbers 20, which are more often counted or measured."""

ONE_LINE = '["\\n"]'


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody has said of the data; the rest is guessed."""

    kind: Kind | None = None
    target: str | None = None
    texts: tuple[str, ...] = ()


@dataclass(slots=True)
class Guess:
    """What the task file is to say.

    Attributes:
        kind: of the task.
        because: why, in a sentence.
        fields: name in templates -> column.
        derive: new columns, each an expression.
        where: rows that are kept.
        labels: label -> how it is said.
        prompt: keys of the prompt; values as they stand in templates.
        sections: further sections, as YAML in one line each.
        metrics: names, where not the kind's own.
        comments: key -> why it is so.
        context: columns that may be contexts, with the number of their values.
    """

    kind: Kind
    because: str
    fields: dict[str, str] = field(default_factory=dict)
    derive: dict[str, str] = field(default_factory=dict)
    where: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    prompt: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    comments: dict[str, str] = field(default_factory=dict)
    context: dict[str, int] = field(default_factory=dict)


def named(table: Table, names: Sequence[str]) -> list[str]:
    """The columns of these names, in the order of the names, however they are spelt."""
    spelt: dict[str, str] = {}
    for column in table.columns:
        spelt.setdefault(column.lower().replace(" ", "_").replace("-", "_"), column)
    return [spelt[name] for name in names if name in spelt]


def check_wanted(table: Table, wanted: Wanted) -> None:
    """See that the named columns are there.

    Raises:
        UsageError: with the nearest ones.
    """
    for column in (*wanted.texts, *([wanted.target] if wanted.target else [])):
        if column not in table.columns:
            raise UsageError(f"the data has no column {column!r}", hint=nearest(column, table.columns))


# --- the target ----------------------------------------------------------------------------------


def is_label(column: Column) -> bool:
    """Whether the values of a column are few enough to be labels."""
    return column.few and column.different <= (20 if column.numeric else MOST_LABELS)


def label_column(table: Table, wanted: Wanted) -> str | None:
    """The column whose values are labels: one that is named so, else the last one that may be."""
    if wanted.target:
        return wanted.target if wanted.kind == "classification" or is_label(table.columns[wanted.target]) else None
    candidates = [name for name, column in table.columns.items() if name not in wanted.texts and is_label(column)]
    first = next((name for name in named(table, (*LABELS, *ANSWERS)) if name in candidates), None)
    ending = [name for name in candidates if name.lower().endswith(("_label", "_class", "label"))]
    if first or ending:
        return first or ending[0]
    answered = any(name in table.columns for name in named(table, ANSWERS))
    return None if answered and wanted.kind is None else next(iter(reversed(candidates)), None)


def answer_column(table: Table, wanted: Wanted) -> str | None:
    """The column that holds the answer: numbers before texts, then by name, else the last text."""
    if wanted.target:
        return wanted.target
    found = [name for name in named(table, ANSWERS) if table.columns[name].filled and name not in wanted.texts]
    plain = [name for name in found if table.columns[name].all("text", "number", "true-or-false", "list")]
    numbers = [name for name in plain if table.columns[name].numeric]
    if numbers or plain:
        return (numbers or plain)[0]
    texts = [name for name, column in table.columns.items() if column.prose or column.numeric]
    texts = [name for name in texts if name not in (*wanted.texts, *named(table, (*NAMES, *TEXTS)))]
    return texts[-1] if len(texts) > 1 else None


# --- what is asked about ---------------------------------------------------------------------------


def text_columns(table: Table, wanted: Wanted, *without: str | None) -> list[str]:
    """The columns that a question shows: those named, else those that hold prose, else any text."""
    if wanted.texts:
        return list(wanted.texts)
    left = [name for name in table.columns if name not in without and name not in named(table, NAMES)]
    known = [name for name in (*named(table, QUESTIONS), *named(table, TEXTS), *named(table, PASSAGES)) if name in left]
    known = [name for name in known if table.columns[name].all("text") and not table.columns[name].few]
    prose = [name for name in left if table.columns[name].prose and not is_label(table.columns[name])]
    prose = [name for name in prose if name in known or name not in named(table, ANSWERS)]
    found = [name for name in table.columns if name in {*known, *prose}]
    found = [name for name in found if not any(says(table, name, other) for other in without if other)]
    return found or [name for name in left if table.columns[name].all("text")][:1] or left[:1]


def says(table: Table, column: str, target: str) -> bool:
    """Whether a column is the target again, in other words: each value of one goes with one of the other."""
    pairs = {(str(row.get(column)), str(row.get(target))) for row in table.kept}
    one, other = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return len(pairs) == len(one) == len(other) and len(pairs) < len(table.kept)


def fields_of(columns: Sequence[str]) -> dict[str, str]:
    """Name in templates -> column; a column alone that has no telling name is `text`."""
    found: dict[str, str] = {}
    for column in columns:
        name = template_name(column)
        found[name if name not in found else f"{name}_{len(found) + 1}"] = column
    return found


def question(fields: Mapping[str, str], answer: str) -> str:
    """A template that shows each field on a line, with its name before it, and ends with the name of the answer."""
    lines = [f"{name.replace('_', ' ').capitalize()}: {{{{ {name} }}}}" for name in fields]
    return "\n".join([*lines, f"{answer.replace('_', ' ').capitalize()}:"])


# --- kinds -----------------------------------------------------------------------------------------


def classification(table: Table, wanted: Wanted, target: str) -> Guess:
    """Few different values: labels."""
    column = table.columns[target]
    texts = text_columns(table, wanted, target)
    wording = next((name for name in table.columns if name != target and _words_for(table, name, target)), None)
    guess = Guess("classification", f"{target!r} has {column.different} different values in {table.rows} rows")
    guess.fields = fields_of([name for name in texts if name != wording]) | {"target": target}
    guess.labels = _labels(table, target, wording)
    shown = {name: column for name, column in guess.fields.items() if name != "target"}
    guess.prompt["template"] = question(shown, "label" if target.lower() in {"y", "class", "folder"} else target)
    guess.comments["labels"] = "How each label is said behind the prompt: the space before it counts. Say it in words."
    if wording:
        guess.comments["labels"] += f" Here as {wording!r} says it."
    for name, other in table.columns.items():
        if name not in {target, wording, *texts} and is_label(other) and not says(table, name, target):
            guess.context[name] = other.different
    return guess


def generation(table: Table, wanted: Wanted, target: str) -> Guess:
    """Answers that are written out: numbers, short answers, or long texts."""
    column = table.columns[target]
    texts = text_columns(table, wanted, target)
    guess = Guess("generation", f"{target!r} holds {_answers(column)}")
    if (marked := _marked(table, target)) and not column.numeric:
        guess.derive["final"] = f"{expression(target)}.split('####') | last | trim"
        guess.comments["derive"] = "The answer is what stands behind ####."
        guess.because = f"{target!r} ends in a number behind ####"
        guess.fields = fields_of(texts) | {"target": "final"}
    else:
        guess.fields = fields_of(texts) | {"target": target}
    numeric = column.numeric or marked
    shown = {name: column for name, column in guess.fields.items() if name != "target"}
    guess.prompt["template"] = question(shown, "answer" if numeric or target in named(table, ANSWERS[:4]) else target)
    limit = 256 if marked else min(512, max(16, 3 * column.longest + 8))
    stop = "[]" if column.lines and not marked else ONE_LINE
    guess.sections["generation"] = f"{{max_tokens: {limit}, stop: {stop}}}"
    guess.comments["generation"] = f"The longest answer has {column.longest} words; a word takes one token or more."
    if numeric:
        guess.because += ": the last number of what is written is the answer, 1,234.50 is 1234.5"
        if wanted.kind == "generation":
            guess.sections["extract"] = "{type: number, take: last}"
        else:
            guess.kind = "maths"
    elif target.lower() == "translation":
        guess.metrics = ("chrf", "bleu")
    elif column.mean_words > 8 or target.lower() in {"summary", "highlights"}:
        guess.metrics = ("rougeL", "rouge1")
    return guess


def language_modelling(table: Table, wanted: Wanted) -> Guess:
    """Nothing but texts."""
    column = text_columns(table, wanted)[0]
    guess = Guess("language-modelling", f"there is nothing but the texts of {column!r}: how well are they predicted?")
    guess.fields = fields_of([column])
    guess.prompt["template"] = f"{{{{ {next(iter(guess.fields))} }}}}"
    return guess


def _labels(table: Table, target: str, wording: str | None) -> dict[str, str]:
    values = sorted(table.columns[target].values, key=lambda text: (len(text), text) if text.isdigit() else (0, text))
    words = {str(row.get(target)): str(row.get(wording)) for row in table.kept} if wording else {}
    told = {value: f" {said(words.get(value, value))}" for value in values}
    return told if len(set(told.values())) == len(told) else {value: f" {value}" for value in values}


def _words_for(table: Table, column: str, target: str) -> bool:
    """Whether a column says in words what the target says by number."""
    numbers = table.columns[target].numeric and is_label(table.columns[column])
    seen = {str(row.get(target)) for row in table.kept}
    whole = len(seen) == table.columns[target].different
    return numbers and whole and not table.columns[column].numeric and says(table, column, target)


def _marked(table: Table, target: str) -> bool:
    values = table.every(target)
    return bool(values) and all(isinstance(value, str) and "####" in value for value in values)


def _answers(column: Column) -> str:
    if column.numeric:
        return "numbers"
    kind = "lists of answers" if column.kinds["list"] else "texts"
    return f"{kind} of up to {column.longest} words"
