"""Continued pre-training: losses, steps and perplexities against plain transformers; what is kept and refused."""

import dataclasses
import math
import random
from collections import Counter

import pytest
import torch
import transformers
from hypothesis import given as drawn_by
from hypothesis import strategies as st

from harness.errors import TrainingError
from harness.interfaces import Pretrainable, PretrainingJob, TrainingJob
from harness.records import Classify, FillMask, LogLikelihood, Prompt
from harness_hf import pretraining
from harness_hf.masked_head import NO_HEAD
from harness_hf.models import hf, smollm2_135m
from harness_hf.pretraining import CausalReader, MaskedReader

WORDS = ["the", "match", "was", "late", "shares", "fell", "on", "Monday", "a", "bank"]


def texts(count, *, seed=0):
    """Texts of one domain: words follow one another in a circle, so there is something to learn."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        begin, length = rng.randrange(len(WORDS)), rng.randint(4, 12)
        found.append(" ".join(WORDS[(begin + at) % len(WORDS)] for at in range(length)))
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_checkpoint):
    """`folders("bert")`: a tiny random masked model, or a tiny random causal one; without dropout."""
    folder = tmp_path_factory.mktemp("masked")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.2}
    config = transformers.BertConfig(**shape, **still, vocab_size=300, max_position_embeddings=64)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return lambda name: folder if name == "bert" else tiny_checkpoint(name)


@pytest.fixture
def model(folders, empty_assets):
    return lambda name: hf(str(folders(name)), empty_assets)


@pytest.fixture
def job(tmp_path):
    """`job(epochs=1)`: 48 texts to train on, 8 to measure on."""

    def make(learned=None, held_out=None, seed=3, **hyperparameters):
        return PretrainingJob(
            texts=texts(48) if learned is None else learned,
            held_out=texts(8, seed=1) if held_out is None else held_out,
            seed=seed,
            device="cpu",
            hyperparameters={"learning_rate": 2e-3, "epochs": 3, **hyperparameters},
            folder=tmp_path / "checkpoints" / "abc123",
        )

    return make


def plain(folder, name):
    auto = transformers.AutoModelForMaskedLM if name == "bert" else transformers.AutoModelForCausalLM
    return auto.from_pretrained(folder, dtype=torch.float32).eval()


@torch.no_grad()
def perplexity(network, pieces):
    """Of a causal model, from its own loss of each text by itself."""
    total = count = 0
    for ids in pieces:
        row = torch.tensor([ids])
        total += float(network(input_ids=row, labels=row).loss) * (len(ids) - 1)
        count += len(ids) - 1
    return math.exp(total / count), count


@pytest.mark.parametrize("name", ["llama", "llama-bos", "gpt2", "mamba"])
def test_perplexity_of_a_causal_model_is_that_of_plain_transformers_and_falls(name, model, folders, job):
    before = model(name)
    assert isinstance(before, Pretrainable)
    done = before.pretrain(job())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders(name))
    pieces = [tokenizer(text)["input_ids"] for text in job().held_out]
    assert (done.before, done.tokens) == pytest.approx(perplexity(plain(folders(name), name), pieces), rel=1e-4)
    assert done.after == pytest.approx(perplexity(plain(job().folder, name), pieces)[0], rel=1e-4)
    assert done.after < 0.5 * done.before
    assert done.train_s > 0


def test_perplexity_of_a_masked_model_is_that_of_plain_transformers_and_falls(model, folders, job):
    done = model("bert").pretrain(job(epochs=10))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders("bert"))
    reader = MaskedReader(tokenizer, 64, 0.15)
    pieces = reader.questions(reader.pieces(job().held_out), random.Random("held out 3"))
    for folder, said in ((folders("bert"), done.before), (job().folder, done.after)):
        network, total, count = plain(folder, "bert"), 0.0, 0
        for one in pieces:
            labels = torch.full((1, len(one.ids)), -100)
            labels[0, torch.tensor(one.places)] = torch.tensor(one.targets)
            with torch.no_grad():
                total += float(network(input_ids=torch.tensor([one.ids]), labels=labels).loss) * len(one.places)
            count += len(one.places)
        assert said == pytest.approx(math.exp(total / count), rel=1e-4)
    assert done.tokens == sum(len(one.places) for one in pieces)
    assert done.after < 0.5 * done.before


@pytest.mark.parametrize("name", ["llama", "bert"])
@pytest.mark.parametrize("tokens", [10_000, 20])
def test_steps_are_those_of_transformers_own_loss(name, tokens, model, folders, job, monkeypatch):
    """Whether a batch runs whole or in parts."""
    monkeypatch.setattr(pretraining, "TOKENS", tokens)
    given = job(learned=texts(10), epochs=2, batch_size=4, warmup=0.5, learning_rate=1e-3, weight_decay=0.1)
    model(name).pretrain(given)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders(name))
    reader = MaskedReader(tokenizer, 64, 0.15) if name == "bert" else CausalReader(tokenizer, 256)
    pieces, rng, network = reader.pieces(given.texts), random.Random("texts 3"), plain(folders(name), name).train()
    matrices = [one for one in network.parameters() if one.ndim > 1]
    others = [one for one in network.parameters() if one.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}])
    rates = iter([0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3])
    for _ in range(2):
        order = rng.sample(reader.questions(pieces, rng), len(pieces))
        for begin in (0, 4, 8):
            batch = order[begin : begin + 4]
            width = max(len(one.ids) for one in batch)
            ids = torch.tensor([[*one.ids, *[0] * (width - len(one.ids))] for one in batch])
            mask = torch.tensor([[1] * len(one.ids) + [0] * (width - len(one.ids)) for one in batch])
            labels = torch.full_like(ids, -100)
            for row, one in enumerate(batch):
                shift = 0 if name == "bert" else 1  # a causal model's own loss moves labels by one
                labels[row, torch.tensor(list(one.places)) + shift] = torch.tensor(list(one.targets))
            for group, rate in zip(optimiser.param_groups, [next(rates)] * 2, strict=True):
                group["lr"] = 1e-3 * rate
            network(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
    start = plain(folders(name), name).state_dict()
    for key, found in plain(given.folder, name).state_dict().items():
        if key.endswith("key.bias"):
            continue  # softmax does not see it: its gradient is rounding errors, which Adam scales to whole steps
        assert torch.allclose(found, network.state_dict()[key], atol=2e-5), key
        assert not torch.equal(found, start[key]) or "position" in key, key


# --- what is read ------------------------------------------------------------------------------------


@drawn_by(st.integers(0, 999), st.integers(8, 40), st.floats(0.05, 0.6))
def test_a_share_of_the_tokens_is_hidden_and_no_special_one(folders_of_bert, seed, window, share):
    tokenizer = folders_of_bert
    reader = MaskedReader(tokenizer, window, share)
    pieces = reader.pieces(texts(6, seed=seed))
    for ids, one in zip(pieces, reader.questions(pieces, random.Random(seed)), strict=True):
        inner = len(ids) - 2
        assert len(ids) <= window
        assert len(one.places) == len(set(one.places)) == max(1, round(share * inner))
        assert min(one.places) >= 1
        assert max(one.places) <= inner
        assert [ids[place] for place in one.places] == one.targets
        assert all(read == ids[at] for at, read in enumerate(one.ids) if at not in one.places)


@pytest.fixture(scope="module")
def folders_of_bert(folders):
    return transformers.AutoTokenizer.from_pretrained(folders("bert"))


def test_of_hidden_tokens_eight_in_ten_are_masks_and_one_is_left(folders_of_bert):
    reader = MaskedReader(folders_of_bert, 64, 0.5)
    pieces = reader.pieces(texts(600))
    kinds = Counter()
    for one in reader.questions(pieces, random.Random(0)):
        for place, target in zip(one.places, one.targets, strict=True):
            read = one.ids[place]
            kinds["mask" if read == folders_of_bert.mask_token_id else "same" if read == target else "any"] += 1
    shares = {kind: count / sum(kinds.values()) for kind, count in kinds.items()}
    assert shares == pytest.approx({"mask": 0.8, "any": 0.1, "same": 0.1}, abs=0.03)


@pytest.mark.parametrize("name", ["bert", "llama-bos", "gpt2"])
def test_long_texts_are_read_in_pieces_and_nothing_is_lost(name, folders):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders(name))
    reader = (MaskedReader(tokenizer, 9, 0.15)) if name == "bert" else CausalReader(tokenizer, 9)
    text = " ".join(WORDS * 3) + " the match"
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = reader.pieces([text])
    extra = {"bert": (1, 1), "llama-bos": (1, 0), "gpt2": (0, 0)}[name]
    inner = [token for ids in pieces for token in ids[extra[0] : len(ids) - extra[1]]]
    assert inner == whole[: len(inner)]
    assert len(whole) - len(inner) < (2 if name == "gpt2" else 1)  # a single token has nothing before it
    assert max(map(len, pieces)) == 9


# --- what it gives -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_what_comes_of_it_is_a_model_of_the_same_kind(name, model, job):
    before = model(name)
    after = before.pretrain(job(epochs=1)).model
    assert after.answers == before.answers
    assert after.methods == before.methods
    assert after.fingerprint() != before.fingerprint()
    assert after.count_tokens(["a bank"]) == before.count_tokens(["a bank"])
    request = (FillMask if name == "bert" else LogLikelihood)(Prompt("the match was"), (" late", " the"))
    (old,), (new,) = (one.load("cpu").run([request]) for one in (before, after))
    assert old.values != new.values
    rows = [("the match", "sport"), ("a bank", "business")] * 4
    learned = TrainingJob(rows, [], ("sport", "business"), 0, "cpu", {"epochs": 1}, job().folder.parent / "trained")
    assert len(after.train(learned).engine.run([Classify("a bank", ("sport", "business"))])) == 1


def test_what_is_kept_is_taken_again_and_the_seed_decides(model, job, tmp_path, monkeypatch):
    def weights(place, seed):
        model("bert").pretrain(dataclasses.replace(job(epochs=1, seed=seed), folder=tmp_path / place))
        return (tmp_path / place / "model.safetensors").read_bytes()

    first = weights("first", 3)
    torch.manual_seed(99)  # whatever happened before
    state = torch.random.get_rng_state()
    assert weights("again", 3) == first != weights("other", 4)
    assert torch.equal(state, torch.random.get_rng_state())
    fresh = model("bert").pretrain(job(epochs=1))
    monkeypatch.setattr(pretraining, "_train", lambda *_, **__: pytest.fail("trained again"))
    again = model("bert").pretrain(job(epochs=1))
    assert (again.before, again.after, again.train_s) == (fresh.before, fresh.after, fresh.train_s)
    assert again.model.fingerprint() == fresh.model.fingerprint()
    assert again.notes == (*fresh.notes, "pre-trained in an earlier run")


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learned": [" "]}, "there is nothing to learn"),
        ({"learning_rate": 1e30}, r"is not finite in step \d+ of 18 at learning_rate=1e\+30|training diverged"),
    ],
)
def test_what_cannot_be_learnt_is_an_error_and_leaves_nothing(name, change, message, model, job):
    with pytest.raises(TrainingError, match=message):
        model(name).pretrain(job(**change))
    assert list(job().folder.parent.iterdir()) == []


def test_models_that_cannot_go_on_say_why(tiny_checkpoint, empty_assets, tmp_path):
    bare = hf(str(tiny_checkpoint("bert")), empty_assets)
    assert bare.cannot_pretrain() == NO_HEAD
    integers = hf(str(tiny_checkpoint("llama")), empty_assets, quantization="int8")
    assert integers.cannot_pretrain() == "weights with quantization=int8 can't be trained"
    config = transformers.T5Config(vocab_size=40, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    assert "restoring spans" in hf(str(tmp_path / "t5"), empty_assets).cannot_pretrain()


@pytest.mark.model
def test_a_real_model_reads_the_domain_better_afterwards(assets, tmp_path):
    learned = [f"The fourth desk of the {word} office is closed on Mondays." for word in WORDS]
    held_out = ["The fourth desk of the post office is closed on Mondays."]
    model = smollm2_135m(assets)
    plan = {"learning_rate": 1e-4, "max_tokens": 32}
    done = model.pretrain(PretrainingJob(learned, held_out, 0, "cpu", plan, tmp_path / "kept"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.fetch())
    pieces = [tokenizer(text)["input_ids"] for text in held_out]
    assert done.before == pytest.approx(perplexity(plain(model.fetch(), "llama"), pieces)[0], rel=1e-3)
    assert done.after == pytest.approx(perplexity(plain(tmp_path / "kept", "llama"), pieces)[0], rel=1e-3)
    assert done.after < 0.7 * done.before
