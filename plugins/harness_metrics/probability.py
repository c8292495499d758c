"""Scores of how sure a model is: Brier score, expected calibration error, area under the ROC curve.

A sample's probabilities are the softmax of its scores over labels or choices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes, clustered_mean
from harness.differences import paired_means
from harness.statistics import bootstrap_mean
from harness.weighing import weighted_mean
from harness_metrics.likelihood import place_of_target
from harness_metrics.weighting import weighted_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted

BINS = 15


class Brier:
    """The mean of the squared distance between probabilities and the truth, all labels added up (Brier 1950): 0 to 2.

    With two labels it is twice what scikit-learn's `brier_score_loss` gives unless it is told `scale_by_half=False`.
    """

    higher_is_better = False

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The mean with its bootstrap interval; None where any sample has no scores."""
        found = _told(predictions, spec)
        if found is None:
            return None
        values = _distances(found[0], found[1])
        return bootstrap_mean(values) if found[2] is None else clustered_mean(values, found[2])

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None where any sample has no scores."""
        found = _told(predictions, spec)
        return None if found is None else weighted_mean(_distances(found[0], found[1]))

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two means; None where either has none."""
        first, second = _told(a, spec), _told(b, spec)
        if first is None or second is None:
            return None
        values = _distances(first[0], first[1]), _distances(second[0], second[1])
        return paired_means(*values, level=level, clusters=first[2])


class CalibrationError:
    """The expected calibration error: how far the confidence in answers is from their accuracy, on average.

    Samples sorted by the probability of the likeliest answer (equal ones as they come) fall into 15 bins of equal mass;
    the bins' |accuracy - mean confidence| are averaged (Naeini et al. 2015, AAAI; equal mass: Nguyen & O'Connor 2015,
    EMNLP). It is biased upwards where samples are few, and so are its draws.
    """

    higher_is_better = False

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The error with its bootstrap interval; None where any sample has no scores."""
        score = self.weighted(predictions, spec)
        return None if score is None else weighted_interval(score, len(predictions), _clusters(predictions))

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None where any sample has no scores."""
        found = _told(predictions, spec)
        if found is None:
            return None
        probabilities, targets, _ = found
        confidence = np.array([float(one.max()) for one in probabilities])
        right = np.array([int(one.argmax()) == target for one, target in zip(probabilities, targets, strict=True)])
        order = np.argsort(confidence, kind="stable")
        excess = (right - confidence)[order]
        return lambda weights: _binned(weights[:, order], excess)


class Auroc:
    """The area under the ROC curve of a label's probability against the rest, its mean over labels: 0.5 is chance.

    As scikit-learn's `roc_auc_score`, with several labels of `multi_class="ovr"`; labels that never or always occur
    have none.
    """

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The area with its bootstrap interval; None without labels or scores, or with one label alone."""
        score = self.weighted(predictions, spec)
        return None if score is None else weighted_interval(score, len(predictions), _clusters(predictions))

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None without labels or scores."""
        found = _told(predictions, spec) if spec.labels else None
        if found is None:
            return None
        probabilities, targets = np.array(found[0]), np.array(found[1])
        columns = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else range(1)  # of two both are the same
        ranked = [_ranked(probabilities[:, label], targets == label) for label in columns]
        return lambda weights: _mean_area(weights, ranked)


def _told(predictions: Sequence[Prediction], spec: TaskSpec) -> tuple[list[Floats], list[int], Counts | None] | None:
    """Each sample's probabilities, the place of its target among them, and clusters; None where any has no scores."""
    if spec.generates or spec.reads or not all(prediction.scores for prediction in predictions):
        return None
    place = {label: index for index, label in enumerate(spec.labels)}
    probabilities, targets, names = list[np.ndarray](), list[int](), list[str | None]()
    for prediction in predictions:
        targets.append(place_of_target(prediction, place))
        scores = np.array(prediction.scores)
        shares = np.exp(scores - scores.max())
        probabilities.append(shares / shares.sum())
        names.append(prediction.cluster)
    return probabilities, targets, cluster_codes(names)


def _clusters(predictions: Sequence[Prediction]) -> Counts | None:
    return cluster_codes(one.cluster for one in predictions)


def _distances(probabilities: list[Floats], targets: list[int]) -> list[float]:
    return [float((one**2).sum() - 2 * one[target] + 1) for one, target in zip(probabilities, targets, strict=True)]


def _binned(weights: Floats, excess: Floats) -> Floats:
    """(r, n) weights of sorted samples -> (r,) the sum over bins of |accuracy - confidence|, by mass."""
    total = weights.sum(axis=1, keepdims=True)
    middle = np.cumsum(weights, axis=1) - weights / 2
    bins = np.minimum((middle * BINS / total).astype(np.int64), BINS - 1)
    flat = (bins + BINS * np.arange(len(weights))[:, np.newaxis]).ravel()
    sums = np.bincount(flat, weights=(weights * excess).ravel(), minlength=BINS * len(weights))
    return np.asarray(np.abs(sums.reshape(-1, BINS)).sum(axis=1) / total[:, 0])


def _ranked(values: Floats, positive: np.ndarray) -> tuple[Counts, Counts, np.ndarray]:
    """The order of samples by value, where each new value starts in it, and which of the sorted are positive."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))
    return order, starts, positive[order]


def _mean_area(weights: Floats, ranked: list[tuple[Counts, Counts, np.ndarray]]) -> Floats:
    areas = np.array([_area(weights[:, order], starts, positive) for order, starts, positive in ranked])
    known = ~np.isnan(areas)
    sums, counts = np.where(known, areas, 0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0))


def _area(weights: Floats, starts: Counts, positive: np.ndarray) -> Floats:
    """(r, n) weights of sorted samples -> (r,) how often a positive one stands above a negative one, ties by half."""
    of_positive = np.add.reduceat(weights * positive, starts, axis=1)
    of_negative = np.add.reduceat(weights * ~positive, starts, axis=1)
    below = np.cumsum(of_negative, axis=1) - of_negative / 2
    pairs = of_positive.sum(axis=1) * of_negative.sum(axis=1)
    won = (of_positive * below).sum(axis=1)
    return np.asarray(np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0))
