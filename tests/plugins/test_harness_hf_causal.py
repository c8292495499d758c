"""The causal engine against plain transformers, called sample by sample."""

import itertools
import logging
import math
import random
from time import perf_counter

import pytest
import torch
import transformers

from harness.errors import ModelError
from harness.records import Embed, Generate, Generated, LogLikelihood, LogLikelihoods, Prompt
from harness_hf import decoder, trie
from harness_hf.models import hf, smollm2_135m
from harness_hf.writing import ending_tokens

ARCHITECTURES = ("llama", "llama-bos", "gpt2", "mistral-sliding", "gemma2-softcap", "mamba")
TOPICS = (" business", " sport", " politics", " tech")
WORDS = (
    "the",
    "film",
    "was",
    "a",
    "joy",
    "shares",
    "fell",
    "by",
    "bank",
    "England",
    "won",
    "two",
    "late",
    "goals",
    "camera",
)


class Plain:
    """transformers without any batching, caching or cutting."""

    def __init__(self, folder):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.no_grad()
    def log_likelihood(self, context, continuation):
        bare = context.rstrip()
        before = len(self.tokenizer(bare)["input_ids"])
        ids = self.tokenizer(context + continuation)["input_ids"]
        if not before:
            ids, before = [self.tokenizer.bos_token_id, *ids], 1
        log_probs = self.model(torch.tensor([ids])).logits.float().log_softmax(-1)[0]
        return sum(log_probs[at - 1, ids[at]].item() for at in range(before, len(ids)))

    @torch.no_grad()
    def greedy(self, text, max_tokens):
        ids = self.tokenizer(text, return_tensors="pt")["input_ids"]
        out = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=max_tokens, pad_token_id=1
        )
        return out[0, ids.shape[1] :].tolist()


def articles(count, *, seed=0, words=(3, 40)):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(*words))) for _ in range(count)]


def question(text):
    return f"Article: {text}\nTopic:"


def few_shot(text, shots=4):
    demonstrations = tuple(
        f"{question(shot)}{topic}\n\n"
        for shot, topic in zip(articles(shots, seed=7, words=(4, 9)), itertools.cycle(TOPICS))
    )
    return Prompt(question(text), demonstrations, "Name the topic.\n\n")


# --- log-likelihood --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("make", [lambda text: Prompt(question(text)), few_shot], ids=["zero-shot", "few-shot"])
def test_log_likelihoods_equal_plain_transformers(name, make, load, tiny_checkpoint):
    prompts = [make(text) for text in articles(4, words=(3, 14))]
    choices = (*TOPICS[:2], " sport and politics", " sport and business")
    found = load(name).run([LogLikelihood(prompt, choices) for prompt in prompts])
    plain = Plain(tiny_checkpoint(name))
    for prompt, response in zip(prompts, found, strict=True):
        assert response.values == pytest.approx(
            [plain.log_likelihood(prompt.text, choice) for choice in choices], abs=1e-4
        )


@pytest.mark.parametrize("name", ["llama", "mistral-sliding"])
def test_the_batch_changes_nothing(name, load):
    requests = [LogLikelihood(few_shot(text), (*TOPICS, " sport and tech")) for text in articles(9)]
    alone = [load(name).run([request])[0].values for request in requests]
    for tokens in (1, 200, 4000):
        together = load(name, batch_tokens=tokens).run(requests)
        assert [response.values for response in together] == [
            pytest.approx(values, rel=1e-6, abs=1e-5) for values in alone
        ]


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral-sliding", "mamba"])
def test_calls_of_1_4_and_16_requests_give_the_same(name, load):
    scored = [LogLikelihood(few_shot(text), (*TOPICS, " sport and tech")) for text in articles(16, words=(3, 9))]
    asked = [Generate(Prompt(question(text)), max_tokens=4) for text in articles(16, words=(3, 9))]
    engine = load(name)
    sizes = {
        size: [
            one for at in range(0, 16, size) for one in engine.run([*scored[at : at + size], *asked[at : at + size]])
        ]
        for size in (1, 4, 16)
    }
    values = {size: [one.values for one in found if isinstance(one, LogLikelihoods)] for size, found in sizes.items()}
    texts = {size: [one.text for one in found if isinstance(one, Generated)] for size, found in sizes.items()}
    for size in (4, 16):
        assert values[size] == [pytest.approx(alone, abs=1e-5) for alone in values[1]]
        assert texts[size] == texts[1]


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_each_distinct_prefix_runs_once(name, load):
    engine = load(name, batch_tokens=100)
    prompts = [few_shot(text) for text in articles(6, words=(8, 12))]
    choices = (" sport", " sport and politics", " sport and business", "!", "?", ".")
    engine.run([LogLikelihood(prompt, choices) for prompt in prompts])
    told = engine.counters
    rows = [engine._tokenizer(prompt.text + choice)["input_ids"][:-1] for prompt in prompts for choice in choices]
    distinct = {tuple(row[:end]) for row in rows for end in range(1, len(row) + 1)}
    splits = 3 * len(prompts)  # where fewer tokens are shared than a split is worth, they run again
    assert len(distinct) <= told["forwarded"] <= len(distinct) + splits * trie.WORTH
    assert told["forwarded"] + told["reused"] == sum(map(len, rows))
    assert told["padded"] == 0
    engine.run([LogLikelihood(prompt, choices) for prompt in prompts])
    again = engine.counters["forwarded"] - told["forwarded"]
    assert again < told["forwarded"] - 60, "the demonstrations are remembered from the call before"


