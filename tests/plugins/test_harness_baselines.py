from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import harness
from harness.components import build, parse_component
from harness.errors import ModelError, ParameterError, TrainingError
from harness.interfaces import Trainable, TrainingJob, cannot_learn
from harness.plugins import Plugins
from harness.records import Classify, Generate, LogLikelihood, Prompt, Tag, Usage
from harness.testing import check_model
from harness_baselines import tfidf_training
from harness_baselines.chance import Chance
from harness_baselines.majority import Majority
from harness_baselines.stratified import Stratified
from harness_baselines.tfidf import TfidfLogReg

LABELS = ("business", "sports", "tech")
TRAIN = [
    ("Shares fell as the bank cut its profit forecast", "business"),
    ("The bank said profit rose on higher oil prices", "business"),
    ("United won the cup after a late goal", "sports"),
    ("The striker scored a goal and the team won", "sports"),
    ("A goal in the last minute decided the cup final", "sports"),
    ("The new phone runs software from the chip maker", "tech"),
    ("Chip maker shows software that reads the web", "tech"),
]
VALIDATION = [("Oil shares and profit", "business"), ("The cup goal", "sports"), ("Software for the phone", "tech")]


def job(examples=tuple(TRAIN), validation=(), labels=LABELS):
    return TrainingJob(examples, validation, labels, seed=0, device="cpu", hyperparameters={}, folder=Path("unused"))


def answers(model, texts, labels=LABELS, **kwargs):
    """(n, k) log-probabilities of a model that is trained now."""
    engine = model.train(job(labels=labels, **kwargs)).engine
    return np.array([response.log_probs for response in engine.run([Classify(text, labels) for text in texts])])


# --- all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["majority", "stratified", "random", "tfidf-lr"])
def test_baselines_keep_the_contract_of_models(name):
    entry = Plugins().registry("model").get(name)
    assert entry.plugin == "baselines"
    check_model(build(entry.load(), parse_component(name), kind="model"))


def test_parameters_are_checked_and_change_the_fingerprint():
    def made(text):
        return build(Plugins().registry("model").get(text.split(",")[0]).load(), parse_component(text), kind="model")

    written = ["majority", "random", "random,seed=1", "tfidf-lr", "tfidf-lr,max_features=99", "tfidf-lr,min_df=2"]
    assert len({made(text).fingerprint() for text in written}) == len(written)
    assert made("tfidf-lr,min_df=1").fingerprint() == made("tfidf-lr").fingerprint()
    for wrong in ("majority,seed=1", "random,seed=x", "tfidf-lr,min_df=0", "tfidf-lr,max_features=0"):
        with pytest.raises(ParameterError):
            made(wrong)


def test_a_model_knows_what_it_is_without_scikit_learn_or_numpy():
    code = (
        "import sys, harness_baselines.tfidf as t, harness_baselines.majority, harness_baselines.chance;"
        "t.TfidfLogReg().fingerprint();"
        "assert not {'sklearn', 'numpy', 'scipy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("model", [Majority(), Stratified(), TfidfLogReg()])
def test_trained_baselines_answer_nothing_untrained(model):
    assert isinstance(model, Trainable)
    assert not model.answers
    with pytest.raises(ModelError, match="before it is trained"):
        model.load("cpu")


@pytest.mark.parametrize("model", [Majority(), Stratified(), TfidfLogReg()])
def test_training_data_that_can_not_be_learnt_from_is_refused(model):
    with pytest.raises(TrainingError, match="no training examples"):
        model.train(job(examples=()))
    with pytest.raises(TrainingError, match="'weather'"):
        model.train(job(examples=[*TRAIN, ("Rain is on the way", "weather")]))


@pytest.mark.parametrize("model", [Majority(), Stratified(), TfidfLogReg()])
def test_trained_baselines_answer_only_what_they_were_trained_for(model):
    engine = model.train(job()).engine
    assert engine.run([Classify("goal", LABELS)])[0].usage == Usage(0, 0)
    assert engine.provenance["device"] == "cpu"
    with pytest.raises(ModelError, match="asked for"):
        engine.run([Classify("goal", ("tech", "sports"))])
    with pytest.raises(ModelError, match="not Generate"):
        engine.run([Generate(Prompt("goal"))])


# --- majority -----------------------------------------------------------------------------------------


def test_majority_says_the_most_frequent_label_with_the_labels_frequencies():
    (log_probs,) = answers(Majority(), ["whatever"])
    assert np.exp(log_probs) == pytest.approx([3 / 10, 4 / 10, 3 / 10])  # counts 2, 3, 2 and one more each


@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=20))
def test_majority_is_the_first_declared_of_the_most_frequent(labels):
    (log_probs,) = answers(Majority(), ["whatever"], examples=[("text", label) for label in labels])
    assert int(np.argmax(log_probs)) == max(range(3), key=lambda index: labels.count(LABELS[index]))
    assert math.fsum(np.exp(log_probs)) == pytest.approx(1)


