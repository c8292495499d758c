from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import scoring
from harness.records import Coverage, Estimate, Prediction, PromptSpec, TaskSpec, Usage
from harness.scoring import coverage, score

if TYPE_CHECKING:
    from collections.abc import Sequence

SPEC = TaskSpec(
    name="films", kind="classification", prompt=PromptSpec("{{ text }}"), labels={"bad": " bad", "good": " good"}
)


class Count:
    """How many predictions it was given."""

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        assert spec is SPEC
        return Estimate(len(predictions), 0, 0)


class Never:
    """A metric that these predictions have no value of."""

    higher_is_better = True

    def compute(self, predictions, spec):
        return None


def said(sample_id, status="answered", context=None, dropped=0):
    return Prediction(sample_id, "good", "good", status, context=context, usage=Usage(dropped_demonstrations=dropped))


def test_coverage_counts_each_way_to_answer():
    statuses = ["answered", "answered", "empty", "truncated", "unparsed", "failed", "failed", "failed"]
    predictions = [said(str(index), status, dropped=index % 2) for index, status in enumerate(statuses)]
    assert coverage(iter(predictions)) == Coverage(answered=2, empty=1, truncated=1, unparsed=1, failed=3, shortened=4)
    assert coverage([]) == Coverage()


def test_failed_samples_are_not_scored_and_others_are():
    predictions = [said("1"), said("2", "failed"), said("3", "empty"), said("4", "unparsed"), said("5", "truncated")]
    metrics, contexts = score(predictions, SPEC, {"count": Count(), "never": Never()})
    assert metrics == {"count": Estimate(4, 0, 0)}
    assert contexts == {}


def test_scores_within_each_context():
    predictions = [
        said("1", context="books"),
        said("2", context="arts"),
        said("3", context="books"),
        said("4"),
        said("5", "failed", "films"),
    ]
    metrics, contexts = score(predictions, SPEC, {"count": Count()})
    assert metrics["count"].value == 4
    assert list(contexts) == ["arts", "books", "films"]
    assert [(context.n, dict(context.metrics)) for context in contexts.values()] == [
        (1, {"count": Estimate(1, 0, 0)}),
        (2, {"count": Estimate(2, 0, 0)}),
        (0, {}),
    ]


def test_nothing_answered_has_no_score():
    assert score([said("1", "failed")], SPEC, {"count": Count()}) == ({}, {})
    assert score([], SPEC, {"count": Count()}) == ({}, {})


@pytest.mark.parametrize("held", [0, 1, 5, 100])
def test_contexts_are_scored_apart_however_many_are_held_together(monkeypatch, held):
    monkeypatch.setattr(scoring, "HELD", held)
    predictions = [
        said(f"{n}", "failed" if n % 5 == 0 else "answered", "abc"[n % 3] if n % 4 else None) for n in range(60)
    ]
    _, contexts = score(predictions, SPEC, {"count": Count()})
    expected = {
        name: sum(one.context == name and one.status != "failed" for one in predictions) for name in ("a", "b", "c")
    }
    assert {name: one.n for name, one in contexts.items()} == expected
    assert {name: one.metrics["count"].value for name, one in contexts.items()} == expected
    assert list(contexts) == ["a", "b", "c"]
