"""lm-eval's metrics over stored predictions: its aggregation gives the number, the interval is ours."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from harness import Estimate
from harness.differences import paired_accuracy, paired_means
from harness.statistics import bootstrap_mean, wilson
from harness.weighing import weighted_mean
from harness_lm_eval.values import back

if TYPE_CHECKING:
    from harness import Prediction, TaskSpec
    from harness.differences import Paired
    from harness.weighing import Weighted

Aggregation: TypeAlias = Callable[[Sequence[Any]], Any]

DRAWS = 200
"""Of a bootstrap, where an aggregation is more than a mean: some of them take a second each."""

Z = 1.959963984540054
"""The normal quantile of a 95% interval."""


@dataclass(frozen=True, slots=True)
class OwnMetric:
    """A metric of one lm-eval task, or of each task of a group.

    Attributes:
        name: under which predictions have it measured.
        higher_is_better: which way is up.
        aggregations: task -> what lm-eval aggregates its rows' values with; None for its plain mean.
        pooling: how a group's number is made of its tasks'; None where lm-eval makes none.
    """

    name: str
    higher_is_better: bool
    aggregations: Mapping[str, Aggregation | None]
    pooling: Pooling | None = None

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:  # noqa: ARG002 - in the values
        """The number over these rows; None where none has it, or lm-eval has no number over several tasks."""
        values: dict[str, list[Any]] = {}
        for prediction in predictions:
            if self.name in prediction.measured:
                values.setdefault(prediction.context or "", []).append(back(prediction.measured[self.name]))
        found = {task: _estimate(items, self.aggregations.get(task)) for task, items in values.items()}
        known = {task: one for task, one in found.items() if one is not None}
        contexts = {prediction.context for prediction in predictions}
        if len(contexts) <= 1:
            return next(iter(known.values()), None) if self.pooling is None or self.pooling.everywhere else None
        if self.pooling is None:
            return None
        return self.pooling.pooled({task: (one, len(values[task])) for task, one in known.items()})

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:  # noqa: ARG002 - in the values
        """A mean over the rows of one task as a function of their weights; None for other aggregations."""
        values = [back(one.measured[self.name]) for one in predictions if self.name in one.measured]
        plain = self._plain(predictions) and len(values) == len(predictions) and all(map(_is_number, values))
        return weighted_mean([float(one) for one in values]) if plain else None

    def _plain(self, predictions: Sequence[Prediction]) -> bool:
        """Whether it is the mean over rows, all of one task."""
        contexts = {one.context or "" for one in predictions}
        return len(contexts) == 1 and self.aggregations.get(next(iter(contexts))) is None

    def compare(
        self,
        a: Sequence[Prediction],
        b: Sequence[Prediction],
        spec: TaskSpec,  # noqa: ARG002 - in the values
        level: float = 0.95,
    ) -> Paired | None:
        """The difference of two means over the same rows; None for other aggregations and over several tasks."""
        pairs = [
            (back(one.measured[self.name]), back(other.measured[self.name]))
            for one, other in zip(a, b, strict=True)
            if self.name in one.measured and self.name in other.measured
        ]
        if not self._plain(a) or len(pairs) < len(a) or not all(_is_number(value) for pair in pairs for value in pair):
            return None
        first, second = [float(one) for one, _ in pairs], [float(other) for _, other in pairs]
        if {*first, *second} <= {0.0, 1.0}:
            return paired_accuracy([bool(one) for one in first], [bool(one) for one in second], level=level)
        return paired_means(first, second, level=level)


@dataclass(frozen=True, slots=True)
class Pooling:
    """How lm-eval makes one number of several tasks'.

    Attributes:
        weighted: whether tasks count by their rows.
        tasks: those that count; all where there are none.
        everywhere: whether the metric has a number within one task too (a subgroup's has none).
    """

    weighted: bool
    tasks: frozenset[str] = field(default_factory=frozenset)
    everywhere: bool = True

    def pooled(self, found: Mapping[str, tuple[Estimate, int]]) -> Estimate | None:
        """The mean of the tasks' numbers; its variance is that of a mean of independent estimates."""
        chosen = {task: one for task, one in found.items() if not self.tasks or task in self.tasks}
        if not chosen:
            return None
        weights = {task: n if self.weighted else 1 for task, (_, n) in chosen.items()}
        total = sum(weights.values())
        value = sum(chosen[task][0].value * weight for task, weight in weights.items()) / total
        errors = [(chosen[task][0].high - chosen[task][0].low) / 2 * weight for task, weight in weights.items()]
        half = math.sqrt(sum(error**2 for error in errors)) / total
        return Estimate(value, value - half, value + half)


def _estimate(items: list[Any], aggregation: Aggregation | None) -> Estimate | None:
    """The aggregate of a task's values with its interval; None where it is no number."""
    if aggregation is None:
        if not all(map(_is_number, items)):
            return None
        numbers = [float(one) for one in items]
        if set(numbers) <= {0.0, 1.0}:
            return wilson(int(sum(numbers)), len(numbers))
        return bootstrap_mean(numbers)
    value = aggregation(items)
    if not _is_number(value):
        return None
    half = Z * _spread(items, aggregation)
    return Estimate(float(value), float(value) - half, float(value) + half)


def _spread(items: list[Any], aggregation: Aggregation) -> float:
    """The bootstrap's standard error; 0 where there is nothing to draw."""
    rng = random.Random(0)
    drawn = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of draws that miss a label
        for _ in range(DRAWS if len(items) > 1 else 0):
            try:
                value = aggregation(rng.choices(items, k=len(items)))
            except (ValueError, ZeroDivisionError, IndexError):
                continue  # some have no value then
            if _is_number(value) and math.isfinite(value):
                drawn.append(float(value))
    if len(drawn) < 2:
        return 0.0
    mean = math.fsum(drawn) / len(drawn)
    return math.sqrt(math.fsum((one - mean) ** 2 for one in drawn) / (len(drawn) - 1))


def _is_number(value: Any) -> bool:  # noqa: ANN401 - whatever lm-eval gives
    if isinstance(value, bool | int | float):
        return True
    return hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0 and value.dtype.kind in "bifu"
