"""Clustered errors against statsmodels and simulated truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm

from harness.clusters import (
    cluster_codes,
    clustered_confusion,
    clustered_mean,
    clustered_p,
    clustered_se,
    clustered_share,
)
from harness.resampling import LONG
from harness.statistics import confusion, confusion_interval, macro_f1, wilson


def robust(values, clusters):
    """Statsmodels' regression on a constant with cluster-robust errors."""
    ones = np.ones(len(values))
    return sm.OLS(values, ones).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)


def correlated(rng, number, size, share, shared):
    """Cluster numbers, and whether each sample is right, which a `shared` part has from its cluster."""
    clusters = np.repeat(np.arange(number), size)
    common, own = (rng.random(n) < share for n in (number, number * size))
    return clusters, np.where(rng.random(number * size) < shared, common[clusters], own)


def test_codes_number_the_clusters_and_leave_samples_without_one_alone():
    codes = cluster_codes(["a", None, "b", "a", None])
    assert codes[0] == codes[3]
    assert sorted(set(codes.tolist())) == [0, 1, 2, 3]
    assert cluster_codes([None, None]) is None
    assert cluster_codes([]) is None


@pytest.mark.parametrize("seed", range(3))
def test_errors_intervals_and_p_values_are_those_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    clusters = rng.integers(25, size=200)
    clusters = np.unique(clusters, return_inverse=True)[1]
    values = rng.normal(0.1, 1, size=200) + rng.normal(size=25)[clusters % 25]
    fit = robust(values, clusters)
    assert clustered_se(values, clusters) == pytest.approx(fit.bse[0], abs=1e-9)
    estimate = clustered_mean(values, clusters)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-9)
    two_sided, above = clustered_p(values, clusters)
    assert two_sided == pytest.approx(fit.pvalues[0], abs=1e-9)
    assert above == pytest.approx(two_sided / 2 if values.mean() > 0 else 1 - two_sided / 2, abs=1e-9)


def test_one_cluster_tells_nothing_of_the_spread():
    one = np.zeros(4, dtype=np.int64)
    assert clustered_se([1.0, 0.0, 1.0, 1.0], one) == math.inf
    share = clustered_share([True, False, True, True], one)
    assert (share.value, share.low, share.high) == (0.75, 0.0, 1.0)
    assert clustered_mean([1.0, 2.0, 3.0, 4.0], one).high == math.inf
    assert clustered_p([1.0, 2.0, 3.0, 4.0], one) == (1.0, 1.0)
    for function in (clustered_share, clustered_mean):
        with pytest.raises(ValueError, match="no "):
            function([], one)


def test_clusters_of_one_are_nearly_wilsons_interval():
    right = np.arange(400) < 300
    share, plain = clustered_share(right, np.arange(400)), wilson(300, 400)
    assert (share.low, share.high) == pytest.approx((plain.low, plain.high), abs=1e-3)


def test_where_all_are_right_each_cluster_counts_once():
    clusters = np.repeat(np.arange(20), 10)
    share = clustered_share(np.ones(200, dtype=bool), clusters)
    assert share.high == 1.0
    assert wilson(20, 20).low - 0.03 < share.low < wilson(20, 20).low
    assert clustered_share(np.zeros(200, dtype=bool), clusters).high == pytest.approx(1 - share.low)


@pytest.mark.parametrize(
    ("number", "size", "share", "shared"), [(30, 8, 0.7, 0.5), (60, 5, 0.9, 0.4), (100, 3, 0.5, 0.8)]
)
def test_clustered_share_holds_the_truth(number, size, share, shared):
    """2,000 simulated trials; intervals that ignore the clusters miss it far more often than they say."""
    rng = np.random.default_rng(number)
    held = ignored = 0
    for _ in range(2000):
        clusters, right = correlated(rng, number, size, share, shared)
        with_, without = clustered_share(right, clusters), wilson(int(right.sum()), len(right))
        held += with_.low <= share <= with_.high
        ignored += without.low <= share <= without.high
    assert 0.93 <= held / 2000 <= 0.97
    assert ignored / 2000 < 0.92


def trial(rng, clusters, accuracy, shared):
    """Targets and answers of three labels; whether right is decided by cluster for a `shared` part of the samples."""
    number = int(clusters.max()) + 1
    gold = rng.integers(3, size=len(clusters))
    by_cluster, alone = rng.random(number) < accuracy, rng.random(len(clusters)) < accuracy
    right = np.where(rng.random(len(clusters)) < shared, by_cluster[clusters], alone)
    return gold, np.where(right, gold, (gold + rng.integers(1, 3, size=len(clusters))) % 3)


def test_clustered_f1_holds_the_truth():
    """300 simulated trials of 40 clusters of 5: errors spread evenly, so the true macro-F1 is the accuracy."""
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(40), 5)
    held = 0
    for _ in range(300):
        gold, answers = trial(rng, clusters, 0.8, 0.6)
        interval = clustered_confusion(gold * 4 + answers, clusters, 3, macro_f1, replicates=499)
        held += interval.low <= 0.8 <= interval.high
    assert 0.92 <= held / 300 <= 0.975


def test_clustered_f1_of_clusters_of_one_is_the_plain_one():
    rng = np.random.default_rng(5)
    gold, answers = trial(rng, np.arange(200), 0.8, 0)
    plain = confusion_interval(confusion(map(str, gold), map(str, answers), ("0", "1", "2")), macro_f1)
    clustered = clustered_confusion(gold * 4 + answers, np.arange(200), 3, macro_f1)
    width = plain.high - plain.low
    assert clustered.value == pytest.approx(plain.value, abs=1e-12)
    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=0.06 * width)


def test_many_clusters_need_no_draws():
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(LONG + 1), 2)
    gold, answers = trial(rng, clusters, 0.8, 0.6)
    cells = gold * 4 + answers
    many = clustered_confusion(cells, clusters, 3, macro_f1)
    fewer = clustered_confusion(cells[: 2 * (LONG - 1)], clusters[: 2 * (LONG - 1)], 3, macro_f1)
    assert many.high - many.low == pytest.approx(fewer.high - fewer.low, rel=0.06)


def test_clustered_f1_at_the_ends():
    clusters = np.repeat(np.arange(10), 3)
    gold = np.arange(30) % 3
    right = clustered_confusion(gold * 5, clusters, 4, macro_f1)  # answers that are all of the first label
    assert 0 < right.value < 1
    all_right = clustered_confusion(gold * 4 + gold, clusters, 3, macro_f1)
    assert (all_right.value, all_right.high) == (1.0, 1.0)
    assert all_right.low == pytest.approx(clustered_share(np.ones(30, dtype=bool), clusters).low)
    none_right = clustered_confusion(gold * 4 + 3, clusters, 3, macro_f1)
    assert (none_right.value, none_right.low) == (0.0, 0.0)
    assert 0 < none_right.high < 0.5
