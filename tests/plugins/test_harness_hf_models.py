"""What a model is and what it answers, told without torch; identity, references, refusals, the hub's cache, GGUF."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import transformers
from huggingface_hub import constants

from harness.components import build, parse_component
from harness.errors import ModelError, OfflineError, ParameterError, UsageError
from harness.interfaces import CountsTokens, ExplainsTraining, Fetchable, TrainableInWays
from harness.plugins import Plugins
from harness_hf.families import family_of
from harness_hf.identity import DigestMemo
from harness_hf.models import CausalModel, EncoderModel, gguf, hf, minilm_l6, smollm2_135m

SCRIPT = """
import sys
from pathlib import Path
from harness.assets import Assets
from harness.components import build, parse_component
from harness.plugins import Plugins
plugins = Plugins()
assets = Assets(plugins.registry("source"), root=Path(sys.argv[1]), offline=True)
for text in sys.argv[2:]:
    component = parse_component(text)
    target = plugins.registry("model").get(component.name).load()
    model = build(target, component, kind="model", provided={"assets": assets})
    print(text.partition(":")[0], sorted(model.answers), len(model.fingerprint()))
heavy = {"torch", "transformers", "tokenizers", "huggingface_hub", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""


def test_models_know_what_they_are_without_heavy_libraries(tiny_checkpoint, tmp_path):
    asked = [
        f"hf:{tiny_checkpoint('llama')},dtype=float32",
        f"hf:{tiny_checkpoint('bert')}",
        "smollm2-135m",
        "minilm-l6",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path), *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "hf ['Generate', 'LogLikelihood', 'RollingLogLikelihood'] 64",
        "hf ['Embed', 'EmbedTokens'] 64",
        "smollm2-135m ['Generate', 'LogLikelihood', 'RollingLogLikelihood'] 64",
        "minilm-l6 ['Embed', 'EmbedTokens'] 64",
    ]


def test_interfaces(tiny_checkpoint, empty_assets):
    causal, encoder = (hf(str(tiny_checkpoint(name)), empty_assets) for name in ("llama", "bert"))
    assert isinstance(causal, CausalModel)
    assert {"head", "prompt"} <= causal.methods
    assert "contrastive" not in causal.methods
    assert isinstance(encoder, EncoderModel)
    for model in (causal, encoder):
        assert isinstance(model, TrainableInWays)
        assert isinstance(model, ExplainsTraining)
        assert isinstance(model, CountsTokens)
        assert isinstance(model, Fetchable)


# --- which kind ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, "causal"),
        ({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}, "causal"),
        ({"architectures": ["BertModel"], "model_type": "bert"}, "encoder"),
        ({"architectures": ["RobertaForMaskedLM"], "model_type": "roberta"}, "encoder"),
        ({"architectures": ["DistilBertForSequenceClassification"], "model_type": "distilbert"}, "encoder"),
        ({"model_type": "bert"}, "encoder"),
    ],
)
def test_the_configuration_tells_the_kind(config, family):
    assert family_of(config, "folder") == family


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": ["WhisperForConditionalGeneration"], "is_encoder_decoder": True}, "encoder-decoders"),
        ({"architectures": ["Gemma3ForConditionalGeneration"]}, "encoder-decoders"),
        ({"architectures": ["ViTModel"], "model_type": "vit"}, "no engine for ViTModel"),
        ({}, "no engine for model_type None"),
    ],
)
def test_kinds_without_an_engine_are_refused(config, message):
    with pytest.raises(ModelError, match=message):
        family_of(config, "folder")


# --- references and parameters ---------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["./nowhere", "/no/such/folder", "a/b/c", "../x", "with space"])
def test_neither_folder_nor_hub_name(reference, empty_assets):
    with pytest.raises(UsageError, match="no folder and no name of the hub"):
        hf(reference, empty_assets)


def test_a_gguf_file_behind_hf_is_pointed_to_gguf(tmp_path, empty_assets):
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(UsageError, match=r"gguf:.*m\.gguf"):
        hf(str(tmp_path / "m.gguf"), empty_assets)


def test_parameters_of_the_other_kind_are_refused(tiny_checkpoint, empty_assets):
    with pytest.raises(ParameterError, match="has no chat"):
        hf(str(tiny_checkpoint("bert")), empty_assets, chat=True)
    with pytest.raises(ParameterError, match="pools nothing"):
        hf(str(tiny_checkpoint("llama")), empty_assets, pooling="cls")
    with pytest.raises(UsageError, match="revision"):
        hf(str(tiny_checkpoint("llama")), empty_assets, revision="main")


