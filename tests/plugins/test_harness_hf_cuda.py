"""The engines on a card, against plain transformers on the same card and in the same dtype."""

import logging
import random
from importlib.util import find_spec

import pytest
import torch
import transformers

from harness.errors import ModelError
from harness.records import Embed, Generate, LogLikelihood, Prompt
from harness_hf.models import hf

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no cuda device"),
]

DEVICE = "cuda"
TOLERANCE = {"float32": {"rel": 1e-4, "abs": 1e-4}, "bfloat16": {"rel": 2e-2, "abs": 0.25}}
TIE = {"float32": 1e-3, "bfloat16": 0.5}
"""Logits that are nearer than this may come out the other way round: the order of summation is another."""
MODELS = pytest.mark.parametrize("name", ["llama", "gpt2"])
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE)
TOPICS = (" sport", " business", " sport and politics", " sport and business")
WORDS = ("the", "film", "was", "a", "joy", "shares", "fell", "bank", "England", "won", "two", "late", "goals")


class Plain:
    """transformers without any batching, caching or cutting."""

    def __init__(self, folder, dtype):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
        self.model = self.model.to(DEVICE).eval()

    def ids(self, text):
        return self.tokenizer(text)["input_ids"]

    @torch.no_grad()
    def logits(self, ids):
        return self.model(torch.tensor([ids], device=DEVICE)).logits[0].float().cpu()

    def log_likelihood(self, text, choice):
        ids, before = self.ids(text + choice), len(self.ids(text))
        log_probs = self.logits(ids).log_softmax(-1)
        return sum(log_probs[at - 1, ids[at]].item() for at in range(before, len(ids)))

    @torch.no_grad()
    def greedy(self, text, max_tokens):
        ids = torch.tensor([self.ids(text)], device=DEVICE)
        out = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=max_tokens, pad_token_id=1
        )
        return out[0, ids.shape[1] :].tolist()


def prompts(count, *, shots=0, seed=0, words=(3, 30)):
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(*words))) for _ in range(count)]
    shown = tuple(f"Article: shares fell\nTopic:{TOPICS[at % 2]}\n\n" for at in range(shots))
    return [Prompt(f"Article: {text}\nTopic:", shown, "Name the topic.\n\n" if shots else "") for text in texts]


@pytest.fixture
def load(tiny_checkpoint, empty_assets):
    """`load("llama", ...)`: the engine of a tiny random model, on the card."""
    return lambda name, **parameters: hf(str(tiny_checkpoint(name)), empty_assets, **parameters).load(DEVICE)


# --- scores ----------------------------------------------------------------------------------------


@MODELS
@DTYPES
@pytest.mark.parametrize("shots", [0, 4])
@pytest.mark.parametrize("tokens", [4, 100, 1024])
def test_log_likelihoods_equal_plain_transformers(name, dtype, shots, tokens, load, tiny_checkpoint):
    asked = prompts(6, shots=shots)
    found = load(name, dtype=dtype, batch_tokens=tokens).run([LogLikelihood(prompt, TOPICS) for prompt in asked])
    plain = Plain(tiny_checkpoint(name), dtype)
    for prompt, response in zip(asked, found, strict=True):
        expected = [plain.log_likelihood(prompt.text, choice) for choice in TOPICS]
        assert response.values == pytest.approx(expected, **TOLERANCE[dtype])


@MODELS
@DTYPES
def test_it_runs_as_a_trie(name, dtype, load):
    engine = load(name, dtype=dtype)
    assert engine._decoder.cascades(200)
    engine.run([LogLikelihood(prompt, TOPICS) for prompt in prompts(6, shots=4)])
    assert engine.counters["padded"] == 0
    assert engine.counters["reused"] > engine.counters["forwarded"]


def test_forwards_on_a_card_run_one_after_another(load):
    assert load("llama")._decoder.workers == 1


@pytest.mark.parametrize("name", ["mistral-sliding", "gemma2-softcap"])
def test_rows_that_are_padded_equal_plain_transformers_too(name, load, tiny_checkpoint):
    asked = prompts(6, shots=2)
    found = load(name, dtype="float32", batch_tokens=300).run([LogLikelihood(prompt, TOPICS) for prompt in asked])
    plain = Plain(tiny_checkpoint(name), "float32")
    for prompt, response in zip(asked, found, strict=True):
        expected = [plain.log_likelihood(prompt.text, choice) for choice in TOPICS]
        assert response.values == pytest.approx(expected, **TOLERANCE["float32"])


@pytest.mark.parametrize("name", ["llama"])
def test_what_was_asked_before_changes_no_bit(name, load):
    requests = [LogLikelihood(prompt, TOPICS) for prompt in prompts(8, shots=4)]
    engine = load(name, batch_tokens=100)
    first = [one.values for one in engine.run(requests)]
    assert [one.values for one in engine.run(requests)] == first


# --- generation --------------------------------------------------------------------------------------


@MODELS
@pytest.mark.parametrize("shots", [0, 4])
def test_greedy_equals_transformers_token_for_token(name, shots, load, tiny_checkpoint):
    asked, limits = prompts(5, shots=shots, seed=3, words=(2, 12)), [3, 12, 7, 12, 1]
    requests = [Generate(prompt, max_tokens=limit) for prompt, limit in zip(asked, limits, strict=True)]
    found = load(name, dtype="float32").run(requests)
    plain = Plain(tiny_checkpoint(name), "float32")
    for prompt, limit, response in zip(asked, limits, found, strict=True):
        tokens = plain.greedy(prompt.text, limit)
        assert response.text == plain.tokenizer.decode(tokens, skip_special_tokens=True)
        assert response.usage.output_tokens == len(tokens)


