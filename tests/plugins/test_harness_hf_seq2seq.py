"""The engine of encoder-decoders against plain transformers, called pair by pair."""

import json
import logging
import math
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

import harness
from harness.errors import ModelError, ParameterError
from harness.interfaces import CountsTokens, Fetchable, Trainable
from harness.records import Embed, Generate, LogLikelihood, Prompt
from harness.seeds import answer_seeds
from harness_hf import seq2seq_model
from harness_hf.families import SEQ2SEQ, family_of
from harness_hf.models import Seq2SeqModel, hf
from harness_hf.seq2seq_scoring import folded
from harness_hf.wanted import Input, Lookup

NAMES = ("t5", "t5-untied", "bart", "marian", "bert2bert", "fsmt")
"""T5 scales before its head, Marian adds a bias behind it; the head of bert2bert can't be applied apart, and fsmt reads
one token at a time."""

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
    "and",
)
SPECIAL = ["<pad>", "</s>", "<unk>", "<s>"]
LETTERS = sorted(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:,!?"))


def vocabulary():
    words = [f"▁{word}" for word in (*WORDS, *(topic.strip() for topic in TOPICS), "Topic", "Article")]
    pieces = [*SPECIAL, "▁", *words, *LETTERS, *(f"▁{letter}" for letter in LETTERS if letter != "a")]
    return [(piece, 0.0 if piece in SPECIAL else -2.0 if len(piece) > 2 else -6.0) for piece in pieces]


def tokenizer_of(name):
    """A vocabulary of pieces that is written down; BART's puts special tokens on both sides, the others behind."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    core = Tokenizer(models.Unigram(vocabulary(), unk_id=2))
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    core.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>" if name == "bart" else "$A </s>", special_tokens=[("</s>", 1), ("<s>", 3)]
    )
    beginning = {"bos_token": "<s>"} if name == "bart" else {}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", **beginning
    )


def model_of(name):
    t = transformers
    torch.manual_seed(0)
    tokens = len(vocabulary())
    ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 1 if name in ("bart", "fsmt") else 0}
    t5 = {"vocab_size": tokens, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, **ids}
    layers = {f"{side}_{what}": size for side in ("encoder", "decoder") for what, size in (
        ("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))}  # fmt: skip
    bart = {"d_model": 32, "max_position_embeddings": 64, "init_std": 0.3, "bos_token_id": 3, **layers, **ids}
    match name:
        case "t5":
            return wilder(t.T5ForConditionalGeneration(t.T5Config(**t5)))
        case "t5-untied":
            return wilder(
                t.T5ForConditionalGeneration(
                    t.T5Config(**t5, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
                )
            )
        case "bart":
            forced = {"forced_bos_token_id": 3, "forced_eos_token_id": 1}
            return t.BartForConditionalGeneration(t.BartConfig(vocab_size=tokens, **bart, **forced))
        case "marian":
            model = t.MarianMTModel(t.MarianConfig(vocab_size=tokens, **bart))
            model.final_logits_bias.normal_()
            model.generation_config.bad_words_ids = [[0]]
            return model
        case "fsmt":
            sizes = {"src_vocab_size": tokens, "tgt_vocab_size": tokens}
            return t.FSMTForConditionalGeneration(t.FSMTConfig(langs=["en", "de"], **sizes, **bart))
        case "bert2bert":
            size = {"vocab_size": tokens, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
                    "intermediate_size": 48, "max_position_embeddings": 64, "initializer_range": 0.3}  # fmt: skip
            decoder = t.BertConfig(**size, is_decoder=True, add_cross_attention=True)
            config = t.EncoderDecoderConfig.from_encoder_decoder_configs(t.BertConfig(**size), decoder)
            config.pad_token_id, config.eos_token_id, config.decoder_start_token_id = 0, 1, 1
            config.tie_word_embeddings = False
            model = t.EncoderDecoderModel(config=config)
            model.generation_config = t.GenerationConfig(pad_token_id=0, eos_token_id=1, decoder_start_token_id=1)
            return model
    raise ValueError(name)


def wilder(model):
    """As T5 is initialised, it repeats what it has read last; beyond twice, float32 is too coarse for it."""
    with torch.no_grad():
        for weight in model.decoder.block.parameters():
            if weight.dim() == 2:
                weight.mul_(2)
    return model


class Plain:
    """transformers without any batching, caching or cutting."""

    def __init__(self, folder):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()

    def source(self, text):
        ids = torch.tensor([self.tokenizer(text)["input_ids"]])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    @torch.no_grad()
    def log_likelihood(self, context, continuation):
        bare = context.rstrip()
        target = self.tokenizer(context[len(bare) :] + continuation, add_special_tokens=False)["input_ids"]
        if self.model.config.model_type in ("fsmt", "encoder-decoder"):  # labels begin with their end; are warned of
            start = {"decoder_input_ids": torch.tensor([[1, *target[:-1]]]), "use_cache": False}
        else:
            start = {"labels": torch.tensor([target])}
        log_probs = self.model(**self.source(bare), **start).logits[0].float().log_softmax(-1)
        return log_probs.gather(-1, torch.tensor(target)[:, None]).sum().item()

    @torch.no_grad()
    def greedy(self, text, max_tokens, **options):
        options = {"do_sample": False, "num_beams": 1, "max_new_tokens": max_tokens, **options}
        return self.model.generate(**self.source(text), **options)[0, 1:].tolist()


def articles(count, *, seed=0, words=(2, 25)):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(*words))) for _ in range(count)]


def question(text):
    return f"Article: {text} Topic:"


def few_shot(text, shots=4):
    demonstrations = tuple(f"{question(shot)} sport " for shot in articles(shots, seed=7, words=(4, 9)))
    return Prompt(question(text), demonstrations, "the Topic: ")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """`checkpoint("t5")`: the folder of a tiny random model with its tokenizer."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            tokenizer_of(name).save_pretrained(made[name])
            model_of(name).save_pretrained(made[name])
        return made[name]

    return make


@pytest.fixture
def load(checkpoint, empty_assets):
    return lambda name, **parameters: hf(str(checkpoint(name)), empty_assets, **parameters).load("cpu")


def values_of(responses):
    return [response.values for response in responses]


# --- log-likelihood --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_log_likelihoods_equal_plain_transformers(name, load, checkpoint):
    prompts = [Prompt(question(text)) for text in articles(9)]
    choices = (*TOPICS, " sport and politics", " sport and tech", "!", "Topic: late late goals")
    found = load(name).run([LogLikelihood(prompt, choices) for prompt in prompts])
    plain = Plain(checkpoint(name))
    for prompt, response in zip(prompts, found, strict=True):
        expected = [plain.log_likelihood(prompt.text, choice) for choice in choices]
        assert response.values == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "apart", "one_by_one"),
    [("t5", True, False), ("bart", True, False), ("marian", True, False), ("bert2bert", False, False),
     ("fsmt", False, True)],
)  # fmt: skip
def test_the_fastest_way_that_comes_out_right_is_found(name, apart, one_by_one, load):
    model = load(name)._model
    assert (model._apart, model._one_by_one, model.pads) == (apart, one_by_one, True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(
        st.tuples(st.integers(0, 6), st.lists(st.integers(0, 30), min_size=0, max_size=6)), min_size=1, max_size=16
    )
)
@pytest.mark.parametrize("name", ["t5", "bart"])
def test_the_batch_changes_nothing(name, load, asked):
    texts = articles(7, seed=1)
    tails = ["", *TOPICS, *(f" {a} {b}" for a in WORDS[:4] for b in WORDS[4:10]), " a", " a joy"]
    requests = [LogLikelihood(Prompt(question(texts[at])), tuple(tails[tail] for tail in some)) for at, some in asked]
    expected = [load(name).run([request])[0].values for request in requests]
    for tokens in (1, 60, 4000):
        found = load(name, batch_tokens=tokens).run(requests)
        assert values_of(found) == [pytest.approx(values, abs=2e-5) for values in expected]


