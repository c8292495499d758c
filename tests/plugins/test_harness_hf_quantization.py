"""8-bit weights: against the same weights in floating point, layer by layer and model by model; sizes; refusals."""

import threading

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.components import build, parse_component
from harness.errors import ModelError, TrainingError
from harness.interfaces import ExplainsTraining, Trainable, TrainingJob
from harness.plugins import Plugins
from harness.records import Embed, Generate, LogLikelihood, Prompt, PromptSpec, TaskSpec
from harness_hf import quantization
from harness_hf.loading import load_model
from harness_hf.models import gguf, hf, minilm_l6, smollm2_135m
from harness_hf.quantization import (
    Int8Embedding,
    Int8Linear,
    Int8Matrix,
    digits,
    floating,
    multiplies_integers,
    quantize,
    rounded,
)
from harness_hf.settings import Settings
from harness_hf.size import weight_bytes

TEXTS = ["England won the match with two late goals", "shares fell by 12%", "a new phone", "the minister said no"]
CHOICES = (" sport", " business", " tech and politics")
MULTIPLIES = pytest.mark.skipif(not multiplies_integers(), reason="this CPU gets products of 8-bit integers wrong")
WAYS = pytest.mark.parametrize("integers", [False, pytest.param(True, marks=MULTIPLIES)])


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tensors(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- rounding --------------------------------------------------------------------------------------

VALUES = st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=5)


@given(VALUES)
def test_a_rounded_weight_is_within_half_a_scale(values):
    weight = torch.tensor(values)
    integers, scale = rounded(weight)
    assert integers.dtype is torch.int8
    assert integers.abs().max() <= 127
    error = (integers.double() * scale[:, None] - weight).abs()
    assert (error <= weight.abs().amax(-1, keepdim=True) / 254 * 1.001 + 1e-29).all()


@given(VALUES)
def test_two_digits_are_within_half_of_a_much_smaller_scale(values):
    rows = torch.tensor(values)
    (higher, lower), scale = digits(rows)
    assert max(higher.abs().max(), lower.abs().max()) <= 127
    error = ((128.0 * higher.double() + lower) * scale - rows).abs()
    assert (error <= rows.abs().amax(-1, keepdim=True) / 32512 * 1.01 + 1e-29).all()


# --- one layer -------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(33,), (1, 33), (2, 5, 33), (0, 33)])
def test_a_layer_multiplies_by_its_rounded_weight(integers, bias, shape):
    plain = nn.Linear(33, 7, bias=bias)
    layer = Int8Linear(plain.weight, plain.bias, integers=integers)
    whole, scale = rounded(plain.weight)
    states = tensors(*shape) * 30
    expected = nn.functional.linear(states, whole * scale[:, None], plain.bias)
    assert layer(states).shape == expected.shape
    assert layer(states) == pytest.approx(expected.detach().numpy(), abs=5e-3)
    assert not list(layer.parameters())


@WAYS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_it_is_within_the_rounding_of_the_float_layer(integers, dtype):
    plain = nn.Linear(256, 64, dtype=dtype)
    layer = Int8Linear(plain.weight, plain.bias, integers=integers)
    states = tensors(9, 256).to(dtype)
    expected, found = plain(states), layer(states)
    assert found.dtype is dtype
    assert (found - expected).norm() / expected.norm() < 0.02


@MULTIPLIES
def test_a_large_entry_takes_no_bits_from_the_others():
    plain = nn.Linear(256, 64, bias=False)
    states = tensors(5, 256)
    states[:, 3] = 200  # more than 127 times the others: with 8 bits they would all be 0
    with torch.no_grad():
        plain.weight[:, 3] = 0
    found = Int8Linear(plain.weight, None, integers=True)(states)
    expected = plain(states)
    assert (found - expected).norm() / expected.norm() < 0.02


@MULTIPLIES
def test_a_row_never_depends_on_the_others():
    layer = Int8Linear(tensors(24, 48), None, integers=True)
    rows = tensors(20, 48, seed=1) * tensors(20, 1, seed=2).exp()
    together = layer(rows)
    assert all(torch.equal(layer(row[None])[0], found) for row, found in zip(rows, together, strict=True))


