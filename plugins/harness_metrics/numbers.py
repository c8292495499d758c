"""Scores of numbers: correlations with the targets, and errors.

An answer without a number counts as the end of the targets' range that is farther from its target: it is worse than any
guess within the range, and every score stays comparable. Where all targets are equal, nothing is farther: no score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes
from harness.values import read_number
from harness_metrics.weighting import summed_interval, summed_pair, weighted_interval, weighted_pair, weighted_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted

_TINY = 1e-12
"""A variance below this share of the mean square is rounding alone."""
_FAR = 1e40
"""Answers beyond it are cut: the sixth powers that intervals rest on would be no numbers."""


class _OfSums:
    """A score of sums over samples, with a bootstrap interval."""

    higher_is_better = True

    def statistics(self, targets: Floats, answers: Floats) -> Floats:
        """(n,) targets and answers -> (n, m) what each sample adds."""
        raise NotImplementedError

    def score(self, sums: Floats) -> Floats:
        """(r, m) sums -> (r,) scores; NaN where there is none."""
        raise NotImplementedError

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task without numbers, and where it is not defined."""
        found = _told(predictions, spec)
        if found is None:
            return None
        return summed_interval(self.statistics(found[0], found[1]), self.score, found[2])

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task without numbers."""
        found = _told(predictions, spec)
        return None if found is None else weighted_sums(self.statistics(found[0], found[1]), self.score)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None where either has none."""
        first, second = _told(a, spec), _told(b, spec)
        if first is None or second is None:
            return None
        told = self.statistics(first[0], first[1]), self.statistics(second[0], second[1])
        return summed_pair(*told, self.score, first[2], level=level)


class Pearson(_OfSums):
    """The correlation of answers and targets; none where all answers or all targets are equal."""

    def statistics(self, targets: Floats, answers: Floats) -> Floats:
        """Moments."""
        return _moments(targets, answers)

    def score(self, sums: Floats) -> Floats:
        """The covariance over the root of both variances."""
        return _correlation(sums)


class MeanAbsoluteError(_OfSums):
    """The mean of |answer - target|; lower is better."""

    higher_is_better = False

    def statistics(self, targets: Floats, answers: Floats) -> Floats:
        """Distances, and their number."""
        return np.stack([np.abs(answers - targets), np.ones_like(targets)], axis=1)

    def score(self, sums: Floats) -> Floats:
        """Their mean."""
        return np.asarray(sums[:, 0] / sums[:, 1])


class RootMeanSquaredError(_OfSums):
    """The root of the mean of (answer - target)^2; lower is better."""

    higher_is_better = False

    def statistics(self, targets: Floats, answers: Floats) -> Floats:
        """Squares, and their number."""
        return np.stack([(answers - targets) ** 2, np.ones_like(targets)], axis=1)

    def score(self, sums: Floats) -> Floats:
        """The root of their mean."""
        return np.asarray(np.sqrt(np.maximum(sums[:, 0], 0) / sums[:, 1]))  # swaps leave rounding below 0


class Determination(_OfSums):
    """1 - the squared errors over those of the targets' own mean: 0 is what the mean explains, and less is possible.

    As scikit-learn's `r2_score`; none where all targets are equal.
    """

    def statistics(self, targets: Floats, answers: Floats) -> Floats:
        """Squared errors, targets and their squares, number."""
        centred = targets - targets.mean()
        return np.stack([(answers - targets) ** 2, centred, centred**2, np.ones_like(targets)], axis=1)

    def score(self, sums: Floats) -> Floats:
        """1 less the share that is left."""
        errors, total, squares, n = sums.T
        spread = squares - total**2 / n
        known = spread > _TINY * squares
        return np.asarray(1 - np.divide(errors, spread, out=np.full_like(errors, np.nan), where=known))


