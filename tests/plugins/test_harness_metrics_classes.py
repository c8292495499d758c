"""Metrics of labels and their probabilities are compared with scikit-learn; calibration errors worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    matthews_corrcoef,
    roc_auc_score,
)

from harness.records import Prediction, PromptSpec, TaskSpec
from harness.testing import check_metric
from harness_metrics.classes import BalancedAccuracy, MatthewsCorrelation, WeightedF1
from harness_metrics.probability import Auroc, Brier, CalibrationError

LABELS = ("business", "sports", "tech")
TOPICS = TaskSpec("t", "classification", PromptSpec("{{ text }}"), {label: f" {label}" for label in LABELS})
PAIR = TaskSpec("p", "classification", PromptSpec("{{ text }}"), {"no": " no", "yes": " yes"})
METRICS = [BalancedAccuracy(), WeightedF1(), MatthewsCorrelation(), Brier(), CalibrationError(), Auroc()]

rows = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1, max_size=25)


def said(pairs):
    return [Prediction(str(at), target, answer) for at, (target, answer) in enumerate(pairs)]


def scored(targets, scores, labels):
    return [
        Prediction(str(at), target, labels[int(np.argmax(one))], scores=tuple(one))
        for at, (target, one) in enumerate(zip(targets, scores, strict=True))
    ]


@pytest.mark.parametrize("metric", METRICS)
def test_each_keeps_the_contract(metric):
    check_metric(metric)


@settings(max_examples=40, deadline=None)
@given(rows)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scores_of_labels_are_those_of_scikit_learn(pairs):
    targets, answers = [one for one, _ in pairs], [answer or "(none)" for _, answer in pairs]
    expected = {
        BalancedAccuracy: balanced_accuracy_score(targets, answers),
        WeightedF1: f1_score(targets, answers, average="weighted", labels=LABELS, zero_division=0),
        MatthewsCorrelation: matthews_corrcoef(targets, answers),
    }
    for metric, value in expected.items():
        found = metric().compute(said(pairs), TOPICS)
        assert found.value == pytest.approx(value)
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize("metric", METRICS[:3])
def test_differences_are_those_of_the_scores(metric):
    generator = np.random.default_rng(0)
    targets = generator.choice(LABELS, 90)
    good = [target if generator.random() < 0.9 else "tech" for target in targets]
    bad = list(generator.choice(LABELS, 90))
    a, b = said(zip(targets, good, strict=True)), said(zip(targets, bad, strict=True))
    found = metric.compare(a, b, TOPICS)
    assert found.difference.value == pytest.approx(metric.compute(a, TOPICS).value - metric.compute(b, TOPICS).value)
    assert found.p_value == pytest.approx(1e-4)
    assert found.difference.low > 0


@pytest.mark.parametrize("spec", [TOPICS, PAIR], ids=["three", "two"])
def test_scores_of_probabilities_are_those_of_scikit_learn(spec):
    generator = np.random.default_rng(1)
    labels = tuple(spec.labels)
    scores = generator.normal(size=(60, len(labels)))
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    targets = generator.choice(labels, 60)
    predictions = scored(targets, scores, labels)
    shares = np.exp(scores)
    brier = Brier().compute(predictions, spec)
    two = len(labels) == 2
    assert brier.value == pytest.approx(
        brier_score_loss(targets, shares[:, 1] if two else shares, pos_label="yes" if two else None,
                         labels=list(labels), scale_by_half=False)
    )  # fmt: skip
    area = Auroc().compute(predictions, spec)
    if two:
        assert area.value == pytest.approx(roc_auc_score(targets == "yes", shares[:, 1]))
    else:
        assert area.value == pytest.approx(roc_auc_score(targets, shares, multi_class="ovr"))
    assert 0 <= area.low < area.value < area.high <= 1


def test_draws_of_the_area_are_those_of_drawn_samples():
    from harness_metrics.probability import _mean_area, _ranked

    generator = np.random.default_rng(2)
    values, positive = np.round(generator.random(40), 1), generator.random(40) < 0.4
    drawn = generator.integers(40, size=40)
    weights = np.bincount(drawn, minlength=40)[np.newaxis].astype(float)
    found = _mean_area(weights, [_ranked(values, positive)])[0]
    assert found == pytest.approx(roc_auc_score(positive[drawn], values[drawn]))


def test_calibration_errors_worked_by_hand():
    # 30 samples in 15 bins of two: all are 0.8 sure, and one of each pair is right: |0.5 - 0.8| in every bin.
    scores = np.log([[0.8, 0.2]] * 30)
    targets = ["no", "yes"] * 15
    found = CalibrationError().compute(scored(targets, scores, ("no", "yes")), PAIR)
    assert found.value == pytest.approx(0.3)
    # 3 samples, a bin each: |1 - 0.9| + |0 - 0.6| + |1 - 0.7|, a third of it.
    few = scored(["no", "yes", "yes"], np.log([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]), ("no", "yes"))
    assert CalibrationError().compute(few, PAIR).value == pytest.approx(1 / 3)
    sure = scored(["no"] * 20, [[0.0, -np.inf]] * 20, ("no", "yes"))
    assert CalibrationError().compute(sure, PAIR).value == 0


def test_what_has_no_such_score():
    assert Auroc().compute(scored(["no"] * 3, np.log([[0.6, 0.4]] * 3), ("no", "yes")), PAIR) is None
    quiz = TaskSpec("q", "multiple-choice", PromptSpec(""))
    assert MatthewsCorrelation().compute(said([("0", "1")]), quiz) is None
    assert Auroc().compute([Prediction("1", "0", "0", scores=(0.0, -1.0))], quiz) is None
    assert Brier().compute([Prediction("1", "0", "0", scores=(0.0, 0.0))], quiz).value == pytest.approx(0.5)
    assert Brier().compute(said([("tech", "tech")]), TOPICS) is None
