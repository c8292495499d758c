"""Scores of numbers against scipy and scikit-learn, and where none is; their intervals and tests."""

import math
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from harness.contributions import contributions, paired_contributions
from harness.records import Prediction, PromptSpec, TaskSpec
from harness.testing import check_metric
from harness_metrics import weighting
from harness_metrics.numbers import Determination, MeanAbsoluteError, Pearson, RootMeanSquaredError, Spearman

POINTS = TaskSpec("points", "regression", PromptSpec(""))
TOPICS = TaskSpec("topics", "classification", PromptSpec(""), {"a": " a", "b": " b"})
REFERENCES = {
    Spearman: lambda targets, answers: float(stats.spearmanr(targets, answers).statistic),
    Pearson: lambda targets, answers: float(stats.pearsonr(targets, answers).statistic),
    MeanAbsoluteError: mean_absolute_error,
    RootMeanSquaredError: root_mean_squared_error,
    Determination: r2_score,
}
EACH = pytest.mark.parametrize("kind", REFERENCES, ids=lambda kind: kind.__name__)

few = st.integers(-3, 3).map(float)
"""So few that there are ties, and all may be equal."""
many = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
pairs = st.lists(st.tuples(few, few), min_size=1, max_size=20) | st.lists(
    st.tuples(many, many), min_size=1, max_size=20
)


@pytest.fixture
def fewer_draws(monkeypatch):
    """So many that simulations take seconds."""
    monkeypatch.setattr(weighting, "REPLICATES", 499)
    monkeypatch.setattr(weighting, "SWAPS", 199)


def said(told, **more):
    return [
        Prediction(str(at), repr(float(target)), None if answer is None else str(answer), **more)
        for at, (target, answer) in enumerate(told)
    ]


def defined(kind, targets, answers):
    spread = len(set(targets)) > 1
    if kind in (Spearman, Pearson):
        return spread and len(set(answers)) > 1
    return spread or kind is not Determination


@EACH
def test_each_keeps_the_contract(kind):
    check_metric(kind())


@EACH
@settings(max_examples=40, deadline=None)
@given(pairs)
def test_scores_are_those_of_scipy_and_scikit_learn_or_none(kind, told):
    targets, answers = zip(*told, strict=True)
    found = kind().compute(said(told), POINTS)
    if not defined(kind, targets, answers):
        assert found is None
        return
    assert found.value == pytest.approx(REFERENCES[kind](targets, answers), rel=1e-6, abs=1e-6)
    assert found.low <= found.value <= found.high


@EACH
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(few, few, st.integers(0, 3)), min_size=2, max_size=15))
def test_weights_are_repetitions(kind, told):
    assume(any(weight for _, _, weight in told))
    repeated = [(target, answer) for target, answer, weight in told for _ in range(weight)]
    score = kind().weighted(said([(target, answer) for target, answer, _ in told]), POINTS)
    weighed = float(score(np.array([[float(weight) for _, _, weight in told]]))[0])
    if defined(kind, *zip(*repeated, strict=True)):
        assert weighed == pytest.approx(REFERENCES[kind](*zip(*repeated, strict=True)), abs=1e-9)
    else:
        assert math.isnan(weighed)


# --- answers that are no numbers ---------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("answer", [None, "four", "nan", "inf", ""])
def test_an_answer_without_a_number_counts_as_the_farther_end(kind, answer):
    others = [(1.0, 1.5), (5.0, 4.0), (2.0, 2.0)]
    found = kind().compute(said([*others, (4.0, answer)]), POINTS)
    assert found == kind().compute(said([*others, (4.0, 1.0)]), POINTS)


