"""Masked language models fill blanks as plain transformers does it, row by row; and a trained one solves a task."""

import json
import math
import random
from functools import lru_cache

import pytest
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.normalizers import BertNormalizer

import harness
from harness.catalogue import Catalogue
from harness.errors import ModelError
from harness.plugins import Plugins
from harness.preview import preview
from harness.records import Embed, EmbedTokens, FillMask, Generate, Prompt, TaskSpec
from harness.testing import ToyTask, check_model
from harness_hf.blanks import BlankEncoder
from harness_hf.mask_logits import MaskLogits
from harness_hf.masked_head import NO_HEAD, tensor_names
from harness_hf.models import hf, minilm_l6
from harness_strategies.prompting import FewShot, ZeroShot

SPOKEN = "the film was a joy news sport phone with new camera goal late two match text label warm cold sun snow and"
WORDS = SPOKEN.split()
LETTERS = "abcdefghijklmnopqrstuvwxyz.:,!?"
ARCHITECTURES = ("bert", "distilbert", "roberta", "modernbert")
REQUESTS = [
    FillMask(Prompt("Text: the film was a joy\nLabel:"), (" warm", " cold"), "."),
    FillMask(Prompt("the match was"), (" new", " new phone", " new camera", " late goal two"), " and the sun"),
    FillMask(Prompt("news:", ("the sun: warm\n\n", "the snow: cold\n\n"), "say it.\n\n"), (" warm", " sport"), ""),
    FillMask(Prompt(""), (" warm", " cold snow"), "!"),
    FillMask(Prompt("the phone with a new "), ("camera", "late goal"), " was the joy of a match with two goal"),
]


def wordpiece():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS[1:], *(f"##{one}" for one in LETTERS[:26])]
    core = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer = BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
    )


def byte_level():
    """Every word of the list is a token, with and without its leading space."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = {}
    for word in WORDS:
        for end in range(2, len(word) + 1):
            merges.setdefault((word[: end - 1], word[end - 1]), word[:end])
    merges |= {("Ġ", word): f"Ġ{word}" for word in WORDS}
    pieces = [*special, *alphabet, *dict.fromkeys(merges.values())]
    core = Tokenizer(models.BPE({piece: at for at, piece in enumerate(dict.fromkeys(pieces))}, list(merges)))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token=AddedToken("<mask>", lstrip=True),
    )


def masked_model(name, vocabulary, *, spread=0.3):
    """A random masked language model; `spread` is that of its weights."""
    torch.manual_seed(0)
    size = {"vocab_size": vocabulary, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    shape = {**size, "intermediate_size": 48, "max_position_embeddings": 64, "initializer_range": spread}
    if name == "bert":
        return transformers.BertForMaskedLM(transformers.BertConfig(**shape))
    if name == "distilbert":
        names = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 64}
        return transformers.DistilBertForMaskedLM(
            transformers.DistilBertConfig(vocab_size=vocabulary, **names, initializer_range=spread)
        )
    if name == "roberta":
        return transformers.RobertaForMaskedLM(transformers.RobertaConfig(**{**shape, "max_position_embeddings": 66}))
    ends = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}
    return transformers.ModernBertForMaskedLM(
        transformers.ModernBertConfig(**shape, **ends, local_attention=8, reference_compile=False)
    )


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """`masked("roberta")`: the folder of a random masked language model with a tokenizer of its kind."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            tokenizer = wordpiece() if name in {"bert", "distilbert"} else byte_level()
            tokenizer.save_pretrained(folder)
            masked_model(name, len(tokenizer)).save_pretrained(folder)
            made[name] = folder
        return made[name]

    return make


@lru_cache
def loaded(folder):
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32)
    return transformers.AutoTokenizer.from_pretrained(folder), model.eval()