def test_what_was_asked_before_changes_no_bit(load):
    requests = [LogLikelihood(few_shot(text), TOPICS) for text in articles(12, seed=4)]
    alike = [
        LogLikelihood(few_shot(f"the {text}"), TOPICS) for text in articles(6, seed=5)
    ]  # a longer common beginning
    engine = load("llama", batch_tokens=100)
    for before in (alike, requests, []):
        engine.run(before)
        assert [one.values for one in engine.run(requests)] == [
            one.values for one in load("llama", batch_tokens=100).run(requests)
        ]


def test_workers_that_run_out_of_memory_together_halve_the_batch_once(load, monkeypatch, caplog):
    torch.set_num_threads(2)
    engine = load("llama", batch_tokens=600)
    base = engine._decoder._base
    monkeypatch.setattr(base, "forward", out_of_memory_above(400, base.forward))
    engine.run([LogLikelihood(Prompt(question(text)), TOPICS) for text in articles(60, words=(20, 30))])
    assert caplog.text.count("out of memory") == 1
    assert engine._budget.tokens > 200


def test_a_prompt_that_is_asked_alone_takes_nothing_from_earlier_calls(load):
    engine = load("llama", batch_tokens=100)
    request = LogLikelihood(few_shot("England won"), TOPICS)
    engine.run([request])
    alone = engine.counters["forwarded"]
    engine.run([LogLikelihood(few_shot(text), TOPICS) for text in articles(6)])
    before = engine.counters["forwarded"]
    engine.run([request])
    assert engine.counters["forwarded"] - before == alone


def test_a_text_longer_than_the_budget_is_run_in_pieces(load, tiny_checkpoint):
    prompts = [Prompt(question(" ".join(articles(4, seed=seed, words=(12, 12))))) for seed in range(3)]
    choices = (" sport", " sport and politics", " business and tech")
    engine = load("llama", batch_tokens=4)
    found = engine.run([LogLikelihood(prompt, choices) for prompt in prompts])
    plain = Plain(tiny_checkpoint("llama"))
    for prompt, response in zip(prompts, found, strict=True):
        expected = [plain.log_likelihood(prompt.text, choice) for choice in choices]
        assert response.values == pytest.approx(expected, abs=1e-4)


def test_choices_that_begin_with_one_another_and_equal_ones_and_a_thousand(load, tiny_checkpoint):
    plain = Plain(tiny_checkpoint("llama"))
    nested = tuple(" goals" * count for count in range(1, 12))
    many = tuple(f" {first} {second} goals" for first in range(32) for second in range(32))[:1000]
    for choices, checked in ((nested, nested), ((" sport", " sport", " tech"), (" sport",) * 2), (many, many[::250])):
        (response,) = load("llama").run([LogLikelihood(Prompt(question("England won")), choices)])
        assert len(response.values) == len(choices)
        for choice in checked:
            expected = plain.log_likelihood(question("England won"), choice)
            assert response.values[choices.index(choice)] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["llama", "llama-bos", "gpt2"])
@pytest.mark.parametrize(
    ("context", "continuation"),
    [
        ("The film was ", "good"),
        ("The film was\n\n", "good news"),
        ("", "The film"),
        (" \n", "The film"),
        ("The fil", "m was"),
        ("The match with tw", "o"),
        ("Topic:", " "),
        ("Topic:", " \U0001f600\u0301"),
    ],
)
def test_odd_borders_are_scored(name, context, continuation, load):
    (value,) = load(name).run([LogLikelihood(Prompt(context), (continuation,))])[0].values
    assert math.isfinite(value)
    assert value < 0


