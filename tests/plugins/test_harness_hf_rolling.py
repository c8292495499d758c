"""Whole texts in windows, and whether continuations are the likeliest: against plain transformers."""

import math

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from harness.answers import ask, decide, read
from harness.records import Generate, LogLikelihood, Prompt, PromptSpec, RollingLogLikelihood, Sample, TaskSpec
from harness.templates import render_query
from harness_hf.models import smollm2_135m
from harness_hf.prompts import windows
from harness_metrics.perplexity import BitsPerByte, TokenPerplexity

TEXT = "The film was a joy from the first minute to the last. Shares fell by 12% after the bank's warning."


@given(st.integers(1, 60), st.none() | st.integers(1, 25))
def test_each_token_is_scored_once_and_no_window_reads_too_much(count, window):
    ids = tuple(range(count))
    rows = windows(ids, window)
    scored = [token for row in rows for token in row.ids[row.start :]]
    assert scored == list(ids[1:])
    for row in rows:
        assert row.start >= 1
        assert window is None or len(row.ids) - 1 <= window
        assert list(row.ids) == list(range(row.ids[0], row.ids[-1] + 1))
    if window is not None and count > window + 1:
        assert all(len(row.ids) == window + 1 for row in rows), "every window is full, the last one from before"


@pytest.mark.parametrize("name", ["llama", "llama-bos", "gpt2", "mistral-sliding", "mamba"])
@pytest.mark.parametrize("window", [None, 16])
def test_a_text_is_the_sum_of_its_windows(name, window, load, tiny_checkpoint):
    engine = load(name, **({} if window is None else {"max_length": window}))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint(name))
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_checkpoint(name), dtype=torch.float32).eval()
    ids = [0, *tokenizer(TEXT, add_special_tokens=False)["input_ids"]]  # 0 begins texts
    size = window or len(ids)
    expected = 0.0
    for first in range(1, len(ids), size):
        last = min(first + size, len(ids))
        begin = max(0, last - size - 1)
        with torch.no_grad():
            log_probs = model(torch.tensor([ids[begin : last - 1]])).logits.float().log_softmax(-1)[0]
        expected += sum(log_probs[at - begin - 1, ids[at]].item() for at in range(first, last))
    short = RollingLogLikelihood("two late goals")
    whole, other, empty = engine.run([RollingLogLikelihood(TEXT), short, RollingLogLikelihood("")])
    assert whole.values == pytest.approx((expected,), abs=1e-3)
    assert whole.tokens == (len(ids) - 1,)
    assert other.values == pytest.approx(engine.run([short])[0].values, abs=1e-4)
    assert empty.values == (0.0,)


@pytest.mark.parametrize("name", ["llama", "gemma2-softcap", "mamba"])
def test_what_would_be_written_is_greedy_and_nothing_else_is(name, load):
    engine = load(name)
    starts = ["Article: England won the match", "Shares fell", "A new phone", "The minister", "two late", "Topic:"]
    asked = [Generate(Prompt(text), max_tokens=length) for text in starts for length in (1, 2, 3)]
    requests = [
        LogLikelihood(one.prompt, (answer.text, " sport goes on"), True)
        for one, answer in zip(asked, engine.run(asked), strict=True)
        if _same_tokens(engine, one, answer.text)
    ]
    assert requests, "some texts are the tokens that were written"
    plain = engine.run([LogLikelihood(request.prompt, request.continuations) for request in requests])
    for told, untold in zip(engine.run(requests), plain, strict=True):
        assert told.greedy == (True, False)
        assert untold.greedy == ()
        assert told.values == pytest.approx(untold.values, abs=1e-4)


def _same_tokens(engine, request, text) -> bool:
    """Whether the written text, tokenised behind its prompt, has as many tokens as were written and says the same."""
    (fitted,) = engine._prompts.scorable([request.prompt], [(text,)])
    (row,) = fitted.rows
    written = () if row is None else row.ids[row.start :]
    return len(written) == request.max_tokens and engine._decode(written) == text


@pytest.mark.model
def test_the_perplexity_of_a_real_model_is_that_of_plain_transformers(assets):
    spec = TaskSpec("texts", "language-modelling", PromptSpec("{{ text }}"))
    samples = [
        Sample(str(at), {"text": text}, "") for at, text in enumerate((TEXT, "The Elbe flows north to the sea."))
    ]
    model = smollm2_135m(assets)
    responses = model.load("cpu").run([request for sample in samples for request in read(spec, sample)])
    predictions = [decide(spec, one, [found]) for one, found in zip(samples, responses, strict=True)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.fetch())
    plain = transformers.AutoModelForCausalLM.from_pretrained(model.fetch(), dtype=torch.float32).eval()
    nats, tokens = 0.0, 0
    for sample in samples:
        ids = tokenizer(sample.fields["text"], add_special_tokens=False, return_tensors="pt")["input_ids"]
        read_ids = torch.cat([torch.tensor([[tokenizer.bos_token_id]]), ids], dim=1)
        with torch.no_grad():
            mean = plain(read_ids, labels=read_ids).loss.item()
        nats, tokens = nats + mean * ids.shape[1], tokens + ids.shape[1]
    assert TokenPerplexity().compute(predictions, spec).value == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert BitsPerByte().compute(predictions, spec).value == pytest.approx(
        nats / math.log(2) / sum(len(sample.fields["text"].encode()) for sample in samples), rel=1e-4
    )


@pytest.mark.model
def test_a_blank_is_filled_with_what_makes_the_whole_text_likeliest(assets):
    spec = TaskSpec("gaps", "cloze", PromptSpec("{{ text }}"))
    text, words = "The capital of France is ____, and that of Italy is Rome.", ("Paris", "Berlin", "a dog")
    sample = Sample("0", {"text": text}, "0", choices=words)
    engine = smollm2_135m(assets).load("cpu")
    asked = ask(spec, sample, Prompt(render_query(spec, sample)))
    wholes = LogLikelihood(Prompt("The"), tuple(text.removeprefix("The").replace("____", word) for word in words))
    said, whole = engine.run([asked, wholes])
    # What stands before the blank is the same in all, and costs the same.
    expected = [value - whole.values[0] for value in whole.values]
    assert [value - said.values[0] for value in said.values] == pytest.approx(expected, abs=1e-2)
    assert decide(spec, sample, [said]).correct