def test_a_prompt_is_read_once_whatever_is_asked_of_it(load, checkpoint):
    engine, tokenizer = load("t5"), Plain(checkpoint("t5")).tokenizer
    texts = [question(text) for text in articles(3)]
    choices = (*TOPICS, *(f" {word}" for word in WORDS))  # of one token each
    engine.run([LogLikelihood(Prompt(text), choices) for text in (*texts, *texts)])
    read = sum(len(tokenizer(text)["input_ids"]) for text in texts)
    told = engine.counters
    assert told["forwarded"] == read + len(texts), "each distinct prompt once, and one place of the decoder"
    assert told["forwarded"] + told["reused"] == 2 * len(choices) * (read + len(texts))
    engine = load("t5")
    engine.run([Generate(Prompt(texts[0]), max_tokens=3, temperature=1.0, seed=seed) for seed in range(5)])
    assert engine.counters["forwarded"] <= len(tokenizer(texts[0])["input_ids"]) + 1 + 5 * 2


def test_padding_is_counted(load):
    engine = load("t5")
    engine.run([LogLikelihood(Prompt(" ".join(["film"] * words)), (" sport",)) for words in (10, 4)])
    assert engine.counters == {"forwarded": 11 + 5 + 2, "reused": 0, "padded": 6}


def test_what_a_prompt_leaves_is_not_copied(load, monkeypatch):
    engine, seen = load("bart"), []
    model = engine._model
    follow = model.follow

    def watched(read, tokens, **options):
        seen.append(
            (
                len(tokens),
                {layer.keys.untyped_storage().data_ptr() for layer in read.cache.cross_attention_cache.layers},
            )
        )
        return follow(read, tokens, **options)

    monkeypatch.setattr(model, "follow", watched)
    long = tuple(f" {first} {second} goals" for first in WORDS[:5] for second in WORDS[:5])
    for prompts, rows in (([1], [1, 25]), ([4, 9, 2], [3, 3, 3])):
        seen.clear()
        engine.run(
            [LogLikelihood(Prompt("film " * words), long if len(prompts) == 1 else long[:2]) for words in prompts]
        )
        assert [count for count, _ in seen] == rows
        (kept,) = {frozenset(places) for _, places in seen[1:]}
        assert len(kept) == 2, "one storage a layer in all forwards"


