"""The contract checks of `harness.testing` for the parts of prompt strategies."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from harness.promptparts import Pool, Question
from harness.templates import render_choices, render_head, render_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.interfaces import Model, Task
    from harness.promptparts import Calibrator, Order, Scorer, Search, Selector
    from harness.records import Sample


class LetterEncoder:
    """Embeds a text by how often it has each letter of the alphabet; a `harness.promptparts.TextEncoder`."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 26)."""
        return np.array([[text.lower().count(chr(97 + at)) for at in range(26)] for text in texts], np.float32)

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 26)."""
        return self.embed(texts)


def check_selector(selector: Selector, task: Task) -> None:
    """It gives numbers of different rows, the same for the same seed; a search never the row that is asked for.

    Args:
        selector: to check.
        task: whose training rows are chosen from.
    """
    rows = task.samples("train")

    def select(k: int) -> list[int] | Search:
        texts = [render_input(task.spec, row) for row in rows]
        encoder = LetterEncoder() if selector.embeds else None
        return selector.select(Pool(task.spec, rows, lambda: texts, random.Random(k), encoder), k)

    for k in (1, 3, len(rows) + 1):
        found, again = select(k), select(k)
        if not selector.searches:
            assert isinstance(found, list), "a selector that does not search gives numbers"
            assert found == again, "the same seed chooses the same rows"
            _check_numbers(found, k, len(rows))
            continue
        assert not isinstance(found, list), "a selector that searches gives a search"
        assert not isinstance(again, list), "a selector that searches gives a search"
        for at, sample in enumerate([*rows, *task.samples("test")]):
            text = render_input(task.spec, sample)
            near = found.nearest(sample, text, k)
            assert near == again.nearest(sample, text, k), "the same sample has the same neighbours"
            assert at not in near, "a search never finds the row that is asked for"
            _check_numbers(near, k, len(rows))


def _check_numbers(found: list[int], k: int, rows: int) -> None:
    assert len(found) <= k, f"no more than {k} rows: {found}"
    assert len(set(found)) == len(found), f"no row twice: {found}"
    assert all(0 <= at < rows for at in found), f"numbers of the {rows} rows: {found}"


def check_order(order: Order) -> None:
    """It gives the same rows, each once, and the same order for the same seed and sample."""
    for picked in ([], [3], [5, 2, 9, 4]):
        for similar in {True, order.by_similarity}:
            put = order.order(list(picked), similar=similar, seed=1, name="a")
            assert sorted(put) == sorted(picked), f"the rows that were picked, each once: {put} of {picked}"
            assert put == order.order(list(picked), similar=similar, seed=1, name="a"), "the same each time"


def check_scorer(scorer: Scorer, task: Task, model: Model) -> None:
    """It refuses in words, or asks what the model answers and gives a score a choice; requests are pure.

    Args:
        scorer: to check.
        task: whose choices are scored.
        model: that is asked.
    """
    spec = task.spec
    refusal = scorer.refuses(spec, model.answers)
    assert refusal is None or refusal, "refuses() gives a reason or None"
    if refusal is not None:
        return
    engine, shown = model.load("cpu"), tuple(task.samples("train")[:2])
    for sample in task.samples("test")[:3]:
        question = Question(spec, sample, render_head(spec), shown, model.answers, 0)
        requests = scorer.requests(question)
        assert requests, "there is at least one request"
        assert requests == scorer.requests(question), "requests() is pure"
        kinds = {type(request).__name__ for request in requests}
        assert kinds <= model.answers, f"it asks what the model answers, not {sorted(kinds - model.answers)}"
        scores = scorer.scores(question, engine.run(requests))
        assert len(scores) == len(render_choices(spec, sample)), "one score a choice"


def check_calibrator(calibrator: Calibrator, task: Task) -> None:
    """It refuses in words, or looks at samples drawn by the seed and corrects scores, one for one.

    Args:
        calibrator: to check.
        task: whose scores are corrected.
    """
    spec, rows = task.spec, task.samples("train")
    refusal = calibrator.refuses(spec, "sum")
    assert refusal is None or refusal, "refuses() gives a reason or None"
    if refusal is not None:
        return

    def samples() -> list[Sample]:
        return calibrator.samples(spec, rows if calibrator.draws else (), 5, random.Random(0))

    found = samples()
    assert found, "it looks at least at one sample"
    assert found == samples(), "the same seed draws the same samples"
    if calibrator.draws:
        assert len(found) <= 5, "no more samples than it may see"
        assert {sample.id for sample in found} <= {row.id for row in rows}, "what it draws are training rows"
    scores = [tuple(-1.0 - (at + label) % 3 for label in range(len(spec.labels))) for at in range(len(found))]
    correction = calibrator.fit(spec, scores)
    corrected = correction.apply(scores[0])
    assert len(corrected) == len(spec.labels), "one score a label"
    assert all(np.isfinite(corrected)), f"scores that are numbers stay numbers: {corrected}"
