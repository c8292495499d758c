"""Scores of one trial with intervals: pure functions over counts and sequences.

Every interval is two-sided. Bootstraps are seeded, so that the same numbers give the same interval. Where samples come
in clusters see `harness.clusters`; where two trials are compared, `harness.differences`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.distributions import normal_quantile
from harness.records import Estimate
from harness.resampling import (
    LONG,
    REPLICATES,
    Counts,
    Draws,
    Floats,
    Score,
    bca,
    expanded_mean,
    multinomial_bca,
    portions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def wilson(successes: int, n: int, level: float = 0.95) -> Estimate:
    """A proportion with its score interval (Wilson 1927, JASA 22:209), good for few samples and at 0 and 1 too.

    Raises:
        ValueError: when there are no samples, or more successes than samples.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n} samples")
    z = normal_quantile((1 + level) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return Estimate(share, 0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def bootstrap_mean(
    values: Sequence[float] | Floats, *, level: float = 0.95, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """A mean with its BCa bootstrap interval (Efron 1987, JASA 82:171).

    From `LONG` values on, the same interval is taken from its second-order expansion, which needs no draws (DiCiccio &
    Efron 1996, Statistical Science 11:189). Where all values are equal, or there is one, the interval is that point.

    Raises:
        ValueError: when there are no values.
    """
    sample = np.asarray(values, dtype=np.float64)
    n = sample.size
    if n == 0:
        raise ValueError("a mean of no values")
    mean = float(sample.mean())
    if np.ptp(sample) == 0:
        return Estimate(mean, mean, mean)
    if n >= LONG:
        return expanded_mean(sample, level)
    rng = np.random.default_rng(seed)
    draws = np.concatenate([sample[rng.integers(n, size=(rows, n))].mean(axis=1) for rows in portions(replicates, n)])
    return bca(mean, draws, (mean * n - sample) / (n - 1), np.ones(n), level)


def confusion(targets: Iterable[str], predictions: Iterable[str | None], labels: Sequence[str]) -> Counts:
    """How often each label (row) was given each answer (column).

    Returns:
        (k, k + 1) counts; the last column has the answers that are no label, and the missing ones.

    Raises:
        ValueError: when a target is not among the labels, or the lengths differ.
    """
    gold, answered = label_codes(targets, labels), answer_codes(predictions, labels)
    if len(gold) != len(answered):
        raise ValueError(f"{len(gold)} targets and {len(answered)} predictions")
    k = len(labels)
    return np.bincount(gold * (k + 1) + answered, minlength=k * (k + 1)).reshape(k, k + 1).astype(np.int64)


def macro_f1(matrix: Counts) -> Floats:
    """The mean over all labels of F1, which is 0 for a label that is neither a target nor an answer.

    Args:
        matrix: (..., k, k + 1): what `confusion` gives, or a batch of it.

    Returns:
        (...): equal to scikit-learn's `f1_score(average="macro", labels=labels, zero_division=0)`.
    """
    return mean_f1(*marginals(matrix))


def micro_f1(matrix: Counts) -> Floats:
    """F1 of all labels' counts together; it is the accuracy where every answer is a label.

    Args:
        matrix: (..., k, k + 1): what `confusion` gives, or a batch of it.

    Returns:
        (...): equal to scikit-learn's `f1_score(average="micro", labels=labels, zero_division=0)`.
    """
    return mean_f1(*(part.sum(axis=-1, keepdims=True) for part in marginals(matrix)))


def confusion_interval(
    matrix: Counts, score: Score, *, level: float = 0.95, replicates: int = REPLICATES, seed: int = 0
) -> Estimate:
    """A score of a confusion matrix with its BCa bootstrap interval.

    Drawing the cells' counts from a multinomial distribution is drawing samples with replacement, at a cost that does
    not grow with their number. Where all answers are right, or none is, draws say nothing of the spread: the interval
    is then the one of the share of right answers (`wilson`), scaled to the score.

    Args:
        matrix: (k, k + 1) as `confusion` gives it.
        score: `macro_f1`, `micro_f1` or another function of a batch of matrices.
        level: how often such intervals hold the truth.
        replicates: how many matrices are drawn.
        seed: seed of the draws.

    Raises:
        ValueError: when the matrix is empty.
    """
    right, n = int(np.trace(matrix)), int(matrix.sum())
    if right in {0, n}:
        value, share = float(score(matrix)), wilson(right, n, level)
        return Estimate(value, value * share.low, value if right else share.high)
    used = np.flatnonzero(matrix)

    def score_used(counts: Counts) -> Floats:
        full = np.zeros((len(counts), matrix.size), dtype=np.int64)
        full[:, used] = counts
        return score(full.reshape(-1, *matrix.shape))

    rng = np.random.default_rng(seed)
    return multinomial_bca(matrix.ravel()[used], score_used, matrix.size, level, Draws(rng, replicates))


# --- many trials ---------------------------------------------------------------------------------------


# --- counting ------------------------------------------------------------------------------------------


def label_codes(targets: Iterable[str], labels: Sequence[str]) -> Counts:
    """The places of targets among the labels."""
    place = {label: index for index, label in enumerate(labels)}
    try:
        return np.fromiter((place[target] for target in targets), dtype=np.int64)
    except KeyError as error:
        raise ValueError(f"target {error} is not among the labels") from None


def answer_codes(answers: Iterable[str | None], labels: Sequence[str]) -> Counts:
    """The places of answers among the labels; k where an answer is none of them."""
    place: dict[str | None, int] = {label: index for index, label in enumerate(labels)}
    return np.fromiter((place.get(answer, len(labels)) for answer in answers), dtype=np.int64)


def marginals(matrix: Counts) -> tuple[Floats, Floats, Floats]:
    """(..., k, k + 1) -> right answers, targets and answers of each label, (..., k) each."""
    square = matrix[..., :, :-1]
    hits = np.diagonal(square, axis1=-2, axis2=-1).astype(np.float64)
    return hits, matrix.sum(axis=-1, dtype=np.float64), square.sum(axis=-2, dtype=np.float64)


def mean_f1(hits: Floats, gold: Floats, answered: Floats) -> Floats:
    """(..., k) counts -> (...) the mean of F1 = 2 hits / (gold + answered), van Rijsbergen's E turned over (1979)."""
    total = gold + answered
    return np.asarray(np.divide(2 * hits, total, out=np.zeros_like(total), where=total > 0).mean(axis=-1))
