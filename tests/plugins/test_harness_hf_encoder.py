"""The embedding engine against plain transformers, text by text."""

import pytest
import torch
import transformers

from harness.errors import ModelError
from harness.records import Embed, EmbedTokens, Generate, Prompt
from harness_hf.models import hf, minilm_l6

TEXTS = [
    "The film was a joy.",
    "",
    "Shares fell by 12% after the bank's warning, said an analyst, and the minister will answer questions on Monday.",
    "goal",
    "A new phone with a better camera goes on sale next week in England.",
]


@torch.no_grad()
def plain(folder, text, pooling="mean"):
    """transformers without batches or padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return (states[0] if pooling == "cls" else states.mean(0)).tolist()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("tokens", [1, 40, 1000])
def test_embeddings_equal_plain_transformers(pooling, tokens, tiny_checkpoint, empty_assets):
    folder = tiny_checkpoint("bert")
    engine = hf(str(folder), empty_assets, pooling=pooling, batch_tokens=tokens).load("cpu")
    found = engine.run([Embed(text) for text in TEXTS])
    for text, response in zip(TEXTS, found, strict=True):
        assert response.vector == pytest.approx(plain(folder, text, pooling), abs=1e-5)
    assert engine.run([]) == []


def test_usage_counts_tokens_and_what_was_cut(tiny_checkpoint, empty_assets):
    folder = tiny_checkpoint("bert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    short, long = hf(str(folder), empty_assets).load("cpu").run([Embed("The film"), Embed("film " * 100)])
    assert (short.usage.prompt_tokens, short.usage.cut_tokens) == (len(tokenizer("The film")["input_ids"]), 0)
    assert (long.usage.prompt_tokens, long.usage.cut_tokens) == (64, len(tokenizer("film " * 100)["input_ids"]) - 64)
    (cut,) = hf(str(folder), empty_assets, max_length=10).load("cpu").run([Embed("film " * 100)])
    assert cut.usage.prompt_tokens == 10


def test_tokens_behind_the_window_have_no_vectors(tiny_checkpoint, empty_assets):
    engine = hf(str(tiny_checkpoint("bert")), empty_assets, max_length=10).load("cpu")
    short, long = engine.run([EmbedTokens("The film"), EmbedTokens("film " * 100)])
    assert short.special == (True, *(False,) * (len(short.tokens) - 2), True)
    assert (short.tokens[0], short.tokens[-1]) == ("[CLS]", "[SEP]")
    assert (long.vectors.shape, len(long.tokens), long.usage.cut_tokens) == ((10, 32), 10, 92)
    with pytest.raises(ModelError, match="there is no layer 9: the model has 2"):
        engine.run([EmbedTokens("The film", 9)])


def test_numbers_that_are_none_name_the_request(tiny_checkpoint, empty_assets):
    engine = hf(str(tiny_checkpoint("bert")), empty_assets).load("cpu")
    engine._model.embeddings.LayerNorm.weight.data.fill_(float("nan"))
    for request in (Embed("The film"), EmbedTokens("The film")):
        with pytest.raises(ModelError, match=r"request 0 \('The film'\)"):
            engine.run([request])


def test_other_requests_are_refused(tiny_checkpoint, empty_assets):
    with pytest.raises(ModelError, match="only embeds"):
        hf(str(tiny_checkpoint("bert")), empty_assets).load("cpu").run(
            [Embed("The film"), Generate(Prompt("The film"))]
        )


@pytest.mark.model
def test_minilm_equals_plain_transformers(assets):
    model = minilm_l6(assets)
    texts = [text for text in TEXTS if text]
    found = model.load("cpu").run([Embed(text) for text in texts])
    for text, response in zip(texts, found, strict=True):
        assert response.vector == pytest.approx(plain(model.fetch(), text), abs=1e-5)
    assert model.count_tokens(texts) == [response.usage.prompt_tokens for response in found]
