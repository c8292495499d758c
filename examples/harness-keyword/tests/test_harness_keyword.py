"""The contracts that the harness holds every plugin to, and what these parts do beyond them."""

import json
import math
import random
from pathlib import Path

import harness_keyword
import pytest
from harness_keyword.learning import learn
from harness_keyword.model import Keyword, Votes
from harness_keyword.selector import Typical
from harness_keyword.strategy import Hinted

from harness import Classify, DataError, Pool, Sample, Setting, TrainingError, TrainingJob
from harness.testing import ToyModel, ToyTask, check_model, check_selector, check_strategy, check_task, load_task

TASK = Path(harness_keyword.__file__).with_name("task") / "task.yaml"
LABELS = ("fruit", "vehicle")


def answer(engine, text):
    """The label that gets most votes, and the probabilities."""
    probabilities = [math.exp(value) for value in engine.run([Classify(text, LABELS)])[0].log_probs]
    return LABELS[probabilities.index(max(probabilities))], probabilities


# --- the model ---------------------------------------------------------------------------------------


def test_the_model_keeps_its_contract():
    check_model(Keyword())


def test_without_keywords_the_labels_names_vote():
    label, probabilities = answer(Keyword().load("cpu"), "Which VEHICLE is it?")
    assert label == "vehicle"
    assert probabilities == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e)])
    assert answer(Keyword().load("cpu"), "Nothing of the kind.")[1] == [0.5, 0.5]


def test_given_keywords_vote_and_their_file_is_part_of_the_fingerprint(tmp_path):
    file = tmp_path / "keywords.json"
    file.write_text(json.dumps({"fruit": ["ripe", "Peel"], "vehicle": ["road"]}))
    model = Keyword(str(file))
    check_model(model)
    assert answer(model.load("cpu"), "They peel ripe bananas beside the road.")[0] == "fruit"
    before = model.fingerprint()
    file.write_text(json.dumps({"fruit": ["ripe"], "vehicle": ["road"]}))
    assert model.fingerprint() != before


@pytest.mark.parametrize("content", ["not JSON", '["ripe"]', '{"fruit": "ripe"}'])
def test_a_bad_file_of_keywords_is_named(tmp_path, content):
    file = tmp_path / "keywords.json"
    file.write_text(content)
    with pytest.raises(DataError, match=r"keywords\.json: is no file of keywords"):
        Keyword(str(file)).fingerprint()


def test_a_missing_file_of_keywords_is_named(tmp_path):
    with pytest.raises(DataError, match=r"keywords\.json: can't be read: No such file"):
        Keyword(str(tmp_path / "keywords.json")).fingerprint()


def test_weights_are_log_odds_ratios():
    rows = [("a ripe plum", "fruit"), ("a ripe fig", "fruit"), ("a loud bus", "vehicle"), ("a slow bus", "vehicle")]
    learned = learn(rows, LABELS, top=1)
    # In 2 of 2 rows of the label and in 0 of 2 others: (2.5 / 0.5) / (0.5 / 2.5) = 25.
    assert learned == {"fruit": {"ripe": pytest.approx(math.log(25))}, "vehicle": {"bus": pytest.approx(math.log(25))}}


def test_many_heavy_votes_do_not_overflow():
    assert answer(Votes({"fruit": {"ripe": 5000.0}}), "ripe") == ("fruit", [1.0, 0.0])


def test_there_has_to_be_something_to_learn_from(tmp_path):
    with pytest.raises(TrainingError, match="no training rows"):
        Keyword().train(TrainingJob([], [], LABELS, 0, "cpu", {}, tmp_path))


# --- the strategy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["declared", "shuffled"])
def test_the_strategy_keeps_its_contract(order):
    check_strategy(Hinted(order))


def test_the_possible_answers_stand_before_the_question(tmp_path):
    task = ToyTask()
    adapted = Hinted().adapt(ToyModel(), task, Setting(0, "cpu", tmp_path))
    (request,) = adapted.requests(Sample("1", {"text": "Snow falls."}, "cold"))
    assert request.prompt.text == "Possible answers: warm, cold.\n\nText: Snow falls.\nLabel:"
    assert request.continuations == (" warm", " cold")


def test_a_model_without_log_likelihoods_is_refused():
    assert Hinted().refuses(Keyword(), ToyTask.spec) == "the model gives no log-likelihoods of answers"


# --- the selector ------------------------------------------------------------------------------------


def test_the_selector_keeps_its_contract():
    check_selector(Typical())


def test_the_most_telling_rows_of_each_label_are_chosen_in_turn():
    texts = ["a loud bus", "a plum", "a ripe fig", "a ripe ripe plum", "a slow bus", "the fast train"]
    labels = ["vehicle", "fruit", "fruit", "fruit", "vehicle", "vehicle"]
    rows = [Sample(str(at), {"text": text}, label) for at, (text, label) in enumerate(zip(texts, labels, strict=True))]
    spec = load_task(TASK).spec
    chosen = Typical().select(Pool(spec, rows, lambda: texts, random.Random(0)), 4)
    assert [labels[at] for at in chosen] == [*LABELS, *LABELS]
    assert chosen[0] == 3, "it holds both of the words that two rows of fruit have"
    assert chosen[1] == 5, "three words that no row of fruit has"


# --- the task, and all of them together ----------------------------------------------------------------


def test_the_task_keeps_its_contract():
    check_task(load_task(TASK))


def test_the_splits_are_balanced():
    task = load_task(TASK)
    for split in ("train", "validation", "test"):
        targets = [sample.target for sample in task.samples(split)]
        assert targets.count("fruit") == targets.count("vehicle")


def test_trained_keywords_solve_most_of_the_task(tmp_path):
    train, test = (
        [(row.fields["text"], row.target) for row in load_task(TASK).samples(split)] for split in ("train", "test")
    )
    trained = Keyword().train(TrainingJob(train, [], LABELS, 0, "cpu", {}, tmp_path))
    right = sum(answer(trained.engine, text)[0] == label for text, label in test)
    assert right / len(test) > 0.85
    assert "fruit:" in trained.notes[0]