@pytest.mark.parametrize("text", ["dtype=int8", "max_length=0", "batch_tokens=no", "nonsense=1"])
def test_wrong_parameters_are_refused_by_the_core(text, tiny_checkpoint, empty_assets):
    component = parse_component(f"hf:{tiny_checkpoint('llama')},{text}")
    with pytest.raises(ParameterError, match=text.partition("=")[0]):
        build(hf, component, kind="model", provided={"assets": empty_assets})


def test_pickled_weights_are_refused(tiny_checkpoint, tmp_path, empty_assets):
    folder = copy(tiny_checkpoint("llama"), tmp_path / "m")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    for use in (CausalModel.fingerprint, lambda model: model.load("cpu")):
        with pytest.raises(ModelError, match=r"only pickled weights \(pytorch_model.bin\)"):
            use(hf(str(folder), empty_assets))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "not an object"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"broken"), "the model can't be loaded"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "the tokenizer can't be loaded"),
    ],
)
def test_damaged_folders_are_explained(damage, message, tiny_checkpoint, tmp_path, empty_assets):
    folder = copy(tiny_checkpoint("llama"), tmp_path / "m")
    damage(folder)
    with pytest.raises(ModelError, match=message) as caught:
        hf(str(folder), empty_assets).load("cpu")
    assert str(folder) in str(caught.value)


def test_missing_weights_are_an_error_and_never_random(tiny_checkpoint, tmp_path, empty_assets):
    from safetensors.torch import load_file, save_file

    folder = copy(tiny_checkpoint("llama"), tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="would be random"):
        hf(str(folder), empty_assets).load("cpu")


def test_a_device_that_is_not_here_is_an_error(tiny_checkpoint, empty_assets):
    model = hf(str(tiny_checkpoint("llama")), empty_assets)
    with pytest.raises(UsageError, match="no device 'cuda:99'"):
        model.load("cuda:99")
    with pytest.raises(UsageError, match="'gpu' is no device"):
        model.load("gpu")


def test_loading_prints_nothing(tiny_checkpoint, empty_assets, capfd):
    for name in ("llama", "bert"):
        hf(str(tiny_checkpoint(name)), empty_assets).load("cpu")
    assert capfd.readouterr() == ("", "")


# --- identity --------------------------------------------------------------------------------------


def copy(folder, to):
    return Path(shutil.copytree(folder, to))


def test_the_fingerprint_is_that_of_the_content_wherever_it_lies(tiny_checkpoint, tmp_path, empty_assets):
    folder = copy(tiny_checkpoint("llama"), tmp_path / "m")
    (folder / "README.md").write_text("about")
    assert hf(str(folder), empty_assets).fingerprint() == hf(str(tiny_checkpoint("llama")), empty_assets).fingerprint()


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
)
def test_the_fingerprint_changes_with_each_file_that_matters(name, tiny_checkpoint, tmp_path, empty_assets):
    folder = copy(tiny_checkpoint("llama"), tmp_path / "m")
    before = hf(str(folder), empty_assets).fingerprint()
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert hf(str(folder), empty_assets).fingerprint() != before


def test_the_fingerprint_changes_with_the_settings_that_matter(tiny_checkpoint, empty_assets):
    def told(name="llama", **parameters):
        return hf(str(tiny_checkpoint(name)), empty_assets, **parameters).fingerprint()

    kinds = [
        told(),
        told(dtype="float32"),
        told(max_length=64),
        told(chat=True),
        told("bert"),
        told("bert", pooling="cls"),
    ]
    assert len(set(kinds)) == len(kinds)
    assert told(batch_tokens=7) == told()


def test_packaged_models_are_known_without_fetching(empty_assets):
    assert smollm2_135m(empty_assets).fingerprint() != smollm2_135m(empty_assets, chat=True).fingerprint()
    assert minilm_l6(empty_assets).fingerprint() != minilm_l6(empty_assets, pooling="cls").fingerprint()
    assert not empty_assets.root.exists()
    with pytest.raises(OfflineError):
        minilm_l6(empty_assets).load("cpu")


