"""Scores with intervals and paired tests: pure functions over counts and sequences.

Every interval is two-sided. Bootstraps are seeded, so that the same numbers give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.distributions import fair_binomial_cdf, normal_cdf, normal_quantile
from harness.records import Estimate

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]
Score: TypeAlias = Callable[[Counts], Floats]

REPLICATES = 9999
LONG = 1000
"""From this many values on, the interval of a mean is the bootstrap's expansion: the same to the eye, at no cost."""
_CHUNK_CELLS = 2_000_000
"""Numbers held in memory at a time while drawing (16 MB)."""


# --- one trial -------------------------------------------------------------------------------------


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
        return _expanded_mean(sample, level)
    rng = np.random.default_rng(seed)
    draws = np.concatenate([sample[rng.integers(n, size=(rows, n))].mean(axis=1) for rows in _chunks(replicates, n)])
    return _bca(mean, draws, (mean * n - sample) / (n - 1), np.ones(n), level)


def confusion(targets: Iterable[str], predictions: Iterable[str | None], labels: Sequence[str]) -> Counts:
    """How often each label (row) was given each answer (column).

    Returns:
        (k, k + 1) counts; the last column has the answers that are no label, and the missing ones.

    Raises:
        ValueError: when a target is not among the labels, or the lengths differ.
    """
    gold, answered = _codes(targets, labels), _answer_codes(predictions, labels)
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
    return _mean_f1(*_marginals(matrix))


def micro_f1(matrix: Counts) -> Floats:
    """F1 of all labels' counts together; it is the accuracy where every answer is a label.

    Args:
        matrix: (..., k, k + 1): what `confusion` gives, or a batch of it.

    Returns:
        (...): equal to scikit-learn's `f1_score(average="micro", labels=labels, zero_division=0)`.
    """
    return _mean_f1(*(part.sum(axis=-1, keepdims=True) for part in _marginals(matrix)))


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
    return _multinomial_bca(matrix.ravel()[used], score_used, matrix.size, level, _Draws(rng, replicates))


