"""What bootstraps share: draws of cells' counts, and bias-corrected and accelerated intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.distributions import normal_cdf, normal_quantile
from harness.records import Estimate

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Score: TypeAlias = Callable[[Counts], Floats]

REPLICATES = 9999
LONG = 1000
"""From this many values or clusters on no draws are made: an expansion gives the same to the eye, at no cost."""
PORTION = 2_000_000
"""Numbers held in memory at a time while drawing (16 MB)."""


@dataclass(frozen=True, slots=True)
class Draws:
    """A source of randomness and how often to draw from it."""

    rng: np.random.Generator
    replicates: int


def multinomial_bca(counts: Counts, score: Score, width: int, level: float, source: Draws) -> Estimate:
    """The BCa interval of a score of cells' counts; `width` is how many numbers scoring one draw holds in memory."""
    n = int(counts.sum())
    shares = counts / n
    draws = [score(source.rng.multinomial(n, shares, size=rows)) for rows in portions(source.replicates, width)]
    left_out, start = [], 0
    for rows in portions(len(counts), width):
        left_out.append(score(counts - np.eye(rows, len(counts), k=start, dtype=np.int64)))
        start += rows
    value = float(score(counts[np.newaxis])[0])
    return bca(value, np.concatenate(draws), np.concatenate(left_out), counts, level)


def bca(value: float, draws: Floats, left_out: Floats, weights: Counts | Floats, level: float) -> Estimate:
    """Bias-corrected and accelerated quantiles of the draws (Efron 1987), widened to the value where they leave it out.

    `left_out` has the score without one sample of each sort; `weights` says how many samples are of that sort.
    """
    same = np.isclose(draws, value, rtol=0, atol=1e-12)
    below = float(((draws < value) & ~same).mean() + same.mean() / 2)
    bias = normal_quantile(min(max(below, 1 / (len(draws) + 1)), len(draws) / (len(draws) + 1)))
    influence = np.average(left_out, weights=weights) - left_out
    spread = float((weights * influence**2).sum())
    acceleration = float((weights * influence**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    low, high = np.quantile(draws, [normal_cdf(z) for z in shifted(bias, acceleration, level)])
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def expanded_mean(sample: Floats, level: float) -> Estimate:
    """What `bca` tends to: bias and acceleration are skewness / (6 root n), the draws' quantiles Cornish-Fisher's."""
    mean, n = float(sample.mean()), sample.size
    centred = sample - mean
    deviation = math.sqrt(float((centred**2).mean()))
    skew = float((centred**3).mean()) / deviation**3 / (6 * math.sqrt(n))
    z = shifted(skew, skew, level)
    low, high = mean + deviation / math.sqrt(n) * (z + skew * (z**2 - 1))
    return Estimate(mean, float(low), float(high))


def shifted(bias: float, acceleration: float, level: float) -> Floats:
    """The two normal quantiles of a level, moved for bias and acceleration."""
    z = bias + normal_quantile((1 + level) / 2) * np.array([-1.0, 1.0])
    return bias + z / (1 - acceleration * z)


def clustered_bca(table: Counts, score: Score, width: int, level: float, source: Draws) -> Estimate:
    """The BCa interval of a score of cells' counts, drawing whole clusters; from `LONG` of them on the jackknife's.

    Args:
        table: (clusters, cells) counts; at least two clusters.
        score: of a batch of cells' counts.
        width: how many numbers scoring one draw holds in memory.
        level: of the interval.
        source: of the draws.
    """
    clusters, total = len(table), table.sum(axis=0)
    value = float(score(total[np.newaxis])[0])
    parts, start = [], 0
    for rows in portions(clusters, width):
        parts.append(score(total - table[start : start + rows]))
        start += rows
    left_out = np.concatenate(parts)
    if clusters >= LONG:
        spread = float(((left_out - left_out.mean()) ** 2).sum())
        half = normal_quantile((1 + level) / 2) * math.sqrt((clusters - 1) / clusters * spread)
        return Estimate(value, value - half, value + half)
    even = np.full(clusters, 1 / clusters)
    draws = [
        score(source.rng.multinomial(clusters, even, size=rows) @ table)
        for rows in portions(source.replicates, width + clusters)
    ]
    return bca(value, np.concatenate(draws), left_out, np.ones(clusters), level)


def portions(total: int, width: int) -> Iterator[int]:
    """Split `total` rows of that width into parts that fit in `PORTION`; the parts' sizes."""
    rows = max(1, PORTION // width)
    for start in range(0, total, rows):
        yield min(rows, total - start)