def test_choices_that_begin_with_one_another_and_equal_ones_and_a_thousand(load, checkpoint):
    plain = Plain(checkpoint("t5"))
    nested = tuple(" goals" * count for count in range(1, 12))
    many = tuple(f" {first} {second} goals" for first in (*WORDS, *TOPICS) for second in (*WORDS, *TOPICS) * 3)[:1000]
    for choices, checked in ((nested, nested), ((" sport", " sport", " tech"), (" sport",) * 2), (many, many[::250])):
        (response,) = load("t5").run([LogLikelihood(Prompt(question("England won")), choices)])
        assert len(response.values) == len(choices)
        for choice in checked:
            expected = plain.log_likelihood(question("England won"), choice)
            assert response.values[choices.index(choice)] == pytest.approx(expected, abs=1e-4)


def test_inputs_are_folded_into_those_that_begin_with_them():
    def lookup(row):
        return Lookup(0, 9, row)

    inputs = [
        Input(ids, [lookup(row)]) for row, ids in enumerate([(1, 2), (1,), (1, 2, 3), (1, 3), (2,), (1, 2, 3, 4)])
    ]
    found = {one.ids: sorted(each.row for each in one.lookups) for one in folded(inputs)}
    assert found == {(1, 2, 3, 4): [0, 1, 2, 5], (1, 3): [3], (2,): [4]}


@pytest.mark.parametrize(
    ("context", "continuation"), [("The film was ", "good"), ("Topic:  ", " sport"), (" ", "joy"), ("the film", "ed")]
)
@pytest.mark.parametrize("name", ["t5", "bart"])
def test_borders_follow_the_plain_definition(name, context, continuation, load, checkpoint):
    (value,) = load(name).run([LogLikelihood(Prompt(context), (continuation,))])[0].values
    assert value == pytest.approx(Plain(checkpoint(name)).log_likelihood(context, continuation), abs=1e-4)


@pytest.mark.parametrize(("name", "origin"), [("t5", "</s>"), ("bart", "<s>")])
def test_an_empty_prompt_is_the_token_for_the_beginning_or_the_end(name, origin, load):
    engine = load(name)
    (one,) = engine._prompts.asked([Prompt("")], [(" sport",)])
    assert one.source == (engine._tokenizer.convert_tokens_to_ids(origin),)


