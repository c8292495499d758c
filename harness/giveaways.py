"""Answers that the question gives away: a field that is the target, an answer that stands in every prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sampling import normalised
from harness.templates import render_answer, render_choices, render_input, render_query, undeclared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.examined import Examined
    from harness.findings import Finding
    from harness.records import Sample, Split, TaskSpec

DRAWN = 500
"""Rows of each split that are looked at."""

FEWEST = 10
"""Rows that are needed to tell a leak from chance."""

TELLING = 12
"""Characters from which a free answer does not stand in a question by chance, nor among choices that it lists."""

MOST = 0.95
"""The share of rows from which it is no chance."""


def giveaways(given: Examined) -> Iterator[Finding]:
    """Fields that say the target, then answers in questions; each where a template shows them."""
    spec = given.spec
    rows = list(given.drawn(DRAWN))
    if spec.reads or spec.kind == "external" or len({row.target for row in rows}) < 2:
        return
    leaking = _fields(spec, rows)
    named = {key: sorted(leaking & undeclared(getattr(spec.prompt, key))) for key in ("template", "input")}
    for key, names in named.items():
        for name in names:
            message = f"shows the answer: field {name!r} says the target in each of {len(rows)} rows"
            yield given.error(message, "prompt", key, advice=f"leave {name} out of {_what(key)}")
    if not leaking:
        for split in given.splits:
            drawn = list(given.drawn(DRAWN, split))
            yield from next(filter(None, (list(_spoken(given, split, drawn, key)) for key in named)), ())


def _what(key: str) -> str:
    return "the template" if key == "template" else "prompt.input, which shows all fields unless it is written"


def _fields(spec: TaskSpec, rows: Sequence[Sample]) -> set[str]:
    """Fields that say the target, or how it is said, on every row."""
    names = set(rows[0].fields) - {"choices"}
    for row in rows:
        right = {normalised(said) for said in (row.target, render_answer(spec, row), *row.references)}
        if spec.chooses:
            right.add(normalised(row.choices[int(row.target)]))
        names = {name for name in names if normalised(str(row.fields.get(name, ""))) in right}
    return names


def _spoken(given: Examined, split: Split, rows: Sequence[Sample], key: str) -> Iterator[Finding]:
    """Questions in which the right answer stands, and no other that would be possible."""
    spec = given.spec
    render = render_query if key == "template" else render_input
    if spec.kind not in {"classification", "multiple-choice", "generation"} or len(rows) < FEWEST:
        return
    if spec.generates:
        rows = [row for row in rows if len(row.target) >= TELLING]
        if len(rows) < FEWEST:
            return
    given_away = sum(_gives_away(spec, row, render(spec, row)) for row in rows)
    if given_away < MOST * len(rows):
        return
    message = f"the right answer stands in {given_away} of {len(rows)} questions of {split}"
    if spec.generates:
        advice = "if it is to be found there, let kind be question-answering; if not, leave it out of the question"
    else:
        message += ", the others do not"
        advice = "leave it out of the question"
    yield given.warning(message, "prompt", key, advice=advice)


def _gives_away(spec: TaskSpec, row: Sample, question: str) -> bool:
    words = f" {normalised(question)} "

    def stands(said: str) -> bool:
        return bool(said.strip()) and f" {normalised(said)} " in words

    if spec.generates:
        return stands(row.target)
    said = spec.labels if spec.labels else dict(enumerate(render_choices(spec, row)))
    right = row.target if spec.labels else int(row.target)
    return [name for name, text in said.items() if stands(text)] == [right]
