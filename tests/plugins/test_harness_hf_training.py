"""Fine-tuning: what is learnt, kept, refused; on a tiny random encoder, and on the real one."""

import json
import logging
import math
import random

import pytest
import torch
from sklearn.metrics import f1_score
from transformers import EvalPrediction

from harness.errors import ModelError, TrainingError
from harness.interfaces import Trainable, TrainableInWays, TrainingJob
from harness.records import Classify, Embed
from harness_hf import objectives, trainer, training
from harness_hf.models import EncoderModel, hf, minilm_l6
from harness_hf.plan import Plan

LABELS = ("sport", "business")
WORDS = {"sport": ["goals", "match", "England"], "business": ["shares", "bank", "analyst"]}
FILLERS = ["the", "was"]
FAST = {"epochs": 3, "batch_size": 4, "learning_rate": 5e-3, "patience": 3}


def rows(count, *, seed=0):
    rng = random.Random(seed)
    labels = [LABELS[number % 2] for number in range(count)]
    return [
        (" ".join([*rng.choices(WORDS[label], k=3), *rng.choices(FILLERS, k=rng.randint(1, 9))]), label)
        for label in labels
    ]


@pytest.fixture
def job(tmp_path):
    """`job(epochs=1)`: a training of 24 rows, validated on 8."""

    def make(examples=None, validation=None, **hyperparameters):
        return TrainingJob(
            examples=rows(24) if examples is None else examples,
            validation=rows(8, seed=1) if validation is None else validation,
            labels=LABELS,
            seed=3,
            device="cpu",
            hyperparameters={**FAST, **hyperparameters},
            folder=tmp_path / "checkpoints" / "abc123",
        )

    return make


@pytest.fixture
def encoder(tiny_checkpoint, empty_assets):
    """A tiny random BERT."""
    return hf(str(tiny_checkpoint("bert")), empty_assets)


def ask(trained, labels=LABELS):
    return [
        response.log_probs for response in trained.engine.run([Classify(text, labels) for text, _ in rows(10, seed=2)])
    ]


def test_it_learns_and_gives_probabilities(encoder, job):
    trained = encoder.train(job(epochs=10))
    found = ask(trained)
    assert [LABELS[scores.index(max(scores))] for scores in found] == [label for _, label in rows(10, seed=2)]
    assert [sum(map(math.exp, scores)) for scores in found] == pytest.approx([1.0] * 10)
    assert ask(trained, LABELS[::-1]) == [scores[::-1] for scores in found]
    assert trained.train_s > 0
    (note,) = trained.notes
    assert note.endswith("parameters trained (100.00%), 60 steps")


def test_what_is_kept_is_taken_again_and_scores_the_same(encoder, job, monkeypatch):
    fresh = encoder.train(job())
    record = json.loads((job().folder / "training.json").read_text())
    assert record["epochs"] == 3
    assert record["best_epoch"] in {1, 2, 3}
    assert record["train_s"] == fresh.train_s
    assert record["versions"]["torch"] == torch.__version__
    monkeypatch.setattr(training, "_fit", lambda *_: pytest.fail("trained again"))
    again = encoder.train(job())
    assert ask(again) == ask(fresh)
    assert again.train_s == fresh.train_s
    assert again.notes == (*fresh.notes, "trained in an earlier run")


def test_nothing_else_is_written(encoder, job, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    folder = job().folder
    encoder.train(job())
    assert list(here.iterdir()) == []
    assert list(folder.parent.iterdir()) == [folder]
    assert not [path for path in folder.rglob("*") if path.is_dir()]


def test_nothing_is_printed(encoder, job, capfd):
    encoder.train(job())
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""


def test_the_seed_decides_everything(encoder, job, tmp_path):
    first = ask(encoder.train(job()))
    torch.manual_seed(99)  # whatever happened before
    again = ask(encoder.train(_elsewhere(job(), tmp_path / "again")))
    other = ask(encoder.train(_elsewhere(job(), tmp_path / "other", seed=4)))
    assert first == again != other


def _elsewhere(job, folder, seed=3):
    import dataclasses

    return dataclasses.replace(job, folder=folder, seed=seed)


def test_the_best_epoch_is_kept_and_training_stops_early(encoder, job):
    encoder.train(job(epochs=12, learning_rate=0.05, patience=1))
    record = json.loads((job().folder / "training.json").read_text())
    losses = [epoch["loss"] for epoch in record["validation"]]
    assert len(losses) < 12
    assert record["best_epoch"] == losses.index(min(losses)) + 1
    assert record["epochs"] == record["best_epoch"] + 1


def test_the_kept_epoch_has_the_recorded_loss(encoder, job):
    trained = encoder.train(job(epochs=4, learning_rate=0.02))
    record = json.loads((job().folder / "training.json").read_text())
    found = trained.engine.run([Classify(text, LABELS) for text, _ in job().validation])
    losses = [-one.log_probs[LABELS.index(label)] for one, (_, label) in zip(found, job().validation, strict=True)]
    best = record["validation"][record["best_epoch"] - 1]
    assert sum(losses) / len(losses) == pytest.approx(best["loss"], abs=1e-4)
    told = [max(LABELS, key=lambda label: one.log_probs[LABELS.index(label)]) for one in found]
    assert best["macro_f1"] == pytest.approx(f1_score([label for _, label in job().validation], told, average="macro"))


def test_without_validation_the_last_epoch_is_kept_and_that_is_said(encoder, job):
    trained = encoder.train(job(validation=[]))
    assert "no validation rows: the last epoch is kept" in trained.notes
    assert len(ask(trained)) == 10


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "no training examples"),
        ([("one", "sport"), ("two", "sport")], "all 2 training examples have the label 'sport'"),
        ([("one", "sport"), ("two", "arts")], "label 'arts' of the examples is not among sport, business"),
    ],
)
def test_nothing_to_learn_from_is_an_error(examples, message, encoder, job):
    with pytest.raises(TrainingError, match=message):
        encoder.train(job(examples=examples))
    assert not job().folder.exists()