@pytest.mark.parametrize(
    ("context", "continuation"), [("The film was ", "good"), ("", "The film"), ("Topic:\n", " sport")]
)
def test_spaces_at_the_border_and_empty_contexts_follow_the_plain_definition(
    context, continuation, load, tiny_checkpoint
):
    (value,) = load("llama").run([LogLikelihood(Prompt(context), (continuation,))])[0].values
    assert value == pytest.approx(Plain(tiny_checkpoint("llama")).log_likelihood(context, continuation), abs=1e-4)


def test_half_a_surrogate_pair_is_an_error(load):
    with pytest.raises(ModelError, match="not valid Unicode"):
        load("llama").run([LogLikelihood(Prompt("\ud83d"), (" sport",))])


def test_an_empty_continuation_is_certain(load):
    empty, full = load("llama").run(
        [LogLikelihood(Prompt("The film"), ("", " was")), LogLikelihood(Prompt("The"), ("",))]
    )
    assert empty.values[0] == 0.0 > empty.values[1]
    assert full.values == (0.0,)
    assert load("llama").run([LogLikelihood(Prompt("The"), ())])[0].values == ()


def test_usage_counts_the_tokens_of_the_prompt(load, tiny_checkpoint):
    prompt = Prompt("The film was a joy")
    (response,) = load("llama-bos").run([LogLikelihood(prompt, (" and", " or so"))])
    assert response.usage.prompt_tokens == len(Plain(tiny_checkpoint("llama-bos")).tokenizer(prompt.text)["input_ids"])


# --- the window --------------------------------------------------------------------------------------


def test_demonstrations_are_dropped_before_the_question_is_cut(load, tiny_checkpoint):
    prompt = few_shot("England won the match", shots=6)
    plain = Plain(tiny_checkpoint("llama"))
    shorter = Prompt(prompt.query, prompt.demonstrations[4:], prompt.instruction)
    window = len(plain.tokenizer(shorter.text + TOPICS[0])["input_ids"])
    (response,) = load("llama", max_length=window).run([LogLikelihood(prompt, TOPICS[:1])])
    assert response.usage.dropped_demonstrations == 4
    assert response.usage.cut_tokens == 0
    assert response.values[0] == pytest.approx(plain.log_likelihood(shorter.text, TOPICS[0]), abs=1e-4)


def test_the_question_is_cut_on_the_left_and_the_instruction_stays(load):
    instruction, words = "Name the topic.\n\n", " film" * 60
    engine = load("llama", max_length=40)
    tokens = engine._tokenizer
    prompt = Prompt(words + " match\nTopic:", ("one two\n\n",), instruction)
    (response,) = engine.run([LogLikelihood(prompt, (" sport", " sport and politics"))])
    assert response.usage.dropped_demonstrations == 1
    assert response.usage.cut_tokens > 0
    head = tokens(instruction)["input_ids"]
    longest = len(tokens(instruction + prompt.query + " sport and politics")["input_ids"]) - 1
    assert response.usage.cut_tokens == longest - 40
    kept = tokens(instruction + prompt.query)["input_ids"]
    kept = head + kept[len(head) + response.usage.cut_tokens :]
    assert response.usage.prompt_tokens == len(kept)
    same = engine._prompts.scorable([prompt], [(" sport",)])[0]
    assert same.rows[0].ids[: len(head)] == tuple(head)


def test_an_instruction_longer_than_the_window_is_cut_too(load):
    prompt = Prompt("Topic:", (), "Name the topic. " * 30)
    (response,) = load("llama", max_length=20).run([LogLikelihood(prompt, TOPICS)])
    assert response.usage.prompt_tokens <= 20
    assert all(map(math.isfinite, response.values))


def test_a_continuation_longer_than_the_window_is_an_error(load):
    with pytest.raises(ModelError, match="longer than the window of 8 tokens"):
        load("llama", max_length=8).run([LogLikelihood(Prompt("The film"), (" goals" * 30,))])


def test_a_prompt_that_fits_is_tokenised_once(load):
    prompts = load("llama")._prompts
    prompts.scorable([few_shot("England won", shots=8)], [TOPICS])
    assert len(prompts._known) == 1 + len(TOPICS)


