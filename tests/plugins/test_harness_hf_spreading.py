"""Models over several cards: when, and what is refused; on a CPU, where there are no cards."""

import pytest
import torch
import transformers

from harness.errors import ModelError, ParameterError
from harness.records import LogLikelihood, Prompt
from harness_hf import spreading
from harness_hf.causal import CausalEngine
from harness_hf.loading import load_tokenizer
from harness_hf.models import hf
from harness_hf.settings import Settings
from harness_hf.spreading import ATTENTION, gather, placement, spreads

GB = 10**9


@pytest.mark.parametrize(
    ("needed", "free", "spread"),
    [
        (10 * GB, [], False),
        (10 * GB, [8 * GB], False),  # one card: memory runs out, and that is said
        (10 * GB, [24 * GB, 24 * GB], False),
        (20 * GB, [24 * GB, 24 * GB], True),
        (30 * GB, [24 * GB, 24 * GB], True),
    ],
)
def test_weights_are_spread_when_one_card_is_too_small(needed, free, spread):
    assert spreads(needed, free) is spread


@pytest.fixture
def two_cards(monkeypatch):
    """Two cards with 1 MB free, as far as torch tells."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda card: (10**6, 10**6))


@pytest.mark.parametrize(
    ("size", "dtype", "spread"),
    [(700_000, torch.float32, False), (900_000, torch.float32, True), (900_000, torch.bfloat16, False)],
)
def test_what_is_needed_is_the_files_size_in_the_dtype(size, dtype, spread, two_cards, tmp_path):
    for part in range(2):
        (tmp_path / f"model-{part}.safetensors").write_bytes(b"\0" * (size // 2))
    found = placement(tmp_path, torch.device("cuda"), dtype, torch.float32)
    assert found == ({"device_map": "auto", "attn_implementation": ATTENTION} if spread else {})


@pytest.mark.parametrize("device", ["cpu", "cuda:1", "mps"])
def test_other_devices_are_refused(device, tmp_path):
    with pytest.raises(ModelError, match=f"the device is {device}"):
        placement(tmp_path, torch.device(device), torch.float32, None)


def test_loading_on_a_cpu_is_refused_with_the_reason(tiny_checkpoint, empty_assets):
    with pytest.raises(ModelError, match="device_map=auto spreads a model over all cards"):
        hf(str(tiny_checkpoint("llama")), empty_assets, device_map="auto").load("cpu")


def test_it_does_not_go_with_quantization(tiny_checkpoint, empty_assets):
    with pytest.raises(ParameterError, match="device_map=auto"):
        hf(str(tiny_checkpoint("llama")), empty_assets, device_map="auto", quantization="int8")


def test_it_is_no_part_of_the_identity(tiny_checkpoint, empty_assets):
    plain, spread = (hf(str(tiny_checkpoint("llama")), empty_assets, device_map=how) for how in ("none", "auto"))
    assert plain.fingerprint() == spread.fingerprint()


def test_a_gathered_model_answers_the_same_and_packs_nothing(tiny_checkpoint):
    folder = tiny_checkpoint("llama")
    engines = []
    for attention in (None, ATTENTION):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention).eval()
        if attention:
            gather(model)
        engines.append(CausalEngine(model, load_tokenizer(folder), Settings()))
    assert [engine._decoder.cascades(20) for engine in engines] == [True, False]
    requests = [LogLikelihood(Prompt(text), (" sport", " tech")) for text in ("England won", "a new phone")]
    expected, found = ([one.values for one in engine.run(requests)] for engine in engines)
    assert found == [pytest.approx(values, abs=1e-4) for values in expected]


def test_what_parts_give_is_brought_to_the_embeddings_card(tiny_checkpoint, monkeypatch):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_checkpoint("llama")).eval()
    brought = []
    monkeypatch.setattr(spreading, "send_to_device", lambda out, home, skip_keys: brought.append(home) or out)
    gather(model)
    model(torch.arange(4)[None])
    assert brought == [model.device] * 2  # the body and the head


def test_layers_beside_the_cards_are_refused(tiny_checkpoint):
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_checkpoint("llama"))
    model.hf_device_map = {"model.embed_tokens": 0, "model.layers.0": 1, "model.layers.1": "cpu"}
    with pytest.raises(ModelError, match="does not fit on all cards"):
        gather(model)
