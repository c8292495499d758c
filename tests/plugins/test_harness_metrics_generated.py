"""Metrics of generated text are compared with sacrebleu, rouge-score and numbers of SQuAD's official script."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.answers import decide
from harness.differences import mcnemar
from harness.errors import PluginError
from harness.records import Generated, Prediction, PromptSpec, Sample, TaskSpec
from harness.statistics import wilson
from harness.testing import check_metric
from harness_metrics import generated
from harness_metrics.rouge import Rouge1, Rouge2, RougeL
from harness_metrics.squad import SquadExactMatch, SquadF1, normalized
from harness_metrics.translation import Bleu, Chrf, Ter
from harness_metrics.weighting import summed_interval, summed_pair, weighted_interval

SPEC = TaskSpec("t", "generation", PromptSpec("{{ text }}"))
ASKED = TaskSpec("q", "question-answering", PromptSpec("{{ question }}"), unanswerable="not said")
CORPUS = (
    ("The cat sat on the mat.", ("The cat sat on the mat.", "A cat was sitting on the mat.")),
    ("A dog barks , loudly", ("The dog barks loudly.",)),
    ("Nothing of the sort", ("Everybody went home early because it rained.", "All went home")),
    ("", ("An answer was wanted.",)),
    ("It rained for 3,000 days in Bergen!", ("It rained for 3,000 days in Bergen.",)),
    ("yes", ("no",)),
)


def predictions(pairs, spec=SPEC, cluster=lambda at: None):
    """What a trial makes of texts and references."""
    found = []
    for at, (text, references) in enumerate(pairs):
        sample = Sample(str(at), {}, references[0], references=references if len(references) > 1 else ())
        one = decide(spec, sample, [Generated(text, "stop")])
        measured = {"references": list(references)}
        found.append(
            Prediction(
                one.sample_id, one.target, one.prediction, one.status, text=one.text, measured=measured,
                cluster=cluster(at), judged=one.judged,
            )
        )  # fmt: skip
    return found


def streams(pairs):
    """References as sacrebleu takes them."""
    most = max(len(references) for _, references in pairs)
    return [[references[at] if at < len(references) else None for _, references in pairs] for at in range(most)]


def reference(name, pairs):
    from sacrebleu.metrics import BLEU, CHRF, TER

    metric = {"bleu": BLEU, "chrf": CHRF, "ter": TER}[name]()
    return metric.corpus_score([text for text, _ in pairs], streams(pairs)).score


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), Ter()], ids=lambda one: one.name)
def test_scores_of_the_corpus_are_those_of_sacrebleu(metric):
    found = metric.compute(predictions(CORPUS), SPEC)
    assert found.value == pytest.approx(reference(metric.name, CORPUS), abs=1e-9)
    assert found.low < found.value < found.high
    check_metric(metric)


words = st.lists(st.sampled_from(["a", "b", "c", "the", ".", ",", "Cat", "3", "ü"]), max_size=12).map(" ".join)
pairs = st.tuples(words, st.lists(words.filter(bool), min_size=1, max_size=3).map(tuple))


@settings(max_examples=60, deadline=None)
@given(st.lists(pairs, min_size=1, max_size=6))
@pytest.mark.parametrize("metric", [Bleu(), Chrf(), Ter()], ids=lambda one: one.name)
def test_any_texts_have_the_scores_that_sacrebleu_gives_them(metric, corpus):
    counts = metric._counts(predictions(corpus), SPEC)[0]
    assert metric.score(counts.sum(axis=0, keepdims=True))[0] == pytest.approx(reference(metric.name, corpus), abs=1e-9)


@pytest.mark.parametrize(("metric", "name"), [(Rouge1(), "rouge1"), (Rouge2(), "rouge2"), (RougeL(), "rougeL")])
def test_rouge_is_that_of_rouge_score_for_the_nearest_reference(metric, name):
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([name])
    each = [max(scorer.score(one, text)[name].fmeasure for one in references) for text, references in CORPUS]
    assert metric.compute(predictions(CORPUS), SPEC).value == pytest.approx(np.mean(each))


def test_the_letters_of_answers_are_kept():
    found = Bleu().compute(predictions([("THE CAT SAT ON THE MAT", ("the cat sat on the mat",))]), SPEC)
    assert found.value == 0
    (said,) = predictions([("THE CAT", ("a dog", "the  cat"))])
    assert said.correct
    assert said.prediction == "the cat"


def test_squad_normalizes_as_its_script():
    assert normalized("The  U.S.A., an Ally\tof “a”") == "usa ally of “ ”"
    assert normalized("A-b the") == "ab"


# Worked by hand after the official script: (answer, references, exact, F1).
BY_HAND = [
    ("the Denver Broncos", ("Denver Broncos", "Broncos"), 1, 1),
    ("Denver", ("Denver Broncos",), 0, 2 / 3),
    ("in the year 1999 1999", ("1999", "99"), 0, 2 / 5),
    ("nobody", ("Denver Broncos",), 0, 0),
    ("Not said.", ("not said",), 1, 1),
    ("not said", ("said so",), 0, 0),
    ("he said", ("not said",), 0, 0),
    ("", ("Denver",), 0, 0),
    ("", ("not said",), 1, 1),
]


@pytest.mark.parametrize(("answer", "references", "exact", "f1"), BY_HAND)
def test_squad_scores_are_those_of_its_script(answer, references, exact, f1):
    said = predictions([(answer, references)], ASKED)
    assert SquadExactMatch().compute(said, ASKED).value == exact
    assert SquadF1().compute(said, ASKED).value == pytest.approx(f1)


def test_two_trials_are_compared():
    generator = random.Random(1)
    wanted = [" ".join(generator.choices(["one", "two", "three", "four", "five", "six"], k=8)) for _ in range(60)]
    worse = [" ".join(text.split()[: generator.randint(3, 8)]) for text in wanted]
    a = predictions([(text, (text,)) for text in wanted])
    b = predictions([(text, (other,)) for text, other in zip(worse, wanted, strict=True)])
    for metric in (Bleu(), Chrf(), Ter(), Rouge2(), SquadF1()):
        there, back = metric.compare(a, b, SPEC), metric.compare(b, a, SPEC)
        difference = metric.compute(a, SPEC).value - metric.compute(b, SPEC).value
        assert there.difference.value == pytest.approx(difference)
        assert back.difference.value == -there.difference.value
        assert there.p_value < 0.01
        assert metric.compare(a, a, SPEC).p_value == 1


def test_intervals_of_sums_are_those_of_a_bootstrap():
    from scipy.stats import bootstrap

    generator = np.random.default_rng(3)
    statistics = np.column_stack([generator.poisson(3, 80), generator.poisson(9, 80) + 1.0])

    def score(sums):
        return sums[:, 0] / sums[:, 1]

    def ratio(places, axis=-1):
        return statistics[places.astype(int), 0].sum(axis=axis) / statistics[places.astype(int), 1].sum(axis=axis)

    found = summed_interval(statistics, score, None)
    other = bootstrap((np.arange(80),), ratio, n_resamples=9999, rng=0).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.004)
    clustered = summed_interval(np.repeat(statistics, 2, axis=0), score, np.repeat(np.arange(80), 2))
    assert (clustered.low, clustered.high) == pytest.approx((found.low, found.high), abs=0.004)
    many = np.tile(statistics, (50, 1))
    large = summed_interval(many, score, None)
    assert large.high - large.low == pytest.approx((found.high - found.low) / 50**0.5, rel=0.15)


def test_what_has_no_score_or_no_spread():
    assert weighted_interval(lambda weights: weights[:, 0] * np.nan, 3, None) is None
    assert summed_pair(np.full((3, 1), np.nan), np.ones((3, 1)), lambda sums: sums[:, 0], None) is None
    one = summed_interval(np.ones((1, 1)), lambda sums: sums[:, 0], None)
    assert (one.low, one.value, one.high) == (1, 1, 1)


def test_other_tasks_and_predictions_without_references_have_none():
    labelled = TaskSpec("l", "classification", PromptSpec(""), {"a": " a", "b": " b"})
    assert Bleu().compute(predictions(CORPUS), labelled) is None
    assert SquadF1().compute([Prediction("1", "a", "a")], SPEC) is None


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(generated, "find_spec", lambda name: None)
    with pytest.raises(PluginError, match="metric bleu needs sacrebleu") as error:
        Bleu().require()
    assert "adapt-harness[metrics]" in error.value.hint


def test_a_share_of_answers_has_the_interval_and_the_test_of_a_proportion():
    wanted = ["the dog", "a cat", "42", "Ann"] * 5
    first = predictions([(text, (text,)) for text in wanted], ASKED)
    second = predictions([(text if at % 4 else "no idea", (text,)) for at, text in enumerate(wanted)], ASKED)
    metric = SquadExactMatch()
    assert metric.compute(first, ASKED) == wilson(20, 20)
    assert metric.compute(second, ASKED) == wilson(15, 20)
    assert metric.compare(first, second, ASKED).p_value == mcnemar(5, 0)