@torch.no_grad()
def plain(folder, request):
    """transformers, a filling at a time, on the text as anybody would write it with masks."""
    tokenizer, model = loaded(folder)
    values = []
    for filling in request.fillings:
        spaced = " " + filling.strip() if request.prompt.text else filling  # all of our fillings are words
        tokens = tokenizer(spaced, add_special_tokens=False)["input_ids"]
        text = request.prompt.text.rstrip() + tokenizer.mask_token * len(tokens) + request.after
        inputs = tokenizer(text, return_tensors="pt")
        at = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
        log_probs = model(**inputs).logits[0, at].log_softmax(-1)
        values.append(sum(log_probs[place, token].item() for place, token in enumerate(tokens)))
    return values


# --- equal to plain transformers -------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [1, 60, 1000])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_fillings_equal_plain_transformers(name, tokens, masked, empty_assets):
    engine = hf(str(masked(name)), empty_assets, batch_tokens=tokens).load("cpu")
    found = engine.run(REQUESTS)
    for request, response in zip(REQUESTS, found, strict=True):
        assert response.values == pytest.approx(plain(masked(name), request), abs=1e-4)
    assert engine.run([]) == []


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_head_runs_on_the_masks_alone(name, masked):
    model = transformers.AutoModelForMaskedLM.from_pretrained(masked(name)).eval()
    seen = []
    model.get_output_embeddings().register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[:-1]))
    logits = MaskLogits(model)
    del seen[:]
    inputs = {"input_ids": torch.arange(12).reshape(2, 6) + 5, "attention_mask": torch.ones(2, 6, dtype=torch.long)}
    with torch.no_grad():
        found = logits.at(inputs, torch.tensor([1, 0]), torch.tensor([3, 5]))
        assert [shape.numel() for shape in seen] == [2]
        torch.testing.assert_close(found, model(**inputs).logits[[1, 0], [3, 5]])


