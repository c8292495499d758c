"""Contrastive tuning: pairs, loss and steps against plain torch; what is learnt, kept and refused."""

import dataclasses
import random
from collections import Counter

import pytest
import torch
import transformers
from hypothesis import given as drawn_by
from hypothesis import strategies as st

from harness.errors import TrainingError
from harness.interfaces import TrainingJob
from harness.records import Embed
from harness_hf import contrastive
from harness_hf.contrastive import Pair, Plan, pair_loss, pairs
from harness_hf.models import hf

LABELS = ("sport", "business")
ROWS = [
    ("the match was late", "sport"),
    ("shares fell on Monday", "business"),
    ("two goals in the second half of the match", "sport"),
    ("the bank was an analyst", "business"),
    ("England won", "sport"),
    ("a phone", "business"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_checkpoint):
    """A tiny random BERT without dropout."""
    made = tmp_path_factory.mktemp("still")
    source = tiny_checkpoint("bert")
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    transformers.AutoModel.from_pretrained(source, **still).save_pretrained(made)
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(made)
    return made


@pytest.fixture
def encoder(folder, empty_assets):
    return hf(str(folder), empty_assets)


@pytest.fixture
def job(tmp_path):
    def make(examples=ROWS, **hyperparameters):
        plan = {"pairs": 8, "learning_rate": 1e-3, **hyperparameters}
        return TrainingJob(examples, [], LABELS, 3, "cpu", plan, tmp_path / "checkpoints" / "abc", "contrastive")

    return make


def vectors(engine, texts):
    return torch.tensor([one.vector for one in engine.run([Embed(text) for text in texts])], dtype=torch.float64)


# --- pairs -------------------------------------------------------------------------------------------


@drawn_by(st.lists(st.sampled_from("abcd"), max_size=12), st.integers(2, 9), st.integers(0, 99))
def test_pairs_are_what_they_say(labels, each, seed):
    found = pairs(labels, each, random.Random(seed))
    assert all((labels[left] == labels[right]) == (target == 1.0) for left, right, target in found)
    assert all(left != right for left, right, _ in found)
    sizes = Counter(labels)
    same, different = (
        Counter(one.left for one in found if one.target),
        Counter(one.left for one in found if not one.target),
    )
    for at, label in enumerate(labels):
        assert same[at] == (each - each // 2 if sizes[label] > 1 else 0)
        assert different[at] == (each // 2 if len(sizes) > 1 else 0)
    assert found == pairs(labels, each, random.Random(seed))


# --- loss and steps ----------------------------------------------------------------------------------


def test_the_loss_is_that_of_cosine_similarity():
    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    targets = torch.tensor([1.0, 0, 1, 1, 0, 0, 1], dtype=torch.float64)
    dots = torch.tensor([float(u @ v) for u, v in zip(left, right, strict=True)], dtype=torch.float64)
    norms = left.pow(2).sum(1).sqrt() * right.pow(2).sum(1).sqrt()
    assert float(pair_loss(left, right, targets)) == pytest.approx(
        float(((dots / norms - targets) ** 2).mean()), abs=1e-12
    )
    ours = torch.nn.functional.mse_loss(torch.cosine_similarity(left, right), targets)
    assert float(pair_loss(left, right, targets)) == pytest.approx(float(ours), abs=1e-12)


def test_steps_are_those_of_a_loop_by_hand(folder):
    """Each text of each pair goes through the model by itself, unpadded, as no batch of ours does."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text, _ in ROWS]
    drawn = [Pair(0, 2, 1.0), Pair(0, 1, 0.0), Pair(3, 5, 1.0), Pair(4, 3, 0.0), Pair(2, 4, 1.0), Pair(5, 0, 0.0)]
    plan = Plan(batch_size=2, learning_rate=1e-4, warmup=0.4, epochs=2, weight_decay=0.1)
    models = [transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).train() for _ in range(2)]
    assert contrastive._fit(models[0], ids, drawn, plan, "mean", 0) == 6

    named = list(models[1].named_parameters())
    kept = [p for name, p in named if name.endswith("bias") or "LayerNorm" in name]
    decayed = [p for name, p in named if not (name.endswith("bias") or "LayerNorm" in name)]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": kept, "weight_decay": 0.0}], lr=0
    )
    rates = [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]  # 3 of 6 steps of warm-up, then down
    for step, rate in enumerate(rates):
        for group in optimiser.param_groups:
            group["lr"] = 1e-4 * rate
        losses = []
        for left, right, target in drawn[2 * step % 6 : 2 * step % 6 + 2]:
            u, v = (models[1](torch.tensor([ids[at]])).last_hidden_state[0].mean(0) for at in (left, right))
            losses.append(((u @ v) / (u.norm() * v.norm()) - target) ** 2)
        (sum(losses) / len(losses)).backward()
        torch.nn.utils.clip_grad_norm_(models[1].parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    start = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        ours, theirs, before = (
            torch.stack([network.eval()(torch.tensor([row])).last_hidden_state[0].mean(0) for row in ids])
            for network in (*models, start)
        )
    assert (ours - theirs).abs().max() < 1e-6 * theirs.abs().max().clamp(min=1) * 5
    assert (ours - before).abs().max() > 1e-3


def test_rows_of_a_label_come_to_lie_close(encoder, job):
    texts = [text for text, _ in ROWS]
    tuned = encoder.train(job(epochs=8)).engine

    def gap(engine):
        cosines = torch.nn.functional.normalize(vectors(engine, texts))
        cosines = cosines @ cosines.T
        same = torch.tensor([[one == other for _, other in ROWS] for _, one in ROWS])
        return float(cosines[same].mean() - cosines[~same].mean())

    assert gap(tuned) > gap(encoder.load("cpu")) + 0.3


# --- kept and refused --------------------------------------------------------------------------------


def test_what_is_kept_embeds_the_same_and_the_seed_decides(encoder, job, tmp_path):
    texts = [text for text, _ in ROWS]
    fresh = encoder.train(job())
    again = encoder.train(job())
    assert torch.equal(vectors(fresh.engine, texts), vectors(again.engine, texts))
    assert again.notes[-1] == "tuned in an earlier run"
    elsewhere = encoder.train(dataclasses.replace(job(), folder=tmp_path / "else"))
    other = encoder.train(dataclasses.replace(job(), folder=tmp_path / "other", seed=4))
    assert torch.equal(vectors(fresh.engine, texts), vectors(elsewhere.engine, texts))
    assert not torch.equal(vectors(fresh.engine, texts), vectors(other.engine, texts))


def test_the_only_row_of_a_label_is_no_pair_of_itself_and_that_is_said(encoder, job):
    trained = encoder.train(job(examples=ROWS[:2] + ROWS[2:3], pairs=4))
    assert trained.notes == (
        "10 pairs in 1 steps",
        "labels with a single row, which has no pair of its own label: business",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"examples": ROWS[::2]}, "all 3 training examples have the label 'sport'"),
        ({"examples": []}, "no training examples"),
        ({"learning_rate": 1e30, "warmup": 0.0, "epochs": 3}, r"not finite in step \d of 9 at learning_rate=1e\+30"),
    ],
)
def test_nothing_to_learn_from_is_an_error_and_leaves_nothing(change, message, encoder, job):
    with pytest.raises(TrainingError, match=message):
        encoder.train(job(**change))
    assert not job().folder.exists()
