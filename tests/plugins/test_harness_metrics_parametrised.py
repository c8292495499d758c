"""Metrics with parameters: one label's scores and averages are compared with scikit-learn, tolerances by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score, top_k_accuracy_score

from harness.errors import ConfigError, ParameterError
from harness.records import Component, Prediction, PromptSpec, TaskSpec
from harness.testing import check_metric
from harness_metrics.matching import NumericMatch, TextMatch, TopKAccuracy
from harness_metrics.perlabel import F1, Precision, Recall

LABELS = ("sport", "tech", "business")
TOPICS = TaskSpec("topics", "classification", PromptSpec("{{ text }}"), {label: f" {label}" for label in LABELS})
WRITES = TaskSpec("t", "generation", PromptSpec("{{ text }}"))

rows = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1, max_size=25)


def said(pairs):
    return [Prediction(str(at), target, answer) for at, (target, answer) in enumerate(pairs)]


def wrote(pairs):
    return [
        Prediction(str(at), one, text, text=text, measured={"references": [one]})
        for at, (text, one) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    "metric", [F1(), F1("warm"), Precision(average="weighted"), Recall("cold"), TopKAccuracy(1), TextMatch()]
)
def test_each_keeps_the_contract(metric):
    check_metric(metric)


@settings(max_examples=30, deadline=None)
@given(rows)
@pytest.mark.parametrize(
    ("metric", "score"), [(F1, f1_score), (Precision, precision_score), (Recall, recall_score)], ids=["f1", "p", "r"]
)
def test_scores_are_those_of_scikit_learn(metric, score, pairs):
    targets, answers = [one for one, _ in pairs], [answer or "(none)" for _, answer in pairs]
    of_labels = score(targets, answers, labels=LABELS, average=None, zero_division=0)
    for label, value in zip(LABELS, of_labels, strict=True):
        found = metric(label).compute(said(pairs), TOPICS)
        assert found.value == pytest.approx(value)
        assert found.low <= found.value <= found.high
    for average in ("macro", "micro", "weighted"):
        value = score(targets, answers, labels=LABELS, average=average, zero_division=0)
        assert metric(average=average).compute(said(pairs), TOPICS).value == pytest.approx(value)


def test_a_difference_is_that_of_the_scores():
    a = said([(label, label) for label in LABELS * 9] + [("sport", "tech")] * 3)
    b = said([(label, "tech") for label in LABELS * 9] + [("sport", "tech")] * 3)
    metric = F1("sport")
    found = metric.compare(a, b, TOPICS)
    assert found.difference.value == metric.compute(a, TOPICS).value - metric.compute(b, TOPICS).value
    assert found.p_value < 0.01


def test_a_label_that_the_task_does_not_have_is_told_with_what_it_has(catalogue):
    data = catalogue.task(Component("toy"))
    with pytest.raises(ConfigError, match="metric 'f1,label=wram': 'wram' is no label of the task; did you mean warm"):
        catalogue.metrics_of(data, asked=("f1,label=wram",))
    with pytest.raises(ParameterError, match="nothing to average"):
        catalogue.metrics(["f1,label=warm,average=micro"])
    with pytest.raises(ParameterError, match="no parameter 'averge'"):
        catalogue.metrics(["f1,averge=micro"])


def test_the_best_scored_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    scores, targets = generator.normal(size=(50, 3)), generator.choice(LABELS, 50)
    predictions = [
        Prediction(str(at), target, LABELS[int(np.argmax(one))], scores=tuple(one))
        for at, (target, one) in enumerate(zip(targets, scores, strict=True))
    ]
    codes = [LABELS.index(target) for target in targets]
    for k in (1, 2):
        expected = top_k_accuracy_score(codes, scores, k=k, labels=range(3))
        assert TopKAccuracy(k).compute(predictions, TOPICS).value == pytest.approx(expected)
    assert TopKAccuracy(2).compute(said([("sport", "sport")]), TOPICS) is None


@pytest.mark.parametrize(
    ("metric", "text", "wanted", "right"),
    [
        (TextMatch(), "The  Cat", "The Cat", True),
        (TextMatch(), "the cat", "The Cat", False),
        (TextMatch(ignore_case=True), "the cat", "The Cat", True),
        (TextMatch(ignore_punctuation=True), "The Cat.", "The Cat", True),
        (TextMatch(ignore_numbers=True), "Cat 12", "Cat", True),
        (TextMatch(within=True), "It is the Cat, I think", "the Cat", True),
        (TextMatch(ignore_space=False), "The  Cat", "The Cat", False),
        (NumericMatch(), "3.14", "3.14", True),
        (NumericMatch(), "$1,000", "1000", True),
        (NumericMatch(), "3.2", "3.14", False),
        (NumericMatch(absolute=0.1), "3.2", "3.14", True),
        (NumericMatch(relative=0.05), "104", "100", True),
        (NumericMatch(relative=0.05), "106", "100", False),
        (NumericMatch(absolute=9), "none", "0", False),
        (NumericMatch(absolute=9), "0", "none", False),
    ],
)
def test_what_differs_is_forgiven_where_it_is_told_to(metric, text, wanted, right):
    assert metric.compute(wrote([(text, wanted)]), WRITES).value == float(right)