class Spearman:
    """Pearson's correlation of ranks, equal values at their mean rank (Spearman 1904), with a bootstrap interval.

    Each draw of samples is ranked anew. None where all answers or all targets are equal.
    """

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The correlation; None for a task without numbers, and where it is not defined."""
        found, score = _told(predictions, spec), self.weighted(predictions, spec)
        return None if found is None or score is None else weighted_interval(score, len(found[0]), found[2])

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task without numbers."""
        found = _told(predictions, spec)
        if found is None:
            return None
        targets, answers = _Ranked(found[0]), _Ranked(found[1])
        return lambda weights: _of_ranks(weights, targets, answers)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two correlations; None where either has none.

        What is swapped are ranks: the two may answer in other units (a cosine, points), which change no correlation.
        """
        first, second = _told(a, spec), _told(b, spec)
        if first is None or second is None:
            return None
        targets, one, other = _Ranked(first[0]), _Ranked(first[1]), _Ranked(second[1])
        even = np.ones((1, len(first[0])))
        mine, theirs = one.ranks(even)[0], other.ranks(even)[0]

        def difference(weights: Floats) -> Floats:
            return _of_ranks(weights, targets, one) - _of_ranks(weights, targets, other)

        def swapped(mask: np.ndarray) -> float:
            x, y = _Ranked(np.where(mask, theirs, mine)), _Ranked(np.where(mask, mine, theirs))
            return float((_of_ranks(even, targets, x) - _of_ranks(even, targets, y))[0])

        return weighted_pair(difference, swapped, len(first[0]), first[2], level=level)


class _Ranked:
    """Values in their order, and where each new one starts in it."""

    def __init__(self, values: Floats) -> None:
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        self.starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        sizes = np.diff(np.append(self.starts, len(values)))
        self.group = np.empty(len(values), dtype=np.int64)
        self.group[self.order] = np.repeat(np.arange(len(self.starts)), sizes)

    def ranks(self, weights: Floats) -> Floats:
        """(r, n) weights -> (r, n) mean ranks, less their mean."""
        mass = np.add.reduceat(weights[:, self.order], self.starts, axis=1)
        middle = np.cumsum(mass, axis=1) - mass / 2
        return np.asarray((middle - weights.sum(axis=1, keepdims=True) / 2)[:, self.group])


def _of_ranks(weights: Floats, targets: _Ranked, answers: _Ranked) -> Floats:
    x, y = targets.ranks(weights), answers.ranks(weights)  # their weighted means are 0
    product = (weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1)
    shared = (weights * x * y).sum(axis=1)
    return np.asarray(np.divide(shared, np.sqrt(product), out=np.full_like(shared, np.nan), where=product > 0))


def _moments(targets: Floats, answers: Floats) -> Floats:
    """(n, 6): standard scores x, y, their squares and product, 1.

    Standardised for precision, and so that swaps between trials mix no units.
    """
    x, y = _standardised(targets), _standardised(answers)
    return np.stack([x, y, x * x, y * y, x * y, np.ones_like(x)], axis=1)


def _standardised(values: Floats) -> Floats:
    """Less their mean, over their deviation; all 0 where nothing but rounding is left of them."""
    centred = values - values.mean()
    deviation = centred.std()
    return centred / deviation if deviation > _TINY * np.abs(values).max() else np.zeros_like(values)


def _correlation(sums: Floats) -> Floats:
    x, y, xx, yy, xy, n = sums.T
    of_x, of_y = xx - x * x / n, yy - y * y / n
    known = (of_x > _TINY * xx) & (of_y > _TINY * yy)
    product = np.where(known, of_x * of_y, 1.0)
    return np.where(known, np.clip((xy - x * y / n) / np.sqrt(product), -1, 1), np.nan)


def _told(predictions: Sequence[Prediction], spec: TaskSpec) -> tuple[Floats, Floats, Counts | None] | None:
    """Targets, answers and clusters; None for a task without numbers, or where nothing stands for a missing one."""
    if not spec.numeric:
        return None
    targets, answers, names = list[float](), list[float | None](), list[str | None]()
    for prediction in predictions:
        targets.append(float(prediction.target))
        answers.append(None if prediction.prediction is None else read_number(prediction.prediction))
        names.append(prediction.cluster)
    low, high = min(targets), max(targets)
    if low == high and None in answers:
        return None
    filled = [
        (low if target - low > high - target else high) if answer is None else answer
        for target, answer in zip(targets, answers, strict=True)
    ]
    return np.array(targets), np.clip(filled, -_FAR, _FAR), cluster_codes(names)
