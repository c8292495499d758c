"""What a model would score that says the right answer: asked, extracted and judged as any other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.answers import ask, decide, read
from harness.errors import HarnessError
from harness.records import Generate, Generated, LogLikelihoods, Prompt
from harness.templates import render_answer, render_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.examined import Examined
    from harness.findings import Finding
    from harness.interfaces import Metric
    from harness.records import Prediction, Request, Response, Sample, TaskSpec

DRAWN = 200
"""Rows of each split that are looked at."""

KINDS = frozenset(
    {"classification", "multiple-choice", "generation", "question-answering", "maths", "language-modelling"}
)
"""Kinds that this knows how to answer."""


def ideal_predictions(spec: TaskSpec, rows: Sequence[Sample]) -> list[Prediction]:
    """What a trial would predict if the model said each right answer, as demonstrations say it."""
    return [_ideal(spec, row) for row in rows]


def unreachable(given: Examined, metrics: Mapping[str, Metric]) -> Iterator[Finding]:
    """Right answers that would be counted as wrong, and metrics that have no value for such a task."""
    spec = given.spec
    if spec.kind not in KINDS:
        return
    rows = list(given.drawn(DRAWN))
    predictions = ideal_predictions(spec, rows)
    if spec.generates:
        yield from _miscounted(given, rows, predictions)
    for number, (name, metric) in enumerate(metrics.items()):
        at = ("metrics", number)
        try:
            found = metric.compute(predictions, spec)
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a plugin's metric raises: it would end each trial
            yield given.error(f"metric {name!r} fails on right answers: {error}", *at, advice="choose another")
            continue
        if found is None:
            message = f"metric {name!r} has no value for right answers to a {spec.kind} task"
            yield given.warning(message, *at, advice="choose another, see harness list metrics")


def _ideal(spec: TaskSpec, row: Sample) -> Prediction:
    request = read(spec, row)[0] if spec.reads else ask(spec, row, Prompt(render_query(spec, row)))
    prediction = decide(spec, row, [_answered(spec, row, request)])
    measured = prediction.measured
    if spec.generates:
        measured = {**measured, "references": list(row.references or (row.target,))}
    if spec.code is not None:  # as if all of them had been run, and passed
        measured = {**measured, "programs": spec.generation.n, "passed": spec.generation.n}
        prediction = replace(prediction, judged=True)
    return replace(prediction, cluster=row.cluster, measured=measured)


def _answered(spec: TaskSpec, row: Sample, request: Request) -> Response:
    """The right answer to a request of `ask` or `read`, as an engine gives it."""
    if isinstance(request, Generate):
        text = render_answer(spec, row)
        held = [stop for stop in request.stop if stop in text]
        cut = min((text.index(stop) for stop in held), default=len(text))
        return Generated(text[:cut], "stop")
    if spec.reads:
        return LogLikelihoods((-1.0,), tokens=(1,))
    names = list(spec.labels) or list(map(str, range(len(row.choices))))
    return LogLikelihoods(tuple(0.0 if name == row.target else -10.0 for name in names))


def _miscounted(given: Examined, rows: Sequence[Sample], predictions: Sequence[Prediction]) -> Iterator[Finding]:
    """Right answers that are cut by a stop string or the limit, or not found where they stand."""
    spec, limits = given.spec, given.spec.generation
    said = {row.id: render_answer(spec, row) for row in rows}
    for number, stop in enumerate(limits.stop):
        cut = [row.id for row in rows if stop in said[row.id].rstrip()]
        if cut:
            message = f"{stop!r} stands within {_of(cut, rows)}: it ends them too early"
            advice = "leave it out, or begin the answer otherwise (prompt.answer)"
            yield given.warning(message, "generation", "stop", number, advice=advice)
    long = [row.id for row in rows if len(said[row.id].split()) > limits.max_tokens]
    if long:
        message = f"{limits.max_tokens} tokens are too few for {_of(long, rows)}: a word takes one or more"
        yield given.warning(message, "generation", "max_tokens", advice="raise it")
    wrong = [
        row.id
        for row, prediction in zip(rows, predictions, strict=True)
        if not prediction.correct and not any(stop in said[row.id] for stop in limits.stop)
    ]
    if wrong:
        message = f"finds no right answer in {_of(wrong, rows)}, as demonstrations say them"
        advice = "let prompt.answer say the answer so that it is found, or change extract"
        yield given.warning(message, "extract", advice=advice)


def _of(ids: list[str], rows: Sequence[Sample]) -> str:
    return f"{len(ids)} of {len(rows)} right answers (such as that of {ids[0]})"
