"""Paired differences against scipy, statsmodels, exact enumerations and simulated truths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from harness.clusters import cluster_codes
from harness.differences import (
    exact_sign_flip,
    mcnemar,
    paired_accuracy,
    paired_f1,
    paired_means,
    sign_flip,
)
from harness.resampling import LONG

LABELS = ("business", "sports", "tech")


def as_sklearn(predictions):
    """scikit-learn takes no None: a label that is never declared stands for it."""
    return ["(none)" if prediction is None else prediction for prediction in predictions]


def guesses(targets, right, rng):
    """Answers that are right with that probability, else drawn from the labels."""
    drawn = rng.choice(LABELS, size=len(targets))
    return [target if rng.random() < right else str(guess) for target, guess in zip(targets, drawn, strict=True)]


def f1_by_sklearn(targets, a, b, average):
    return float(
        np.subtract(
            *(f1_score(targets, as_sklearn(x), labels=LABELS, average=average, zero_division=0) for x in (a, b))
        )
    )


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_that_of_scipy_and_statsmodels(only_a, only_b):
    reference = reference_mcnemar([[7, only_a], [only_b, 9]], exact=True).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(float(reference), rel=1e-9)
    if only_a + only_b:
        assert mcnemar(only_a, only_b) == pytest.approx(scipy.stats.binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)


def test_paired_accuracy_counts_who_is_right_alone():
    a = [True] * 60 + [True] * 25 + [False] * 5 + [False] * 10
    b = [True] * 60 + [False] * 25 + [True] * 5 + [False] * 10
    paired = paired_accuracy(a, b)
    assert (paired.n, paired.only_a, paired.only_b) == (100, 25, 5)
    assert paired.difference.value == pytest.approx(0.20)
    assert paired.p_value == pytest.approx(scipy.stats.binomtest(5, 30).pvalue)
    # (26 - 6) / 102 -+ 1.96 sqrt((26/102 + 6/102 - (20/102)^2) / 102), by hand
    assert (paired.difference.low, paired.difference.high) == pytest.approx((0.09426, 0.29790), abs=1e-5)
    mirrored = paired_accuracy(b, a).difference
    assert (mirrored.low, mirrored.high) == pytest.approx((-paired.difference.high, -paired.difference.low))


def test_trials_that_never_differ_still_have_an_interval():
    paired = paired_accuracy([True] * 100, [True] * 100)
    assert paired.p_value == 1.0
    assert paired.difference.value == 0.0
    assert paired.difference.low == pytest.approx(-paired.difference.high)
    assert 0.02 < paired.difference.high < 0.04
    alone = paired_accuracy([True], [False])
    assert (alone.difference.value, alone.difference.high, alone.p_value) == (1.0, 1.0, 1.0)
    for a, b in (([], []), ([True], [True, False])):
        with pytest.raises(ValueError, match="can't be paired"):
            paired_accuracy(a, b)


@pytest.mark.parametrize(("n", "only_a", "only_b"), [(20, 0.1, 0.1), (50, 0.05, 0.02), (300, 0.2, 0.1)])
def test_paired_interval_holds_the_truth(n, only_a, only_b):
    """2,000 simulated pairs of trials."""
    tables = np.random.default_rng(n).multinomial(n, [only_a, only_b, 1 - only_a - only_b], size=2000)
    hits = 0
    for first, second, same in tables:
        a = [True] * first + [False] * second + [True] * same
        b = [False] * first + [True] * second + [True] * same
        difference = paired_accuracy(a, b).difference
        hits += difference.low <= only_a - only_b <= difference.high
    assert 0.93 <= hits / 2000 <= 0.998


def test_paired_macro_f1_permutes_as_all_permutations_do():
    """Seven samples have 2^7 ways to swap the answers: the exact p-value."""
    targets = ["tech", "tech", "tech", "sports", "sports", "business", "business"]
    a = ["tech", "tech", "tech", "sports", "sports", "business", None]
    b = ["tech", "sports", None, "tech", "sports", "tech", "business"]

    def difference(first, second):
        scores = [
            f1_score(targets, as_sklearn(x), labels=LABELS, average="macro", zero_division=0) for x in (first, second)
        ]
        return scores[0] - scores[1]

    observed = difference(a, b)
    swapped = [
        difference(*zip(*[(y, x) if swap else (x, y) for x, y, swap in zip(a, b, swaps, strict=True)], strict=True))
        for swaps in itertools.product([False, True], repeat=7)
    ]
    exact = np.mean(np.abs(swapped) >= abs(observed) - 1e-12)
    paired = paired_f1(targets, a, b, LABELS)
    assert paired.difference.value == pytest.approx(observed)
    assert paired.p_value == pytest.approx(exact, abs=0.02)
    assert (paired.n, paired.only_a, paired.only_b) == (7, 4, 1)


def test_paired_macro_f1_interval_is_scipys_bca_over_samples():
    rng = np.random.default_rng(8)
    targets = list(rng.choice(LABELS, size=120, p=[0.5, 0.3, 0.2]))
    a, b = guesses(targets, 0.8, rng), guesses(targets, 0.6, rng)
    codes = [np.array([LABELS.index(label) for label in column]) for column in (targets, a, b)]

    def by_sample(gold, first, second, axis=-1):
        scores = []
        for answers_ in (first, second):
            hits, total = (
                np.stack(part, axis=-1)
                for part in zip(
                    *[
                        (
                            ((gold == label) & (answers_ == label)).sum(axis),
                            (gold == label).sum(axis) + (answers_ == label).sum(axis),
                        )
                        for label in range(3)
                    ],
                    strict=True,
                )
            )
            scores.append((2 * hits / total).mean(axis=-1))
        return scores[0] - scores[1]

    reference = scipy.stats.bootstrap(
        codes, by_sample, paired=True, vectorized=True, n_resamples=9999, batch=500, rng=3
    )
    low, high = reference.confidence_interval
    paired = paired_f1(targets, a, b, LABELS)
    assert (paired.difference.low, paired.difference.high) == pytest.approx((low, high), abs=0.06 * (high - low))
    assert (paired.p_value < 0.05) == (low > 0)


def test_paired_macro_f1_rarely_finds_what_is_not_there():
    """200 pairs of equally good trials: about 5% below 0.05, and no more than a test of that level may have."""
    rng = np.random.default_rng(9)
    found = 0
    for _ in range(200):
        targets = list(rng.choice(LABELS, size=60))
        p_value = paired_f1(
            targets, guesses(targets, 0.7, rng), guesses(targets, 0.7, rng), LABELS, replicates=199
        ).p_value
        found += p_value <= 0.05
    assert found <= scipy.stats.binom(200, 0.05).ppf(0.999)


def test_paired_macro_f1_of_equal_answers():
    targets, predictions = ["tech", "sports", "tech"], ["tech", None, "tech"]
    paired = paired_f1(targets, predictions, predictions, LABELS)
    assert (paired.difference.value, paired.p_value) == (0.0, 1.0)
    assert paired.difference.low < 0 < paired.difference.high
    with pytest.raises(ValueError, match="3 targets, 3 and 2 predictions"):
        paired_f1(targets, predictions, predictions[:2], LABELS)


def test_sign_flips_are_scipys_permutation_test():
    rng = np.random.default_rng(3)
    differences = rng.choice([-1, -1 / 3, 0, 1 / 3, 2 / 3], size=60)
    reference = scipy.stats.permutation_test(
        (differences, np.zeros(60)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=19_999, rng=1
    )
    assert sign_flip(differences.tolist()) == pytest.approx(reference.pvalue, abs=0.015)
    assert sign_flip([0.0] * 5) == 1.0


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_exact_sign_flips_are_all_assignments_of_signs(differences):
    signs = np.array(list(itertools.product([-1, 1], repeat=len(differences))))
    sums = signs @ np.array(differences)
    two_sided, above = exact_sign_flip(np.array(differences))
    assert two_sided == pytest.approx(np.mean(np.abs(sums) >= abs(sum(differences))), abs=1e-9)
    assert above == pytest.approx(np.mean(sums >= sum(differences)), abs=1e-9)


@given(st.integers(0, 40), st.integers(0, 40))
def test_exact_sign_flips_of_ones_are_mcnemars(only_a, only_b):
    two_sided, above = exact_sign_flip(np.array([1] * only_a + [-1] * only_b + [0] * 5, dtype=np.int64))
    assert two_sided == pytest.approx(mcnemar(only_a, only_b), rel=1e-9)
    if only_a + only_b:
        reference = scipy.stats.binomtest(only_a, only_a + only_b, alternative="greater").pvalue
        assert above == pytest.approx(reference, rel=1e-9)


def test_exact_sign_flips_of_many_differences():
    differences = np.random.default_rng(0).integers(-5, 6, size=40_000)
    expected = 2 * scipy.stats.norm.sf((abs(differences.sum()) - 1) / np.sqrt((differences**2).sum()))
    assert exact_sign_flip(differences)[0] == pytest.approx(expected, abs=1e-4)


# --- other metrics -----------------------------------------------------------------------------------------


def test_paired_means_are_scipys():
    rng = np.random.default_rng(5)
    a, b = rng.exponential(size=200), rng.exponential(size=200) + 0.2
    paired = paired_means(a, b)
    reference = scipy.stats.permutation_test(
        (a - b,), np.mean, permutation_type="samples", n_resamples=9999, rng=1, vectorized=True
    )
    assert paired.difference.value == pytest.approx(float(np.mean(a - b)), abs=1e-12)
    assert paired.p_value == pytest.approx(reference.pvalue, abs=0.015)
    assert (paired.only_a, paired.only_b) == (int((a > b).sum()), int((a < b).sum()))
    with pytest.raises(ValueError, match="can't be paired"):
        paired_means([1.0], [])


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_paired_f1_is_the_difference_of_scikit_learns(average):
    rng = np.random.default_rng(6)
    targets = list(rng.choice(LABELS, size=80))
    a, b = guesses(targets, 0.8, rng), [None, *guesses(targets, 0.5, rng)[1:]]
    paired = paired_f1(targets, a, b, LABELS, average=average)
    assert paired.difference.value == pytest.approx(f1_by_sklearn(targets, a, b, average), abs=1e-9)
    wider = paired_f1(targets, a, b, LABELS, average=average, level=0.99).difference
    assert wider.low < paired.difference.low < paired.difference.high < wider.high


# --- clusters ----------------------------------------------------------------------------------------------


def in_clusters(rng, number, size, shared):
    """Cluster numbers, and a difference of -1, 0 or 1 a sample, which a `shared` part has from its cluster."""
    clusters = np.repeat(np.arange(number), size)
    common, own = (rng.choice([-1, 0, 1], size=n, p=[0.2, 0.6, 0.2]) for n in (number, number * size))
    return clusters, np.where(rng.random(number * size) < shared, common[clusters], own)


def test_clustered_pairs_are_statsmodels_robust_regression():
    rng = np.random.default_rng(1)
    clusters, differences = in_clusters(rng, 40, 5, 0.6)
    paired = paired_accuracy(differences > 0, differences < 0, clusters=clusters)
    fit = sm.OLS(differences.astype(float), np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    assert paired.difference.value == pytest.approx(fit.params[0], abs=1e-12)
    assert (paired.difference.low, paired.difference.high) == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-9)
    assert paired.p_value == pytest.approx(fit.pvalues[0], abs=1e-9)
    losses = paired_means(differences + 0.5, np.full(200, 0.5), clusters=clusters)
    assert losses.p_value == pytest.approx(fit.pvalues[0], abs=1e-9)
    unclustered = paired_accuracy(differences > 0, differences < 0)
    assert unclustered.difference.high - unclustered.difference.low < paired.difference.high - paired.difference.low


def test_few_clusters_never_make_a_tiny_p_value():
    clusters = np.repeat(np.arange(3), 50)
    paired = paired_accuracy([True] * 150, [False] * 150, clusters=clusters)
    assert paired.p_value == 0.25  # as flipping three signs
    alone = paired_accuracy([True] * 9, [False] * 9, clusters=np.zeros(9, dtype=np.int64))
    assert (alone.p_value, alone.difference.low, alone.difference.high) == (1.0, -1.0, 1.0)


def test_clustered_f1_of_clusters_of_one_is_the_plain_one():
    rng = np.random.default_rng(2)
    targets = list(rng.choice(LABELS, size=150))
    a, b = guesses(targets, 0.8, rng), guesses(targets, 0.7, rng)
    plain = paired_f1(targets, a, b, LABELS)
    clustered = paired_f1(targets, a, b, LABELS, clusters=np.arange(150))
    width = plain.difference.high - plain.difference.low
    assert clustered.difference.value == pytest.approx(plain.difference.value, abs=1e-12)
    assert clustered.difference.low == pytest.approx(plain.difference.low, abs=0.06 * width)
    assert clustered.difference.high == pytest.approx(plain.difference.high, abs=0.06 * width)
    assert clustered.p_value == pytest.approx(plain.p_value, abs=0.02)


def test_copies_of_samples_say_nothing_new_where_clusters_tell_that_they_are_copies():
    rng = np.random.default_rng(3)
    targets = list(rng.choice(LABELS, size=60))
    a, b = guesses(targets, 0.8, rng), guesses(targets, 0.6, rng)
    once = paired_f1(targets, a, b, LABELS)
    clusters = cluster_codes([str(index // 4) for index in range(240)])
    copied = paired_f1(
        *([one for one in column for _ in range(4)] for column in (targets, a, b)), LABELS, clusters=clusters
    )
    assert copied.difference.low == pytest.approx(once.difference.low, abs=0.01)
    assert copied.p_value == pytest.approx(once.p_value, abs=0.02)


# --- coverage and false alarms -------------------------------------------------------------------------------


def test_paired_f1_interval_holds_the_truth():
    """400 simulated pairs of trials on 200 samples: 85% and 70% right."""
    rng = np.random.default_rng(12)
    big = list(rng.choice(LABELS, size=400_000))
    true = f1_by_sklearn(big, guesses(big, 0.85, rng), guesses(big, 0.7, rng), "macro")
    held = 0
    for _ in range(400):
        targets = list(rng.choice(LABELS, size=200))
        found = paired_f1(targets, guesses(targets, 0.85, rng), guesses(targets, 0.7, rng), LABELS, replicates=499)
        held += found.difference.low <= true <= found.difference.high
    assert 0.93 <= held / 400 <= 0.97


def test_clustered_interval_of_a_difference_holds_the_truth():
    """2,000 simulated pairs of trials on 30 clusters of 6; intervals that ignore the clusters miss it more often."""
    rng = np.random.default_rng(13)
    held = ignored = 0
    for _ in range(2000):
        clusters, differences = in_clusters(rng, 30, 6, 0.7)
        with_, without = (
            paired_accuracy(differences > 0, differences < 0, clusters=codes).difference for codes in (clusters, None)
        )
        held += with_.low <= 0 <= with_.high
        ignored += without.low <= 0 <= without.high
    assert 0.93 <= held / 2000 <= 0.97
    assert ignored / 2000 < 0.85


def uniform(p_values):
    """The p-value of Kolmogorov and Smirnov's test that they are uniform."""
    return scipy.stats.kstest(p_values, "uniform").pvalue