@pytest.mark.parametrize("kind", [MeanAbsoluteError, RootMeanSquaredError, Determination])
@given(st.lists(st.tuples(few, st.none() | few), min_size=2, max_size=12))
def test_no_guess_within_the_range_is_worse_than_none(kind, told):
    low, high = min(target for target, _ in told), max(target for target, _ in told)
    assume(low < high)
    value = float(kind().weighted(said(told), POINTS)(np.ones((1, len(told))))[0])
    for guess in np.linspace(low, high, 5):
        filled = said([(target, guess if answer is None else answer) for target, answer in told])
        other = float(kind().weighted(filled, POINTS)(np.ones((1, len(told))))[0])
        assert value >= other - 1e-9 if not kind.higher_is_better else value <= other + 1e-9


@EACH
def test_a_missing_answer_to_equal_targets_is_no_perfect_one(kind):
    for told in ([(3.0, None)], [(3.0, 2.0), (3.0, None)]):
        assert kind().compute(said(told), POINTS) is None
        assert kind().weighted(said(told), POINTS) is None
        assert kind().compare(said(told), said([(3.0, 3.0)] * len(told)), POINTS) is None


@EACH
def test_a_number_beyond_all_bounds_is_a_large_one(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kind().compute(said([(1.0, "1e300"), (2.0, 1.0), (3.0, 2.0), (4.0, 1.0)]), POINTS)
    assert all(map(math.isfinite, (found.value, found.low, found.high)))


@EACH
def test_a_task_without_numbers_has_no_such_score(kind):
    told = [Prediction("0", "a", "b")]
    assert kind().compute(told, TOPICS) is None
    assert kind().weighted(told, TOPICS) is None
    assert kind().compare(told, told, TOPICS) is None


# --- intervals and tests -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Pearson, Spearman, MeanAbsoluteError, RootMeanSquaredError])
def test_intervals_hold_the_truth_about_as_often_as_they_say(kind, fewer_draws):
    rng, held = np.random.default_rng(0), 0
    # Of targets N(0, 1) and answers 0.8 x + N(0, 0.6): the correlation, that of ranks, and the two errors.
    deviation = math.hypot(0.2, 0.6)
    truth = {
        Pearson: 0.8,
        Spearman: 6 / math.pi * math.asin(0.8 / 2),
        MeanAbsoluteError: deviation * math.sqrt(2 / math.pi),
        RootMeanSquaredError: deviation,
    }[kind]
    for _ in range(200):
        targets = rng.normal(size=60)
        found = kind().compute(said(np.stack([targets, 0.8 * targets + rng.normal(0, 0.6, 60)], 1)), POINTS)
        held += found.low <= truth <= found.high
    assert 176 <= held <= 199  # 99.9% of 200 draws at 93.5% lie in these bounds: small samples cost 1 or 2%


@pytest.mark.parametrize("kind", [Pearson, Spearman])
@pytest.mark.parametrize("unit", [1.0, 10.0])
def test_correlations_that_do_not_differ_are_told_apart_as_often_as_p_values_say(kind, unit, fewer_draws):
    rng, p_values = np.random.default_rng(1), []
    for _ in range(150):
        targets = rng.normal(size=50)
        one, other = (targets + rng.normal(size=50) for _ in "ab")
        a, b = said(np.stack([targets, one], 1)), said(np.stack([targets, 5 + unit * other], 1))
        p_values.append(kind().compare(a, b, POINTS).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("kind", [Pearson, Spearman])
def test_units_change_no_difference(kind):
    rng = np.random.default_rng(2)
    targets = rng.normal(size=40)
    one, other = targets + rng.normal(size=40), targets + rng.normal(size=40)
    a, b, scaled = (said(np.stack([targets, answers], 1)) for answers in (one, other, 3 + 100 * other))
    found, again = kind().compare(a, b, POINTS), kind().compare(a, scaled, POINTS)
    assert found.difference.value == pytest.approx(again.difference.value, abs=1e-12)
    assert found.difference.low == pytest.approx(again.difference.low, abs=1e-9)
    assert found.p_value == pytest.approx(again.p_value, abs=0.002)


def paired_example(kind, rng, n=40):
    targets = rng.normal(size=n)
    return targets, targets + rng.normal(0, 0.6, n), targets + rng.normal(0, 0.9, n)


@pytest.mark.parametrize("kind", [MeanAbsoluteError, RootMeanSquaredError, Spearman, Pearson])
def test_a_difference_has_the_interval_of_a_plain_bootstrap(kind):
    targets, one, other = paired_example(kind, np.random.default_rng(3))
    score = REFERENCES[kind]

    def difference(rows):
        return score(targets[rows], one[rows]) - score(targets[rows], other[rows])

    reference = stats.bootstrap(
        (np.arange(len(targets)),),
        difference,
        n_resamples=1999,
        vectorized=False,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = kind().compare(said(np.stack([targets, one], 1)), said(np.stack([targets, other], 1)), POINTS).difference
    assert found.value == pytest.approx(difference(np.arange(len(targets))))
    width = reference.high - reference.low
    assert (found.low, found.high) == pytest.approx(tuple(reference), abs=0.08 * width)


@pytest.mark.parametrize("kind", [MeanAbsoluteError, RootMeanSquaredError])
def test_a_difference_of_errors_has_the_p_value_of_all_swaps(kind):
    targets, one, other = paired_example(kind, np.random.default_rng(4), n=9)
    score = REFERENCES[kind]
    swaps = [
        score(targets, np.where(mask, other, one)) - score(targets, np.where(mask, one, other))
        for mask in product([False, True], repeat=9)
    ]
    exact = float((np.abs(swaps) >= abs(swaps[0]) - 1e-12).mean())
    found = kind().compare(said(np.stack([targets, one], 1)), said(np.stack([targets, other], 1)), POINTS)
    assert found.p_value == pytest.approx(exact, abs=0.02)


def test_many_differences_of_mean_errors_are_tested_as_student_does():
    rng = np.random.default_rng(5)
    targets = rng.normal(size=200)
    a, b = (said(np.stack([targets, targets + rng.normal(0, spread, 200)], 1)) for spread in (0.5, 0.65))
    metric = MeanAbsoluteError()
    found = paired_contributions(contributions(metric, a, POINTS), contributions(metric, b, POINTS))
    errors = [[abs(float(one.target) - float(one.prediction)) for one in told] for told in (a, b)]
    test = stats.ttest_rel(*errors)
    assert found.p_value == pytest.approx(test.pvalue)
    assert (found.difference.low, found.difference.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert metric.compare(a, b, POINTS).p_value == pytest.approx(test.pvalue, abs=0.01)


@pytest.mark.parametrize("kind", [Pearson, Spearman, RootMeanSquaredError])
def test_pseudo_values_give_the_jackknifes_standard_error(kind):
    targets, one, other = paired_example(kind, np.random.default_rng(6))
    score, n = REFERENCES[kind], len(targets)
    left_out = []
    for at in range(n):
        rows = np.arange(n) != at
        left_out.append(score(targets[rows], one[rows]) - score(targets[rows], other[rows]))
    error = math.sqrt((n - 1) / n * np.sum((left_out - np.mean(left_out)) ** 2))
    told = [contributions(kind(), said(np.stack([targets, answers], 1)), POINTS) for answers in (one, other)]
    found = paired_contributions(*told).difference
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, n - 1) * error)


def test_one_sample_has_a_point_and_clusters_are_drawn_whole():
    one = MeanAbsoluteError().compute(said([(1.0, 3.0)]), POINTS)
    assert (one.value, one.low, one.high) == (2, 2, 2)
    rng = np.random.default_rng(7)
    told = [(target, target + error) for error in rng.normal(size=12) for target in rng.normal(size=8)]
    alone = said(told)
    clustered = [
        Prediction(each.sample_id, each.target, each.prediction, cluster=str(at // 8)) for at, each in enumerate(alone)
    ]
    narrow, wide = (MeanAbsoluteError().compute(each, POINTS) for each in (alone, clustered))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