def test_a_window_larger_than_the_models_is_an_error(load):
    with pytest.raises(ModelError, match="max_length=257 is more than the model's 256 tokens"):
        load("llama", max_length=257)


def test_the_window_is_the_configurations(load):
    (response,) = load("gpt2").run([LogLikelihood(Prompt("match " * 400), TOPICS)])
    assert response.usage.cut_tokens > 0
    assert response.usage.prompt_tokens <= 256


def test_generation_leaves_room_for_the_answer(load):
    engine = load("llama", max_length=48)
    prompt = few_shot("England won", shots=4)
    short, long = engine.run([Generate(prompt, max_tokens=8), Generate(prompt, max_tokens=500)])
    assert short.usage.prompt_tokens <= 40
    assert short.usage.dropped_demonstrations >= 3
    assert long.usage.prompt_tokens + long.usage.output_tokens <= 48


# --- generation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("make", [lambda text: Prompt(question(text)), few_shot], ids=["zero-shot", "few-shot"])
def test_greedy_equals_transformers_token_for_token(name, make, load, tiny_checkpoint):
    prompts = [make(text) for text in articles(5, seed=3, words=(2, 12))]
    limits = [3, 12, 7, 12, 1]
    found = load(name).run([Generate(prompt, max_tokens=limit) for prompt, limit in zip(prompts, limits, strict=True)])
    plain = Plain(tiny_checkpoint(name))
    for prompt, limit, response in zip(prompts, limits, found, strict=True):
        tokens = plain.greedy(prompt.text, limit)
        assert response.text == plain.tokenizer.decode(tokens, skip_special_tokens=True)
        assert response.usage.output_tokens == len(tokens)
        assert response.finish == ("stop" if tokens[-1] == 1 else "length")


@pytest.mark.parametrize("name", ["llama", "gemma2-softcap"])
def test_the_first_token_is_there_long_before_the_last(name, load):
    engine = load(name)
    prompt = few_shot("England won")
    engine.run([Generate(prompt, max_tokens=2)])
    started = perf_counter()
    (one,) = engine.run([Generate(prompt, max_tokens=1)])
    (many,) = engine.run([Generate(prompt, max_tokens=60)])
    took = perf_counter() - started
    assert 0 < one.first_token_s < took
    assert 0 < many.first_token_s < took / 2
    (scored,) = engine.run([Generate(prompt, max_tokens=60)])
    assert scored == many, "two answers that differ in their times alone are equal"
    assert engine.peak_device_bytes() is None, "a processor has no memory of its own"


def test_stop_strings_are_exact(load):
    engine = load("llama")
    prompt = Prompt(question("England won"))
    (free,) = engine.run([Generate(prompt, max_tokens=24)])
    assert len(free.text) > 12
    stop = free.text[5:8]  # inside of a token, or over the border of two
    (ended,) = engine.run([Generate(prompt, max_tokens=24, stop=("not there", stop))])
    assert ended.text == free.text[: free.text.index(stop)]
    assert ended.finish == "stop"
    assert ended.usage.output_tokens < free.usage.output_tokens


def test_a_special_token_can_be_a_stop_string(load):
    engine = load("llama")
    assert ending_tokens(engine._decoder, engine._tokenizer, ["film"]) == {1}
    assert ending_tokens(engine._decoder, engine._tokenizer, ["film", "<s>"]) == {0, 1}


def test_sampling_depends_on_the_requests_seed_alone(load):
    engine = load("llama")
    requests = [
        Generate(Prompt(question(text)), max_tokens=10, temperature=0.8, seed=seed)
        for seed, text in enumerate(articles(6))
    ]
    together = engine.run(requests)
    alone = [load("llama", batch_tokens=1).run([request])[0] for request in reversed(requests)][::-1]
    assert [response.text for response in together] == [response.text for response in alone]
    other = engine.run([Generate(requests[0].prompt, max_tokens=10, temperature=0.8, seed=99)])[0]
    assert other.text != together[0].text


def test_sampling_follows_the_models_distribution(load, tiny_checkpoint):
    prompt = Prompt("The film was")
    plain = Plain(tiny_checkpoint("llama"))
    with torch.no_grad():
        logits = plain.model(**plain.tokenizer(prompt.text, return_tensors="pt")).logits[0, -1]
    likeliest = (logits / 0.5).softmax(-1).max(-1)
    text = plain.tokenizer.decode([likeliest.indices.item()], skip_special_tokens=True)
    found = load("llama").run([Generate(prompt, max_tokens=1, temperature=0.5, seed=seed) for seed in range(300)])
    share = sum(response.text == text for response in found) / 300
    assert share == pytest.approx(likeliest.values.item(), abs=4 * math.sqrt(0.25 / 300))


