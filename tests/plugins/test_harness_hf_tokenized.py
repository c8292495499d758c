"""Requests token by token, against plain transformers and against what the engines themselves count."""

import json

import pytest
import transformers

from harness.cli import call
from harness.records import Classify, FindSpan, Generate, LogLikelihood, Prompt, Regress, RollingLogLikelihood, Tag
from harness_hf import loading
from harness_hf.models import hf

TASK = """\
name: films
kind: classification
data: {files: {test: films.csv}, fields: {text: text, target: label}}
labels: {bad: " bad", good: " good"}
prompt: {template: "Review: {{ text }}\\nThe film is"}
"""


def ids(tokens):
    return [token.id for token in tokens]


def plain(folder, text):
    return transformers.AutoTokenizer.from_pretrained(folder)(text)["input_ids"]


@pytest.mark.parametrize("name", ["llama", "llama-bos"])
def test_a_prompt_and_its_continuations(name, tiny_checkpoint, empty_assets):
    folder = tiny_checkpoint(name)
    model = hf(str(folder), empty_assets)
    texts = [(" a joy", " late"), ("'s", " it"), ("", " x")]
    requests = [LogLikelihood(Prompt("The film was"), some) for some in texts]
    shown = model.tokenized(requests)
    answered = model.load("cpu").run(requests)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for request, one, answer in zip(requests, shown, answered, strict=True):
        for continuation, tokens in zip(request.continuations, one.answers, strict=True):
            if continuation:
                assert ids([*one.read, *tokens.before, *tokens.scored]) == plain(folder, "The film was" + continuation)
        assert answer.tokens == tuple(len(tokens.scored) for tokens in one.answers)
        assert answer.usage.prompt_tokens == min(
            len(one.read) + len(tokens.before) for tokens in one.answers if tokens.scored
        )
        assert all(token.piece == tokenizer.convert_ids_to_tokens(token.id) for token in one.read)


def test_what_the_window_has_no_room_for(tiny_checkpoint, empty_assets):
    model = hf(str(tiny_checkpoint("llama")), empty_assets, max_length=16)
    prompt = Prompt("The film was a joy, and shares fell by two.", demonstrations=("The bank won.\n",) * 2)
    requests = [LogLikelihood(prompt, (" late",)), Generate(prompt, max_tokens=4)]
    for one, answer in zip(model.tokenized(requests), model.load("cpu").run(requests), strict=True):
        assert one.cut == answer.usage.cut_tokens > 0
        assert one.dropped == answer.usage.dropped_demonstrations == 2
        assert len(one.read) == answer.usage.prompt_tokens


def test_texts(tiny_checkpoint, empty_assets):
    text = "The film was a joy."
    for name in ("llama-bos", "bert"):
        (one,) = hf(str(tiny_checkpoint(name)), empty_assets).tokenized([Classify(text, ("a", "b"))])
        assert ids(one.read) == plain(tiny_checkpoint(name), text)
    (rolling,) = hf(str(tiny_checkpoint("llama-bos")), empty_assets).tokenized([RollingLogLikelihood(text)])
    assert ids(rolling.read) == plain(tiny_checkpoint("llama-bos"), text)
    (long,) = hf(str(tiny_checkpoint("bert")), empty_assets, max_length=8).tokenized([Classify(text * 9, ("a", "b"))])
    assert (len(long.read), long.cut) == (8, len(plain(tiny_checkpoint("bert"), text * 9)) - 8)


@pytest.fixture
def films(tmp_path, monkeypatch):
    """A task, and nothing that loads weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(loading, "load_model", None)
    (tmp_path / "films.yaml").write_text(TASK)
    (tmp_path / "films.csv").write_text("text,label\nA joy,good\nDull,bad\n")


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_whatever_a_trained_engine_is_asked(name, tiny_checkpoint, empty_assets):
    folder = tiny_checkpoint(name)
    texts = ["The film was a joy", ("The film was", "a joy")]
    requests = [Regress(texts[0]), Tag(texts[0], ("a",)), FindSpan(texts[1]), Classify(texts[1], ("a", "b"))]
    shown = hf(str(folder), empty_assets).tokenized(requests)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pair = tokenizer(*texts[1])["input_ids"]
    assert [ids(one.read) for one in shown] == [plain(folder, texts[0]), plain(folder, texts[0]), pair, pair]


@pytest.mark.usefixtures("films")
def test_the_command_shows_them_without_loading_weights(tiny_checkpoint, capsys):
    folder = tiny_checkpoint("llama")
    shown = ["show", "-t", "films.yaml", "-n", "1", "-m", f"hf:{folder}", "--tokens"]
    assert call([*shown, "--format", "json"]) == 0
    (request,) = json.loads(capsys.readouterr().out)["samples"][0]["requests"]
    told = request["tokenized"]
    assert [one["id"] for one in told["read"]] == plain(folder, "Review: A joy\nThe film is")
    assert len(told["answers"]) == 2
    assert call(shown) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"    read, {len(told['read'])} tokens:" in lines
    written = " ".join(lines).split()
    assert all(f"{one['id']}:{one['piece']}" in written for one in told["read"])
    scored = told["answers"][0]["scored"]
    after = lines[next(at for at, line in enumerate(lines) if line.startswith("    -> ' bad'")) + 1]
    assert after.split()[-len(scored) :] == [f"{one['id']}:{one['piece']}" for one in scored]


@pytest.mark.usefixtures("films")
def test_only_a_model_with_a_tokenizer_has_tokens(capsys):
    assert call(["show", "-t", "films.yaml", "--tokens"]) == 2
    assert "name it by -m" in capsys.readouterr().err
    assert call(["show", "-t", "films.yaml", "-s", "finetune", "-m", "majority", "--tokens"]) == 2
    assert "majority shows no tokens" in capsys.readouterr().err