@MODELS
@DTYPES
def test_each_written_token_is_the_likeliest_or_as_good(name, dtype, load, tiny_checkpoint):
    engine = load(name, dtype=dtype)
    plain = Plain(tiny_checkpoint(name), dtype)
    written: list[list[int]] = []
    decode = engine._decode
    engine._decode = lambda ids: written.append(list(ids)) or decode(ids)
    for prompt in prompts(4, shots=2, seed=5):
        written.clear()
        engine.run([Generate(prompt, max_tokens=8)])
        new = max(written, key=len)
        before = plain.ids(prompt.text)
        logits = plain.logits([*before, *new])
        for at, token in enumerate(new):
            there = logits[len(before) + at - 1]
            assert there.max() - there[token] <= TIE[dtype]


# --- memory ------------------------------------------------------------------------------------------


def out_of_memory_above(tokens, forward):
    """A fake that runs out of memory, as cuda does, with more than so many tokens in a forward."""

    def faulty(*args, **kwargs):
        if kwargs["input_ids"].numel() > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*args, **kwargs)

    return faulty


def test_running_out_of_memory_halves_the_batch_and_goes_on(load, monkeypatch, caplog):
    requests = [LogLikelihood(prompt, TOPICS) for prompt in prompts(12, words=(20, 30))]
    expected = load("llama", dtype="float32").run(requests)
    engine = load("llama", dtype="float32", batch_tokens=4096)
    base = engine._decoder._base
    monkeypatch.setattr(base, "forward", out_of_memory_above(300, base.forward))
    with caplog.at_level(logging.WARNING):
        found = engine.run(requests)
    for one, other in zip(found, expected, strict=True):
        assert one.values == pytest.approx(other.values, **TOLERANCE["float32"])
    assert "out of memory" in caplog.text
    assert engine._budget.tokens < 4096


def test_the_memory_of_a_failed_forward_is_given_back(load, monkeypatch):
    engine = load("llama", dtype="float32", batch_tokens=4096)
    base = engine._decoder._base
    whole = base.forward

    def hoarding(*args, **kwargs):
        if kwargs["input_ids"].numel() > 300:
            hoard = torch.empty(64 * 2**20, dtype=torch.uint8, device=DEVICE)
            raise torch.OutOfMemoryError(f"CUDA out of memory with {hoard.nbytes} bytes taken.")
        return whole(*args, **kwargs)

    monkeypatch.setattr(base, "forward", hoarding)
    before = torch.cuda.memory_allocated()
    engine.run([LogLikelihood(prompt, TOPICS) for prompt in prompts(12, words=(20, 30))])
    assert torch.cuda.memory_allocated() - before < 32 * 2**20


# --- encoders, provenance, 8 bits ------------------------------------------------------------------------


@DTYPES
def test_embeddings_equal_plain_transformers(dtype, load, tiny_checkpoint):
    texts = ["England won the match", "goal", "Shares fell by 12% after the bank's warning, said an analyst."]
    found = load("bert", dtype=dtype, batch_tokens=40).run([Embed(text) for text in texts])
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))
    model = transformers.AutoModel.from_pretrained(tiny_checkpoint("bert"), dtype=getattr(torch, dtype))
    model = model.to(DEVICE).eval()
    for text, response in zip(texts, found, strict=True):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt").to(DEVICE)).last_hidden_state[0].float()
        assert response.vector == pytest.approx(states.mean(0).tolist(), abs=1e-4 if dtype == "float32" else 5e-2)


@DTYPES
def test_provenance_names_the_card(dtype, load):
    told = load("llama", dtype=dtype).provenance
    assert told["device"] == f"cuda:0 ({torch.cuda.get_device_name(0)})"
    assert told["dtype"] == dtype


def test_a_model_that_fits_on_one_card_is_not_spread(load):
    told = load("llama", device_map="auto").provenance
    assert told["device"].count("cuda") == 1


@pytest.mark.filterwarnings("ignore")  # torchao's own
@pytest.mark.skipif(find_spec("torchao") is None, reason="torchao is not installed")
@MODELS
def test_8_bits_with_torchao(name, load):
    plain, small = (load(name, dtype="bfloat16", quantization=how) for how in ("none", "int8"))
    requests = [LogLikelihood(prompt, TOPICS) for prompt in prompts(6, shots=2)]
    for expected, found in zip(plain.run(requests), small.run(requests), strict=True):
        assert found.values == pytest.approx(expected.values, rel=0.1, abs=1.0)
    assert small.provenance["quantization"] == "int8"
    assert float(small.provenance["weights_mb"]) <= float(plain.provenance["weights_mb"])


@pytest.mark.skipif(find_spec("torchao") is not None, reason="torchao is installed")
def test_8_bits_without_torchao_are_refused(load):
    with pytest.raises(ModelError, match="needs torchao"):
        load("llama", quantization="int8")


def test_the_peak_of_the_cards_memory_is_told_and_begins_anew(load):
    engine = load("llama")
    engine.run([LogLikelihood(prompt, TOPICS) for prompt in prompts(200)])
    busy = engine.peak_device_bytes()
    assert busy >= engine.peak_device_bytes() > 0