def test_nothing_is_generated_where_nothing_is_asked_for(load):
    (response,) = load("llama").run([Generate(Prompt("The film"), max_tokens=0)])
    assert (response.text, response.finish, response.usage.output_tokens) == ("", "length", 0)


def test_mixed_requests_are_answered_in_order(load):
    engine = load("llama")
    score, write = LogLikelihood(Prompt("The film"), TOPICS), Generate(Prompt("The film"), max_tokens=4)
    mixed = engine.run([write, score, write, score])
    assert mixed == [*engine.run([write]), *engine.run([score]), *engine.run([write]), *engine.run([score])]


# --- chat --------------------------------------------------------------------------------------------


def test_chat_puts_the_whole_prompt_into_one_message(load, tiny_checkpoint):
    prompt = few_shot("England won the match")
    plain = Plain(tiny_checkpoint("llama-bos"))
    rendered = f"<s>user\n{prompt.text}</s><s>assistant\n"
    ids = plain.tokenizer(rendered, add_special_tokens=False)["input_ids"]
    (written,) = load("llama-bos", chat=True).run([Generate(prompt, max_tokens=6)])
    assert written.usage.prompt_tokens == len(ids)
    tokens = plain.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=6, pad_token_id=1)[0, len(ids) :]
    assert written.text == plain.tokenizer.decode(tokens, skip_special_tokens=True)


def test_chat_drops_demonstrations_too(load):
    (response,) = load("llama", chat=True, max_length=50).run([LogLikelihood(few_shot("England won"), TOPICS)])
    assert response.usage.dropped_demonstrations >= 2


def test_chat_without_a_template_is_an_error(load, tiny_checkpoint, tmp_path, empty_assets):
    folder = tmp_path / "plain"
    folder.mkdir()
    for file in tiny_checkpoint("llama").iterdir():
        if file.name != "chat_template.jinja":
            (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="no chat template"):
        hf(str(folder), empty_assets, chat=True).load("cpu")


# --- faults ------------------------------------------------------------------------------------------


def out_of_memory_above(tokens, forward):
    """A fake that runs out of memory, as a CPU does, with more than so many tokens in a batch."""

    def faulty(*args, **kwargs):
        if kwargs["input_ids"].numel() > tokens:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return forward(*args, **kwargs)

    return faulty


def test_running_out_of_memory_halves_the_batch_and_goes_on(load, monkeypatch, caplog):
    requests = [LogLikelihood(Prompt(question(text)), TOPICS) for text in articles(8, words=(20, 30))]
    requests += [Generate(Prompt(question(text)), max_tokens=4) for text in articles(4, words=(20, 30))]
    expected = load("llama").run(requests)
    engine = load("llama", batch_tokens=4096)
    base = engine._decoder._base
    monkeypatch.setattr(base, "forward", out_of_memory_above(300, base.forward))
    with caplog.at_level(logging.WARNING):
        found = engine.run(requests)
    assert [getattr(one, "values", None) or one.text for one in found] == [
        pytest.approx(one.values, abs=1e-5) if hasattr(one, "values") else one.text for one in expected
    ]
    assert "out of memory" in caplog.text
    caplog.clear()
    engine.run(requests)
    assert not caplog.text, "what was learnt is remembered"


def test_while_the_budget_grows_forwards_run_one_by_one_and_answers_stay(load):
    requests = [LogLikelihood(Prompt(question(text)), TOPICS) for text in articles(60, words=(8, 12))]
    expected = load("llama").run(requests)
    engine = load("llama", batch_tokens=64)
    engine._budget.growing = True
    found = engine.run(requests)
    assert engine._budget.tokens >= 64
    assert [one.values for one in found] == [pytest.approx(one.values, abs=1e-5) for one in expected]


def test_memory_for_not_even_one_row_is_an_error(load, monkeypatch):
    engine = load("llama")
    base = engine._decoder._base
    monkeypatch.setattr(base, "forward", out_of_memory_above(0, base.forward))
    for request, single in (
        (LogLikelihood(Prompt(question("England won")), TOPICS), "token"),
        (Generate(Prompt(question("England won")), max_tokens=2), "input"),
    ):
        with pytest.raises(ModelError, match=f"out of memory with a single {single}"):
            engine.run([request])


