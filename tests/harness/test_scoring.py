from __future__ import annotations

from typing import TYPE_CHECKING

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
    metrics, contexts = score(iter(predictions), SPEC, {"count": Count()})
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