def test_digests_are_remembered_until_the_file_changes(tmp_path, monkeypatch):
    file, memo = tmp_path / "weights", DigestMemo(tmp_path / "cache" / "digests.json")
    file.write_bytes(b"one")
    assert memo.sha256(file) == hashlib.sha256(b"one").hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
        assert memo.sha256(file) == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"three")
    assert memo.sha256(file) == hashlib.sha256(b"three").hexdigest()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 3}'])
def test_a_damaged_memory_of_digests_is_rebuilt(content, tmp_path):
    (tmp_path / "digests.json").write_text(content)
    (tmp_path / "file").write_bytes(b"one")
    assert DigestMemo(tmp_path / "digests.json").sha256(tmp_path / "file") == hashlib.sha256(b"one").hexdigest()
    assert str(tmp_path / "file") in json.loads((tmp_path / "digests.json").read_text())


# --- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "llama-bos", "bert"])
def test_tokens_are_counted_as_transformers_does(name, tiny_checkpoint, empty_assets):
    folder = tiny_checkpoint(name)
    texts = ["The film was a joy.", "", "shares fell " * 90]
    expected = [len(ids) for ids in transformers.AutoTokenizer.from_pretrained(folder)(texts)["input_ids"]]
    assert hf(str(folder), empty_assets).count_tokens(texts) == expected
    assert hf(str(folder), empty_assets).count_tokens([]) == []


# --- the hub ---------------------------------------------------------------------------------------


@pytest.fixture
def hub_cache(tiny_checkpoint, tmp_path, monkeypatch):
    """The hub's cache with `org/tiny`, a llama, as the hub's own client lays it out."""
    repository = tmp_path / "hub" / "models--org--tiny"
    commit = "0123456789abcdef0123456789abcdef01234567"
    copy(tiny_checkpoint("llama"), repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return repository / "snapshots" / commit


def test_a_model_of_the_hub_is_taken_from_its_cache(hub_cache, tiny_checkpoint, empty_assets):
    model = hf("org/tiny", empty_assets)
    assert model.answers == {"LogLikelihood", "RollingLogLikelihood", "Generate"}
    assert model.fetch() == hub_cache
    assert model.fingerprint() == hf(str(tiny_checkpoint("llama")), empty_assets).fingerprint()
    assert hf("org/tiny", empty_assets, revision=hub_cache.name).fetch() == hub_cache


@pytest.mark.parametrize("parameters", [{}, {"revision": "v2"}])
def test_what_is_not_in_the_hubs_cache_is_said_offline(parameters, hub_cache, empty_assets):
    with pytest.raises(OfflineError, match="not in the hub's cache"):
        hf("org/tiny" if parameters else "org/other", empty_assets, **parameters)


# --- GGUF ------------------------------------------------------------------------------------------


def test_a_missing_gguf_file_is_an_error(empty_assets):
    with pytest.raises(UsageError, match="no GGUF file"):
        gguf("nowhere.gguf", empty_assets)


def test_a_file_that_is_no_gguf_is_an_error_and_leaves_nothing(tmp_path, empty_assets):
    (tmp_path / "fake.gguf").write_bytes(b"GGUF" + b"\0" * 200)
    model = gguf(str(tmp_path / "fake.gguf"), empty_assets)
    with pytest.raises(ModelError, match="can't be read"):
        model.load("cpu")
    assert list((empty_assets.root / "gguf").iterdir()) == []


@pytest.mark.model
def test_smollm2_is_converted_whole(assets, tmp_path):
    model = smollm2_135m(assets)
    folder = model.fetch()
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert "quantization_config" not in config
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert chat.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    texts = ["Article: shares fell by 12%.\nTopic: business", "One  two\n\n three"]
    assert [tokenizer.decode(ids) for ids in tokenizer(texts)["input_ids"]] == texts
    assert model.count_tokens(texts) == [len(ids) for ids in tokenizer(texts)["input_ids"]]
    assert hf(str(folder), assets).answers == model.answers


# --- doctor ----------------------------------------------------------------------------------------


def test_the_doctor_is_told_versions_and_devices():
    found = {subject: finding for plugin, subject, finding in Plugins().diagnose() if plugin == "hf"}
    assert found["transformers"] == transformers.__version__
    assert found["device (auto)"]
    assert int(found["threads"]) >= 1


def test_the_doctor_says_what_is_missing(monkeypatch):
    from harness_hf import diagnosis

    monkeypatch.setattr(diagnosis, "version", lambda library: None)
    found = dict(diagnosis.findings())
    assert set(found.values()) == {diagnosis.INSTALL, diagnosis.INSTALL_PEFT}