def test_memory_for_one_row_in_a_padded_batch_alone_is_an_error(load, monkeypatch):
    engine = load("gemma2-softcap")
    base = engine._decoder._base
    monkeypatch.setattr(base, "forward", out_of_memory_above(5, base.forward))
    with pytest.raises(ModelError, match="out of memory with a single input"):
        engine.run([LogLikelihood(Prompt(question("England won")), TOPICS)])


def test_other_errors_of_torch_are_not_taken_for_memory(load, monkeypatch):
    engine = load("llama")

    def broken(**kwargs):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(engine._decoder._base, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        engine.run([LogLikelihood(Prompt("The film"), TOPICS)])


@pytest.mark.parametrize("request_", [LogLikelihood(Prompt("England won"), TOPICS), Generate(Prompt("England won"))])
def test_numbers_that_are_none_name_the_request(request_, load):
    engine = load("llama")
    engine._decoder._head.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"request 1 \('England won'\)"):
        engine.run([LogLikelihood(Prompt("The film"), ("",)), request_])


def test_other_requests_are_refused(load):
    with pytest.raises(ModelError, match="does not answer Embed"):
        load("llama").run([Embed("text")])


def test_a_cache_that_disagrees_is_not_used(load, monkeypatch, tiny_checkpoint, caplog):
    monkeypatch.setattr(decoder, "close", lambda a, b: False)
    with caplog.at_level(logging.INFO):
        engine = load("llama")
    assert not engine._decoder.shares
    assert "rows are run one by one" in caplog.text
    prompt = few_shot("England won")
    scored, written = engine.run([LogLikelihood(prompt, TOPICS), Generate(prompt, max_tokens=5)])
    plain = Plain(tiny_checkpoint("llama"))
    assert scored.values == pytest.approx([plain.log_likelihood(prompt.text, topic) for topic in TOPICS], abs=1e-4)
    assert written.text == plain.tokenizer.decode(plain.greedy(prompt.text, 5), skip_special_tokens=True)


def test_provenance_says_how_it_was_computed(load):
    told = load("llama").provenance
    assert told["device"] == "cpu"
    assert told["dtype"] == "float32"
    assert told["torch"] == torch.__version__
    assert told["transformers"] == transformers.__version__
    assert int(told["threads"]) >= 1
    assert told["attention"]


def test_dtype_is_what_was_asked_for(load):
    engine = load("llama", dtype="bfloat16")
    assert engine.provenance["dtype"] == "bfloat16"
    assert all(map(math.isfinite, engine.run([LogLikelihood(Prompt("The film"), TOPICS)])[0].values))


# --- the real model ----------------------------------------------------------------------------------


@pytest.mark.model
def test_smollm2_runs_as_a_trie_in_half_precision_too(assets):
    prompts = [few_shot(text) for text in articles(4, seed=3, words=(5, 9))]
    requests = [LogLikelihood(prompt, (" business", " world news")) for prompt in prompts]
    engine = smollm2_135m(assets, dtype="bfloat16").load("cpu")
    assert engine._decoder.cascades(500)
    exact = smollm2_135m(assets, dtype="float32").load("cpu").run(requests)
    for half, whole in zip(engine.run(requests), exact, strict=True):
        assert half.values == pytest.approx(whole.values, abs=0.5)


@pytest.mark.model
def test_smollm2_equals_plain_transformers(assets):
    model = smollm2_135m(assets)
    engine = model.load("cpu")
    shots = tuple(f"{question(text)}{topic}\n\n" for text, topic in zip(articles(4, seed=5), TOPICS, strict=True))
    prompts = [
        Prompt(question("Shares in the bank fell by 12% after it warned of lower profits for 2005.")),
        Prompt(question("England won with two late goals.\n\nThe captain said: \u201cWe never gave up\u201d."), shots),
        Prompt(question("The minister will answer questions in parliament on Monday."), shots),
    ]
    choices = (" business", " entertainment", " politics", " world news")
    scored = engine.run([LogLikelihood(prompt, choices) for prompt in prompts])
    written = engine.run([Generate(prompt, max_tokens=8) for prompt in prompts])
    plain = Plain(model.fetch())
    for prompt, score, text in zip(prompts, scored, written, strict=True):
        expected = [plain.log_likelihood(prompt.text, choice) for choice in choices]
        assert score.values == pytest.approx(expected, abs=1e-4)
        assert text.text == plain.tokenizer.decode(plain.greedy(prompt.text, 8), skip_special_tokens=True)
