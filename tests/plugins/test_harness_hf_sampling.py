"""Drawn answers: the nucleus against transformers', and several answers to a prompt against one at a time."""

import dataclasses

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from transformers import TopPLogitsWarper

from harness.records import Generate, Prompt
from harness.seeds import answer_seeds
from harness.testing import check_model
from harness_hf.models import hf
from harness_hf.writing import nucleus

TEXTS = (
    "The film was",
    "Shares in the bank fell by",
    "England won the match with two late goals in the second half, and a new camera was",
)
STEPPED = {"llama": True, "gpt2": True, "mistral-sliding": False, "gemma2-softcap": False}
"""Architecture -> whether its rows are stepped beside their prompts; the others are padded."""


def asked(n, **options):
    return [
        Generate(Prompt(text), max_tokens=7, temperature=0.9, seed=seed, top_p=0.8, n=n, **options)
        for seed, text in enumerate(TEXTS)
    ]


def texts(response):
    return [response.text, *(one.text for one in response.more)]


# --- the nucleus -------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32), size=st.integers(1, 400), spread=st.floats(0.1, 20), top_p=st.floats(0.001, 0.999))
def test_the_nucleus_is_that_of_transformers(seed, size, spread, top_p):
    draws = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(size, generator=draws, dtype=torch.float64)
    warped = TopPLogitsWarper(top_p)(None, logits[None])[0]
    kept = nucleus(logits.softmax(-1), top_p)
    assert sorted(kept.tolist()) == warped.isfinite().nonzero()[:, 0].tolist()
    assert logits[kept].tolist() == sorted(logits[kept].tolist(), reverse=True)


@pytest.mark.parametrize(
    ("probabilities", "top_p", "kept"),
    [
        ([0.25, 0.5, 0.25], 0.5, [1]),
        ([0.25, 0.5, 0.25], 0.51, [1, 0]),
        ([0.25] * 4, 0.5, [0, 1]),
        ([1.0, 0.0], 0.999, [0]),
        ([1 / 3] * 3, 1e-300, [0]),
    ],
)
def test_it_is_the_smallest_that_reaches_top_p_and_of_equals_the_lowest(probabilities, top_p, kept):
    assert nucleus(torch.tensor(probabilities, dtype=torch.float64), top_p).tolist() == kept


def test_draws_come_from_the_nucleus_in_proportion(load, tiny_checkpoint):
    folder, drawn = tiny_checkpoint("llama"), 400
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(**tokenizer(TEXTS[0], return_tensors="pt")).logits[:, -1]
    kept = TopPLogitsWarper(0.4)(None, logits / 1.5)[0].softmax(-1)
    expected: dict[str, float] = {}
    for token in kept.nonzero()[:, 0].tolist():
        text = tokenizer.decode([token], skip_special_tokens=True)
        expected[text] = expected.get(text, 0) + kept[token].item()
    assert 3 <= len(expected) < 100
    request = Generate(Prompt(TEXTS[0]), max_tokens=1, temperature=1.5, top_p=0.4, n=drawn)
    found = texts(load("llama").run([request])[0])
    assert set(found) <= set(expected)
    for text, share in expected.items():
        assert found.count(text) / drawn == pytest.approx(share, abs=4 * (share * (1 - share) / drawn) ** 0.5 + 1e-3)


# --- several answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*STEPPED, "llama-bos", "mamba"])
def test_each_of_n_answers_is_what_its_seed_gives_alone(name, load):
    together = load(name).run(asked(4))
    engine = load(name)
    for request, response in zip(asked(4), together, strict=True):
        ones = [engine.run([dataclasses.replace(request, seed=seed, n=1)])[0] for seed in answer_seeds(request.seed, 4)]
        assert texts(response) == [one.text for one in ones]
        assert [response.finish, *(one.finish for one in response.more)] == [one.finish for one in ones]
        assert response.usage.output_tokens == sum(one.usage.output_tokens for one in ones)
        assert response.usage.prompt_tokens == ones[0].usage.prompt_tokens
        assert len(set(texts(response))) > 1


@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize("tokens", [1, 60])
def test_the_batch_changes_no_answer(name, tokens, load):
    requests = [*asked(3), *asked(1)[::-1], *asked(2)]
    found = load(name, batch_tokens=tokens).run(requests)
    assert list(map(texts, found)) == [texts(load(name).run([request])[0]) for request in requests]


@pytest.mark.parametrize(("name", "stepped"), STEPPED.items())
def test_a_prompt_runs_once_for_all_its_answers(name, stepped, load):
    engine = load(name)
    assert engine._decoder.cascades(40) is stepped
    found = engine.run(asked(5))
    steps = sum(response.usage.output_tokens - 5 for response in found)  # the last token of an answer is not run
    prompts = sum(response.usage.prompt_tokens for response in found)
    assert engine.counters["forwarded"] == prompts + steps
    assert engine.counters["reused"] == 4 * prompts


@pytest.mark.parametrize("name", STEPPED)
def test_equal_prompts_of_different_requests_run_once_too(name, load):
    engine = load(name)
    found = engine.run(asked(1) + [dataclasses.replace(request, seed=9) for request in asked(1)])
    prompts = sum(response.usage.prompt_tokens for response in found) // 2
    assert engine.counters["forwarded"] == prompts + sum(response.usage.output_tokens - 1 for response in found)


def test_several_answers_to_a_prompt_asked_alone_take_nothing_from_earlier_calls(load):
    engine = load("llama")
    request = Generate(Prompt(" ".join(TEXTS) * 2), max_tokens=3, temperature=0.9, n=4)
    counts = []
    for _ in range(2):
        before = engine.counters["forwarded"]
        engine.run([request])
        counts.append(engine.counters["forwarded"] - before)
        engine.run([request, request])
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", ["llama", "mamba"])
def test_without_draws_all_n_are_equal(name, load):
    greedy = Generate(Prompt(TEXTS[0]), max_tokens=6, n=3)
    found, one = load(name).run([greedy, dataclasses.replace(greedy, n=1)])
    assert texts(found) == [one.text] * 3
    assert found.usage.output_tokens == 3 * one.usage.output_tokens


def test_nothing_is_drawn_where_nothing_is_asked_for(load):
    (response,) = load("llama").run([Generate(Prompt("The film"), max_tokens=0, temperature=1.0, n=2)])
    assert texts(response) == ["", ""]
    assert response.usage.output_tokens == 0


def test_the_engine_keeps_the_contract(tiny_checkpoint, empty_assets):
    check_model(hf(str(tiny_checkpoint("llama")), empty_assets))