def test_continuations_are_cut_as_targets_where_a_tokenizer_tells_them_from_sources(load, monkeypatch):
    from tokenizers import normalizers

    engine = load("t5")
    tokenizer, core = engine._tokenizer, engine._tokenizer.backend_tokenizer
    core.normalizer = plain = normalizers.NFC()
    other = normalizers.Replace("sport", "goals")
    monkeypatch.setattr(tokenizer, "_switch_to_target_mode", lambda: setattr(core, "normalizer", other), raising=False)
    monkeypatch.setattr(tokenizer, "_switch_to_input_mode", lambda: setattr(core, "normalizer", plain), raising=False)
    (one,) = engine._prompts.asked([Prompt("a sport")], [(" sport",)])
    assert tokenizer.convert_ids_to_tokens(one.source) == ["▁a", "▁sport", "</s>"]
    assert tokenizer.convert_ids_to_tokens(one.targets[0]) == ["▁goals"]
    engine._prompts.forget()
    tokenizer.tgt_lang = None  # a language changes nothing but special tokens, and may not be set
    (one,) = engine._prompts.asked([Prompt("a sport")], [(" sport",)])
    assert tokenizer.convert_ids_to_tokens(one.targets[0]) == ["▁sport"]


def test_an_empty_continuation_is_certain_and_costs_nothing(load):
    engine = load("t5")
    empty, none = engine.run([LogLikelihood(Prompt("The film"), ("", "")), LogLikelihood(Prompt("The "), ())])
    assert (empty.values, none.values) == ((0.0, 0.0), ())
    assert engine.counters["forwarded"] == 0


def test_a_vocabulary_is_projected_in_parts(load, monkeypatch):
    requests = [LogLikelihood(Prompt(question(text)), (*TOPICS, " sport and tech")) for text in articles(5)]
    expected = values_of(load("t5").run(requests))
    monkeypatch.setattr(seq2seq_model, "LOGIT_FLOATS", 300)
    assert values_of(load("t5").run(requests)) == [pytest.approx(values, abs=1e-5) for values in expected]


# --- the windows -------------------------------------------------------------------------------------


def test_demonstrations_are_dropped_before_the_question_is_cut(load, checkpoint):
    prompt, plain = few_shot("England won", shots=6), Plain(checkpoint("t5"))
    shorter = Prompt(prompt.query, prompt.demonstrations[4:], prompt.instruction)
    window = len(plain.tokenizer(shorter.text)["input_ids"])
    scored, written = load("t5", max_length=window).run(
        [LogLikelihood(prompt, TOPICS[:1]), Generate(prompt, max_tokens=5)]
    )
    for usage in (scored.usage, written.usage):
        assert (usage.dropped_demonstrations, usage.cut_tokens, usage.prompt_tokens) == (4, 0, window)
    assert scored.values[0] == pytest.approx(plain.log_likelihood(shorter.text, TOPICS[0]), abs=1e-4)
    assert written.text == plain.tokenizer.decode(plain.greedy(shorter.text, 5), skip_special_tokens=True)


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_the_question_is_cut_on_the_left_and_the_ends_stay(name, load):
    engine = load(name, max_length=20)
    prompt = Prompt("film " * 40 + "Topic:", ("one two ",), "the Topic: ")
    (one,) = engine._prompts.asked([prompt], [TOPICS])
    whole = engine._tokenizer(prompt.instruction + prompt.query)["input_ids"]
    head = len(engine._tokenizer(prompt.instruction, add_special_tokens=False)["input_ids"]) + (name == "bart")
    assert one.source == (*whole[:head], *whole[len(whole) - 20 + head :])
    assert (one.usage.dropped_demonstrations, one.usage.cut_tokens) == (1, len(whole) - 20)


def test_windows_are_the_models(load):
    unlimited, limited = load("t5"), load("bart")
    prompt = Prompt("film " * 100)
    assert unlimited.run([LogLikelihood(prompt, TOPICS)])[0].usage.prompt_tokens == 101
    assert limited.run([LogLikelihood(prompt, TOPICS)])[0].usage.prompt_tokens == 64
    assert limited.run([Generate(prompt, max_tokens=100)])[0].usage.output_tokens <= 64
    with pytest.raises(ModelError, match="max_length=65 is more than the model's 64 tokens"):
        load("bart", max_length=65)
    with pytest.raises(ModelError, match="nothing but special tokens"):
        load("bart", max_length=2)


