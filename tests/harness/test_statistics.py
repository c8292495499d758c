"""Each number is compared with scipy, scikit-learn, statsmodels, an exact enumeration, or a known truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score
from statsmodels.stats.proportion import proportion_confint

from harness.resampling import LONG
from harness.statistics import bootstrap_mean, confusion, confusion_interval, macro_f1, micro_f1, wilson

LABELS = ("business", "sports", "tech")
answers = st.sampled_from([*LABELS, "weather", None])
rows = st.lists(st.tuples(st.sampled_from(LABELS), answers), min_size=1, max_size=40)


def as_sklearn(predictions):
    """scikit-learn takes no None: a label that is never declared stands for it."""
    return ["(none)" if prediction is None else prediction for prediction in predictions]


def guesses(targets, right, rng):
    """Answers that are right with that probability, else drawn from the labels."""
    drawn = rng.choice(LABELS, size=len(targets))
    return [target if rng.random() < right else str(guess) for target, guess in zip(targets, drawn, strict=True)]


# --- proportions and means ----------------------------------------------------------------------------


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy_and_statsmodels(counts):
    successes, n = counts
    estimate = wilson(successes, n)
    reference = scipy.stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert (estimate.low, estimate.high) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-12)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_wilson_at_the_ends():
    assert wilson(0, 1).low == 0.0
    assert wilson(1, 1).high == 1.0
    assert wilson(1, 1).low == pytest.approx(0.2065, abs=1e-4)
    assert wilson(50, 100, level=0.99).low < wilson(50, 100).low
    for successes, n in ((1, 0), (0, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="successes"):
            wilson(successes, n)


@pytest.mark.parametrize(("n", "p"), [(20, 0.5), (20, 0.97), (50, 0.9), (300, 0.97), (1000, 0.7)])
def test_wilson_holds_the_truth_95_times_in_100(n, p):
    """The share of all possible outcomes, weighted by their probability: no simulation needed."""
    estimates = [wilson(successes, n) for successes in range(n + 1)]
    weights = scipy.stats.binom(n, p).pmf(range(n + 1))
    covered = sum(w for w, estimate in zip(weights, estimates, strict=True) if estimate.low <= p <= estimate.high)
    assert 0.93 <= covered <= 0.985


@pytest.mark.parametrize("n", [12, 200, LONG + 500])
def test_mean_interval_is_scipys_bca(n):
    values = np.random.default_rng(4).lognormal(0, 1, size=n)
    reference = scipy.stats.bootstrap((values,), np.mean, n_resamples=30_000, batch=500, rng=1).confidence_interval
    estimate = bootstrap_mean(values)
    width = reference.high - reference.low
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(reference.low, abs=0.04 * width)
    assert estimate.high == pytest.approx(reference.high, abs=0.04 * width)


def test_mean_interval_passes_into_its_closed_form_without_a_step():
    values = np.random.default_rng(5).exponential(size=LONG)
    drawn, expanded = bootstrap_mean(values[:-1]), bootstrap_mean(values)
    assert drawn.high - drawn.low == pytest.approx(expanded.high - expanded.low, rel=0.05)


def test_mean_of_few_or_equal_values():
    assert bootstrap_mean([0.3]).low == bootstrap_mean([0.3]).high == 0.3
    assert bootstrap_mean([2.0] * 50).high == 2.0
    assert bootstrap_mean([0.0, 1.0, 5.0]) == bootstrap_mean([0.0, 1.0, 5.0])
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean([])


# --- confusion matrices ---------------------------------------------------------------------------------


@given(rows)
def test_confusion_and_f1_are_those_of_scikit_learn(pairs):
    targets, predictions = [target for target, _ in pairs], [answer for _, answer in pairs]
    matrix = confusion(targets, predictions, LABELS)
    assert matrix.shape == (3, 4)
    square = confusion_matrix(targets, as_sklearn(predictions), labels=LABELS)
    assert np.array_equal(matrix[:, :3], square)
    for score, average in ((macro_f1, "macro"), (micro_f1, "micro")):
        reference = f1_score(targets, as_sklearn(predictions), labels=LABELS, average=average, zero_division=0)
        assert float(score(matrix)) == pytest.approx(reference, abs=1e-12)


def test_f1_of_a_batch_is_that_of_its_matrices():
    batch = np.random.default_rng(0).integers(0, 9, size=(4, 3, 4))
    for score in (macro_f1, micro_f1):
        assert score(batch) == pytest.approx([float(score(matrix)) for matrix in batch])


def test_a_target_that_is_no_label_is_refused():
    with pytest.raises(ValueError, match="'weather' is not among the labels"):
        confusion(["weather"], ["tech"], LABELS)
    with pytest.raises(ValueError, match="2 targets and 1 predictions"):
        confusion(["tech", "tech"], ["tech"], LABELS)


@pytest.mark.parametrize("n", [40, 400])
def test_f1_interval_is_scipys_bca_over_samples(n):
    rng = np.random.default_rng(n)
    targets = list(rng.choice(LABELS, size=n, p=[0.5, 0.3, 0.2]))
    predictions = guesses(targets, 0.7, rng)
    estimate = confusion_interval(confusion(targets, predictions, LABELS), macro_f1)

    def by_sample(codes, axis=-1):
        """The score of resampled (target, answer) pairs, coded as 3 x target + answer; one row a replicate."""
        assert axis == -1
        cells = (codes[..., np.newaxis] == np.arange(9)).sum(axis=-2).reshape(*codes.shape[:-1], 3, 3)
        return macro_f1(np.concatenate([cells, np.zeros_like(cells[..., :1])], axis=-1))

    codes = np.array([3 * LABELS.index(t) + LABELS.index(p) for t, p in zip(targets, predictions, strict=True)])
    reference = scipy.stats.bootstrap((codes,), by_sample, vectorized=True, n_resamples=9999, batch=500, rng=2)
    low, high = reference.confidence_interval
    assert estimate.value == pytest.approx(f1_score(targets, predictions, labels=LABELS, average="macro"))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.06 * (high - low))


def test_f1_interval_holds_the_truth():
    """400 simulated trials of 150 samples; three classes, 80% right."""
    rng = np.random.default_rng(6)
    prior = np.array([0.5, 0.3, 0.2])
    truth = prior[:, np.newaxis] * np.array([[0.8, 0.1, 0.1, 0], [0.1, 0.8, 0.1, 0], [0.1, 0.1, 0.8, 0]])
    expected = float(macro_f1(truth))
    trials = rng.multinomial(150, truth.ravel(), size=400).reshape(-1, 3, 4)
    intervals = [confusion_interval(matrix, macro_f1, replicates=499) for matrix in trials]
    covered = np.mean([interval.low <= expected <= interval.high for interval in intervals])
    assert 0.92 <= covered <= 0.98


@pytest.mark.parametrize("score", [macro_f1, micro_f1])
def test_f1_interval_of_one_class_all_right_and_all_wrong(score):
    right = confusion(
        ["tech"] * 10 + ["sports"] * 10 + ["business"] * 10,
        [*["tech"] * 10, *["sports"] * 10, *["business"] * 10],
        LABELS,
    )
    assert (confusion_interval(right, score).low, confusion_interval(right, score).high) == (wilson(30, 30).low, 1.0)
    wrong = confusion(["tech"] * 30, [None] * 30, LABELS)
    assert (confusion_interval(wrong, score).low, confusion_interval(wrong, score).high) == (0.0, wilson(0, 30).high)
    one_class = confusion_interval(confusion(["tech"] * 30, ["tech"] * 30, LABELS), score)
    reference = {macro_f1: 1 / 3, micro_f1: 1.0}[score]
    assert (one_class.value, one_class.high) == pytest.approx((reference, reference))
    assert one_class.low == pytest.approx(reference * wilson(30, 30).low)
    single = confusion_interval(confusion(["tech"], ["sports"], LABELS), score)
    assert (single.value, single.low, single.high) == (0.0, 0.0, wilson(0, 1).high)
    with pytest.raises(ValueError, match="0 samples"):
        confusion_interval(confusion([], [], LABELS), score)


def test_many_classes_are_drawn_in_parts_and_alike_each_time():
    labels = [str(label) for label in range(77)]
    rng = np.random.default_rng(3)
    targets = [labels[index] for index in rng.integers(77, size=400)]
    predictions = [target if rng.random() < 0.8 else labels[int(rng.integers(77))] for target in targets]
    matrix = confusion(targets, predictions, labels)
    first, second = (confusion_interval(matrix, macro_f1, replicates=999) for _ in range(2))
    assert first == second
    reference = f1_score(targets, predictions, labels=labels, average="macro", zero_division=0)
    assert first.value == pytest.approx(reference)
    assert first.low < first.value < first.high
    assert confusion_interval(matrix, macro_f1, replicates=999, seed=1) != first
