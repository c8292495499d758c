"""F1 scores of classifications, from the confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.statistics import Score, confusion, confusion_interval, macro_f1, micro_f1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Estimate, Prediction, TaskSpec


class MacroF1:
    """The mean of the declared labels' F1, with a bootstrap interval.

    As scikit-learn's `f1_score(average="macro", labels=declared, zero_division=0)`: a label that is neither a target
    nor an answer has an F1 of 0; a missing answer, or one that is no label, is a miss of its target.
    """

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task without labels."""
        return _f1(predictions, spec, macro_f1)


class MicroF1:
    """F1 of all labels' counts together, with a bootstrap interval; the accuracy where every answer is a label."""

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task without labels."""
        return _f1(predictions, spec, micro_f1)


def _f1(predictions: Sequence[Prediction], spec: TaskSpec, score: Score) -> Estimate | None:
    if not spec.labels:
        return None
    targets = (prediction.target for prediction in predictions)
    answers = (prediction.prediction for prediction in predictions)
    return confusion_interval(confusion(targets, answers, tuple(spec.labels)), score)