@MULTIPLIES
@pytest.mark.usefixtures("one_thread")
def test_threads_get_what_one_gets():
    layer = Int8Linear(tensors(64, 96), None, integers=True)
    inputs = [tensors(40, 96, seed=seed) for seed in range(8)]
    expected, found = [layer(one) for one in inputs], {}
    threads = [
        threading.Thread(target=lambda at=at: found.update({at: [layer(inputs[at]) for _ in range(20)]}))
        for at in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(one, expected[at]) for at, several in found.items() for one in several)


def test_the_weight_of_a_layer_is_what_it_multiplies_by():
    layer = Int8Linear(tensors(5, 8).to(torch.bfloat16), None, integers=False)
    assert layer.weight.dtype is torch.bfloat16
    states = tensors(3, 8)
    assert states @ layer.weight.float().t() == pytest.approx(layer(states).numpy(), abs=0.05)


def test_zeros_and_what_is_not_finite_stay_what_they_are():
    layer = Int8Linear(torch.zeros(3, 4), None, integers=multiplies_integers())
    assert layer(torch.zeros(2, 4)).tolist() == [[0.0] * 3] * 2
    layer = Int8Linear(torch.ones(3, 4), None, integers=multiplies_integers())
    assert not layer(torch.full((1, 4), torch.nan)).isfinite().any()


# --- models ----------------------------------------------------------------------------------------


def loaded(folder, kind=transformers.AutoModelForCausalLM, **options):
    return load_model(kind, folder, Settings(**options), "cpu")


@pytest.mark.parametrize("name", ["llama", "gpt2", "mamba"])
def test_every_linear_layer_is_replaced_and_states_stay_near(name, tiny_checkpoint):
    plain, small = (loaded(tiny_checkpoint(name), quantization=how) for how in ("none", "int8"))
    assert not [layer for layer in small.modules() if type(layer) in {nn.Linear, Conv1D}]
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        expected, found = plain(ids).logits, small(ids).logits
    assert (found - expected).norm() / expected.norm() < 0.1
    assert weight_bytes(small) < 0.75 * weight_bytes(plain)
    assert small.dtype is plain.dtype


def test_a_tied_head_and_its_embedding_are_the_same_integers(tiny_checkpoint):
    plain, small = (loaded(tiny_checkpoint("gpt2"), quantization=how) for how in ("none", "int8"))
    assert plain.lm_head.weight is plain.transformer.wte.weight
    assert isinstance(small.transformer.wte, Int8Embedding)
    assert small.lm_head.whole is small.transformer.wte.whole
    ids = torch.tensor([[0, 5, 399]])
    expected = plain.transformer.wte(ids)
    off = (small.transformer.wte(ids) - expected).abs()
    assert (off <= expected.abs().amax(-1, keepdim=True) / 253).all()


def test_embeddings_of_their_own_stay_floating_point(tiny_checkpoint):
    small = loaded(tiny_checkpoint("llama"), quantization="int8")
    assert type(small.model.embed_tokens) is nn.Embedding
    assert isinstance(small.lm_head, Int8Linear)


def test_an_embedding_that_also_scales_is_left_alone_with_its_head(tiny_checkpoint):
    plain, small = (loaded(tiny_checkpoint("gemma2-softcap"), quantization=how) for how in ("none", "int8"))
    assert small.lm_head.weight is small.model.embed_tokens.weight
    assert isinstance(small.model.layers[0].mlp.up_proj, Int8Linear)
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        assert (small(ids).logits - plain(ids).logits).norm() / plain(ids).logits.norm() < 0.1


def test_a_model_that_uses_weights_itself_is_refused(tiny_checkpoint, monkeypatch):
    monkeypatch.delattr(Int8Matrix, "weight")
    with pytest.raises(ModelError, match="MambaForCausalLM can't run with 8-bit weights"):
        loaded(tiny_checkpoint("mamba"), quantization="int8")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_not_quantised_is_of_the_dtype(dtype, tiny_checkpoint):
    small = loaded(tiny_checkpoint("llama"), quantization="int8", dtype=dtype)
    assert {str(weight.dtype) for weight in small.parameters()} == {f"torch.{dtype}"}
    with torch.inference_mode():
        assert str(small(torch.arange(9)[None]).logits.dtype) == f"torch.{dtype}"


# --- engines ---------------------------------------------------------------------------------------


