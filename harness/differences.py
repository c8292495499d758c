"""How two trials differ on the same samples: intervals and tests of paired differences.

Two marginal intervals that overlap say nothing of this: what both have right or wrong together cancels out. Where
samples come in clusters (`harness.clusters`), whole clusters are what is drawn and swapped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.clusters import Truths, clustered_mean, clustered_p, clustered_table
from harness.distributions import fair_binomial_cdf, normal_quantile
from harness.records import Estimate
from harness.resampling import LONG, REPLICATES, Counts, Draws, Floats, Score, clustered_bca, multinomial_bca, portions
from harness.statistics import answer_codes, bootstrap_mean, label_codes, mean_f1

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Paired:
    """How two trials differ on the same samples.

    Attributes:
        n: how many samples there are.
        difference: the first one's score minus the second one's.
        p_value: two-sided, of the hypothesis that they do not differ.
        only_a: samples that only the first has right.
        only_b: samples that only the second has right.

    With metrics that know of no right answers, `only_a` and `only_b` count the samples on which one does better.
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


def paired_accuracy(
    a: Sequence[bool] | Truths, b: Sequence[bool] | Truths, *, level: float = 0.95, clusters: Counts | None = None
) -> Paired:
    """The difference of two accuracies on the same samples, from whether each sample was answered right.

    The p-value is McNemar's exact one. The interval is Bonett & Price's (2012, J. Educ. Behav. Stat. 37:479): unlike a
    bootstrap's it holds its level where few samples differ, and has a width where none does. With clusters both are
    Student's, by the clustered standard error of the mean difference (Miller 2024, arXiv:2411.00640).

    Args:
        a: (n,) whether the first has each sample right.
        b: (n,) whether the second has.
        level: of the interval.
        clusters: (n,) what `harness.clusters.cluster_codes` gives.

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
    p_value = mcnemar(only_a, only_b)
    if clusters is not None and only_a + only_b:
        differences = first.astype(np.float64) - second
        found, p_value = clustered_mean(differences, clusters, level), clustered_p(differences, clusters)[0]
        low, high = max(-1.0, found.low), min(1.0, found.high)
    return Paired(n, Estimate(value, min(value, low), max(value, high)), p_value, only_a, only_b)


def paired_means(
    a: Sequence[float] | Floats, b: Sequence[float] | Floats, *, level: float = 0.95, clusters: Counts | None = None
) -> Paired:
    """The difference of two means over the same samples: of losses, say.

    The interval is the one of the mean difference (`bootstrap_mean`, with clusters `clustered_mean`); the p-value is
    `sign_flip`'s, with clusters Student's. `only_a` counts the samples on which the first value is the larger one.

    Raises:
        ValueError: when there are no samples, or the lengths differ.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} and {len(b)} samples can't be paired")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    if clusters is None:
        estimate, p_value = bootstrap_mean(differences, level=level), sign_flip(differences)
    else:
        estimate, p_value = clustered_mean(differences, clusters, level), clustered_p(differences, clusters)[0]
    return Paired(len(differences), estimate, p_value, int((differences > 0).sum()), int((differences < 0).sum()))


def sign_flip(differences: Sequence[float] | Floats, *, replicates: int = REPLICATES, seed: int = 0) -> float:
    """The two-sided p-value of the hypothesis that paired differences are as often positive as negative.

    The permutation test that swaps the two scores of a sample or doesn't (Fisher 1935, The Design of Experiments),
    done by drawing how many differences of each size change their sign. With more than `LONG` sizes, random groups of
    samples are swapped together: as many swaps are as likely as any.

    Args:
        differences: the first one's score minus the second one's, sample by sample.
        replicates: how many assignments of signs are drawn.
        seed: seed of the draws.
    """
    values = np.asarray(differences, dtype=np.float64)
    observed, rng = abs(float(values.sum())), np.random.default_rng(seed)
    sizes: NDArray[Any]
    counts: NDArray[Any]
    positive: NDArray[Any]
    sizes, counts = np.unique(np.round(np.abs(values), 12), return_counts=True)
    if len(sizes) > LONG:
        sizes = np.bincount(rng.permutation(len(values)) % LONG, weights=values)
        counts = np.ones(LONG, dtype=np.int64)
    extreme = 0
    for rows in portions(replicates, len(counts)):
        if counts.max() == 1:  # which a binomial draw is slow at
            positive = rng.integers(2, size=(rows, len(counts)), dtype=np.int8)
        else:
            positive = rng.binomial(counts, 0.5, size=(rows, len(counts)))
        extreme += int((np.abs((2.0 * positive - counts) @ sizes) >= observed - 1e-9).sum())
    return (1 + extreme) / (1 + replicates)


