"""Linear layers by oneDNN against float64, the switch, and models that it does not suit."""

import pytest
import torch
import transformers

from harness.errors import UsageError
from harness.records import LogLikelihood, Prompt
from harness_hf.linear import linear_of, quicken
from harness_hf.models import hf

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")

IDS = torch.tensor([[3, 20, 120, 7, 55, 9, 300, 11]])


@pytest.fixture
def model(tiny_checkpoint):
    """`model("llama")`: as transformers loads it."""
    return lambda name: transformers.AutoModelForCausalLM.from_pretrained(tiny_checkpoint(name)).eval()


@torch.inference_mode()
def logits(model):
    return model(input_ids=IDS).logits


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_all_linear_layers_change_and_come_as_close_to_float64(name, model, monkeypatch):
    monkeypatch.setenv("HARNESS_LINEAR", "onednn")
    plain, quick, exact = model(name), model(name), model(name).double()
    with torch.inference_mode():
        quicken(quick, lambda: logits(quick))
    assert linear_of(quick) == "onednn"
    assert not any(type(module) in {torch.nn.Linear, transformers.Conv1D} for module in quick.modules())
    assert linear_of(plain) == "torch"
    error = (logits(quick) - logits(exact)).abs().max()
    assert error <= max(1e-6, 5 * float((logits(plain) - logits(exact)).abs().max()))


@pytest.mark.parametrize(("setting", "linear"), [("onednn", "onednn"), ("torch", "torch")])
def test_the_switch_decides_and_scores_stay(setting, linear, tiny_checkpoint, empty_assets, monkeypatch):
    request = LogLikelihood(Prompt("The film was"), (" a joy", " sport", " a"))
    by_default = hf(str(tiny_checkpoint("llama")), empty_assets).load("cpu").run([request])
    monkeypatch.setenv("HARNESS_LINEAR", setting)
    engine = hf(str(tiny_checkpoint("llama")), empty_assets).load("cpu")
    assert engine.provenance["linear"] == linear
    assert engine.run([request])[0].values == pytest.approx(by_default[0].values, abs=1e-5)


def test_a_model_that_comes_to_other_states_is_left_alone(model, monkeypatch, caplog):
    monkeypatch.setenv("HARNESS_LINEAR", "onednn")
    caplog.set_level("INFO", "harness_hf")
    unlike, answers = model("llama"), iter([torch.ones(2), torch.ones(2) * 1.01])
    quicken(unlike, lambda: next(answers))
    assert linear_of(unlike) == "torch"
    assert "torch's own linear layers stay" in caplog.text


def test_half_precision_is_left_to_torch(model, monkeypatch):
    monkeypatch.setenv("HARNESS_LINEAR", "onednn")
    half = model("llama").to(torch.bfloat16)
    quicken(half, lambda: logits(half))
    assert linear_of(half) == "torch"


def test_another_word_is_refused(model, monkeypatch):
    monkeypatch.setenv("HARNESS_LINEAR", "mkl")
    with pytest.raises(UsageError, match="HARNESS_LINEAR=mkl"):
        quicken(model("llama"), lambda: torch.ones(1))