def test_a_head_that_looks_at_neighbours_gets_all_states(masked):
    class Neighbourly(torch.nn.Module):
        def __init__(self, head):
            super().__init__()
            self.head = head

        def forward(self, states):
            return self.head(states + states.mean(1, keepdim=True))

    model = transformers.AutoModelForMaskedLM.from_pretrained(masked("bert")).eval()
    model.cls = Neighbourly(model.cls)
    inputs = {"input_ids": torch.arange(6)[None] + 5, "attention_mask": torch.ones(1, 6, dtype=torch.long)}
    with torch.no_grad():
        found = MaskLogits(model).at(inputs, torch.tensor([0]), torch.tensor([2]))
        torch.testing.assert_close(found, model(**inputs).logits[[0], [2]])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_embeds_as_the_bare_encoder_does(name, masked, empty_assets):
    engine = hf(str(masked(name)), empty_assets).load("cpu")
    texts = ["the film was a joy", "news"]
    mixed = engine.run([Embed(texts[0]), REQUESTS[0], Embed(texts[1])])
    tokenizer = transformers.AutoTokenizer.from_pretrained(masked(name))
    bare = transformers.AutoModel.from_pretrained(masked(name), dtype=torch.float32).eval()
    for text, response in zip(texts, (mixed[0], mixed[2]), strict=True):
        with torch.no_grad():
            states = bare(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert response.vector == pytest.approx(states.mean(0).tolist(), abs=1e-5)
    assert mixed[1].values == pytest.approx(plain(masked(name), REQUESTS[0]), abs=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_embeds_tokens_as_the_bare_encoder_does(name, masked, empty_assets):
    engine = hf(str(masked(name)), empty_assets, batch_tokens=40).load("cpu")
    requests = [EmbedTokens(text, layer) for text in ("the film was a joy", "news") for layer in (None, 0, 1, 2)]
    *found, filled, embedded = engine.run([*requests, REQUESTS[0], Embed("news")])
    tokenizer = transformers.AutoTokenizer.from_pretrained(masked(name))
    bare = transformers.AutoModel.from_pretrained(masked(name), dtype=torch.float32).eval()
    for request, response in zip(requests, found, strict=True):
        read = tokenizer(request.text, return_tensors="pt", return_special_tokens_mask=True)
        special = read.pop("special_tokens_mask")[0]
        with torch.no_grad():
            states = bare(**read, output_hidden_states=True).hidden_states
        layer = -1 if request.layer is None else request.layer
        torch.testing.assert_close(torch.from_numpy(response.vectors), states[layer][0], atol=1e-5, rtol=1e-5)
        assert list(response.tokens) == tokenizer.convert_ids_to_tokens(read["input_ids"][0])
        assert list(response.special) == special.bool().tolist()
        assert response.usage.prompt_tokens == len(special)
    assert len(filled.values) == 2
    assert embedded.vector == pytest.approx(found[4].vectors.mean(0).tolist(), abs=1e-5)


def test_a_thousand_fillings_are_one_row_a_number_of_tokens(masked, empty_assets):
    rng = random.Random(0)
    fillings = tuple(f" {' '.join(rng.choices(WORDS, k=rng.choice([1, 1, 2, 3])))}" for _ in range(1000))
    request = FillMask(Prompt("the film was"), fillings, ".")
    tokenizer = transformers.AutoTokenizer.from_pretrained(masked("roberta"))
    clozes, _ = BlankEncoder(tokenizer, window=64).encode([request])
    lengths = {len(tokenizer(filling, add_special_tokens=False)["input_ids"]) for filling in fillings}
    assert sorted(cloze.masks for cloze in clozes) == sorted(lengths)
    (found,) = hf(str(masked("roberta")), empty_assets).load("cpu").run([request])
    some = rng.sample(range(1000), 20)
    expected = plain(masked("roberta"), FillMask(request.prompt, tuple(fillings[at] for at in some), "."))
    assert [found.values[at] for at in some] == pytest.approx(expected, abs=1e-4)


def test_one_filling_of_one_token_is_a_distribution(masked, empty_assets):
    tokenizer = transformers.AutoTokenizer.from_pretrained(masked("roberta"))
    words = [word for word in tokenizer.get_vocab() if word[1:] in WORDS and word[0] == "Ġ"]
    request = FillMask(Prompt("the film was"), tuple(f" {word[1:]}" for word in words))
    (found,) = hf(str(masked("roberta")), empty_assets).load("cpu").run([request])
    assert len(words) == len(WORDS)
    assert 0 < sum(math.exp(value) for value in found.values) < 1


# --- tokens ----------------------------------------------------------------------------------------


def tokens_of(tokenizer, prompt, *fillings, after=""):
    clozes, _ = BlankEncoder(tokenizer, window=None).encode([FillMask(Prompt(prompt), fillings, after)])
    found = {number: tokenizer.convert_ids_to_tokens(ids) for cloze in clozes for number, ids in cloze.fillings.items()}
    return [found[number] for number in range(len(fillings))]


def test_a_filling_has_the_tokens_it_has_in_running_text():
    assert tokens_of(byte_level(), "label:", " warm", "warm") == [["Ġwarm"], ["warm"]]
    assert tokens_of(byte_level(), "label: ", "warm") == [["Ġwarm"]]
    assert tokens_of(wordpiece(), "label:", " warm", "cold", " warmcold") == [
        ["warm"],
        ["cold"],
        ["warm", "##c", "##o", "##l", "##d"],
    ]
    assert tokens_of(wordpiece(), "the film", "ab") == [["##a", "##b"]]


def test_a_mask_that_stands_in_the_text_is_no_blank(masked, empty_assets):
    request = FillMask(Prompt("the [MASK] was"), (" warm", " cold"), " [MASK] .")
    (found,) = hf(str(masked("bert")), empty_assets).load("cpu").run([request])
    tokenizer = transformers.AutoTokenizer.from_pretrained(masked("bert"))
    inputs = tokenizer("the [MASK] was [MASK] [MASK] .", return_tensors="pt")
    model = transformers.AutoModelForMaskedLM.from_pretrained(masked("bert")).eval()
    with torch.no_grad():
        log_probs = model(**inputs).logits[0, 4].log_softmax(-1)
    ids = tokenizer.convert_tokens_to_ids(["warm", "cold"])
    assert found.values == pytest.approx(log_probs[ids].tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("fillings", "message"), [((" warm", " "), "' ' has no tokens"), ((" warm", " ☃"), "not in the model's vocabulary")]
)
def test_fillings_that_cannot_be_scored_are_named(fillings, message, masked, empty_assets):
    with pytest.raises(ModelError, match=message):
        hf(str(masked("bert")), empty_assets).load("cpu").run([FillMask(Prompt("the film was"), fillings)])


def test_a_tokenizer_without_a_mask_is_refused(tiny_checkpoint):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint("bert"))
    with pytest.raises(ModelError, match="no mask token"):
        BlankEncoder(tokenizer, window=None)


# --- the window ------------------------------------------------------------------------------------


def test_demonstrations_go_first_then_the_left_of_the_question(masked, empty_assets):
    demonstrations = tuple(f"the {word} was a joy.\n\n" for word in WORDS[:10])  # 6 tokens each
    prompt = Prompt("the match was", demonstrations)
    engine = hf(str(masked("bert")), empty_assets).load("cpu")
    long, cut = engine.run(
        [
            FillMask(prompt, (" warm", " cold sun"), " and"),
            FillMask(Prompt("film " * 100 + "was"), (" warm",), " and late"),
        ]
    )
    kept = FillMask(Prompt("the match was", demonstrations[1:]), (" warm", " cold sun"), " and")
    assert (long.usage.dropped_demonstrations, long.usage.cut_tokens) == (1, 0)
    assert long.values == pytest.approx(plain(masked("bert"), kept), abs=1e-4)
    assert long.usage.prompt_tokens == len(wordpiece()(kept.prompt.text + kept.after)["input_ids"])
    # [CLS] 58 films, was, the mask, and late [SEP]: the window of 64
    assert (cut.usage.cut_tokens, cut.usage.prompt_tokens) == (42, 63)
    shorter = FillMask(Prompt("film " * 58 + "was"), (" warm",), " and late")
    assert cut.values == pytest.approx(plain(masked("bert"), shorter), abs=1e-4)


def test_what_follows_is_never_cut(masked, empty_assets):
    request = FillMask(Prompt("the film was"), (" warm",), " and" * 70)
    with pytest.raises(ModelError, match="longer than the window of 64 tokens"):
        hf(str(masked("bert")), empty_assets).load("cpu").run([request])


# --- what a checkpoint can do, told without its weights ---------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_head_is_told_from_names_alone(name, masked, empty_assets, monkeypatch):
    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", None)
    model = hf(str(masked(name)), empty_assets)
    assert model.answers == {"Embed", "EmbedTokens", "FillMask"}
    assert model.lacks("FillMask") is None
    assert ZeroShot().refuses(model, ToyTask.spec) is None


def test_a_head_that_the_weights_lack_is_not_believed(masked, tmp_path, empty_assets):
    transformers.AutoModel.from_pretrained(masked("bert")).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["BertForMaskedLM"]}), "utf-8")
    model = hf(str(tmp_path), empty_assets)
    assert model.answers == {"Embed", "EmbedTokens"}
    assert FewShot().refuses(model, ToyTask.spec) == f"the model can't be prompted: {NO_HEAD}"