def exact_sign_flip(differences: Counts) -> tuple[float, float]:
    """P-values of the hypothesis that paired differences are as often positive as negative, against both sides and up.

    The permutation test of `sign_flip` over all assignments of signs, for whole numbers: how often the differences of
    one size are positive is binomial, and their sum's distribution is the convolution of those. With differences of -1
    and 1 alone it is McNemar's exact test. Good to about 1e-14.

    Args:
        differences: whole numbers, such as the seeds in which the first has a sample right minus those of the second.

    Returns:
        The two-sided p-value, and the one-sided one: how likely so large a sum would be.
    """
    met = np.bincount(np.abs(differences))
    met[0] = 0
    sizes = np.flatnonzero(met)
    counts = met[sizes]
    if not len(sizes):
        return 1.0, 1.0
    observed, most = int(differences.sum()), int(sizes @ counts)
    if len(sizes) == 1:  # sums of a binomial's tail are exact far out, where convolutions are not
        n, more = int(counts[0]), int((differences > 0).sum())
        return min(1.0, 2 * fair_binomial_cdf(min(more, n - more), n)), fair_binomial_cdf(n - more, n)
    length = 2 * (most + 1)
    transform = np.ones(most + 2, dtype=np.complex128)
    for size, n in zip(sizes.tolist(), counts.tolist(), strict=True):
        spaced = np.zeros(length)
        spaced[: size * n + 1 : size] = _fair_binomial(n)
        transform = transform * np.fft.rfft(spaced)
    positive = np.clip(np.fft.irfft(transform, length)[: most + 1], 0, None)  # of the sum of what is positive
    beyond = float(positive[(most + abs(observed)) // 2 :].sum())
    above = float(positive[(most + observed) // 2 :].sum())
    return (min(1.0, 2 * beyond) if observed else 1.0), min(1.0, above)


def _fair_binomial(n: int) -> Floats:
    """(n + 1,) probabilities of heads in n tosses of a fair coin."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return np.asarray(np.exp(logs[-1] - logs - logs[::-1] - n * math.log(2)))


# --- F1 --------------------------------------------------------------------------------------------------

Average = Literal["macro", "micro"]


def paired_f1(  # noqa: PLR0913 - all but the answers by keyword
    targets: Sequence[str],
    a: Sequence[str | None],
    b: Sequence[str | None],
    labels: Sequence[str],
    *,
    average: Average = "macro",
    level: float = 0.95,
    clusters: Counts | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Paired:
    """The difference of two F1 scores on the same samples.

    Interval and test work on the table of (target, first answer, second answer): the interval is the BCa bootstrap's
    over its cells; the p-value is that of the permutation test that swaps the two answers to a sample or doesn't (Yeh
    2000, COLING), done by drawing how many samples of each cell are swapped. With clusters, whole ones are drawn and
    swapped. Where the two always answer alike, the interval is the one of the accuracies.

    Args:
        targets: (n,) labels.
        a: (n,) the first one's answers.
        b: (n,) the second one's.
        labels: all of them.
        average: over labels, or of all labels' counts together.
        level: of the interval.
        clusters: (n,) what `harness.clusters.cluster_codes` gives.
        replicates: how often is drawn, for the interval and for the test.
        seed: of the draws.

    Raises:
        ValueError: when there are no samples, the lengths differ, or a target is not among the labels.
    """
    gold, first, second = label_codes(targets, labels), answer_codes(a, labels), answer_codes(b, labels)
    if not len(gold) == len(first) == len(second):
        raise ValueError(f"{len(gold)} targets, {len(first)} and {len(second)} predictions")
    by_accuracy = paired_accuracy(first == gold, second == gold, level=level, clusters=clusters)
    if np.array_equal(first, second):
        return by_accuracy
    cells, of_sample, sizes = np.unique(
        np.column_stack([gold, first, second]), axis=0, return_inverse=True, return_counts=True
    )
    draws = Draws(np.random.default_rng(seed), replicates)
    score = _f1_difference(cells, len(labels), average)
    both_ways = _f1_difference(np.concatenate([cells, cells[:, [0, 2, 1]]]), len(labels), average)
    if clusters is None:
        counts = sizes.astype(np.int64)
        estimate = multinomial_bca(counts, score, len(cells), level, draws)
        swapped = _swapped_samples(counts, cells[:, 1] != cells[:, 2], draws)
    else:
        _, table = clustered_table(of_sample.ravel().astype(np.int64), clusters)
        if len(table) < 2:
            value = float(score(table)[0])
            return Paired(len(gold), Estimate(value, -1.0, 1.0), 1.0, by_accuracy.only_a, by_accuracy.only_b)
        estimate = clustered_bca(table, score, len(cells), level, draws)
        swapped = _swapped_clusters(table, draws)
    extreme = sum(int((np.abs(both_ways(drawn)) >= abs(estimate.value) - 1e-12).sum()) for drawn in swapped)
    return Paired(len(gold), estimate, (1 + extreme) / (1 + replicates), by_accuracy.only_a, by_accuracy.only_b)


def _swapped_samples(counts: Counts, differing: Truths, draws: Draws) -> Iterator[Counts]:
    """Portions of (rows, 2 c) counts: of cells as they are, then of samples whose two answers are swapped."""
    for rows in portions(draws.replicates, 2 * len(counts)):
        swaps = np.zeros((rows, len(counts)), dtype=np.int64)
        swaps[:, differing] = draws.rng.binomial(counts[differing], 0.5, size=(rows, int(differing.sum())))
        yield np.concatenate([counts - swaps, swaps], axis=1)


def _swapped_clusters(table: Counts, draws: Draws) -> Iterator[Counts]:
    """The same, where all samples of a cluster are swapped together; `table` is (clusters, c)."""
    total = table.sum(axis=0)
    for rows in portions(draws.replicates, 2 * table.shape[1] + len(table)):
        swaps = draws.rng.integers(2, size=(rows, len(table))) @ table
        yield np.concatenate([total - swaps, swaps], axis=1)


def _f1_difference(cells: Counts, k: int, average: Average) -> Score:
    """Cells (c, 3) of target and two answers -> a function from counts (..., c) to F1 differences (...)."""
    one_hot = np.eye(k + 1)[:, :k]
    gold, first, second = (one_hot[column] for column in cells.T)  # (c, k) each

    def f1(*marginals: Floats) -> Floats:
        return mean_f1(*(part.sum(axis=-1, keepdims=True) if average == "micro" else part for part in marginals))

    def difference(counts: Counts) -> Floats:
        weights = counts.astype(np.float64)
        targets = weights @ gold
        of_first = f1(weights @ (gold * first), targets, weights @ first)
        return np.asarray(of_first - f1(weights @ (gold * second), targets, weights @ second))

    return difference