# --- stratified ---------------------------------------------------------------------------------------


def test_stratified_guesses_each_label_as_often_as_it_occurs():
    """scikit-learn's DummyClassifier(strategy="stratified") does the same, with one added to each count here."""
    texts = [f"text {number}" for number in range(6000)]
    values = answers(Stratified(), texts)
    guessed = np.bincount(values.argmax(axis=1), minlength=3)
    assert scipy.stats.chisquare(guessed, np.array([3, 4, 3]) / 10 * 6000).pvalue > 0.001
    assert np.array_equal(values, answers(Stratified(), texts))
    engine = Stratified().train(replace(job(), seed=1)).engine
    others = np.array([response.log_probs for response in engine.run([Classify(text, LABELS) for text in texts])])
    agree = (values.argmax(axis=1) == others.argmax(axis=1)).mean()
    assert agree == pytest.approx(0.3**2 + 0.4**2 + 0.3**2, abs=0.03), "another seed, other guesses"


# --- random -------------------------------------------------------------------------------------------


def guesses(model, texts, continuations):
    """(n, k) log-likelihoods."""
    requests = [LogLikelihood(Prompt(text), continuations) for text in texts]
    return np.array([response.values for response in model.load("cpu").run(requests)])


def test_random_is_right_at_chance_level():
    """4,000 prompts, four continuations: each is the likeliest in one of four, within what a fair die would give."""
    values = guesses(Chance(), [f"question {number}" for number in range(4000)], (" a", " b", " c", " d"))
    wins = np.bincount(values.argmax(axis=1), minlength=4)
    assert scipy.stats.chisquare(wins).pvalue > 0.001
    assert np.exp(values).sum(axis=1) == pytest.approx(np.ones(4000))


def test_random_probabilities_are_uniform_over_distributions():
    """With three continuations each probability has the Beta(1, 2) distribution."""
    values = guesses(Chance(), [f"question {number}" for number in range(2000)], (" a", " b", " c"))
    assert scipy.stats.kstest(np.exp(values[:, 0]), scipy.stats.beta(1, 2).cdf).pvalue > 0.001


def test_random_depends_on_text_continuation_and_seed_alone():
    texts, choices = ["one", "two", "\ud800"], (" yes", " no")
    first = guesses(Chance(), texts, choices)
    assert np.array_equal(first, guesses(Chance(), texts[::-1], choices)[::-1])
    assert np.allclose(first, guesses(Chance(), texts, choices[::-1])[:, ::-1])
    parts = LogLikelihood(Prompt("e", demonstrations=("n",), instruction="o"), choices)
    assert tuple(first[0]) == Chance().load("cuda").run([parts])[0].values
    assert not np.allclose(first, guesses(Chance(seed=1), texts, choices))
    with pytest.raises(ModelError, match="not Generate"):
        Chance().load("cpu").run([Generate(Prompt("one"))])


# --- tfidf-lr -----------------------------------------------------------------------------------------