def test_a_loss_that_is_no_number_is_an_error_and_leaves_nothing(encoder, job):
    with pytest.raises(TrainingError, match=r"not finite at step \d+, with learning rate 1e\+38"):
        encoder.train(job(learning_rate=1e38))
    assert list(job().folder.parent.iterdir()) == []


def test_long_texts_are_cut_in_training_and_in_answering(encoder, job):
    trained = encoder.train(job(epochs=1, max_tokens=8))
    (response,) = trained.engine.run([Classify("goals " * 30, LABELS)])
    assert response.usage.prompt_tokens == 8
    assert response.usage.cut_tokens > 0


def test_a_folder_that_is_not_complete_is_made_again(encoder, job):
    folder = job().folder
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text("half")
    left = folder.parent / ".abc123.elsewhere.1"
    left.mkdir()
    assert len(ask(encoder.train(job(epochs=1)))) == 10
    assert left.exists(), "another machine may be at it"


def test_what_a_killed_process_left_is_removed(encoder, job):
    import platform

    left = job().folder.parent / f".abc123.{platform.node()}.{2**22 + 1}"
    left.mkdir(parents=True)
    encoder.train(job(epochs=1))
    assert list(job().folder.parent.iterdir()) == [job().folder]


def test_running_out_of_memory_splits_the_batch(encoder, job, monkeypatch, caplog):
    """A fake that runs out of memory, as a CPU does, with more than two rows."""
    original = trainer.ClassTrainer.compute_loss

    def faulty(self, model, inputs, *args, **kwargs):
        if model.training and len(inputs["input_ids"]) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return original(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(trainer.ClassTrainer, "compute_loss", faulty)
    with caplog.at_level(logging.WARNING):
        assert len(ask(encoder.train(job(epochs=1)))) == 10
    assert "out of memory" in caplog.text


def test_memory_for_not_even_one_row_is_an_error(encoder, job, monkeypatch):
    def faulty(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(trainer.ClassTrainer, "compute_loss", faulty)
    with pytest.raises(TrainingError, match="out of memory with a single example"):
        encoder.train(job(epochs=1))


def test_unknown_labels_and_other_requests_are_refused(encoder, job):
    engine = encoder.train(job(epochs=1)).engine
    with pytest.raises(ModelError, match="not trained on label 'arts', only on sport, business"):
        engine.run([Classify("goals", ("sport", "arts"))])
    with pytest.raises(ModelError, match="only classifies"):
        engine.run([Embed("goals")])


def test_the_model_declares_what_the_plan_understands(encoder):
    assert isinstance(encoder, Trainable)
    assert isinstance(encoder, TrainableInWays)
    assert EncoderModel.hyperparameters == set(Plan.__dataclass_fields__)


@pytest.mark.parametrize(
    ("plan", "examples", "steps"),
    [(Plan(), 100_000, 500), (Plan(), 800, 15), (Plan(), 10, 0), (Plan(warmup=5), 800, 5), (Plan(warmup=0), 800, 0)],
)
def test_the_warm_up_is_at_most_a_tenth_of_all_steps(plan, examples, steps):
    assert plan.warmup_steps(examples) == steps


def test_macro_f1_is_that_of_scikit_learn():
    rng = random.Random(0)
    for size in (1, 5, 40):
        true = torch.tensor([rng.randrange(4) for _ in range(size)])
        logits = torch.randn(size, 5, generator=torch.Generator().manual_seed(size))
        told = objectives.macro_f1(EvalPrediction(logits.numpy(), true.numpy()))["macro_f1"]
        assert told == pytest.approx(f1_score(true, logits.argmax(-1), average="macro", zero_division=0))


@pytest.mark.model
def test_minilm_learns_topics_from_a_few_sentences(assets, tmp_path):
    examples = [
        ("The striker scored twice before half time.", "sport"),
        ("The coach praised her players after the final.", "sport"),
        ("Profits rose as the retailer cut its costs.", "business"),
        ("The central bank raised interest rates again.", "business"),
    ]
    hyperparameters = {"epochs": 6, "batch_size": 4, "learning_rate": 3e-4, "max_tokens": 32}
    job = TrainingJob(examples * 2, [], LABELS, 0, "cpu", hyperparameters, tmp_path / "kept")
    trained = minilm_l6(assets).train(job)
    asked = ["A late penalty decided the cup match.", "The company's shares lost a tenth of their value."]
    told = [response.log_probs for response in trained.engine.run([Classify(text, LABELS) for text in asked])]
    assert [scores.index(max(scores)) for scores in told] == [0, 1]
