"""BIG-bench's metrics over stored predictions: its number, with an interval of ours."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from harness import Estimate
from harness.differences import paired_accuracy, paired_means
from harness.statistics import bootstrap_mean, confusion, macro_f1, wilson
from harness.weighing import weighted_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness import Prediction, TaskSpec
    from harness.differences import Paired
    from harness.weighing import Weighted

    Aggregate: TypeAlias = Callable[[Sequence[Any]], float]

DRAWS = 200
"""Of a bootstrap, where an aggregate is more than a mean."""

BUCKETS = 15
"""Of confidence, in the calibration error."""

Z = 1.959963984540054
"""The normal quantile of a 95% interval."""

LOSSES = frozenset({"calibration_multiple_choice_brier_score", "expected_calibration_error"})
"""Metrics of which less is better."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What of a task's rows makes a metric: what is measured under a name, shifted and stretched."""

    measured: str
    low: float = 0.0
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """A metric of a task, or the mean over its subtasks' metrics, each of which counts once.

    Attributes:
        higher_is_better: which way is up.
        scales: subtask -> what makes the metric there; those that lack it are left out.
    """

    higher_is_better: bool
    scales: Mapping[str, Scale]

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:  # noqa: ARG002 - in the values
        """The number over these rows; None where none has it."""
        values: dict[str, list[Any]] = {}
        for prediction in predictions:
            name = prediction.context or ""
            if name in self.scales and self.scales[name].measured in prediction.measured:
                values.setdefault(name, []).append(prediction.measured[self.scales[name].measured])
        found = [_estimated(items, self.scales[name]) for name, items in values.items()]
        if len(found) <= 1:
            return next(iter(found), None)
        value = statistics.fmean(one.value for one in found)
        half = math.hypot(*((one.high - one.low) / 2 for one in found)) / len(found)
        return Estimate(value, value - half, value + half)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:  # noqa: ARG002 - in the values
        """A mean over rows as a function of their weights; None for other aggregates and over several subtasks."""
        scale = self._plain(predictions)
        if scale is None or not all(scale.measured in one.measured for one in predictions):
            return None
        return weighted_mean([_moved(one.measured[scale.measured], scale) for one in predictions])

    def _plain(self, predictions: Sequence[Prediction]) -> Scale | None:
        """What makes a metric that is a mean over these rows; None for other aggregates and over several subtasks."""
        names = {one.context or "" for one in predictions}
        scale = self.scales.get(next(iter(names))) if len(names) == 1 else None
        return None if scale is None or scale.measured in AGGREGATES else scale

    def compare(
        self,
        a: Sequence[Prediction],
        b: Sequence[Prediction],
        spec: TaskSpec,  # noqa: ARG002 - in the values
        level: float = 0.95,
    ) -> Paired | None:
        """The difference of two means over the same rows; None for other aggregates and over several subtasks."""
        scale = self._plain(a)
        if scale is None or not all(scale.measured in one.measured for one in (*a, *b)):
            return None
        first, second = ([_moved(one.measured[scale.measured], scale) for one in side] for side in (a, b))
        if {*first, *second} <= {0.0, 1.0}:
            return paired_accuracy([bool(one) for one in first], [bool(one) for one in second], level=level)
        return paired_means(first, second, level=level)


def _moved(value: float, scale: Scale) -> float:
    return (float(value) - scale.low) * scale.factor


def _estimated(items: Sequence[Any], scale: Scale) -> Estimate:
    estimate = _estimate(items, scale.measured)
    return Estimate(*(_moved(value, scale) for value in (estimate.value, estimate.low, estimate.high)))


def _estimate(items: Sequence[Any], measured: str) -> Estimate:
    """The aggregate of a task's values with its interval."""
    if measured == "bleu":
        return _bleu(items)
    aggregate = AGGREGATES.get(measured)
    if aggregate is not None:
        value = aggregate(items)
        half = Z * _spread(items, aggregate)
        return Estimate(value, value - half, value + half)
    numbers = [float(one) for one in items]
    if set(numbers) <= {0.0, 1.0}:
        return wilson(int(sum(numbers)), len(numbers))
    return bootstrap_mean(numbers)


def _spread(items: Sequence[Any], aggregate: Aggregate) -> float:
    """The bootstrap's standard error; 0 where there is nothing to draw."""
    rng = random.Random(0)
    drawn = [aggregate(rng.choices(items, k=len(items))) for _ in range(DRAWS if len(items) > 1 else 0)]
    return statistics.stdev(drawn) if drawn else 0.0


# --- aggregates --------------------------------------------------------------------------------------


def _brier(items: Sequence[Sequence[float]]) -> float:
    """The mean over all choices of all rows."""
    return sum(total for total, _ in items) / sum(count for _, count in items)


def _calibration(items: Sequence[Sequence[float]]) -> float:
    """The expected calibration error, in buckets of equal width (Naeini et al. 2015, AAAI)."""
    confidence = np.array([sure for sure, _ in items], dtype=np.float64)
    right = np.array([bool(one) for _, one in items], dtype=np.float64)
    ends = np.arange(1, BUCKETS + 1) / BUCKETS
    bucket = np.minimum(np.searchsorted(ends, confidence, side="right"), BUCKETS - 1)
    gaps = np.bincount(bucket, weights=right - confidence, minlength=BUCKETS)
    return float(np.abs(gaps).sum() / len(items))


def _macro_f1(items: Sequence[Sequence[str]]) -> float:
    """The mean F1 of all choices that are right or chosen somewhere."""
    labels = sorted({label for pair in items for label in pair})
    matrix = confusion((right for right, _ in items), (said for _, said in items), labels)
    return float(macro_f1(matrix))


def _bleu(items: Sequence[Sequence[Any]]) -> Estimate:
    """Corpus BLEU as T5's evaluation sets it; rows with fewer targets repeat their first one."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(smooth_method="exp", tokenize="intl")
    most = max(len(right) for right, _ in items)
    filled = [[*right, *[right[0]] * (most - len(right))] for right, _ in items]
    references = [[right[place] for right in filled] for place in range(most)]
    found = metric.corpus_score([said for _, said in items], references, n_bootstrap=DRAWS if len(items) > 1 else 1)
    half = float(getattr(found, "_ci", 0.0) or 0.0) if len(items) > 1 else 0.0
    return Estimate(float(found.score), float(found.score) - half, float(found.score) + half)


AGGREGATES: Mapping[str, Aggregate] = {
    "calibration_multiple_choice_brier_score": _brier,
    "expected_calibration_error": _calibration,
    "macro_f1": _macro_f1,
    "bleu": lambda items: _bleu(items).value,
}
"""What is no mean over rows."""