def test_p_values_are_uniform_where_there_is_nothing_to_find():
    rng = np.random.default_rng(14)
    assert uniform([sign_flip(rng.normal(size=30), replicates=999) for _ in range(400)]) > 0.01
    flipped = [exact_sign_flip(rng.integers(-40, 41, size=60))[0] for _ in range(400)]
    assert uniform(flipped) > 0.01
    one_sided = [exact_sign_flip(rng.integers(-40, 41, size=60))[1] for _ in range(400)]
    assert uniform(one_sided) > 0.01
    clustered = []
    for _ in range(400):
        clusters = np.repeat(np.arange(40), 3)
        a, b = (rng.normal(size=120) + rng.normal(size=40)[clusters] for _ in range(2))
        clustered.append(paired_means(a, b, clusters=clusters).p_value)
    assert uniform(clustered) > 0.01


def test_p_values_of_paired_f1_are_uniform_where_there_is_nothing_to_find():
    rng = np.random.default_rng(15)
    found = []
    for _ in range(300):
        targets = list(rng.choice(LABELS, size=150))
        pair = (guesses(targets, 0.7, rng) for _ in range(2))
        found.append(paired_f1(targets, *pair, LABELS, replicates=199).p_value)
    assert uniform(found) > 0.01


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_mcnemars_p_value_is_below_a_level_no_more_often_than_that(level):
    """Counts are whole, so it is on the safe side; of 5,000 pairs of equally good trials."""
    only_a = np.random.default_rng(16).binomial(60, 0.5, size=5000)
    found = sum(mcnemar(int(one), 60 - int(one)) <= level for one in only_a)
    assert found <= scipy.stats.binom(5000, level).ppf(0.999)


def test_sign_flips_of_more_samples_than_are_drawn_apart_are_those_of_groups():
    differences = np.random.default_rng(3).normal(0.02, 1, size=3 * LONG)
    assert sign_flip(differences) == pytest.approx(scipy.stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
