"""Where curves cross and how far a point may move: hand-worked cases, scipy and statsmodels, simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from harness.clusters import clustered_share
from harness.crossings import Line, cross, over_seeds, pooled
from harness.records import Estimate
from harness.statistics import wilson


def first(count, n=400):
    """The first `count` of n samples are right."""
    return np.arange(n) < count


def a_line(*points, n=400, seeds=(0,)):
    """Points are (labels, how many samples are right): alike for all seeds."""
    labels = tuple(labels for labels, _ in points)
    return Line(labels, tuple(dict.fromkeys(seeds, first(count, n)) for _, count in points), len(points) == 1)


# --- one point ---------------------------------------------------------------------------------------


def test_one_seed_has_wilsons_interval():
    found, expected = over_seeds(first(30, 80)[None, :]), wilson(30, 80)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_seeds_that_always_agree_are_worth_one():
    found, expected = over_seeds(np.tile(first(30, 80), (5, 1))), over_seeds(first(30, 80)[None, :])
    assert found.value == expected.value
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.004)  # Student's, not normal


def test_the_variance_is_that_of_the_crossed_table():
    """Mean squares by statsmodels; then Wilson's formula with the number of samples that they are worth."""
    rng = np.random.default_rng(3)
    ease, luck = rng.normal(size=60), np.array([-1.0, 0.0, 0.3, 1.2])
    right = rng.random((4, 60)) < 1 / (1 + np.exp(-(ease + luck[:, None])))
    long = pd.DataFrame(
        {
            "right": right.ravel().astype(float),
            "seed": np.repeat(np.arange(4), 60).astype(str),
            "sample": np.tile(np.arange(60), 4).astype(str),
        }
    )
    table = anova_lm(ols("right ~ seed + sample", long).fit())
    ms = table["mean_sq"]
    total = ms["seed"] + ms["sample"] - ms["Residual"]
    freedom = total**2 / (ms["seed"] ** 2 / 3 + ms["sample"] ** 2 / 59 + ms["Residual"] ** 2 / 177)
    mean = right.mean()
    worth = mean * (1 - mean) / (total / 240)
    z = stats.t.ppf(0.975, freedom)
    centre = (mean + z**2 / (2 * worth)) / (1 + z**2 / worth)
    half = z * math.sqrt(mean * (1 - mean) / worth + (z / (2 * worth)) ** 2) / (1 + z**2 / worth)
    found = over_seeds(right)
    assert ms["seed"] > ms["Residual"]
    assert (found.value, found.low, found.high) == pytest.approx((mean, centre - half, centre + half))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """New samples and new seeds each time; the sampling interval alone would miss the truth far more often."""
    rng = np.random.default_rng(0)
    truth = float(np.mean(rng.random(400_000) < 1 / (1 + np.exp(-rng.normal(0.5, math.hypot(1.0, 0.6), 400_000)))))
    held = alone = 0
    for _ in range(400):
        logits = 0.5 + rng.normal(0, 1, 150) + rng.normal(0, 0.6, (5, 1))
        right = rng.random((5, 150)) < 1 / (1 + np.exp(-logits))
        found, one = over_seeds(right), over_seeds(right[:1])
        held += found.low <= truth <= found.high
        alone += one.low <= truth <= one.high
    assert 0.92 <= held / 400 <= 0.99
    assert alone / 400 < 0.85


def test_clusters_of_one_change_nothing_and_copies_add_nothing():
    """Each sample four times over is worth no more than once: what clusters are there for."""
    rng = np.random.default_rng(1)
    right = rng.random((3, 80)) < 1 / (1 + np.exp(-rng.normal(size=80)))
    plain = over_seeds(right)
    alone = over_seeds(right, np.arange(80))
    assert (alone.value, alone.low, alone.high) == pytest.approx((plain.value, plain.low, plain.high))
    copied, clusters = np.repeat(right, 4, axis=1), np.repeat(np.arange(80), 4)
    found = over_seeds(copied, clusters)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    one, careless = over_seeds(copied[:1], clusters), over_seeds(copied[:1])
    assert one == clustered_share(copied[0], clusters)
    assert careless.high - careless.low < 0.6 * (one.high - one.low)
    assert over_seeds(copied, np.zeros(320, dtype=np.int64)) == Estimate(plain.value, 0, 1)


