"""Numbers, sets of labels and pairs: tiny random models against plain transformers; what real ones learn."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import f1_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import harness
from harness.catalogue import Catalogue
from harness.interfaces import TrainingJob
from harness.plugins import Plugins
from harness.records import Classify, Component, Regress
from harness.templates import render_text
from harness.values import decide_labels, read_labels, written_labels
from harness_hf.models import hf, minilm_l6
from harness_hf.objectives import NUMBER, Objective

LABELS = ("sport", "business", "politics")
TEXTS = [
    "England won the match with two late goals.",
    "Shares fell by 12% after the bank's warning, said an analyst.",
    "The minister will answer questions.",
    "A new phone goes on sale next week.",
    "The film was a joy from the first minute to the last.",
    "goals",
]
PAIRS = list(zip(TEXTS, [*TEXTS[2:], *TEXTS[:2]], strict=True))
NUMBERS = ["12.5", "-3", "0", "7", "100", "8.25"]
SETS = [
    written_labels(one, LABELS)
    for one in (["sport"], ["business"], ["politics", "business"], [], LABELS, ["sport", "politics"])
]
FAST = {"epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "patience": 2, "max_tokens": 24}


@pytest.fixture
def job(tmp_path):
    """`job("number", PAIRS)`: a training of six rows, which validate too."""

    def make(learnt, texts=TEXTS, folder="kept", **hyperparameters):
        targets = NUMBERS if learnt == "number" else SETS
        rows = list(zip(texts, targets, strict=True))
        labels = () if learnt == "number" else LABELS
        told = {**FAST, **hyperparameters}
        return TrainingJob(rows, rows, labels, 3, "cpu", told, tmp_path / folder, learnt=learnt)

    return make


def answers(engine, learnt, texts):
    if learnt == "number":
        return [response.value for response in engine.run([Regress(text) for text in texts])]
    return [response.log_probs for response in engine.run([Classify(text, LABELS, several=True) for text in texts])]


def plain(folder, texts, targets=None):
    """Logits of a kept checkpoint, a text at a time, and losses, as transformers gives them."""
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    logits, losses = [], []
    for at, text in enumerate(texts):
        parts = text if isinstance(text, tuple) else (text,)
        read = tokenizer(*parts, truncation=True, max_length=FAST["max_tokens"], return_tensors="pt")
        told = {} if targets is None else {"labels": torch.tensor([targets[at]], dtype=torch.float32)}
        with torch.inference_mode():
            found = model(**read, **told)
        logits.append(found.logits[0].numpy())
        losses.append(None if found.loss is None else float(found.loss))
    return model.config, np.array(logits), losses


# --- tiny random models, against plain transformers ----------------------------------------------------


@pytest.mark.parametrize("learnt", ["number", "labels"])
def test_losses_are_those_that_transformers_has_for_such_problems(learnt, tiny_checkpoint):
    outputs = NUMBER if learnt == "number" else LABELS
    kind = "regression" if learnt == "number" else "multi_label_classification"
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny_checkpoint("bert"), num_labels=len(outputs), problem_type=kind
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))
    rows = list(zip(PAIRS, NUMBERS if learnt == "number" else SETS, strict=True))
    numbers = np.array(list(map(float, NUMBERS)))
    objective = Objective(learnt, outputs, float(numbers.mean()), float(numbers.std()))
    targets = torch.tensor(objective.targets(rows))
    with torch.inference_mode():
        found = model(**tokenizer(*zip(*PAIRS, strict=True), padding=True, return_tensors="pt"), labels=targets.float())
    mine = objective.loss(found.logits, targets, torch.ones(len(outputs))) / targets.numel()
    assert float(mine) == pytest.approx(float(found.loss), abs=1e-5)
    expected = [[float(label in read_labels(one)) for label in LABELS] for one in SETS]
    if learnt == "number":
        expected = (numbers - numbers.mean()) / numbers.std()
    assert targets.numpy() == pytest.approx(np.array(expected))


@pytest.mark.parametrize("texts", [TEXTS, PAIRS], ids=["texts", "pairs"])
@pytest.mark.parametrize("learnt", ["number", "labels"])
def test_a_trained_bert_answers_as_plain_transformers_does(learnt, texts, tiny_checkpoint, empty_assets, job):
    todo = job(learnt, texts)
    trained = hf(str(tiny_checkpoint("bert")), empty_assets).train(todo)
    objective = Objective.of(todo)
    config, logits, losses = plain(todo.folder, texts, objective.targets(todo.examples) if learnt == "number" else None)
    if learnt == "number":
        assert config.problem_type == "regression"
        expected = objective.mean + objective.deviation * logits[:, 0]
        record = json.loads((todo.folder / "training.json").read_text())
        best = next(one for one in record["validation"] if one["epoch"] == record["best_epoch"])
        assert best["loss"] == pytest.approx(np.mean(losses), abs=1e-5)
        numbers = np.array(list(map(float, NUMBERS)))
        assert best["rmse"] == pytest.approx(float(np.sqrt(np.mean((expected - numbers) ** 2))), rel=1e-5)
    else:
        expected = torch.nn.functional.logsigmoid(torch.tensor(logits)).numpy()
    assert np.array(answers(trained.engine, learnt, texts)) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("learnt", ["number", "labels"])
def test_a_decoder_reads_a_pair_as_two_lines(learnt, tiny_checkpoint, empty_assets, job):
    todo = job(learnt, PAIRS)
    trained = hf(str(tiny_checkpoint("llama")), empty_assets).train(todo)
    joined = [f"{first}\n{second}" for first, second in PAIRS]
    assert answers(trained.engine, learnt, PAIRS) == answers(trained.engine, learnt, joined)
    _, logits, _ = plain(todo.folder, joined)
    objective = Objective.of(todo)
    expected = torch.nn.functional.logsigmoid(torch.tensor(logits)).numpy()
    if learnt == "number":
        expected = objective.mean + objective.deviation * logits[:, 0]
    assert np.array(answers(trained.engine, learnt, PAIRS)) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_order_of_a_pair_and_its_segments_count(tiny_checkpoint, empty_assets, job):
    trained = hf(str(tiny_checkpoint("bert")), empty_assets).train(job("number", PAIRS))
    there, back = (answers(trained.engine, "number", each) for each in (PAIRS, [pair[::-1] for pair in PAIRS]))
    assert all(abs(one - other) > 1e-4 for one, other in zip(there, back, strict=True))


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("learnt", ["number", "labels"])
def test_the_seed_decides_everything_and_what_is_kept_answers_the_same(
    name, learnt, tiny_checkpoint, empty_assets, job
):
    model = hf(str(tiny_checkpoint(name)), empty_assets)
    first = answers(model.train(job(learnt, PAIRS)).engine, learnt, PAIRS)
    torch.manual_seed(99)
    again = answers(model.train(job(learnt, PAIRS, "again")).engine, learnt, PAIRS)
    other = answers(model.train(dataclasses.replace(job(learnt, PAIRS, "other"), seed=4)).engine, learnt, PAIRS)
    kept = model.train(job(learnt, PAIRS))
    assert first == again != other
    assert "trained in an earlier run" in kept.notes
    assert answers(kept.engine, learnt, PAIRS) == first


def test_numbers_are_learnt_in_any_unit(tiny_checkpoint, empty_assets, job):
    model = hf(str(tiny_checkpoint("bert")), empty_assets)
    small, todo = job("number", PAIRS), job("number", PAIRS, "large")
    scaled = [(text, f"{1000 * float(number) + 5:g}") for text, number in todo.examples]
    large = dataclasses.replace(todo, examples=scaled, validation=scaled)
    found = answers(model.train(large).engine, "number", PAIRS)
    expected = [1000 * value + 5 for value in answers(model.train(small).engine, "number", PAIRS)]
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("learnt", ["number", "labels"])
def test_rows_that_are_all_alike_teach_nothing(learnt, tiny_checkpoint, empty_assets, job):
    todo = job(learnt)
    alike = [(text, todo.examples[0][1]) for text, _ in todo.examples]
    for examples, said in ((alike, "nothing to learn"), ([], "no training examples")):
        with pytest.raises(harness.HarnessError, match=said):
            hf(str(tiny_checkpoint("bert")), empty_assets).train(dataclasses.replace(todo, examples=examples))


# --- real ones ---------------------------------------------------------------------------------------------


@pytest.fixture
def tuned(assets, tmp_path):
    """`tuned("simlex999", 48)`: MiniLM trained on so many rows, the task, and the rows."""

    def make(task, rows, folder="kept", **hyperparameters):
        data = Catalogue(Plugins(), assets).task(Component(task))
        samples = list(data.scored("train", rows))
        told = {"epochs": 8, "batch_size": 8, "learning_rate": 5e-4, "max_tokens": 40, **hyperparameters}
        examples = [(render_text(data.spec, sample), sample.target) for sample in samples]
        where = tmp_path / folder
        todo = TrainingJob(examples, [], tuple(data.spec.labels), 0, "cpu", told, where, learnt=data.spec.learnt)
        return minilm_l6(assets).train(todo).engine, data, samples

    return make


def numbers_of(engine, data, samples):
    texts = [render_text(data.spec, sample) for sample in samples]
    return [float(sample.target) for sample in samples], answers(engine, "number", texts)


@pytest.mark.model
def test_minilm_learns_ratings_of_tweets_and_the_same_twice(tuned):
    engine, data, samples = tuned("sentiment-ratings", 96, epochs=4)
    unseen = list(data.scored("test", 60))
    targets, said = numbers_of(engine, data, unseen)
    mean = np.mean([float(sample.target) for sample in samples])
    assert np.mean((np.array(said) - targets) ** 2) < 0.8 * np.mean((mean - np.array(targets)) ** 2)
    assert stats.spearmanr(targets, said).statistic > 0.4
    again, _, _ = tuned("sentiment-ratings", 96, "again", epochs=4)
    assert numbers_of(again, data, unseen)[1] == said


@pytest.mark.model
def test_minilm_fits_pairs_of_words(tuned):
    targets, said = numbers_of(*tuned("simlex999", 48, epochs=20, learning_rate=1e-3))
    assert stats.spearmanr(targets, said).statistic > 0.7


@pytest.mark.model
def test_minilm_fits_pairs_of_offers(tuned):
    engine, data, samples = tuned("product-matching", 40, epochs=12, class_weights="balanced")
    labels = tuple(data.spec.labels)
    asked = [Classify(render_text(data.spec, sample), labels) for sample in samples]
    said = [labels[int(np.argmax(response.log_probs))] for response in engine.run(asked)]
    wanted = [sample.target for sample in samples]
    assert f1_score(wanted, said, average="macro") > 0.8


@pytest.mark.model
def test_minilm_learns_which_kinds_of_names_a_sentence_has(tuned):
    engine, data, _ = tuned("loan-mentions", 96, epochs=5)
    unseen, labels = list(data.scored("test", 80)), tuple(data.spec.labels)
    answered = engine.run([Classify(render_text(data.spec, one), labels, several=True) for one in unseen])
    said = [response.log_probs for response in answered]
    marks = np.array([[label in read_labels(sample.target) for label in labels] for sample in unseen])
    found = f1_score(marks, np.array(said) >= math.log(0.5), average="micro", zero_division=0)
    everything = f1_score(marks, np.ones_like(marks), average="micro")  # what needs no learning
    assert found > everything
    decided = [decide_labels(data.spec, *each) for each in zip(unseen, answered, strict=True)]
    assert [set(read_labels(one.prediction)) for one in decided] == [
        {label for label, value in zip(labels, row, strict=True) if value >= math.log(0.5)} for row in said
    ]


@pytest.mark.model
def test_a_probe_of_minilm_is_better_than_the_mean_and_knows_what_pairs_share(tmp_path):
    store, options = str(tmp_path / "results.db"), {"limit": 100, "scenarios": []}
    found = harness.run(
        "minilm-l6", ["sentiment-ratings", "loan-mentions"], "linear-probe,train_size=150", store=store, **options
    )
    assert [result.status for result in found] == ["finished"] * 2
    by_task = {result.trial.task.name: result.metrics for result in found}
    assert by_task["sentiment-ratings"]["r2"].low > 0
    assert by_task["loan-mentions"]["micro_f1"].low > 0.3
    pairs = harness.run("minilm-l6", ["simlex999", "product-matching"], ["linear-probe"], store=store, **options)
    by_task = {result.trial.task.name: result.metrics for result in pairs}
    assert by_task["simlex999"]["spearman"].low > 0
    assert by_task["product-matching"]["auroc"].value > 0.5
    again = harness.run("minilm-l6", "simlex999", "linear-probe", store=str(tmp_path / "again.db"), **options)
    assert again[0].metrics == by_task["simlex999"]


@pytest.mark.model
def test_the_cosine_of_minilm_ranks_pairs_of_words(tmp_path):
    (result,) = harness.run("minilm-l6", "simlex999", store=str(tmp_path / "r.db"), limit=150, scenarios=[])
    assert result.metrics["spearman"].low > 0.2


@pytest.mark.model
def test_smollm_answers_in_the_form_that_its_demonstrations_have(tmp_path):
    found = harness.run(
        "smollm2-135m",
        ["sentiment-ratings", "simlex999", "product-matching", "loan-mentions"],
        "few-shot,k=4",
        store=str(tmp_path / "results.db"),
        limit=16,
        scenarios=[],
    )
    assert [result.status for result in found] == ["finished"] * 4
    for result in found:
        assert result.coverage.answered + result.coverage.truncated >= 14, result.trial.task
        assert result.metrics
