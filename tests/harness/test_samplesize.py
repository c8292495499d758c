"""How much so many samples can tell, against simulated trials and definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.differences import mcnemar
from harness.samplesize import (
    minimum_detectable_difference,
    percentile_is_thin,
    samples_for_percentile,
    samples_to_settle,
)


def test_the_detectable_difference_is_found_four_times_in_five():
    """1,000 samples, 20% of them discordant: 2,000 simulated pairs that differ by what is said to be detectable."""
    n, discordance = 1000, 0.2
    difference = minimum_detectable_difference(n, discordance)
    assert difference == pytest.approx((1.96 + 0.84) * math.sqrt(discordance / n), rel=0.002)
    only_a, only_b = (discordance + difference) / 2, (discordance - difference) / 2
    tables = np.random.default_rng(7).multinomial(n, [only_a, only_b, 1 - discordance], size=2000)
    found = np.mean([mcnemar(int(first), int(second)) < 0.05 for first, second, _ in tables])
    assert 0.74 <= found <= 0.84


@pytest.mark.parametrize(("q", "n"), [(50, 5), (90, 29), (95, 59), (99, 299)])
def test_percentiles_need_enough_samples(q, n):
    assert samples_for_percentile(q) == n
    assert percentile_is_thin(n - 1, q)
    assert not percentile_is_thin(n, q)
    assert 1 - (q / 100) ** n >= 0.95 > 1 - (q / 100) ** (n - 1)


@pytest.mark.parametrize(("difference", "discordance", "n"), [(0.05, 0.2, 626), (0.03, 0.2, 1742), (0.02, 0.1, 1960)])
def test_so_many_samples_settle_a_difference(difference, discordance, n):
    """The numbers of Connor's formula, and as many simulated pairs found significant as its power says."""
    assert samples_to_settle(difference, discordance) == samples_to_settle(-difference, discordance) == n
    only_a, only_b = (discordance + difference) / 2, (discordance - difference) / 2
    tables = np.random.default_rng(n).multinomial(n, [only_a, only_b, 1 - discordance], size=2000)
    found = np.mean([mcnemar(int(first), int(second)) < 0.05 for first, second, _ in tables])
    assert 0.75 <= found <= 0.84


def test_no_number_of_samples_settles_what_does_not_differ():
    assert samples_to_settle(0.0, 0.3) is None
    assert samples_to_settle(0.0, 0.0) is None
    assert samples_to_settle(1.0, 1.0) == 4  # each sample differs, always the same way: (1.96 / 1)^2
