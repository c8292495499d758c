"""Scores that are functions of how often each sample is drawn: bootstrap intervals and permutation tests for them.

A score of sums over samples (BLEU, F1 over entities) is one; so is one of ranks (AUROC) or bins (ECE).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from harness.differences import Paired
from harness.records import Estimate
from harness.resampling import LONG, REPLICATES, Counts, Floats, bca, portions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.weighing import Weighted

Swapped: TypeAlias = Callable[[np.ndarray], float]
"""(n,) where two trials' answers are swapped -> the difference of their scores."""
OfSums: TypeAlias = Callable[[Floats], Floats]
"""(r, m) sums of samples' statistics -> (r,) scores."""

SWAPS = 1999
"""Permutations of `weighted_pair`, each of which ranks all samples anew."""


def weighted_interval(
    score: Weighted, n: int, clusters: Counts | None, *, level: float = 0.95, seed: int = 0
) -> Estimate | None:
    """A score of n samples with its BCa bootstrap interval; with clusters whole ones are drawn.

    From `LONG` samples or clusters on it is the jackknife's normal interval: of clusters that are left out one by one,
    or of `LONG` random groups of samples (Shao & Tu 1995, The Jackknife and Bootstrap). Draws without a score are left
    out. Where leaving out any sample changes nothing, and with one sample, the interval is a point.

    Returns:
        None where the samples have no score.
    """
    value = float(score(np.ones((1, n)))[0])
    if math.isnan(value):
        return None
    units = units_of(n, clusters, seed)
    number = int(units.max()) + 1
    if number < 2:
        spread = 0.0 if clusters is None else math.inf
        return Estimate(value, value - spread, value + spread)
    left_out = np.concatenate([score(1.0 - part[:, units]) for part in _one_hot(number, n)])
    left_out = np.where(np.isnan(left_out), value, left_out)
    if number >= LONG:
        spread = float(((left_out - left_out.mean()) ** 2).sum()) * (number - 1) / number
        half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(spread)
        return Estimate(value, value - half, value + half)
    rng, even = np.random.default_rng(seed), np.full(number, 1 / number)
    drawn = [
        score(rng.multinomial(number, even, size=rows)[:, units].astype(np.float64))
        for rows in portions(REPLICATES, 4 * n)
    ]
    draws = np.concatenate(drawn)
    draws = draws[~np.isnan(draws)]
    if not len(draws) or (np.ptp(draws) == 0 and draws[0] == value):
        return Estimate(value, value, value)
    return bca(value, draws, left_out, np.ones(number), level)


def weighted_sums(statistics: Floats, score: OfSums) -> Weighted:
    """A score of sums of (n, m) statistics, a row a sample, as a function of weights."""
    return lambda weights: score(weights @ statistics)


def summed_interval(statistics: Floats, score: OfSums, clusters: Counts | None) -> Estimate | None:
    """A score of sums with its interval: `weighted_interval` of (n, m) statistics, a row a sample."""
    return weighted_interval(weighted_sums(statistics, score), len(statistics), clusters)


def summed_pair(
    a: Floats, b: Floats, score: OfSums, clusters: Counts | None, *, level: float = 0.95, seed: int = 0
) -> Paired | None:
    """How two trials differ in a score of sums over the same samples.

    The interval is `weighted_interval`'s of the difference. The p-value is that of the permutation test that swaps the
    two answers to a sample, or to all of a cluster, or doesn't (Yeh 2000, COLING; Riezler & Maxwell 2005, ACL workshop
    on evaluation measures), by drawing; from `LONG` samples on, groups of them are swapped.

    Args:
        a: (n, m) statistics of the first one's answers.
        b: of the second one's.
        score: of sums of them.
        clusters: (n,) what `harness.clusters.cluster_codes` gives.
        level: of the interval.
        seed: of the draws.

    Returns:
        None where either has no score.
    """
    n = len(a)
    found = weighted_interval(
        lambda weights: score(weights @ a) - score(weights @ b), n, clusters, level=level, seed=seed
    )
    if found is None:
        return None
    units = units_of(n, clusters, seed)
    moved = np.zeros((int(units.max()) + 1, a.shape[1]))
    np.add.at(moved, units, b - a)
    rng, extreme = np.random.default_rng(seed), 0
    for rows in portions(REPLICATES, len(moved) + 2 * a.shape[1]):
        swapped = rng.integers(2, size=(rows, len(moved))) @ moved
        differences = score(a.sum(axis=0) + swapped) - score(b.sum(axis=0) - swapped)
        extreme += int((np.abs(differences) >= abs(found.value) - 1e-12).sum())
    alone = score(a) - score(b)
    p_value = (1 + extreme) / (1 + REPLICATES)
    return Paired(n, found, p_value, int((alone > 0).sum()), int((alone < 0).sum()))


def weighted_pair(
    difference: Weighted, swapped: Swapped, n: int, clusters: Counts | None, *, level: float = 0.95, seed: int = 0
) -> Paired | None:
    """How two trials differ in a score that is no function of sums, as that of ranks; else as `summed_pair`.

    Args:
        difference: of the two scores, by weights.
        swapped: the difference where the answers to some samples, True in a mask of n, are the other trial's.
        n: samples.
        clusters: (n,) what `harness.clusters.cluster_codes` gives.
        level: of the interval.
        seed: of the draws.
    """
    found = weighted_interval(difference, n, clusters, level=level, seed=seed)
    if found is None:
        return None
    units, rng = units_of(n, clusters, seed), np.random.default_rng(seed)
    masks = rng.integers(2, size=(SWAPS, int(units.max()) + 1), dtype=np.int8)[:, units].astype(bool)
    differences = np.array([swapped(mask) for mask in masks])
    extreme = int((np.abs(np.nan_to_num(differences)) >= abs(found.value) - 1e-12).sum())
    alone = _leaving_each(difference, n, found.value)
    return Paired(n, found, (1 + extreme) / (1 + SWAPS), int((alone > 0).sum()), int((alone < 0).sum()))


def _leaving_each(difference: Weighted, n: int, value: float) -> Floats:
    """(n,) how much of the difference each sample brings: what is lost without it."""
    found = np.concatenate([difference(1.0 - part) for part in _one_hot(n, n)])
    return value - np.where(np.isnan(found), value, found)


def units_of(n: int, clusters: Counts | None, seed: int) -> Counts:
    """(n,) the number of what each sample is drawn or left out with: its cluster, itself, or one of `LONG` groups."""
    if clusters is not None:
        return clusters
    places = np.arange(n, dtype=np.int64)
    if n <= LONG:
        return places
    return np.asarray(np.random.default_rng(seed).permutation(places) % LONG, dtype=np.int64)


def _one_hot(number: int, n: int) -> Iterator[Floats]:
    start = 0
    for rows in portions(number, 4 * n):
        yield np.eye(rows, number, k=start)
        start += rows
