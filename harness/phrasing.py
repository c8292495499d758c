"""What is odd about how a task asks: templates that say too little, white space, labels, separators, values as code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.templates import render_answer, render_choices, render_query, shown_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.examined import Examined
    from harness.findings import Finding
    from harness.records import TaskSpec

DRAWN = 200
"""Rows of each split that are looked at: how a task asks is much the same for all."""

ASKED = frozenset({"classification", "generation", "question-answering", "maths", "code", "language-modelling"})
"""Kinds whose template tells rows apart: elsewhere choices or turns may."""


def odd_phrasing(given: Examined) -> Iterator[Finding]:
    """All that this module knows to look for."""
    yield from _constant(given)
    yield from _spacing(given, given.spec, "prompt", "template")
    for number, text in enumerate(given.spec.candidates.templates):
        asked = replace(given.spec, prompt=replace(given.spec.prompt, template=text))
        yield from _spacing(given, asked, "prompt", "candidates", "template", number)
    for number, said in enumerate(given.spec.candidates.labels):
        asked = replace(given.spec, labels={label: said[label] for label in given.spec.labels})
        yield from _spacing(given, asked, "prompt", "candidates", "labels", number)
    yield from _labels(given)
    yield from _separator(given)
    yield from _code(given)


def _constant(given: Examined) -> Iterator[Finding]:
    """Templates that say of every row, choice or answer the same."""
    spec = given.spec
    rows = list(given.drawn(DRAWN))
    if spec.kind in ASKED and len(rows) > 1 and len({render_query(spec, row) for row in rows}) == 1:
        advice = "name the fields that tell rows apart, such as {{ text }}"
        yield given.error("asks the same of every row", "prompt", "template", advice=advice)
    for row in rows if spec.chooses else ():
        said = render_choices(spec, row)
        if len(set(said)) < len(set(row.choices)):
            message = f"says different choices of sample {row.id} alike: no model can tell them apart"
            yield given.error(message, "prompt", "choice", advice="write {{ choice }} where the choice belongs")
            break
    if (
        spec.generates
        and len({row.target for row in rows}) > 1
        and len({render_answer(spec, row) for row in rows}) == 1
    ):
        advice = "write {{ target }} where the answer belongs"
        yield given.error("says the same answer of every row", "prompt", "answer", advice=advice)


def _spacing(given: Examined, spec: TaskSpec, *at: str | int) -> Iterator[Finding]:
    """The answer follows the query directly: exactly one of the two should bring the white space between them."""
    if spec.reads or spec.kind == "external" or spec.code is not None:  # a program's white space is its own
        return
    row = next(iter(given.splits.values()))[0]
    query = render_query(spec, row)
    answers = dict(spec.labels) if spec.labelled else {row.target: render_answer(spec, row)}
    for name, said in answers.items():
        if query[-1:].isspace() and said[:1].isspace():
            message = f"white space at the end of the template and at the start of the answer {said!r} ({name})"
            yield given.warning(message, *at, advice="leave it out at the template's end")
        elif not query[-1:].isspace() and not said[:1].isspace():
            message = f"no white space between the template and the answer {said!r} ({name})"
            yield given.warning(message, *at, advice="begin the answer with a space")


def _labels(given: Examined) -> Iterator[Finding]:
    """Labels that say nothing, and labels that another one begins with: the longer one is never the likelier."""
    labels = given.spec.labels
    for label, said in labels.items():
        if not said.strip():
            yield given.error("is said by white space alone", "labels", label, advice="say it in words")
            continue
        for other, longer in labels.items():
            if longer != said and longer.startswith(said) and not longer[len(said)].isalnum():
                message = (
                    f"{said!r} is how {longer!r} ({other}) begins: a sum of log-likelihoods can favour the shorter one"
                )
                yield given.warning(message, "labels", label, advice="say labels in words that begin differently")


def _separator(given: Examined) -> Iterator[Finding]:
    spec = given.spec
    if spec.reads or spec.kind == "external" or spec.prompt.separator.strip() != spec.prompt.separator:
        return
    row = next(iter(given.splits.values()))[0]
    if not render_query(spec, row)[:1].isspace() and not render_answer(spec, row)[-1:].isspace():
        message = f"no white space between demonstrations: {spec.prompt.separator!r} separates them"
        yield given.warning(message, "prompt", "separator", advice='write "\\n\\n", or leave it out')


def _code(given: Examined) -> Iterator[Finding]:
    """Lists and mappings that a template shows as Python writes them."""
    shown = shown_fields(given.spec)
    told = set[str]()
    for row in given.drawn(DRAWN):
        for name, value in row.fields.items():
            as_code = isinstance(value, list | tuple | dict) and name in shown - told and str(value)
            if as_code and len(as_code) > 2 and as_code in render_query(given.spec, row):
                told.add(name)
                kind = "mapping" if isinstance(value, dict) else "list"
                advice = f"write {{{{ {name} | join(', ') }}}}, or go through it with a for"
                message = f"shows the {kind} {name!r} of sample {row.id} as code: {as_code[:40]}"
                yield given.warning(message, "prompt", "template", advice=advice)