# --- two trials on the same samples ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paired:
    """How two trials differ on the same samples.

    Attributes:
        n: how many samples there are.
        difference: the first one's score minus the second one's.
        p_value: two-sided, of the hypothesis that they do not differ.
        only_a: samples that only the first has right.
        only_b: samples that only the second has right.
    """

    n: int
    difference: Estimate
    p_value: float
    only_a: int
    only_b: int


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p-value of McNemar's test (1947, Psychometrika 12:153).

    Args:
        only_a: samples that only the first has right.
        only_b: samples that only the second has right.
    """
    n = only_a + only_b
    return min(1.0, 2.0 * fair_binomial_cdf(min(only_a, only_b), n)) if n else 1.0


def paired_accuracy(a: Sequence[bool] | Truths, b: Sequence[bool] | Truths, *, level: float = 0.95) -> Paired:
    """The difference of two accuracies on the same samples, from whether each sample was answered right.

    The p-value is McNemar's exact one. The interval is Bonett & Price's (2012, J. Educ. Behav. Stat. 37:479): unlike a
    bootstrap's it holds its level where few samples differ, and has a width where none does.

    Raises:
        ValueError: when there are no samples, or the lengths differ.
    """
    n = len(a)
    if n != len(b) or n == 0:
        raise ValueError(f"{n} and {len(b)} samples can't be paired")
    first, second = np.asarray(a, dtype=np.bool_), np.asarray(b, dtype=np.bool_)
    only_a, only_b = int((first & ~second).sum()), int((second & ~first).sum())
    value = (only_a - only_b) / n
    more_a, more_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = normal_quantile((1 + level) / 2) * math.sqrt((more_a + more_b - (more_a - more_b) ** 2) / (n + 2))
    low, high = max(-1.0, more_a - more_b - half), min(1.0, more_a - more_b + half)
    return Paired(n, Estimate(value, min(value, low), max(value, high)), mcnemar(only_a, only_b), only_a, only_b)


def sign_flip(differences: Sequence[float] | Floats, *, replicates: int = REPLICATES, seed: int = 0) -> float:
    """The two-sided p-value of the hypothesis that paired differences are as often positive as negative.

    The permutation test that swaps the two scores of a sample or doesn't (Fisher 1935, The Design of Experiments),
    done by drawing how many differences of each size change their sign.

    Args:
        differences: the first one's score minus the second one's, sample by sample.
        replicates: how many assignments of signs are drawn.
        seed: seed of the draws.
    """
    sizes, counts = np.unique(np.round(np.abs(np.asarray(differences, dtype=np.float64)), 12), return_counts=True)
    observed = abs(float(np.sum(differences)))
    rng = np.random.default_rng(seed)
    positive = rng.binomial(counts, 0.5, size=(replicates, len(counts)))
    drawn = np.abs((2 * positive - counts) @ sizes)
    return float(1 + (drawn >= observed - 1e-9).sum()) / (1 + replicates)


def paired_macro_f1(
    targets: Sequence[str],
    a: Sequence[str | None],
    b: Sequence[str | None],
    labels: Sequence[str],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Paired:
    """The difference of two macro-F1 scores on the same samples, with its 95% interval.

    Interval and test work on the table of (target, first answer, second answer): the interval is the BCa bootstrap's
    over its cells; the p-value is that of the permutation test that swaps the two answers to a sample or doesn't (Yeh
    2000, COLING), done by drawing how many samples of each cell are swapped. Where the two always answer alike, the
    interval is the one of the accuracies.

    Raises:
        ValueError: when there are no samples, the lengths differ, or a target is not among the labels.
    """
    gold, first, second = _codes(targets, labels), _answer_codes(a, labels), _answer_codes(b, labels)
    if not len(gold) == len(first) == len(second):
        raise ValueError(f"{len(gold)} targets, {len(first)} and {len(second)} predictions")
    by_accuracy = paired_accuracy(first == gold, second == gold)
    if np.array_equal(first, second):
        return by_accuracy
    cells, sizes = np.unique(np.column_stack([gold, first, second]), axis=0, return_counts=True)
    counts = sizes.astype(np.int64)
    rng = np.random.default_rng(seed)
    estimate = _multinomial_bca(counts, _f1_difference(cells, len(labels)), len(cells), 0.95, _Draws(rng, replicates))
    differing = np.flatnonzero(cells[:, 1] != cells[:, 2])
    difference = _f1_difference(np.concatenate([cells, cells[differing][:, [0, 2, 1]]]), len(labels))
    extreme = 0
    for rows in _chunks(replicates, 2 * len(cells)):
        swaps = rng.binomial(counts[differing], 0.5, size=(rows, len(differing)))
        kept = np.tile(counts, (rows, 1))
        kept[:, differing] -= swaps
        extreme += int((np.abs(difference(np.concatenate([kept, swaps], axis=1))) >= abs(estimate.value) - 1e-12).sum())
    return Paired(len(gold), estimate, (1 + extreme) / (1 + replicates), by_accuracy.only_a, by_accuracy.only_b)


# --- many trials ---------------------------------------------------------------------------------------


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, adjusted for their number by Holm's step-down method (1979, Scand. J. Stat. 6:65), in order."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


# --- shared steps --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draws:
    """A source of randomness and how often to draw from it."""

    rng: np.random.Generator
    replicates: int


def _codes(targets: Iterable[str], labels: Sequence[str]) -> Counts:
    """The places of targets among the labels."""
    place = {label: index for index, label in enumerate(labels)}
    try:
        return np.fromiter((place[target] for target in targets), dtype=np.int64)
    except KeyError as error:
        raise ValueError(f"target {error} is not among the labels") from None


def _answer_codes(answers: Iterable[str | None], labels: Sequence[str]) -> Counts:
    """The places of answers among the labels; k where an answer is none of them."""
    place: dict[str | None, int] = {label: index for index, label in enumerate(labels)}
    return np.fromiter((place.get(answer, len(labels)) for answer in answers), dtype=np.int64)


def _marginals(matrix: Counts) -> tuple[Floats, Floats, Floats]:
    """(..., k, k + 1) -> right answers, targets and answers of each label, (..., k) each."""
    square = matrix[..., :, :-1]
    hits = np.diagonal(square, axis1=-2, axis2=-1).astype(np.float64)
    return hits, matrix.sum(axis=-1, dtype=np.float64), square.sum(axis=-2, dtype=np.float64)


def _mean_f1(hits: Floats, gold: Floats, answered: Floats) -> Floats:
    """(..., k) counts -> (...) the mean of F1 = 2 hits / (gold + answered), van Rijsbergen's E turned over (1979)."""
    total = gold + answered
    return np.asarray(np.divide(2 * hits, total, out=np.zeros_like(total), where=total > 0).mean(axis=-1))