class Reference:
    """The same weights, rounded and made floating point again, in plain transformers."""

    def __init__(self, folder):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        for layer in self.model.modules():
            if type(layer) in {nn.Linear, Conv1D}:
                weight = layer.weight.data.t() if isinstance(layer, Conv1D) else layer.weight.data
                scale = weight.abs().amax(1, keepdim=True) / 127
                near = (weight / scale).round() * scale
                layer.weight.data.copy_(near.t() if isinstance(layer, Conv1D) else near)

    @torch.no_grad()
    def log_likelihood(self, text, choice):
        before, ids = len(self.tokenizer(text)["input_ids"]), self.tokenizer(text + choice)["input_ids"]
        log_probs = self.model(torch.tensor([ids])).logits.log_softmax(-1)[0]
        return sum(log_probs[at - 1, ids[at]].item() for at in range(before, len(ids)))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("tokens", [1, 60, 1024])
@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral-sliding", "mamba"])
def test_scores_are_those_of_the_rounded_weights(name, tokens, tiny_checkpoint, empty_assets):
    folder = tiny_checkpoint(name)
    engine = hf(str(folder), empty_assets, quantization="int8", batch_tokens=tokens).load("cpu")
    found = engine.run([LogLikelihood(Prompt(text), CHOICES) for text in TEXTS])
    reference = Reference(folder)
    for text, response in zip(TEXTS, found, strict=True):
        expected = [reference.log_likelihood(text, choice) for choice in CHOICES]
        assert response.values == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_it_runs_as_a_trie_as_it_does_unquantised(name, tiny_checkpoint, empty_assets):
    engines = [hf(str(tiny_checkpoint(name)), empty_assets, quantization=how).load("cpu") for how in ("none", "int8")]
    assert [engine._decoder.cascades(50) for engine in engines] == [True, True]
    layers = [layer for layer in engines[1]._decoder.model.modules() if isinstance(layer, Int8Linear)]
    assert {layer.integers for layer in layers} == {multiplies_integers()}


def test_layers_are_floating_only_for_a_while(tiny_checkpoint):
    small = loaded(tiny_checkpoint("llama"), quantization="int8")
    before = small.lm_head.integers
    with floating(small):
        assert not small.lm_head.integers
    with pytest.raises(IndexError), floating(small):
        small(torch.tensor([[9999]]))
    assert small.lm_head.integers is before


@pytest.mark.usefixtures("one_thread")
def test_it_generates(tiny_checkpoint, empty_assets):
    engine = hf(str(tiny_checkpoint("llama")), empty_assets, quantization="int8").load("cpu")
    requests = [Generate(Prompt(text), max_tokens=8) for text in TEXTS]
    answers = engine.run(requests)
    assert [answer.usage.output_tokens for answer in answers] == [8 if one.finish == "length" else 1 for one in answers]
    assert [one.text for one in engine.run(requests)] == [one.text for one in answers]


@pytest.mark.usefixtures("one_thread")
def test_an_encoder_embeds_nearly_the_same(tiny_checkpoint, empty_assets):
    plain, small = (
        hf(str(tiny_checkpoint("bert")), empty_assets, quantization=how).load("cpu") for how in ("none", "int8")
    )
    requests = [Embed(text) for text in TEXTS]
    for expected, found in zip(plain.run(requests), small.run(requests), strict=True):
        cosine = torch.cosine_similarity(torch.tensor(expected.vector), torch.tensor(found.vector), dim=0)
        assert cosine > 0.995


# --- what stands beside results ----------------------------------------------------------------------


def test_the_size_is_that_of_the_bytes_in_memory(tiny_checkpoint, empty_assets):
    folder = tiny_checkpoint("gpt2")
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    floats = sum(weight.numel() for weight in plain.parameters())  # the tied matrix once
    buffers = sum(buffer.nbytes for buffer in plain.buffers())
    assert weight_bytes(plain) == 4 * floats + buffers
    told = hf(str(folder), empty_assets).load("cpu").provenance
    assert told["weights_mb"] == f"{(4 * floats + buffers) / 1e6:.1f}"
    assert "quantization" not in told

    linear = [layer for layer in plain.modules() if isinstance(layer, (Conv1D, nn.Linear))]
    outputs = sum(len(layer.weight if isinstance(layer, nn.Linear) else layer.weight.t()) for layer in linear)
    whole = sum(layer.weight.numel() for layer in linear)  # the tied matrix is one of them
    small = loaded(folder, quantization="int8")
    assert weight_bytes(small) == whole + 4 * outputs + 4 * (floats - whole) + buffers
    assert hf(str(folder), empty_assets, quantization="int8").load("cpu").provenance["quantization"] == "int8"


