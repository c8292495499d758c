"""What samples add to scores, and tests that rest on it: against McNemar, Student, all sign flips, and simulated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.contributions import (
    GROUPS,
    Contributions,
    chance,
    contributions,
    paired_contributions,
    pseudo_values,
    single_scores,
)
from harness.differences import mcnemar
from harness.records import Estimate, Prediction, PromptSpec, TaskSpec
from harness.resampling import LONG
from harness.values import written_labels
from harness.weighing import weighted_mean

TEXTS = TaskSpec("texts", "generation", PromptSpec(""))
READ = TaskSpec("read", "language-modelling", PromptSpec(""))
WORDS = np.array([f"word{n}" for n in range(80)])

numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=30)


class Spearman:
    """A metric that knows nothing of weights and is no mean: the rank correlation of answers and targets."""

    higher_is_better = True

    def compute(self, predictions, spec):
        pairs = [(float(one.target), float(one.prediction)) for one in predictions]
        value = float(stats.spearmanr(pairs).statistic)
        return Estimate(value, value, value)


def wrote(rng, references, quality):
    """Each word of a reference kept with that sample's probability, another one otherwise."""
    found = []
    for at, (reference, share) in enumerate(zip(references, quality, strict=True)):
        text = " ".join(word if rng.random() < share else str(rng.choice(WORDS)) for word in reference)
        wanted = " ".join(reference)
        found.append(Prediction(str(at), wanted, text, text=text, measured={"references": [wanted]}))
    return found


def read(rng, sizes, nats):
    """Texts of so many bytes, each with about so many nats a byte."""
    return [
        Prediction(str(at), "", None, scores=(-size * each * rng.lognormal(0, 0.3),), measured={"bytes": int(size)})
        for at, (size, each) in enumerate(zip(sizes, nats, strict=True))
    ]


def guessed(rng, targets):
    return [Prediction(str(at), str(target), str(target + rng.normal(0, 1))) for at, target in enumerate(targets)]


# --- one trial ---------------------------------------------------------------------------------------


@given(numbers)
def test_what_a_sample_adds_to_a_mean_is_its_number(values):
    score = weighted_mean(values)
    left_out = score(1 - np.eye(len(values)))
    if len(values) > 1:
        assert pseudo_values(np.mean(values), left_out) == pytest.approx(np.array(values), abs=1e-9)
    assert single_scores(score, len(values)) == pytest.approx(np.array(values))


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter", "rougeL", "squad_f1"])
def test_what_samples_add_has_the_score_as_its_mean(catalogue, name):
    rng = np.random.default_rng(1)
    said = wrote(rng, [list(rng.choice(WORDS, size=9)) for _ in range(60)], rng.random(60))
    metric = catalogue.metrics([name])[name]
    found = contributions(metric, said, TEXTS)
    assert (found.n, len(found.values)) == (60, 60)
    assert found.values.mean() == pytest.approx(metric.compute(said, TEXTS).value, rel=1e-12)


NUMBERS = TaskSpec("numbers", "regression", PromptSpec(""))
TOPICS = TaskSpec("topics", "classification", PromptSpec(""), dict.fromkeys(("a", "b", "c"), ""))
SETS = TaskSpec("sets", "multi-label", PromptSpec(""), dict.fromkeys(("a", "b", "c"), ""))
KINDS = {
    "bleu": TEXTS, "chrf": TEXTS, "ter": TEXTS, "rouge1": TEXTS, "squad_f1": TEXTS, "squad_em": TEXTS,
    "bits_per_byte": READ, "macro_f1": TOPICS, "micro_f1": TOPICS, "balanced_accuracy": TOPICS, "weighted_f1": TOPICS,
    "mcc": TOPICS, "accuracy": TOPICS, "cross_entropy": TOPICS, "brier": TOPICS, "ece": TOPICS, "auroc": TOPICS,
    "spearman": NUMBERS, "pearson": NUMBERS, "mae": NUMBERS, "rmse": NUMBERS, "samples_f1": SETS,
    "subset_accuracy": SETS, "hamming_loss": SETS, "pass_at_1": TEXTS,
}  # fmt: skip


def answered(rng, spec, n=40):
    """Answers of a kind of tasks, about two thirds of them good."""
    if spec is TEXTS:
        said = wrote(rng, [list(rng.choice(WORDS, size=6)) for _ in range(n)], rng.random(n))
        programs = [{"programs": 3, "passed": int(rng.integers(4))} for _ in range(n)]
        return [replace(one, measured={**one.measured, **of}) for one, of in zip(said, programs, strict=True)]
    if spec is READ:
        return read(rng, rng.integers(20, 90, size=n), np.ones(n))
    if spec is NUMBERS:
        return guessed(rng, rng.integers(5, size=n))  # ties among the targets
    scores = rng.normal(size=(n, 3))
    if spec is TOPICS:
        return [
            Prediction(
                str(at), "abc"[int((each + rng.normal(size=3)).argmax())], "abc"[int(each.argmax())], scores=tuple(each)
            )
            for at, each in enumerate(scores)
        ]
    sets = [[written_labels([name for name in "abc" if rng.random() < 0.5], "abc") for _ in "ts"] for _ in range(n)]
    return [Prediction(str(at), target, said) for at, (target, said) in enumerate(sets)]