def test_whole_clusters_are_drawn_for_a_crossing():
    rng = np.random.default_rng(2)
    one, other = rng.random(60) < 0.8, rng.random(60) < 0.55
    lines = Line((4, 8), ({0: one}, {0: one})), Line((0,), ({0: other},), flat=True)
    copied = tuple(
        Line(line.labels, tuple({0: np.repeat(point[0], 10)} for point in line.right), line.flat) for line in lines
    )
    plain = cross(*lines).difference
    clustered = cross(*copied, np.repeat(np.arange(60), 10)).difference
    careless = cross(*copied).difference
    assert clustered.high - clustered.low == pytest.approx(plain.high - plain.low, rel=0.1)
    assert careless.high - careless.low < 0.5 * (plain.high - plain.low)


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_share_lies_in_its_interval_and_that_between_0_and_1(seeds, n, seed, share):
    right = np.random.default_rng(seed).random((seeds, n)) < share
    found = over_seeds(right)
    assert found.value == pytest.approx(right.mean())
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (5,)])
def test_no_answers_have_no_share(shape):
    with pytest.raises(ValueError, match="no answers"):
        over_seeds(np.zeros(shape, dtype=bool))


def test_scores_without_answers_are_pooled_by_hand():
    """Sampling 0.1 a seed; values 0.4, 0.6: variance 0.02 between, 0.01 of the mean; 0.02 in all."""
    half = 0.1 * stats.norm.ppf(0.975)
    found = pooled([Estimate(0.4, 0.4 - half, 0.4 + half), Estimate(0.6, 0.6 - half, 0.6 + half)])
    expected = stats.t.ppf(0.975, 1 * (0.02 / 0.01) ** 2) * math.sqrt(0.02)
    assert (found.value, found.high - found.value) == pytest.approx((0.5, expected))
    one = Estimate(0.4, 0.3, 0.7)
    assert pooled([one]) == one
    assert pooled([Estimate(1, 1, 1)] * 3) == Estimate(1, 1, 1)
    with pytest.raises(ValueError, match="no scores"):
        pooled([])


# --- two curves --------------------------------------------------------------------------------------


def test_the_crossing_is_straight_over_the_logarithm():
    """25 points behind with 10 labels and 25 ahead with 1,000: level with 100."""
    found = cross(a_line((10, 100), (1000, 300)), a_line((0, 200)))
    assert found.verdict == "crosses"
    assert found.labels == pytest.approx(100)
    assert 10 < found.low < 100 < found.high < 1000
    assert (found.first, found.last, found.changes, found.seeds) == (10, 1000, 1, 1)
    assert found.difference.value == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("counts", "verdict", "labels"),
    [
        ((300, 350), "from-first", -math.inf),
        ((50, 100), "never", math.inf),
        ((100, 201), "unsettled", None),
        ((200, 200), "unsettled", math.inf),
    ],
)
def test_verdicts(counts, verdict, labels):
    found = cross(a_line((8, counts[0]), (64, counts[1])), a_line((0, 200)))
    assert found.verdict == verdict
    if labels is not None:
        assert found.labels == labels


def test_a_curve_that_falls_back_beats_from_its_last_rise_on():
    found = cross(a_line((1, 300), (10, 100), (100, 300)), a_line((0, 200)))
    assert found.labels == pytest.approx(math.sqrt(1000))
    assert found.changes == 2
    assert cross(a_line((1, 300), (10, 100)), a_line((0, 200))).verdict == "never"