def test_windows_of_encoder_and_decoder_can_differ():
    from harness_hf.seq2seq import windows_of

    led = transformers.LEDConfig(max_encoder_position_embeddings=128, max_decoder_position_embeddings=32)
    assert windows_of(led) == (128, 32)
    assert windows_of(transformers.T5Config(n_positions=512)) == (None, None)
    both = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(
        transformers.BertConfig(max_position_embeddings=40), transformers.BertConfig(max_position_embeddings=20)
    )
    assert windows_of(both) == (40, 20)


def test_a_continuation_longer_than_the_decoders_window_is_an_error(load):
    engine = load("bart")
    (response,) = engine.run([LogLikelihood(Prompt("The film"), (" goals" * 64,))])
    assert math.isfinite(response.values[0])
    with pytest.raises(ModelError, match="65 tokens is longer than the decoder's window of 64"):
        engine.run([LogLikelihood(Prompt("The film"), (" goals" * 65,))])


# --- generation --------------------------------------------------------------------------------------


def as_generated(engine, plain, prompts, limits, **options):
    found = engine.run([Generate(prompt, max_tokens=limit) for prompt, limit in zip(prompts, limits, strict=True)])
    for prompt, limit, response in zip(prompts, limits, found, strict=True):
        tokens = plain.greedy(prompt.text, limit, **options)
        assert response.text == plain.tokenizer.decode(tokens, skip_special_tokens=True)
        assert response.usage.output_tokens == len(tokens)
        assert response.finish == ("stop" if tokens[-1] == 1 else "length")
    return {response.text for response in found}


@pytest.mark.parametrize("name", NAMES)
def test_greedy_equals_transformers_token_for_token(name, load, checkpoint):
    prompts = [Prompt(question(text)) for text in (*articles(7, seed=3), *articles(2, seed=3))]
    texts = as_generated(load(name), Plain(checkpoint(name)), prompts, [3, 12, 7, 12, 1, 9, 2, 4, 6])
    assert len(texts) > 3


