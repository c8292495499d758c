"""Ratios of times against scipy, and how often their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from harness.slowdown import median_ratio, ratio_of_paces


def test_the_median_ratio_has_scipys_percentile_interval():
    rng = np.random.default_rng(0)
    old = rng.gamma(5, 2, size=80)
    new = old * rng.normal(1.3, 0.1, size=80)
    ratio = median_ratio(new, old)

    reference = scipy.stats.bootstrap(
        (new / old,), np.median, method="percentile", n_resamples=9999, rng=1
    ).confidence_interval
    assert (ratio.before_ms, ratio.now_ms) == (np.median(old), np.median(new))
    assert ratio.times.value == pytest.approx(np.median(new / old), abs=1e-12)
    width = reference.high - reference.low
    assert (ratio.times.low, ratio.times.high) == pytest.approx(tuple(reference), abs=0.08 * width)


def test_paces_are_those_of_all_samples_together():
    new, old = [(64, 2.0), (64, 3.0), (10, 1.0)] * 3, [(64, 1.0), (10, 0.2)] * 4
    ratio = ratio_of_paces(new, old)
    assert ratio.now_ms == pytest.approx(1000 * 6 / 138)
    assert ratio.before_ms == pytest.approx(1000 * 1.2 / 74)
    assert ratio.times.low < ratio.times.value < ratio.times.high
    assert ratio_of_paces(new, old) == ratio


def test_intervals_of_ratios_hold_the_truth():
    """400 simulated pairs of measurements; 1.5 times as long."""
    rng = np.random.default_rng(2)
    medians = paces = 0
    for _ in range(400):
        own = rng.gamma(5, 2, size=60)
        old, new = own * rng.lognormal(0, 0.1, size=60), 1.5 * own * rng.lognormal(0, 0.1, size=60)
        times = median_ratio(new, old, replicates=499).times
        medians += times.low <= 1.5 <= times.high
        chunks = (
            [(64, float(s)) for s in rng.gamma(50, 1, size=20)],
            [(64, float(s)) for s in rng.gamma(50, 1.5, size=20)],
        )
        times = ratio_of_paces(chunks[1], chunks[0], replicates=499).times
        paces += times.low <= 1.5 <= times.high
    assert 0.93 <= medians / 400 <= 0.97
    assert 0.93 <= paces / 400 <= 0.97


def test_times_that_can_not_be_paired_are_refused():
    for new, old in (([], []), ([1.0], [1.0, 2.0])):
        with pytest.raises(ValueError, match="can't be paired"):
            median_ratio(new, old)
    with pytest.raises(ValueError, match="no chunks"):
        ratio_of_paces([], [(1, 1.0)])
