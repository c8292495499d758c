"""F1, precision and recall of one label, or averaged over labels; with what stands for one of each label.

All equal scikit-learn's with `labels=declared, zero_division=0`, of sets of labels too: a missing answer, or one that
is no label, is a miss of its target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import ParameterError, nearest
from harness.records import Component
from harness_metrics.classes import OfMarginals
from harness_metrics.labelsets import OfCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Floats
    from harness.weighing import Weighted


class _OfLabels(OfMarginals):
    """A ratio of one label's counts, or an average of the labels' ratios.

    Args:
        label: the one that counts.
        average: over all declared labels: `macro` their mean, `micro` of all counts together, `weighted` the mean
            weighted by how often each occurs; `macro` unless a label is named.

    Raises:
        ParameterError: when both are given.
    """

    def __init__(self, label: str | None = None, average: Literal["macro", "micro", "weighted"] | None = None) -> None:
        if label is not None and average is not None:
            raise ParameterError(f"label={label} is one label: average={average} has nothing to average")
        self._label = label
        self._average = average or "macro"

    def ratio(self, hits: Floats, gold: Floats, answered: Floats) -> tuple[Floats, Floats]:
        """Numerator and denominator for each label."""
        raise NotImplementedError

    def misfit(self, spec: TaskSpec) -> str | None:
        """A label that the task does not have."""
        if self._label is None or self._label in spec.labels:
            return None
        hint = nearest(self._label, spec.labels)
        return f"{self._label!r} is no label of the task" + (f"; {hint}" if hint else "")

    def scorer(self, spec: TaskSpec) -> Callable[[Floats, Floats, Floats], Floats]:
        """The score of this task's counts."""
        place = None if self._label is None else list(spec.labels).index(self._label)

        def score(hits: Floats, gold: Floats, answered: Floats) -> Floats:
            if self._average == "micro":
                hits, gold, answered = (part.sum(axis=-1, keepdims=True) for part in (hits, gold, answered))
            above, below = self.ratio(hits, gold, answered)
            each = np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
            if place is not None:
                return np.asarray(each[..., place])
            if self._average == "weighted":
                above, below = (each * gold).sum(axis=-1), gold.sum(axis=-1)
                return np.asarray(np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0))
            return np.asarray(each.mean(axis=-1))

        return score

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task without labels."""
        if spec.learnt == "labels":
            return OfCounts(self.scorer(spec)).compute(predictions, spec)
        return super().compute(predictions, spec)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task without labels."""
        if spec.learnt == "labels":
            return OfCounts(self.scorer(spec)).weighted(predictions, spec)
        return super().weighted(predictions, spec)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None for a task without labels."""
        if spec.learnt == "labels":
            return OfCounts(self.scorer(spec)).compare(a, b, spec, level)
        return super().compare(a, b, spec, level)


class F1(_OfLabels):
    """The harmonic mean of precision and recall."""

    def ratio(self, hits: Floats, gold: Floats, answered: Floats) -> tuple[Floats, Floats]:
        """Twice the hits over targets and answers."""
        return 2.0 * hits, gold + answered


class Precision(_OfLabels):
    """The share of answers that are right."""

    def ratio(self, hits: Floats, gold: Floats, answered: Floats) -> tuple[Floats, Floats]:
        """Hits over answers."""
        del gold
        return hits, answered


class Recall(_OfLabels):
    """The share of targets that were found."""

    def ratio(self, hits: Floats, gold: Floats, answered: Floats) -> tuple[Floats, Floats]:
        """Hits over targets."""
        del answered
        return hits, gold


class _PerClass:
    """Stands for a metric of each label of the task."""

    higher_is_better = True
    name = ""

    def members(self, spec: TaskSpec) -> Sequence[str]:
        """One for each label; none for a task without labels."""
        return [str(Component(self.name, params={"label": label})) for label in spec.labels]

    def misfit(self, spec: TaskSpec) -> str | None:  # noqa: ARG002 - asked of those in its place
        """None."""
        return None

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:  # noqa: ARG002 - no score
        """None: those that stand in its place have scores."""
        return None


class PerClassF1(_PerClass):
    """F1 of each label."""

    name = "f1"


class PerClassPrecision(_PerClass):
    """Precision of each label."""

    name = "precision"


class PerClassRecall(_PerClass):
    """Recall of each label."""

    name = "recall"