@pytest.mark.parametrize(
    "asked",
    [
        {"no_repeat_ngram_size": 1},
        {"no_repeat_ngram_size": 2, "min_length": 6, "repetition_penalty": 1.3},
        {"min_new_tokens": 5, "bad_words_ids": [[7], [8, 9]]},
        {"suppress_tokens": list(range(5, 40)), "begin_suppress_tokens": list(range(40, 80))},
        {"encoder_no_repeat_ngram_size": 1, "forced_bos_token_id": 20, "forced_eos_token_id": 1},
        {"encoder_repetition_penalty": 0.5, "sequence_bias": [[[9], 8.0]]},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("name", ["t5", "bart"])
def test_what_the_generation_configuration_asks_for_is_done(name, asked, load, checkpoint):
    engine, plain = load(name), Plain(checkpoint(name))
    prompts = [Prompt(question(text)) for text in articles(5, seed=4)]
    for model in (engine._model.model, plain.model):
        model.generation_config.update(**asked)
    as_generated(engine, plain, prompts, [12, 9, 8, 7, 6])


def test_stop_strings_are_exact(load):
    engine = load("marian")
    prompt = Prompt(question("England won"))
    (free,) = engine.run([Generate(prompt, max_tokens=24)])
    assert free.first_token_s > 0
    assert len(free.text) > 12
    stop = free.text[5:8]  # inside of a token, or over the border of two
    (ended,) = engine.run([Generate(prompt, max_tokens=24, stop=("not there", stop))])
    assert (ended.text, ended.finish) == (free.text[: free.text.index(stop)], "stop")
    assert ended.usage.output_tokens < free.usage.output_tokens


@pytest.mark.parametrize("name", ["t5", "marian"])
def test_an_answer_depends_on_its_request_alone(name, load):
    requests = [
        Generate(Prompt(question(text)), max_tokens=4 + seed % 9, temperature=1.5 * (seed % 3 > 0), seed=seed)
        for seed, text in enumerate((*articles(10, seed=5), *articles(6, seed=5)))
    ]
    alone = [load(name).run([request])[0] for request in requests]
    assert len({answer.text for answer in alone}) > 3
    for tokens in (1, 60, 4000):
        assert load(name, batch_tokens=tokens).run(requests) == alone


@pytest.mark.parametrize("name", ["t5", "bart", "marian"])
def test_half_precision_differs_by_rounding_alone(name, load):
    requests = [LogLikelihood(Prompt(question(text)), TOPICS) for text in articles(4)]
    half, whole = load(name, dtype="bfloat16"), load(name)
    assert half.provenance["dtype"] == "bfloat16"
    for one, exact in zip(half.run(requests), whole.run(requests), strict=True):
        assert one.values == pytest.approx(exact.values, rel=0.1, abs=0.5)


def test_n_answers_are_those_of_their_seeds_and_read_the_prompt_once(load):
    request = Generate(Prompt(question("England won")), max_tokens=6, temperature=1.5, top_p=0.9, seed=3, n=4)
    engine = load("t5")
    (found,) = engine.run([request])
    read = engine.counters["forwarded"]
    ones = [load("t5").run([replace(request, seed=seed, n=1)])[0] for seed in answer_seeds(3, 4)]
    assert [found.text, *(one.text for one in found.more)] == [one.text for one in ones]
    assert found.usage.output_tokens == sum(one.usage.output_tokens for one in ones)
    assert len({one.text for one in ones}) > 1
    assert read <= found.usage.prompt_tokens + found.usage.output_tokens + 1


def test_sampling_follows_the_models_distribution(load, checkpoint):
    prompt, plain = Prompt("The film was"), Plain(checkpoint("t5"))
    with torch.no_grad():
        logits = plain.model(**plain.source(prompt.text), decoder_input_ids=torch.tensor([[0]])).logits[0, -1]
    likeliest = (logits / 0.5).softmax(-1).max(-1)
    text = plain.tokenizer.decode([likeliest.indices.item()], skip_special_tokens=True)
    found = load("t5").run([Generate(prompt, max_tokens=1, temperature=0.5, seed=seed) for seed in range(300)])
    same = sum(response.text == text for response in found) / 300
    assert same == pytest.approx(likeliest.values.item(), abs=4 * math.sqrt(0.25 / 300))


def test_mixed_requests_are_answered_in_order_and_nothing_is_written_where_nothing_is_asked_for(load):
    engine = load("t5")
    score, write = LogLikelihood(Prompt("The film"), TOPICS), Generate(Prompt("The film"), max_tokens=4)
    nothing = Generate(Prompt("The film"), max_tokens=0)
    mixed = engine.run([write, score, nothing, score])
    assert mixed == [*engine.run([write]), *engine.run([score]), *engine.run([nothing]), *engine.run([score])]
    assert (mixed[2].text, mixed[2].finish, mixed[2].usage.output_tokens) == ("", "length", 0)


# --- faults ------------------------------------------------------------------------------------------


def out_of_memory_above(tokens, forward):
    def faulty(*args, **kwargs):
        if kwargs["input_ids"].numel() > tokens:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return forward(*args, **kwargs)

    return faulty


@pytest.mark.parametrize("side", ["_encoder", "_decoder"])
def test_running_out_of_memory_halves_the_batch_and_goes_on(side, load, monkeypatch, caplog):
    requests = [
        LogLikelihood(Prompt(question(text)), (*TOPICS, " sport and tech")) for text in articles(12, words=(20, 25))
    ]
    requests += [Generate(Prompt(question(text)), max_tokens=4) for text in articles(6, words=(20, 25))]
    expected = load("t5").run(requests)
    engine = load("t5", batch_tokens=4096)
    part = getattr(engine._model, side)
    monkeypatch.setattr(part, "forward", out_of_memory_above(60 if side == "_encoder" else 4, part.forward))
    with caplog.at_level(logging.WARNING):
        found = engine.run(requests)
    for one, right in zip(found, expected, strict=True):
        if isinstance(one, type(expected[0])):
            assert one.values == pytest.approx(right.values, abs=1e-5)
        else:
            assert one == right
    assert "out of memory" in caplog.text


def test_memory_for_not_even_one_prompt_is_an_error(load, monkeypatch):
    engine = load("t5")
    monkeypatch.setattr(engine._model._encoder, "forward", out_of_memory_above(0, engine._model._encoder.forward))
    for request in (LogLikelihood(Prompt("England"), TOPICS), Generate(Prompt("England"), max_tokens=2)):
        with pytest.raises(ModelError, match="out of memory with a single input"):
            engine.run([request])


@pytest.mark.parametrize("request_", [LogLikelihood(Prompt("England won"), TOPICS), Generate(Prompt("England won"))])
def test_numbers_that_are_none_name_the_request(request_, load):
    engine = load("t5")
    engine._model._head.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"request 1 \('England won'\)"):
        engine.run([LogLikelihood(Prompt("The film"), ("",)), request_])


def test_a_model_that_contradicts_itself_is_refused(load, monkeypatch):
    monkeypatch.setattr(seq2seq_model, "close", lambda a, b: False)
    with pytest.raises(ModelError, match="other numbers step by step than in one go"):
        load("t5")


def test_a_model_that_can_not_pad_runs_prompts_one_by_one(load, monkeypatch, checkpoint, caplog):
    monkeypatch.setattr(seq2seq_model.EncoderDecoder, "_beside", lambda *_: torch.zeros(1))
    with caplog.at_level(logging.INFO):
        engine = load("t5")
    assert "its prompts are run one by one" in caplog.text
    prompts, plain = [Prompt(question(text)) for text in articles(4)], Plain(checkpoint("t5"))
    found = engine.run([LogLikelihood(prompt, TOPICS) for prompt in prompts])
    as_generated(engine, plain, prompts, [5, 3, 2, 6])
    assert engine.counters["padded"] == 0
    for prompt, response in zip(prompts, found, strict=True):
        expected = [plain.log_likelihood(prompt.text, topic) for topic in TOPICS]
        assert response.values == pytest.approx(expected, abs=1e-4)


def test_a_decoder_without_a_first_token_is_an_error():
    nameless = SimpleNamespace(config=SimpleNamespace(), generation_config=None)
    with pytest.raises(ModelError, match="which token its decoder starts from"):
        seq2seq_model._starts(nameless)


def test_other_requests_and_chat_without_a_template_are_refused(load, checkpoint, empty_assets):
    with pytest.raises(ModelError, match="does not answer Embed"):
        load("t5").run([Embed("text")])
    with pytest.raises(ModelError, match="no chat template"):
        load("t5", chat=True)
    with pytest.raises(ParameterError, match="is an encoder-decoder: it pools nothing"):
        hf(str(checkpoint("t5")), empty_assets, pooling="cls")


def test_chat_puts_the_prompt_into_the_template_and_adds_nothing(load):
    engine = load("bart")
    engine._tokenizer.chat_template = "{% for message in messages %}<s> {{ message.content }}</s>{% endfor %}"
    prompts = type(engine._prompts)(engine._tokenizer, window=20, target_window=20, chat=True)
    (one,) = prompts.asked([few_shot("England won")], [TOPICS])
    assert one.usage.dropped_demonstrations > 0
    assert one.source.count(3) == one.source.count(1) == 1
    whole = few_shot("England won")
    kept = Prompt(whole.query, whole.demonstrations[one.usage.dropped_demonstrations :], whole.instruction)
    assert one.source == tuple(engine._tokenizer(f"<s> {kept.text}</s>", add_special_tokens=False)["input_ids"])


def test_dtype_and_provenance(load):
    engine = load("t5", dtype="bfloat16")
    assert engine.provenance["dtype"] == "bfloat16"
    assert all(map(math.isfinite, engine.run([LogLikelihood(Prompt("The film"), TOPICS)])[0].values))
    assert load("bart").provenance["device"] == "cpu"


# --- which kind ------------------------------------------------------------------------------------


def test_the_kinds_are_those_that_transformers_knows_and_that_read_text_alone():
    known = dict(MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES)
    assert set(known) >= SEQ2SEQ
    decoders = {name for name in known if not transformers.CONFIG_MAPPING[name]().is_encoder_decoder}
    assert not decoders & SEQ2SEQ, "they are given sound, and go on from it"
    seamless = {"seamless_m4t", "seamless_m4t_v2"}  # read sound too, as t5gemma2 reads images
    assert set(known) - SEQ2SEQ - decoders == seamless | {"t5gemma2"}


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_is_known_by_its_configuration(name, checkpoint, empty_assets):
    assert family_of(json.loads((checkpoint(name) / "config.json").read_text()), "folder") == "seq2seq"
    model = hf(str(checkpoint(name)), empty_assets)
    assert isinstance(model, Seq2SeqModel)
    assert isinstance(model, CountsTokens)
    assert isinstance(model, Fetchable)
    assert isinstance(model, Trainable)
    assert model.answers == {"LogLikelihood", "Generate"}


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"architectures": ["BartModel"], "model_type": "bart", "is_encoder_decoder": True}, "seq2seq"),
        ({"architectures": ["T5WithLMHeadModel"], "model_type": "t5", "is_encoder_decoder": True}, "seq2seq"),
        ({"model_type": "t5"}, "seq2seq"),
        ({"architectures": ["MBartForCausalLM"], "model_type": "mbart", "is_encoder_decoder": False}, "causal"),
        (
            {"architectures": ["Own"], "is_encoder_decoder": True, "auto_map": {"AutoModelForSeq2SeqLM": "own.Own"}},
            "seq2seq",
        ),
    ],
)
def test_encoder_decoders_are_told(config, family):
    assert family_of(config, "folder") == family


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "is_encoder_decoder": True},
        {"architectures": ["VisionEncoderDecoderModel"], "model_type": "vision-encoder-decoder",
         "is_encoder_decoder": True},
        {"architectures": ["VoxtralForConditionalGeneration"], "model_type": "voxtral"},
        {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3"},
        {"architectures": ["BartForSequenceClassification"], "model_type": "bart", "is_encoder_decoder": True},
        {"architectures": ["T5EncoderModel"], "model_type": "t5", "is_encoder_decoder": True},
    ],
    ids=lambda config: config["architectures"][0],
)  # fmt: skip
def test_those_that_are_given_more_than_text_or_can_not_write_are_refused(config):
    with pytest.raises(ModelError, match=config["architectures"][0] + " is not supported"):
        family_of(config, "folder")


