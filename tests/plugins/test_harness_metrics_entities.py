"""Scores of entities against seqeval's; their intervals; what has no score."""

import numpy as np
import pytest
import seqeval.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.entities import entities_of, written_entities
from harness.errors import ParameterError
from harness.records import Prediction, PromptSpec, TaskSpec
from harness.testing import ToyTask, check_metric
from harness_metrics.entities import EntityF1, EntityPrecision, EntityRecall

TYPES = ("person", "place", "thing")
SPEC = TaskSpec("names", "tagging", PromptSpec(""), dict.fromkeys(TYPES, "x"))
METRICS = {EntityF1: "f1_score", EntityPrecision: "precision_score", EntityRecall: "recall_score"}

tag = st.one_of(st.just("O"), st.builds("{}-{}".format, st.sampled_from("BI"), st.sampled_from(TYPES)))
sentence = st.lists(st.tuples(tag, tag), min_size=1, max_size=8)


def predictions(sentences, said=True):
    words = [f"w{at}" for at in range(9)]
    return [
        Prediction(
            str(at),
            written_entities(entities_of([one for one, _ in pairs]), words),
            written_entities(entities_of([other for _, other in pairs]), words) if said else None,
        )
        for at, pairs in enumerate(sentences)
    ]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@settings(max_examples=60, deadline=None)
@given(sentences=st.lists(sentence, min_size=1, max_size=6))
def test_scores_are_seqevals(metric, average, sentences):
    true, said = ([[pair[at] for pair in pairs] for pairs in sentences] for at in (0, 1))
    if not any(entities_of(tags) for tags in true + said):
        return
    wanted = getattr(seqeval.metrics, METRICS[metric])(true, said, average=average, zero_division=0)
    found = metric(average=average).compute(predictions(sentences), SPEC)
    assert found.value == pytest.approx(float(np.nan_to_num(wanted)), abs=1e-12)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("metric", METRICS)
def test_one_type_is_seqevals(metric):
    sentences = [[("B-person", "B-person"), ("O", "B-place")], [("B-place", "B-place"), ("B-place", "O")]]
    true, said = ([[pair[at] for pair in pairs] for pairs in sentences] for at in (0, 1))
    each = getattr(seqeval.metrics, METRICS[metric])(true, said, average=None)
    for type_, value in zip(("person", "place"), each, strict=True):
        assert metric(label=type_).compute(predictions(sentences), SPEC).value == pytest.approx(value)
    assert metric(label="thing").compute(predictions(sentences), SPEC) is None, "nobody named one"


def test_a_missing_answer_names_nothing():
    pairs = [[("B-person", "O")], [("O", "O")]]
    assert EntityRecall().compute(predictions(pairs, said=False), SPEC).value == 0
    assert EntityPrecision().compute(predictions(pairs, said=False), SPEC).value == 0


def test_a_sample_without_entities_has_no_score_of_its_own():
    pairs = [[("B-person", "B-person")], [("O", "O")], [("O", "B-place")]]
    score = EntityF1().weighted(predictions(pairs), SPEC)
    assert score(np.eye(3)) == pytest.approx([1, np.nan, 0], nan_ok=True)
    assert EntityF1().compute(predictions(pairs[1:2]), SPEC) is None


def test_what_stands_nowhere_is_a_wrong_answer():
    target = written_entities(entities_of(["B-person"]), ["Ada"])
    said = written_entities(entities_of(["B-person"]), ["Ada"], [("person", "Bob")])
    assert EntityPrecision().compute([Prediction("1", target, said)], SPEC).value == 0.5
    assert EntityRecall().compute([Prediction("1", target, said)], SPEC).value == 1


@pytest.mark.parametrize("metric", METRICS)
def test_two_trials_are_compared(metric):
    rng = np.random.default_rng(0)
    right = [[("B-person", "B-person"), ("O", "O")]] * 40
    wrong = [[("B-person", "B-person" if rng.random() < 0.5 else "B-place"), ("O", "O")] for _ in range(40)]
    paired = metric().compare(predictions(right), predictions(wrong), SPEC)
    scores = [metric().compute(predictions(one), SPEC).value for one in (right, wrong)]
    assert paired.difference.value == pytest.approx(scores[0] - scores[1])
    assert paired.p_value < 0.01
    assert metric().compare(predictions(right), predictions(right), SPEC).p_value == 1


def test_interval_covers():
    """The bootstrap's interval holds the truth about as often as it says, on sentences drawn by known chances."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(200):
        pairs = [[("B-person", "B-person" if rng.random() < 0.7 else "B-place")] for _ in range(60)]
        found = EntityRecall().compute(predictions(pairs), SPEC)
        held += found.low <= 0.7 <= found.high
    assert 0.90 <= held / 200 <= 0.99


@pytest.mark.parametrize("metric", METRICS)
def test_contract(metric):
    check_metric(metric())
    assert metric().compute([Prediction("1", "warm", "warm")], ToyTask.spec) is None


def test_types_are_checked():
    assert EntityF1(label="persn").misfit(SPEC).startswith("'persn' is no type of the task's entities; did you mean")
    assert EntityF1(label="person").misfit(SPEC) is None
    with pytest.raises(ParameterError, match="nothing to average"):
        EntityF1(label="person", average="macro")