@pytest.mark.parametrize("name", KINDS)
def test_a_weight_of_0_leaves_a_sample_out(catalogue, name):
    spec, metric = KINDS[name], catalogue.metrics([name])[name]
    said = answered(np.random.default_rng(7), spec)
    score = metric.weighted(said, spec)
    for kept in (40, 30, 11):
        weights = np.array([[float(at < kept) for at in range(40)]])
        assert score(weights)[0] == pytest.approx(metric.compute(said[:kept], spec).value, rel=1e-9), kept
    twice = np.array([[2.0] * 20 + [0.0] * 20])
    assert score(twice)[0] == pytest.approx(metric.compute(said[:20], spec).value, rel=1e-9)


def test_a_metric_that_weighs_nothing_is_computed_without_each_of_some_groups():
    rng = np.random.default_rng(2)
    said = guessed(rng, rng.normal(size=200))
    found = contributions(Spearman(), said, TEXTS)
    assert len(found.values) == GROUPS
    assert found.values.mean() == pytest.approx(Spearman().compute(said, TEXTS).value)
    assert len(contributions(Spearman(), said[:20], TEXTS).values) == 20


def test_many_samples_are_left_out_in_groups_and_clusters_whole(catalogue):
    rng = np.random.default_rng(3)
    metric = catalogue.metrics(["bits_per_byte"])["bits_per_byte"]
    many = read(rng, rng.integers(20, 90, size=3 * LONG), np.ones(3 * LONG))
    assert len(contributions(metric, many, READ).values) == LONG
    clustered = [
        Prediction(one.sample_id, "", None, scores=one.scores, measured=one.measured, cluster=str(at // 50))
        for at, one in enumerate(many)
    ]
    found = contributions(metric, clustered, READ)
    assert len(found.values) == 60
    assert found.values.mean() == pytest.approx(metric.compute(many, READ).value)


def test_what_has_no_score_or_takes_too_long_adds_nothing(catalogue):
    rng = np.random.default_rng(4)
    said = wrote(rng, [["a", "b"]] * 5, np.ones(5))
    assert contributions(catalogue.metrics(["bits_per_byte"])["bits_per_byte"], said, TEXTS) is None
    assert contributions(Spearman(), [], TEXTS) is None
    assert contributions(Spearman(), guessed(rng, rng.normal(size=9)), TEXTS, patience_s=-1) is None


# --- two of them -------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=80))
def test_of_right_answers_it_is_mcnemars_test(differences):
    found = chance(np.array(differences, dtype=float))
    assert found.two_sided == pytest.approx(mcnemar(differences.count(1), differences.count(-1)))


def test_of_many_numbers_it_is_students_test():
    differences = np.random.default_rng(5).normal(0.1, 1, size=300)
    found = chance(differences)
    assert found.two_sided == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert found.above == pytest.approx(stats.ttest_1samp(differences, 0, alternative="greater").pvalue)


def test_of_few_that_matter_signs_are_flipped():
    few = np.array([3.1, 2.2, -0.7, 1.9, 2.5, 0.3])
    sums = np.array([np.dot(signs, few) for signs in product([-1, 1], repeat=len(few))])
    exact = float((np.abs(sums) >= few.sum() - 1e-9).mean())
    among = np.concatenate([few, np.zeros(500)])
    assert chance(among).two_sided == pytest.approx(exact, abs=0.01)
    assert chance(among).above == pytest.approx(exact / 2, abs=0.01)


def test_what_does_not_differ_has_no_interval_and_is_no_difference():
    same = Contributions(b"x", 3, np.array([0.1, 0.4, 0.2]))
    found = paired_contributions(same, same)
    assert (found.difference, found.p_value, found.only_a, found.only_b) == (Estimate(0, 0, 0), 1.0, 0, 0)
    assert paired_contributions(same, Contributions(b"y", 3, same.values)) is None
    alone = [Contributions(b"x", 9, np.array([value])) for value in (0.1, 0.4)]
    assert paired_contributions(*alone).p_value == 1.0
    assert not np.isfinite(paired_contributions(*alone).difference.low)


def pairs_of(kind, rng, catalogue):
    """Two trials that are equally good: 60 samples, some of them harder than others for both."""
    if kind == "bleu":
        references = [list(rng.choice(WORDS, size=rng.integers(4, 20))) for _ in range(60)]
        quality = rng.beta(4, 3, size=60)
        return catalogue.metrics([kind])[kind], TEXTS, [wrote(rng, references, quality) for _ in "ab"]
    if kind == "bits_per_byte":
        sizes, nats = rng.integers(20, 200, size=60), rng.gamma(9, 0.1, size=60)
        return catalogue.metrics([kind])[kind], READ, [read(rng, sizes, nats) for _ in "ab"]
    targets = rng.normal(size=60)
    return Spearman(), TEXTS, [guessed(rng, targets) for _ in "ab"]


@pytest.mark.parametrize("kind", ["bleu", "bits_per_byte", "spearman"])
def test_p_values_are_uniform_and_intervals_hold_nothing_where_there_is_no_difference(kind, catalogue):
    rng, p_values, covered = np.random.default_rng(6), [], 0
    for _ in range(200):
        metric, spec, said = pairs_of(kind, rng, catalogue)
        found = paired_contributions(*(contributions(metric, one, spec) for one in said))
        p_values.append(found.p_value)
        covered += found.difference.low <= 0 <= found.difference.high
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    # 99.8% of 200 draws at 5% lie in these bounds.
    assert 2 <= sum(one < 0.05 for one in p_values) <= 20
    assert 180 <= covered <= 198