def _f1_difference(cells: Counts, k: int) -> Score:
    """Cells (c, 3) of target and two answers -> a function from counts (..., c) to macro-F1 differences (...)."""
    one_hot = np.eye(k + 1)[:, :k]
    gold, first, second = (one_hot[column] for column in cells.T)  # (c, k) each

    def difference(counts: Counts) -> Floats:
        weights = counts.astype(np.float64)
        targets = weights @ gold
        of_first = _mean_f1(weights @ (gold * first), targets, weights @ first)
        return np.asarray(of_first - _mean_f1(weights @ (gold * second), targets, weights @ second))

    return difference


def _multinomial_bca(counts: Counts, score: Score, width: int, level: float, source: _Draws) -> Estimate:
    """The BCa interval of a score of cells' counts; `width` is how many numbers scoring one draw holds in memory."""
    n = int(counts.sum())
    shares = counts / n
    draws = [score(source.rng.multinomial(n, shares, size=rows)) for rows in _chunks(source.replicates, width)]
    left_out, start = [], 0
    for rows in _chunks(len(counts), width):
        left_out.append(score(counts - np.eye(rows, len(counts), k=start, dtype=np.int64)))
        start += rows
    value = float(score(counts[np.newaxis])[0])
    return _bca(value, np.concatenate(draws), np.concatenate(left_out), counts, level)


def _bca(value: float, draws: Floats, left_out: Floats, weights: Counts | Floats, level: float) -> Estimate:
    """Bias-corrected and accelerated quantiles of the draws (Efron 1987), widened to the value where they leave it out.

    `left_out` has the score without one sample of each sort; `weights` says how many samples are of that sort.
    """
    same = np.isclose(draws, value, rtol=0, atol=1e-12)
    below = float(((draws < value) & ~same).mean() + same.mean() / 2)
    bias = normal_quantile(min(max(below, 1 / (len(draws) + 1)), len(draws) / (len(draws) + 1)))
    influence = np.average(left_out, weights=weights) - left_out
    spread = float((weights * influence**2).sum())
    acceleration = float((weights * influence**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    low, high = np.quantile(draws, [normal_cdf(z) for z in _shifted(bias, acceleration, level)])
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def _expanded_mean(sample: Floats, level: float) -> Estimate:
    """What `_bca` tends to: bias and acceleration are skewness / (6 root n), the draws' quantiles Cornish-Fisher's."""
    mean, n = float(sample.mean()), sample.size
    centred = sample - mean
    deviation = math.sqrt(float((centred**2).mean()))
    skew = float((centred**3).mean()) / deviation**3 / (6 * math.sqrt(n))
    z = _shifted(skew, skew, level)
    low, high = mean + deviation / math.sqrt(n) * (z + skew * (z**2 - 1))
    return Estimate(mean, float(low), float(high))


def _shifted(bias: float, acceleration: float, level: float) -> Floats:
    """The two normal quantiles of a level, moved for bias and acceleration."""
    z = bias + normal_quantile((1 + level) / 2) * np.array([-1.0, 1.0])
    return bias + z / (1 - acceleration * z)


def _chunks(total: int, width: int) -> Iterator[int]:
    """Split `total` rows of that width into parts that fit in `_CHUNK_CELLS`; the parts' sizes."""
    rows = max(1, _CHUNK_CELLS // width)
    for start in range(0, total, rows):
        yield min(rows, total - start)
