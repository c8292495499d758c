"""How much slower one trial is than another: ratios of times with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.records import Estimate
from harness.resampling import REPLICATES, portions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.resampling import Floats


@dataclass(frozen=True, slots=True)
class Ratio:
    """Milliseconds a sample took before and takes now, and how many times as long that is with its interval."""

    before_ms: float
    now_ms: float
    times: Estimate


FEWEST_SAMPLES = 20
FEWEST_CHUNKS = 5
"""With fewer timings a ratio has no interval that is to be relied on."""


def median_ratio(
    new: Sequence[float], old: Sequence[float], *, level: float = 0.95, replicates: int = REPLICATES, seed: int = 0
) -> Ratio:
    """How many times as long a sample takes, the median over samples, with the percentile interval over samples.

    Sample by sample, since long ones take longer in both: that is no slowdown.

    Args:
        new: (n,) milliseconds of each sample now.
        old: (n,) milliseconds of the same samples before.
        level: of the interval.
        replicates: how often samples are drawn.
        seed: of the draws.

    Raises:
        ValueError: when there are no samples, or the lengths differ.
    """
    if len(new) != len(old) or not len(new):
        raise ValueError(f"{len(new)} and {len(old)} times can't be paired")
    now, before = np.asarray(new, dtype=np.float64), np.asarray(old, dtype=np.float64)
    ratios = now / before
    rng = np.random.default_rng(seed)
    draws = [
        np.median(ratios[rng.integers(len(ratios), size=(rows, len(ratios)))], axis=1)
        for rows in portions(replicates, len(ratios))
    ]
    times = _estimate(float(np.median(ratios)), np.concatenate(draws), level)
    return Ratio(float(np.median(before)), float(np.median(now)), times)


def ratio_of_paces(
    new: Sequence[tuple[int, float]],
    old: Sequence[tuple[int, float]],
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Ratio:
    """The time that a sample takes on average where all are given at once, over what it was; chunks are drawn.

    Args:
        new: number of samples and seconds of each chunk now.
        old: of each chunk before.
        level: of the interval.
        replicates: how often chunks are drawn.
        seed: of the draws.

    Raises:
        ValueError: when there are no chunks.
    """
    if not new or not old:
        raise ValueError("a pace of no chunks")
    rng = np.random.default_rng(seed)

    def drawn(chunks: Sequence[tuple[int, float]]) -> tuple[float, Floats]:
        samples, seconds = np.asarray(chunks, dtype=np.float64).T
        places = rng.integers(len(chunks), size=(replicates, len(chunks)))
        return float(seconds.sum() / samples.sum()), seconds[places].sum(axis=1) / samples[places].sum(axis=1)

    (now, now_draws), (before, before_draws) = drawn(new), drawn(old)
    return Ratio(before * 1e3, now * 1e3, _estimate(now / before, now_draws / before_draws, level))


def _estimate(value: float, draws: Floats, level: float) -> Estimate:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, min(value, float(low)), max(value, float(high)))