def test_minilm_is_refused_without_fetching_it(empty_assets):
    assert ZeroShot().refuses(minilm_l6(empty_assets), ToyTask.spec) == f"the model can't be prompted: {NO_HEAD}"


def test_generation_is_no_cloze(masked, empty_assets):
    written = TaskSpec("t", "generation", ToyTask.spec.prompt)
    refusal = ZeroShot().refuses(hf(str(masked("bert")), empty_assets), written)
    assert refusal == "the model can't be prompted: text can't be generated with it"


def test_names_are_read_from_the_index_of_shards_and_damage_is_said(masked, tmp_path):
    whole = set(tensor_names(masked("bert")))
    model = transformers.AutoModelForMaskedLM.from_pretrained(masked("bert"))
    assert whole == set(transformers.modeling_utils.safe_open(masked("bert") / "model.safetensors", "pt").keys())
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert (tmp_path / "shards" / "model.safetensors.index.json").is_file()
    assert set(tensor_names(tmp_path / "shards")) == whole
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="is no safetensors file"):
        list(tensor_names(tmp_path))


def test_it_keeps_the_contract_and_refuses_others(masked, empty_assets):
    model = hf(str(masked("roberta")), empty_assets)
    responses = model.load("cpu")
    with pytest.raises(ModelError, match="fills blanks"):
        responses.run([Generate(Prompt("the film"))])
    check_model(type("Untrained", (), {name: getattr(model, name) for name in ("answers", "fingerprint", "load")})())


