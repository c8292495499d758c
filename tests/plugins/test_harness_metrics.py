"""Each metric is compared with scikit-learn's."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss

from harness.clusters import clustered_confusion, clustered_mean, clustered_share
from harness.differences import paired_accuracy, paired_f1, paired_means
from harness.errors import ModelError
from harness.plugins import Plugins
from harness.records import Prediction, PromptSpec, TaskSpec
from harness.statistics import answer_codes, bootstrap_mean, label_codes, macro_f1, micro_f1, wilson
from harness.testing import check_metric
from harness_metrics.f1 import MacroF1, MicroF1
from harness_metrics.likelihood import CrossEntropy
from harness_metrics.proportion import Accuracy, ExactMatch

READ = {"bits_per_byte", "word_perplexity", "token_perplexity"}
LABELS = ("business", "sports", "tech")
PROMPT = PromptSpec("{{ text }}")
TOPICS = TaskSpec(name="topics", kind="classification", prompt=PROMPT, labels={label: f" {label}" for label in LABELS})
QUIZ = TaskSpec(name="quiz", kind="multiple-choice", prompt=PROMPT)
SUMS = TaskSpec(name="sums", kind="generation", prompt=PROMPT)


def said(pairs, scores=()):
    """Predictions of (target, answer) pairs, with their scores."""
    return [
        Prediction(
            str(index),
            target,
            answer,
            "unparsed" if answer is None else "answered",
            scores=tuple(scores[index]) if scores else (),
        )
        for index, (target, answer) in enumerate(pairs)
    ]


JUDGES = {"judge", "judge_preference", "judge_agreement", "judge_consistency"}


def test_names_lead_to_metrics_that_keep_the_contract():
    entries = [entry for entry in Plugins().registry("metric") if entry.plugin == "metrics"]
    labels = {"accuracy", "macro_f1", "micro_f1", "cross_entropy", "balanced_accuracy", "weighted_f1", "mcc"}
    texts = {"exact_match", "bleu", "chrf", "ter", "rouge1", "rouge2", "rougeL", "squad_em", "squad_f1"}
    values = {"samples_f1", "subset_accuracy", "hamming_loss", "spearman", "pearson", "mae", "rmse", "r2"}
    programs = {"pass_at_1", "pass_at_10", "pass_at_100"}
    told = {"f1", "precision", "recall", "per_class_f1", "per_class_precision", "per_class_recall", "top_k_accuracy"}
    told |= {"text_match", "numeric_match", "embedding_similarity", "bertscore"} | JUDGES
    told |= {"entity_f1", "entity_precision", "entity_recall"}
    known = labels | texts | {"brier", "ece", "auroc"} | READ | values | programs | told
    assert {entry.name for entry in entries} == known
    for entry in entries:
        assert entry.summary
        check_metric(entry.load()("some-model") if entry.name in JUDGES else entry.load()())


answers = st.sampled_from([*LABELS, "weather", None])


@given(st.lists(st.tuples(st.sampled_from(LABELS), answers), min_size=1, max_size=30))
def test_accuracy_and_f1_are_those_of_scikit_learn(pairs):
    targets = [target for target, _ in pairs]
    answered = ["(none)" if answer is None else answer for _, answer in pairs]
    predictions = said(pairs)
    right = accuracy_score(targets, answered)
    assert Accuracy().compute(predictions, TOPICS).value == pytest.approx(right)
    assert ExactMatch().compute(predictions, SUMS) == wilson(round(right * len(pairs)), len(pairs))
    for metric, average in ((MacroF1(), "macro"), (MicroF1(), "micro")):
        estimate = metric.compute(predictions, TOPICS)
        reference = f1_score(targets, answered, labels=LABELS, average=average, zero_division=0)
        assert estimate.value == pytest.approx(reference)
        assert estimate.low <= estimate.value <= estimate.high


def test_f1_is_of_classifications_only():
    assert MacroF1().compute(said([("0", "1")]), QUIZ) is None
    assert MicroF1().compute(said([("18", "18")]), SUMS) is None


def test_a_probability_of_80_percent_costs_0_223_nats():
    scores = [[math.log(0.8), math.log(0.15), math.log(0.05)]]
    assert CrossEntropy().compute(said([("business", "business")], scores), TOPICS).value == pytest.approx(
        0.223, abs=5e-4
    )


def test_cross_entropy_is_scikit_learns_log_loss_whatever_the_scores_sum_to():
    rng = np.random.default_rng(0)
    logits = rng.normal(-40, 3, size=(60, 3))
    targets = list(rng.choice(LABELS, size=60))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    reference = log_loss(targets, probabilities, labels=LABELS)
    estimate = CrossEntropy().compute(said([(target, None) for target in targets], logits.tolist()), TOPICS)
    assert estimate.value == pytest.approx(reference)
    losses = [-math.log(row[LABELS.index(target)]) for target, row in zip(targets, probabilities, strict=True)]
    assert estimate.low == pytest.approx(bootstrap_mean(losses).low)
    assert not CrossEntropy().higher_is_better


def test_cross_entropy_of_choices_whose_number_differs():
    predictions = said([("1", "1"), ("3", "0")], [[math.log(0.5), math.log(0.5)], [math.log(0.25)] * 4])
    assert CrossEntropy().compute(predictions, QUIZ).value == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_cross_entropy_needs_the_scores_of_all():
    scored, silent = said([("tech", "tech")], [[-1.0, -2.0, -3.0]]), said([("tech", None)])
    assert CrossEntropy().compute([*scored, *silent], TOPICS) is None
    assert CrossEntropy().compute(scored, SUMS) is None


def test_an_impossible_answer_costs_a_finite_sum():
    impossible = said([("tech", "sports")], [[-1.0, 0.0, -math.inf]])
    assert CrossEntropy().compute(impossible, TOPICS).value == pytest.approx(708.396, abs=1e-3)


@pytest.mark.parametrize("scores", [[math.nan, -1.0, -2.0], [-math.inf] * 3, [math.inf, 0.0, 0.0], [-1.0, -2.0]])
def test_scores_that_make_no_sense_are_an_error(scores):
    with pytest.raises(ModelError, match="scores of sample '0'"):
        CrossEntropy().compute(said([("business", "business")], [scores]), TOPICS)


def test_a_choice_without_a_score_is_an_error():
    with pytest.raises(ModelError, match="scores of sample '0'"):
        CrossEntropy().compute(said([("2", "0")], [[-1.0, -2.0]]), QUIZ)


@pytest.mark.parametrize("metric", [Accuracy(), ExactMatch(), MacroF1(), MicroF1()])
def test_one_sample_has_a_wide_interval(metric):
    estimate = metric.compute(said([("tech", None)]), TOPICS)
    assert (estimate.value, estimate.low) == (0.0, 0.0)
    assert estimate.high == pytest.approx(0.793, abs=1e-3)
    assert metric.higher_is_better


# --- pairs and clusters ------------------------------------------------------------------------------------


def answered(seed, accuracy, clusters=None):
    """90 predictions of topics with scores, in clusters of their numbers or in none."""
    draw = np.random.default_rng(seed)
    targets = np.random.default_rng(99).choice(LABELS, size=90)
    right = draw.random(90) < accuracy
    pairs = [
        (str(target), str(target) if yes else LABELS[(LABELS.index(target) + 1) % 3])
        for target, yes in zip(targets, right, strict=True)
    ]
    scores = [
        [-0.5 * (1 + number) if label == said_ else -2.5 for label in LABELS]
        for number, (_, said_) in zip(draw.random(90), pairs, strict=True)
    ]
    found = said(pairs, scores)
    if clusters is None:
        return found
    return [replace(one, cluster=f"passage {number}") for one, number in zip(found, clusters, strict=True)]


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(18), 5)], ids=["alone", "in clusters"])
def test_pairs_are_compared_by_the_statistics_of_their_kind(clusters):
    a, b = answered(0, 0.8, clusters), answered(1, 0.6, clusters)
    rights = [[one.correct for one in each] for each in (a, b)]
    assert Accuracy().compare(a, b, TOPICS) == paired_accuracy(*rights, clusters=clusters)
    assert ExactMatch().compare(a, b, SUMS, 0.99) == paired_accuracy(*rights, level=0.99, clusters=clusters)
    targets, first, second = [one.target for one in a], *([one.prediction for one in each] for each in (a, b))
    for metric, average in ((MacroF1(), "macro"), (MicroF1(), "micro")):
        reference = paired_f1(targets, first, second, LABELS, average=average, clusters=clusters)
        assert metric.compare(a, b, TOPICS) == reference
    losses = [[CrossEntropy().compute([one], TOPICS).value for one in each] for each in (a, b)]
    assert CrossEntropy().compare(a, b, TOPICS) == paired_means(*losses, clusters=clusters)


def test_what_has_no_score_has_no_pair_either():
    a, b = answered(0, 0.8), answered(1, 0.6)
    assert MacroF1().compare(a, b, QUIZ) is None
    assert CrossEntropy().compare(a, b, SUMS) is None
    assert CrossEntropy().compare(a, [replace(b[0], scores=()), *b[1:]], TOPICS) is None


def test_scores_of_clustered_samples_have_clustered_intervals():
    clusters = np.repeat(np.arange(18), 5)
    predictions = answered(0, 0.8, clusters)
    assert Accuracy().compute(predictions, TOPICS) == clustered_share([one.correct for one in predictions], clusters)
    gold = label_codes([one.target for one in predictions], LABELS)
    cells = gold * 4 + answer_codes([one.prediction for one in predictions], LABELS)
    for metric, score in ((MacroF1(), macro_f1), (MicroF1(), micro_f1)):
        assert metric.compute(predictions, TOPICS) == clustered_confusion(cells, clusters, 3, score)
    losses = [CrossEntropy().compute([replace(one, cluster=None)], TOPICS).value for one in predictions]
    assert CrossEntropy().compute(predictions, TOPICS) == clustered_mean(losses, clusters)
