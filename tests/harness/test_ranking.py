"""Corrections for many tests against statsmodels; rank intervals against simulated truths."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from harness.differences import mcnemar
from harness.ranking import holm, rank_intervals


@settings(max_examples=20)  # the reference takes 50 ms
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]), abs=1e-12)


def test_holm_of_nothing():
    assert holm([]) == []


def test_ranks_follow_from_the_significant_pairs():
    pairs = {(0, 1): (0.01, 0.9), (0, 2): (0.3, 1e-6), (1, 2): (0.29, 1e-6)}
    assert rank_intervals(pairs, 3) == [(1, 2), (1, 2), (3, 3)]
    turned = {(1, 0): (-0.01, 0.9), (2, 0): (-0.3, 1e-6), (2, 1): (-0.29, 1e-6)}
    assert rank_intervals(turned, 3) == [(1, 2), (1, 2), (3, 3)]
    assert rank_intervals(pairs, 3, level=1 - 1e-9) == [(1, 3)] * 3


def test_what_was_not_compared_may_rank_anywhere():
    assert rank_intervals({}, 3) == [(1, 3)] * 3
    assert rank_intervals({}, 1) == [(1, 1)]
    assert rank_intervals({}, 0) == []
    assert rank_intervals({(0, 2): (0.5, 1e-9)}, 3) == [(1, 2), (1, 3), (2, 3)]


@given(st.integers(1, 6).flatmap(lambda k: st.tuples(st.just(k), st.lists(st.floats(0, 1), min_size=k, max_size=k))))
def test_an_interval_holds_the_observed_rank_wherever_tests_agree_with_scores(drawn):
    number, scores = drawn
    pairs = {(i, j): (scores[i] - scores[j], 0.001) for i, j in combinations(range(number), 2)}
    for index, (best, worst) in enumerate(rank_intervals(pairs, number)):
        rank = 1 + sum(score > scores[index] for score in scores)
        assert 1 <= best <= rank <= worst <= number


@pytest.mark.parametrize("accuracies", [[0.7, 0.7, 0.7, 0.7], [0.8, 0.75, 0.75, 0.6]])
def test_all_rank_intervals_together_hold_the_truth_19_times_in_20(accuracies):
    """200 simulated tables of four trials on 300 samples; of trials that are equally good any order is true."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(200):
        right = rng.random((300, 4)) < accuracies
        pairs = {}
        for i, j in combinations(range(4), 2):
            only_i, only_j = int((right[:, i] & ~right[:, j]).sum()), int((right[:, j] & ~right[:, i]).sum())
            pairs[i, j] = ((only_i - only_j) / 300, mcnemar(only_i, only_j))
        true = [
            (1 + sum(other > own for other in accuracies), sum(other >= own for other in accuracies))
            for own in accuracies
        ]
        intervals = rank_intervals(pairs, 4)
        held += all(low <= first and last <= high for (low, high), (first, last) in zip(intervals, true, strict=True))
    assert held >= 186  # the 0.1% quantile of 200 draws at 95% is 179; these intervals are on the safe side
