"""Fine-tuning on prompts: what is learnt and kept, and that the loss is its formula; on tiny random models."""

import dataclasses
import json
import random

import pytest
import torch
import transformers
from torch.nn.functional import cross_entropy

from harness.errors import ModelError, TrainingError
from harness.interfaces import TrainableInWays, TrainingJob
from harness.records import FillMask, LogLikelihood, Prompt
from harness_hf import prompt_training
from harness_hf.masked_head import NO_HEAD
from harness_hf.models import hf
from harness_hf.prompt_training import CAUSAL, MASKED, Plan

LABELS = ("sport", "business")
SIGNS = {"sport": "match", "business": "shares"}
FILLERS = ["the", "was", "a", "on"]
ANSWERS = {"sport": " two", "business": " one"}
FAST = {"epochs": 15, "batch_size": 8, "learning_rate": 5e-3, "max_tokens": 40}
KINDS = {"bert": MASKED, "llama": CAUSAL}


def rows(count, *, seed=0):
    """Questions with a planted sign of their label."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        words = rng.choices(FILLERS, k=5)
        words.insert(rng.randrange(6), SIGNS[LABELS[number % 2]])
        found.append((" ".join(words) + " is", LABELS[number % 2]))
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_checkpoint):
    """`folders("bert")`: a tiny random masked model, or the tiny random Llama; without dropout."""
    made = {}

    def make(name):
        if name not in made:
            source = tiny_checkpoint(name)
            if name != "bert":
                made[name] = source
                return source
            folder = made[name] = tmp_path_factory.mktemp("masked")
            tokenizer = transformers.AutoTokenizer.from_pretrained(source)
            tokenizer.add_special_tokens({"mask_token": "[MASK]"})
            tokenizer.save_pretrained(folder)
            torch.manual_seed(0)
            shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
            config = transformers.BertConfig(
                **shape,
                vocab_size=300,
                max_position_embeddings=64,
                initializer_range=0.2,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
            )
            transformers.BertForMaskedLM(config).save_pretrained(folder)
        return made[name]

    return make


@pytest.fixture
def model(folders, empty_assets):
    return lambda name: hf(str(folders(name)), empty_assets)


@pytest.fixture
def job(tmp_path):
    """`job(epochs=1)`: a training of 32 questions, validated on 8."""

    def make(examples=None, validation=None, answers=ANSWERS, **hyperparameters):
        return TrainingJob(
            examples=rows(32) if examples is None else examples,
            validation=rows(8, seed=1) if validation is None else validation,
            labels=LABELS,
            seed=3,
            device="cpu",
            hyperparameters={**FAST, **hyperparameters},
            folder=tmp_path / "checkpoints" / "abc123",
            method="prompt",
            answers=answers,
            instruction="say ",
        )

    return make


def asked(name, examples, answers=ANSWERS):
    kind = FillMask if name == "bert" else LogLikelihood
    return [kind(Prompt(text, (), "say "), tuple(answers[label] for label in LABELS)) for text, _ in examples]


def values(engine, name, examples, answers=ANSWERS):
    return torch.tensor([one.values for one in engine.run(asked(name, examples, answers))], dtype=torch.float64)


def accuracy(engine, name, answers=ANSWERS):
    test = rows(60, seed=2)
    told = values(engine, name, test, answers).argmax(1)
    return sum(LABELS[number] == label for number, (_, label) in zip(told, test, strict=True)) / len(test)


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("joint", [0.0, 0.5])
def test_a_planted_task_is_learnt(name, joint, model, job):
    untrained = model(name)
    assert isinstance(untrained, TrainableInWays)
    assert accuracy(untrained.load("cpu"), name) < 0.7
    given = dataclasses.replace(job(joint=joint), ordinary=rows(32) if joint else ())
    trained = untrained.train(given)
    assert accuracy(trained.engine, name) >= 0.95
    assert trained.train_s > 0
    assert trained.notes == ()


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_answers_that_share_their_first_token_are_told_apart(name, model, job):
    shared = {"sport": " the two", "business": " the one"}
    trained = model(name).train(job(answers=shared, epochs=25))
    assert accuracy(trained.engine, name, shared) >= 0.95


def test_a_recurrent_model_is_trained_on_prompts(model, job):
    assert accuracy(model("mamba").train(job(epochs=25)).engine, "mamba") >= 0.95


def test_answers_of_different_lengths_are_learnt_too(model, job):
    answers = {"sport": " two goals", "business": " one"}
    assert accuracy(model("bert").train(job(examples=rows(96), answers=answers)).engine, "bert", answers) >= 0.95


# --- the loss ----------------------------------------------------------------------------------------


def lesson(folder, job, kind):
    from harness_hf.prompt_training import _Lesson
    from harness_hf.settings import Settings

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.padding_side = "right"
    network = kind.auto.from_pretrained(folder, dtype=torch.float32).eval()
    made = _Lesson(job, Plan(**job.hyperparameters), kind, network, tokenizer, Settings(max_length=40))
    return made, network, tokenizer


def plain_score(network, tokenizer, name, question, answer):
    """s(y | x) of one row, by plain transformers."""
    tokens = tokenizer("say " + question, add_special_tokens=False)["input_ids"]
    whole = tokenizer("say " + question + answer, add_special_tokens=False)["input_ids"]
    said = whole[len(tokens) :]
    if name == "llama":
        log_probs = network(torch.tensor([whole])).logits[0].log_softmax(-1)
        return sum(log_probs[len(tokens) - 1 + at, token] for at, token in enumerate(said))
    ids = [tokenizer.cls_token_id, *tokens, *[tokenizer.mask_token_id] * len(said), tokenizer.sep_token_id]
    log_probs = network(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(log_probs[1 + len(tokens) + at, token] for at, token in enumerate(said))


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("weight", [0.3, 0.8])
def test_the_joint_loss_is_the_formula(name, weight, folders, job):
    answers = {"sport": " two late", "business": " one"}
    ordinary = rows(32, seed=5)
    given = dataclasses.replace(job(answers=answers, joint=weight), ordinary=ordinary)
    made, network, tokenizer = lesson(folders(name), given, KINDS[name])
    batch, beside = made._questions[:6], made._ordinary[:5]
    with torch.no_grad():
        found = sum(float(part) for part in made._losses(batch, beside))
        scores = torch.stack(
            [
                torch.stack([plain_score(network, tokenizer, name, text, answers[label]) for label in LABELS])
                for text, _ in given.examples[:6]
            ]
        )
        right = torch.tensor([LABELS.index(label) for _, label in given.examples[:6]])
        prompts = -(scores.gather(1, right[:, None])[:, 0] - scores.logsumexp(1)).mean()
        single = []
        for text, label in ordinary[:5]:
            states = network.base_model(torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0]
            state = states.mean(0) if name == "bert" else states[-1]
            logits = made._head.weight @ state + made._head.bias
            single.append(cross_entropy(logits[None], torch.tensor([LABELS.index(label)])))
        expected = (1 - weight) * prompts + weight * torch.stack(single).mean()
    assert found == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_batches_in_parts_have_the_same_gradient(name, folders, job, monkeypatch):
    gradients = []
    for tokens in (10_000, 30):
        monkeypatch.setattr(prompt_training, "TOKENS", tokens)
        made, network, _ = lesson(folders(name), job(), KINDS[name])
        losses = list(made._losses(made._questions[:6], []))
        sum(losses).backward()
        gradients.append(
            (len(losses), torch.cat([one.grad.flatten() for one in network.parameters() if one.grad is not None]))
        )
    (one, whole), (several, cut) = gradients
    assert one == 1 < several
    assert torch.allclose(whole, cut, atol=1e-5)


def test_the_kept_epoch_has_the_lowest_recorded_loss(model, job):
    given = job(learning_rate=0.03, epochs=12, patience=2)
    engine = model("bert").train(given).engine
    record = json.loads((given.folder / "training.json").read_text())
    losses = [epoch["loss"] for epoch in record["validation"]]
    assert record["best_epoch"] == losses.index(min(losses)) + 1
    assert len(losses) in {12, record["best_epoch"] + 2}
    right = torch.tensor([LABELS.index(label) for _, label in given.validation])
    assert float(cross_entropy(values(engine, "bert", given.validation), right)) == pytest.approx(min(losses), abs=1e-4)


# --- kept --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_what_is_kept_is_taken_again_and_answers_the_same(name, model, job, monkeypatch):
    fresh = model(name).train(job(epochs=2))
    monkeypatch.setattr(prompt_training, "_train", lambda *_: pytest.fail("trained again"))
    again = model(name).train(job(epochs=2))
    assert torch.equal(values(fresh.engine, name, rows(10, seed=4)), values(again.engine, name, rows(10, seed=4)))
    assert again.notes == ("trained in an earlier run",)
    assert again.train_s == fresh.train_s


def test_the_seed_decides_everything(model, job, tmp_path):
    def trained(place, seed):
        given = dataclasses.replace(job(epochs=2, joint=0.5), ordinary=rows(32), folder=tmp_path / place, seed=seed)
        model("bert").train(given)
        return (tmp_path / place / "model.safetensors").read_bytes()

    first = trained("first", 3)
    torch.manual_seed(99)  # whatever happened before
    state = torch.random.get_rng_state()
    assert trained("again", 3) == first != trained("other", 4)
    assert torch.equal(state, torch.random.get_rng_state())


def test_without_validation_the_last_epoch_is_kept_and_that_is_said(model, job):
    trained = model("bert").train(job(validation=[], epochs=2))
    assert trained.notes == ("no validation rows: the last epoch is kept",)


def test_prompts_are_cut_in_training_and_answering(model, job):
    trained = model("bert").train(job(examples=[*rows(8), ("the " * 60 + "is", "sport")], epochs=1, max_tokens=16))
    assert "1 training and validation prompts were cut to 16 tokens" in trained.notes
    (answer,) = trained.engine.run(asked("bert", [("the " * 60 + "is", "sport")]))
    assert answer.usage.cut_tokens > 0


# --- refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"examples": []}, "no training examples"),
        ({"examples": rows(6)[::2]}, "all 3 training examples have the label 'sport'"),
        ({"examples": [("one", "sport"), ("two", "arts")]}, "label 'arts' of the examples is not among"),
        ({"answers": {"sport": " two"}}, "label 'business' has no words that say it after a prompt"),
        ({"answers": {"sport": " two", "business": " two"}}, "both said ' two'"),
        ({"joint": 0.5}, "joint training needs ordinary rows"),
        ({"learning_rate": 1e30}, r"is not finite in step \d+ of 60 at learning_rate=1e\+30"),
    ],
)
@pytest.mark.parametrize("name", ["bert", "llama"])
def test_what_cannot_be_learnt_is_an_error_and_leaves_nothing(name, change, message, model, job):
    with pytest.raises(TrainingError, match=message):
        model(name).train(job(**change))
    assert not job().folder.exists()


def test_an_answer_out_of_the_vocabulary_is_refused(model, job):
    with pytest.raises(ModelError, match="not in the model's vocabulary"):
        model("bert").train(job(answers={"sport": " two", "business": " \u4e2d"}))


def test_an_encoder_without_the_head_is_not_trained_on_prompts(tiny_checkpoint, empty_assets):
    bare = hf(str(tiny_checkpoint("bert")), empty_assets)
    assert {"head", "contrastive"} <= bare.methods
    assert "prompt" not in bare.methods
    assert bare.cannot("prompt") == NO_HEAD
    assert bare.lacks("FillMask") == NO_HEAD