# --- the whole way -----------------------------------------------------------------------------------

TASK = """
name: topics
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
labels: {business: " business", sport: " sport and goals"}
prompt: {template: "Article: {{ text }} Topic:", separator: " "}
metrics: [accuracy]
"""


def test_a_folder_runs_on_a_task_file(checkpoint, tmp_path):
    for split, seed in (("train", 1), ("test", 2)):
        rows = [
            {"text": text, "label": ("business", "sport")[at % 2]} for at, text in enumerate(articles(8, seed=seed))
        ]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "topics.yaml").write_text(TASK)
    results = harness.run(
        f"hf:{checkpoint('t5')}",
        tmp_path / "topics.yaml",
        ["zero-shot", "few-shot,k=2", "finetune"],
        store=tmp_path / "r.db",
        scenarios=(),
    )
    zero, few, tuned = results
    assert [one.status for one in (zero, few, tuned)] == ["finished", "finished", "finished"]
    plain = Plain(checkpoint("t5"))
    labels = (" business", " sport and goals")
    for text, prediction in zip(articles(8, seed=2), results.predictions(zero.trial.key), strict=True):
        expected = [plain.log_likelihood(question(text), label) for label in labels]
        assert prediction.scores == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["t5", "bart", "marian"])
def test_requests_are_shown_token_by_token(name, checkpoint, empty_assets):
    model = hf(str(checkpoint(name)), empty_assets)
    requests = [LogLikelihood(Prompt("the film was"), (" sport", " a joy")), Generate(Prompt("the bank"), max_tokens=3)]
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint(name))
    scored, written = model.tokenized(requests)
    assert [token.id for token in scored.read] == tokenizer("the film was")["input_ids"]
    assert [token.id for token in written.read] == tokenizer("the bank")["input_ids"]
    answer = model.load("cpu").run(requests)[0]
    assert answer.tokens == tuple(len(one.scored) for one in scored.answers)
    assert [token.id for token in scored.answers[1].scored] == tokenizer(" a joy", add_special_tokens=False)[
        "input_ids"
    ]