def test_curves_are_compared_where_both_have_labels():
    """At 8 the first one has the mean of its points, at 16 the second one has."""
    found = cross(a_line((4, 100), (16, 300)), a_line((8, 100), (32, 300)))
    assert (found.first, found.last) == (8, 16)
    assert found.difference.value == pytest.approx((300 - 200) / 400)
    assert found.verdict == "from-first"
    assert cross(a_line((4, 100), (8, 300)), a_line((16, 100), (32, 300))) is None


def test_with_one_seed_the_interval_is_that_of_a_paired_bootstrap():
    rng = np.random.default_rng(5)
    one, other = rng.random(200) < 0.8, rng.random(200) < 0.6
    found = cross(Line((4, 8), ({0: one}, {0: one})), Line((0,), ({0: other},), flat=True)).difference
    differences = np.concatenate([one.astype(float) - other, [1, -1]])
    expected = stats.bootstrap((differences,), np.mean, method="percentile", rng=rng).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.012)


def test_few_differing_samples_settle_nothing():
    """4 of 20, all for one side: a plain bootstrap would exclude 0, the exact test says p = 0.125."""
    found = cross(a_line((4, 14), (8, 14), n=20), a_line((0, 10), n=20))
    assert found.verdict == "unsettled"
    assert found.difference.value == pytest.approx(0.2)


def test_the_spread_over_few_seeds_is_not_made_too_small():
    """Samples all alike, so that seeds alone move the difference: its error is s / root S, also of three seeds."""
    shares = {0: 0.5, 1: 0.7, 2: 0.9}
    point = {seed: np.tile(first(round(10 * share), 10), 2000) for seed, share in shares.items()}
    found = cross(Line((1, 2), (point, point)), Line((0,), ({0: first(0, 20_000)},), flat=True), replicates=4000)
    draws = np.array([0.5, 0.7, 0.9])
    means = np.sort((draws[:, None] + draws).ravel() / 2)  # two of three are drawn
    assert found.difference.low == pytest.approx(means[0], abs=0.01)
    assert found.difference.high == pytest.approx(means[-1], abs=0.01)
    assert found.seeds == 3


def test_seeds_that_one_curve_lacks_count_where_they_are():
    one = Line((4, 8), ({0: first(10, 40), 1: first(30, 40)}, {1: first(40, 40)}))
    found = cross(one, a_line((0, 0), n=40, seeds=(0, 1, 2)))
    assert found.difference.value == pytest.approx(1.0)
    assert found.seeds == 3


def test_lines_of_other_samples_are_no_pair():
    with pytest.raises(ValueError, match="can't be paired"):
        cross(a_line((4, 3), (8, 3), n=10), a_line((0, 3), n=11))


RANDOM_LINE = st.lists(st.integers(0, 30), min_size=2, max_size=4)


@settings(max_examples=60, deadline=None)
@given(RANDOM_LINE, RANDOM_LINE, st.integers(1, 3), st.integers(0, 99))
def test_what_always_holds_of_a_crossing(one, other, seeds, seed):
    def line(counts):
        rng = np.random.default_rng([seed, *counts])
        points = tuple({s: rng.permutation(30) < count for s in range(seeds)} for count in counts)
        return Line(tuple(4 * 2**at for at in range(len(counts))), points)

    a, b = line(one), line(other)
    found, turned = cross(a, b, replicates=99), cross(b, a, replicates=99)
    end = found.difference
    assert end.value == pytest.approx(-turned.difference.value)
    assert end.low <= end.value <= end.high
    assert (found.verdict == "unsettled") == (end.low <= 0 <= end.high)
    assert found.low <= found.labels <= found.high
    assert math.isinf(found.labels) or found.first <= found.labels <= found.last
    if found.verdict != "unsettled":
        assert (found.verdict == "never") == (end.value < 0)
    assert found == cross(a, b, replicates=99)