def test_quantisation_is_part_of_the_identity_and_its_absence_is_not(tiny_checkpoint, empty_assets):
    assert Settings().answers_depend_on() == {"dtype": "auto", "max_length": None, "chat": False, "pooling": "mean"}
    prints = {
        hf(str(tiny_checkpoint("llama")), empty_assets, dtype=dtype, quantization=how).fingerprint()
        for dtype in ("auto", "float32", "bfloat16")
        for how in ("none", "int8")
    }
    assert len(prints) == 6


def test_models_by_name_take_it(tmp_path, empty_assets):
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    made = [
        gguf(str(tmp_path / "m.gguf"), empty_assets, quantization="int8"),
        smollm2_135m(empty_assets, quantization="int8"),
        minilm_l6(empty_assets, quantization="int8"),
    ]
    assert [model.settings.quantization for model in made] == ["int8"] * 3


# --- refusals --------------------------------------------------------------------------------------


def test_training_is_refused_with_the_reason(tiny_checkpoint, empty_assets, tmp_path):
    encoder = hf(str(tiny_checkpoint("bert")), empty_assets, quantization="int8")
    assert isinstance(encoder, Trainable)
    assert isinstance(encoder, ExplainsTraining)
    job = TrainingJob([("a", "x"), ("b", "y")], [], ("x", "y"), 0, "cpu", {}, tmp_path / "kept")
    with pytest.raises(TrainingError, match="quantization=int8 can't be trained"):
        encoder.train(job)
    assert not (tmp_path / "kept").exists()
    assert hf(str(tiny_checkpoint("bert")), empty_assets).cannot("head") is None


@pytest.mark.parametrize("option", ["quantization=int8", "device_map=auto"])
def test_fine_tuning_is_not_applicable(option, tiny_checkpoint, empty_assets):
    component = parse_component(f"hf:{tiny_checkpoint('bert')},{option}")
    model = build(hf, component, kind="model", provided={"assets": empty_assets})
    finetune = Plugins().registry("strategy").get("finetune").load()()
    spec = TaskSpec("t", "classification", PromptSpec("{{ text }}"), {"a": "a", "b": "b"})
    assert option in finetune.refuses(model, spec)
    assert finetune.refuses(hf(str(tiny_checkpoint("bert")), empty_assets), spec) is None


class Elsewhere:
    """A model on a device that this machine may not have."""

    def __init__(self, device):
        self.device = torch.device(device)


def test_cuda_without_torchao_says_what_to_install(monkeypatch):
    monkeypatch.setattr(quantization, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="needs torchao") as caught:
        quantize(Elsewhere("cuda:0"))
    assert "adapt-harness[cuda]" in str(caught.value.hint)


def test_other_devices_are_refused():
    with pytest.raises(ModelError, match="not on mps"):
        quantize(Elsewhere("mps"))


def test_a_cpu_that_sums_wrongly_is_found_out(monkeypatch):
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: (a.int() @ b.int()).clamp(-32768, 32767))
    assert not multiplies_integers.__wrapped__()


# --- the real ones ---------------------------------------------------------------------------------


@pytest.mark.model
def test_smollm2_hardly_changes_its_mind(assets):
    texts = ["The capital of France is", "Two and two makes", "Water boils at a hundred"]
    choices = (" Paris", " four", " degrees", " cheese")
    plain, small = (smollm2_135m(assets, dtype="float32", quantization=how).load("cpu") for how in ("none", "int8"))
    requests = [LogLikelihood(Prompt(text), choices) for text in texts]
    for expected, found in zip(plain.run(requests), small.run(requests), strict=True):
        assert found.values == pytest.approx(expected.values, abs=0.6)
        assert max(range(4), key=found.values.__getitem__) == max(range(4), key=expected.values.__getitem__)
    assert float(small.provenance["weights_mb"]) < 0.26 * float(plain.provenance["weights_mb"])
    assert small._decoder.cascades(100)
