"""Scores of sets of labels, empty and missing ones too, against scikit-learn; their intervals and tests."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, hamming_loss, precision_score, recall_score
from sklearn.preprocessing import MultiLabelBinarizer

from harness.components import build, parse_component
from harness.differences import mcnemar
from harness.records import Component, Prediction, PromptSpec, TaskSpec
from harness.statistics import wilson
from harness.testing import check_metric
from harness.values import written_labels
from harness_metrics import weighting
from harness_metrics.f1 import MacroF1, MicroF1
from harness_metrics.labelsets import HammingLoss, SamplesF1, SubsetAccuracy
from harness_metrics.perlabel import F1, PerClassF1, Precision, Recall

LABELS = ("sport", "tech, or so", "a=b")
SETS = TaskSpec("sets", "multi-label", PromptSpec(""), {label: f" {label}" for label in LABELS})
TOPICS = TaskSpec("topics", "classification", PromptSpec(""), SETS.labels)
MARKS = MultiLabelBinarizer(classes=LABELS)

REFERENCES = {
    MicroF1: lambda wanted, given: f1_score(wanted, given, average="micro", zero_division=0),
    MacroF1: lambda wanted, given: f1_score(wanted, given, average="macro", zero_division=0),
    SamplesF1: lambda wanted, given: f1_score(wanted, given, average="samples", zero_division=1),
    SubsetAccuracy: accuracy_score,
    HammingLoss: hamming_loss,
}
EACH = pytest.mark.parametrize("kind", REFERENCES, ids=lambda kind: kind.__name__)

sets = st.frozensets(st.sampled_from(LABELS))
rows = st.lists(st.tuples(sets, sets), min_size=1, max_size=15)


def said(told):
    return [
        Prediction(str(at), written_labels(target, LABELS), None if answer is None else written_labels(answer, LABELS))
        for at, (target, answer) in enumerate(told)
    ]


def marks(told):
    return tuple(MARKS.fit_transform(side) for side in zip(*told, strict=True))


@EACH
def test_each_keeps_the_contract(kind):
    check_metric(kind())


@EACH
@settings(max_examples=40, deadline=None)
@given(rows)
def test_scores_are_those_of_scikit_learn(kind, told):
    found = kind().compute(said(told), SETS)
    assert found.value == pytest.approx(REFERENCES[kind](*marks(told)))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert float(kind().weighted(said(told), SETS)(np.ones((1, len(told))))[0]) == pytest.approx(found.value)


@settings(max_examples=30, deadline=None)
@given(rows)
@pytest.mark.parametrize(
    ("metric", "score"), [(F1, f1_score), (Precision, precision_score), (Recall, recall_score)], ids=["f1", "p", "r"]
)
def test_those_of_single_labels_and_averages_are_too(metric, score, told):
    wanted, given_ = marks(told)
    for label, value in zip(LABELS, score(wanted, given_, average=None, zero_division=0), strict=True):
        assert metric(label).compute(said(told), SETS).value == pytest.approx(value)
    for average in ("macro", "micro", "weighted"):
        value = score(wanted, given_, average=average, zero_division=0)
        assert metric(average=average).compute(said(told), SETS).value == pytest.approx(value)


@EACH
@given(st.lists(st.tuples(sets, st.none() | sets), min_size=2, max_size=8))
def test_a_missing_answer_is_a_set_of_no_labels_that_is_never_right(kind, told):
    assume(any(answer is None for _, answer in told))
    found = kind().weighted(said(told), SETS)(np.ones((1, len(told))))[0]
    empty = [(target, frozenset() if answer is None else answer) for target, answer in told]
    if kind in (MicroF1, MacroF1):
        assert found == pytest.approx(REFERENCES[kind](*marks(empty)))
        return
    answered = [pair for pair in told if pair[1] is not None]
    of_answered = REFERENCES[kind](*marks(answered)) if answered else 0.0
    missing = len(told) - len(answered)
    worst = 1.0 if kind is HammingLoss else 0.0
    assert found == pytest.approx((of_answered * len(answered) + worst * missing) / len(told))


@EACH
def test_a_task_of_single_labels_has_none_and_what_is_of_single_labels_has_none_here(kind, catalogue):
    if kind not in (MicroF1, MacroF1):
        told = [Prediction("0", "sport", "sport")]
        assert kind().compute(told, TOPICS) is None
        assert kind().weighted(told, TOPICS) is None
        assert kind().compare(told, told, TOPICS) is None
    told = said([({"sport"}, {"sport"})])
    for name, metric in catalogue.metrics(["balanced_accuracy", "weighted_f1", "mcc"]).items():
        assert metric.compute(told, SETS) is None, name
        assert metric.weighted(told, SETS) is None, name
        assert metric.compare(told, told, SETS) is None, name


# --- labels with commas and equals signs ------------------------------------------------------------


def test_every_label_has_its_metric_whatever_is_in_its_name(catalogue):
    told = said([({"tech, or so", "a=b"}, {"tech, or so"}), ({"sport"}, {"sport", "a=b"})])
    names = PerClassF1().members(SETS)
    assert names == ["f1,label=sport", 'f1,label="tech, or so"', "f1,label=a=b"]
    found = {name: metric.compute(told, SETS).value for name, metric in catalogue.metrics(names).items()}
    assert found == {names[0]: 1, names[1]: 1, names[2]: 0}


@given(st.text(min_size=1, max_size=10))
def test_any_label_finds_its_way_through_the_name(label):
    spec = TaskSpec("t", "classification", PromptSpec(""), {label: label})
    (name,) = PerClassF1().members(spec)
    component = parse_component(name)
    assert component == Component("f1", None, {"label": label})
    assert build(F1, component, kind="metric").misfit(spec) is None


# --- intervals and tests -----------------------------------------------------------------------------


def test_where_all_are_right_or_none_is_the_interval_is_that_of_the_share():
    right, wrong = (
        [({"sport", "a=b"}, {"sport", "a=b"}), ({"tech, or so"}, {"tech, or so"})] * 10,
        [({"sport"}, {"a=b"})] * 20,
    )
    low, high = wilson(20, 20).low, wilson(0, 20).high
    for kind in (MicroF1, MacroF1, SamplesF1, SubsetAccuracy):
        best, worst = (kind().compute(said(told), SETS) for told in (right, wrong))
        assert (best.value, best.low, best.high) == pytest.approx((1, low, 1))
        assert (worst.value, worst.low, worst.high) == pytest.approx((0, 0, high))
    best = HammingLoss().compute(said(right), SETS)
    assert (best.value, best.low, best.high) == pytest.approx((0, 0, 1 - low))
    worst = HammingLoss().compute(said([({"sport"}, {"a=b", "tech, or so"})] * 20), SETS)
    assert (worst.value, worst.low, worst.high) == pytest.approx((1, 1 - high, 1))


def test_a_label_that_is_never_found_says_nothing_of_those_that_are():
    told = said([({"sport"}, {"sport"})] * 19 + [({"sport", "a=b"}, {"sport"})])
    assert F1("a=b").compute(told, SETS).high < 0.5


def test_intervals_hold_the_truth_about_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(weighting, "REPLICATES", 499)
    rng, n, trials = np.random.default_rng(0), 40, 200
    kept, added = 0.97, 0.02  # of each of three labels that a sample has with 1/3, 1/2, 1/6
    shares = np.array([1 / 3, 1 / 2, 1 / 6])
    hits, misses, false = shares * kept, shares * (1 - kept), (1 - shares) * added
    each = 2 * hits / (2 * hits + misses + false)
    truth = {
        MicroF1: 2 * hits.sum() / (2 * hits + misses + false).sum(),
        MacroF1: each.mean(),
        SubsetAccuracy: np.prod(1 - misses - false),
        HammingLoss: (misses + false).mean(),
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(trials):
        wanted = rng.random((n, 3)) < shares
        given_ = np.where(wanted, rng.random((n, 3)) < kept, rng.random((n, 3)) < added)
        told = said(
            [
                tuple({LABELS[at] for at in np.flatnonzero(row)} for row in pair)
                for pair in zip(wanted, given_, strict=True)
            ]
        )
        for kind, value in truth.items():
            found = kind().compute(told, SETS)
            held[kind] += found.low <= value <= found.high
    assert all(count >= 0.89 * trials for count in held.values()), held


def test_differences_are_those_of_the_scores_and_swaps_are_counted():
    rng = np.random.default_rng(1)
    wanted = [frozenset(label for label in LABELS if rng.random() < 0.5) for _ in range(8)]
    answers = [
        [frozenset(label for label in LABELS if (label in one) == (rng.random() < share)) for one in wanted]
        for share in (0.9, 0.6)
    ]
    a, b = (said(list(zip(wanted, one, strict=True))) for one in answers)
    for kind, score in REFERENCES.items():
        found = kind().compare(a, b, SETS)
        swaps = []
        for mask in product([False, True], repeat=8):
            sides = [
                [other if swap == bool(side) else one for one, other, swap in zip(*answers, mask, strict=True)]
                for side in (1, 0)
            ]
            x, y = (score(*marks(list(zip(wanted, one, strict=True)))) for one in sides)
            swaps.append(x - y)
        assert found.difference.value == pytest.approx(swaps[0], abs=1e-12), kind
        exact = np.mean(np.abs(swaps) >= abs(swaps[0]) - 1e-9)
        assert found.p_value == pytest.approx(exact, abs=0.02), kind


def test_whole_sets_that_are_right_are_tested_as_mcnemar_does():
    right, wrong = (frozenset({"sport"}), frozenset({"sport"})), (frozenset({"sport"}), frozenset())
    a, b = said([right] * 12 + [wrong] * 3 + [right] * 5), said([wrong] * 12 + [right] * 3 + [right] * 5)
    found = SubsetAccuracy().compare(a, b, SETS)
    assert (found.only_a, found.only_b, found.p_value) == (12, 3, pytest.approx(mcnemar(12, 3)))