def test_numbers_that_are_none_name_the_question(masked, empty_assets):
    engine = hf(str(masked("bert")), empty_assets).load("cpu")
    engine._model.cls.predictions.bias.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="after 'the film was': the model's output is not finite"):
        engine.run([FillMask(Prompt("the film was"), (" warm",))])


# --- a whole run -----------------------------------------------------------------------------------


def weather(rng):
    """A text with a hidden sign of warm or cold."""
    label = rng.choice(["warm", "cold"])
    words = rng.choices([word for word in WORDS[:14] if len(word) > 2], k=6)
    words.insert(rng.randrange(7), "sun" if label == "warm" else "snow")
    return " ".join(words), label


def learned(folder, rng):
    """A masked language model that has learnt to fill the blank of the task."""
    tokenizer = wordpiece()
    model = masked_model("bert", len(tokenizer), spread=0.05)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        rows = [weather(rng) for _ in range(32)]
        inputs = tokenizer([f"text: {text} label: [MASK]" for text, _ in rows], return_tensors="pt", padding=True)
        blank = inputs["input_ids"] == tokenizer.mask_token_id
        logits = model(**inputs).logits[blank]
        truth = torch.tensor(tokenizer.convert_tokens_to_ids([label for _, label in rows]))
        torch.nn.functional.cross_entropy(logits, truth).backward()
        optimiser.step()
        optimiser.zero_grad()
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def weather_task(folder, rng):
    """The file of a task of such texts."""
    rows = [f"{text},{label}" for text, label in (weather(rng) for _ in range(160))]
    (folder / "weather.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    (folder / "weather.yaml").write_text(
        """
name: weather
kind: classification
data:
  files: weather.csv
  splits: {train: 0.2, test: 0.8}
  fields: {text: text, target: label}
labels: {warm: " warm", cold: " cold snow"}
prompt:
  template: "text: {{ text }}\\nlabel:"
""",
        "utf-8",
    )
    return folder / "weather.yaml"


def test_a_model_that_has_learnt_the_cloze_solves_the_task(tmp_path):
    rng = random.Random(1)
    learned(tmp_path / "model", rng)
    task = weather_task(tmp_path, rng)
    task.write_text(task.read_text("utf-8").replace("cold snow", "cold"), "utf-8")
    zero, few = harness.run(
        f"hf:{tmp_path / 'model'}",
        str(task),
        ["zero-shot", "few-shot,k=2"],
        store=str(tmp_path / "results.db"),
        scenarios=(),
    )
    assert (zero.status, few.status) == ("finished", "finished")
    assert zero.metrics["accuracy"].value >= 0.98
    assert few.coverage.answered == few.trial.n
    assert any("by cloze" in note for note in zero.notes)


def test_a_cloze_is_shown_with_the_tokens_of_its_fillings(masked, tmp_path, empty_assets):
    shown = preview(
        Catalogue(Plugins(), empty_assets),
        str(weather_task(tmp_path, random.Random(2))),
        strategy="zero-shot",
        model=f"hf:{masked('bert')}",
        count=1,
    )
    (request,) = shown.samples[0].requests
    assert (request.kind, request.answers, request.answer_tokens) == ("FillMask", (" warm", " cold snow"), (1, 2))


def test_a_cloze_is_shown_token_by_token(masked, empty_assets):
    model = hf(str(masked("bert")), empty_assets)
    request = FillMask(Prompt("The film was"), (" a", " late"), ".")
    (shown,) = model.tokenized([request])
    (answer,) = model.load("cpu").run([request])
    assert tuple(len(one.scored) for one in shown.answers) == answer.tokens
    masks = [token for token in shown.read if token.piece == "[MASK]"]
    assert len(masks) == len(shown.answers[0].scored)
    assert len(shown.read) - len(masks) == answer.usage.prompt_tokens