def reference(strength, texts, examples=tuple(TRAIN)):
    """Class -> probabilities by scikit-learn alone."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    features = vectorizer.fit_transform([text for text, _ in examples])
    fitted = LogisticRegression(C=strength, max_iter=2000).fit(features, [label for _, label in examples])
    return list(fitted.classes_), fitted.predict_proba(vectorizer.transform(texts))


def test_majority_gives_each_word_the_tag_that_it_most_often_has():
    examples = [
        ("Paris met Ada", json.dumps([["place", 0, 1, "Paris"], ["person", 2, 3, "Ada"]])),
        ("New York and Paris", json.dumps([["place", 0, 2, "New York"], ["person", 3, 4, "Paris"]])),
        ("in Paris", json.dumps([["place", 1, 2, "Paris"]])),
    ]
    given = replace(job(examples=examples, labels=("person", "place")), learnt="tags")
    engine = Majority().train(given).engine
    (answer,) = engine.run([Tag("Ada left York for New Paris by car", ("person", "place"))])
    assert answer.tags == ("B-person", "O", "I-place", "O", "B-place", "B-place", "O", "O")
    for model in (Stratified(), TfidfLogReg()):
        assert cannot_learn(model, "tags") == "the model can't be trained to give tags of words"
    with pytest.raises(TrainingError, match="no training examples"):
        Majority().train(replace(given, examples=()))
    with pytest.raises(ModelError, match="tags of words"):
        engine.run([Classify("x", ("a", "b"))])


@pytest.mark.parametrize("labels", [LABELS, ("tech", "business", "sports"), ("sports", "business")])
def test_tfidf_probabilities_are_scikit_learns(labels):
    examples = [(text, label) for text, label in TRAIN if label in labels]
    texts = ["a late goal", "profit at the chip maker", ""]
    classes, expected = reference(10.0, texts, examples)
    log_probs = answers(TfidfLogReg(), texts, labels=labels, examples=examples)
    assert np.exp(log_probs) == pytest.approx(expected[:, [classes.index(label) for label in labels]], abs=1e-6)


def test_tfidf_takes_the_strength_of_the_lowest_cross_entropy_on_validation():
    texts, targets = [text for text, _ in VALIDATION], [label for _, label in VALIDATION]
    losses = {}
    for strength in (1.0, 10.0, 100.0):
        classes, probabilities = reference(strength, texts)
        losses[f"{strength:g}"] = log_loss(targets, probabilities, labels=classes)
    trained = TfidfLogReg().train(job(validation=VALIDATION))
    assert trained.notes == (f"C = {min(losses, key=losses.get)}",)
    contradicting = [("The cup goal", "tech"), ("Software for the phone", "business"), ("Oil profit", "sports")]
    assert TfidfLogReg().train(job(validation=contradicting)).notes == ("C = 1",)
    assert TfidfLogReg().train(job()).notes == ("C = 10",)


def test_tfidf_of_one_label_is_that_label_and_says_so():
    trained = TfidfLogReg().train(job(examples=[("a goal", "sports"), ("a cup", "sports")]))
    assert trained.notes == ("all training examples are 'sports': the constant answer",)
    (response,) = trained.engine.run([Classify("software", LABELS)])
    assert np.exp(response.log_probs) == pytest.approx([1 / 5, 3 / 5, 1 / 5])


def test_tfidf_never_says_a_label_it_has_not_seen_but_holds_it_possible():
    labels = (*LABELS, "weather")
    log_probs = answers(TfidfLogReg(), ["rain", "", "goal"], labels=labels, validation=[("Rain", "weather")])
    assert np.exp(log_probs[:, 3]) == pytest.approx(1 / 11)
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(1)
    assert 3 not in log_probs.argmax(axis=1)


def test_texts_without_words_are_no_training_data():
    with pytest.raises(TrainingError, match="no words to learn from in 2 training texts"):
        TfidfLogReg().train(job(examples=[("", "tech"), ("! ?", "sports")]))
    with pytest.raises(TrainingError, match="lower min_df"):
        TfidfLogReg(min_df=8).train(job())


def test_the_number_of_features_is_capped():
    engine = TfidfLogReg(max_features=3).train(job()).engine
    assert (
        len({tuple(response.log_probs) for response in engine.run([Classify("oil", LABELS), Classify("", LABELS)])})
        == 1
    )


def test_a_fit_that_was_cut_short_is_noted(monkeypatch):
    monkeypatch.setattr(tfidf_training, "MAX_ITERATIONS", 1)
    assert TfidfLogReg().train(job()).notes == ("C = 10", "not converged after 1 iterations")


@pytest.mark.model
def test_tfidf_on_bbc_news_reaches_the_macro_f1_it_should(tmp_path):
    store = str(tmp_path / "results.db")
    results = harness.run(["tfidf-lr", "majority"], "bbc-news", "finetune", store=store, scenarios=())
    assert [result.status for result in results] == ["finished", "finished"]
    scores = {str(result.trial.model): result.metrics for result in results}
    assert scores["tfidf-lr"]["macro_f1"].value >= 0.93
    assert scores["majority"]["accuracy"].value == pytest.approx(0.23, abs=0.03)
