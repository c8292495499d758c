"""Answers in passages: windows, targets, what is found, what is learnt; against plain transformers."""

import json
import random

import pytest
import torch
from transformers import AutoModelForQuestionAnswering

from harness.errors import ModelError, TrainingError
from harness.interfaces import TrainingJob
from harness.records import FindSpan, Tag
from harness.testing import _check_engine
from harness_hf.loading import load_tokenizer
from harness_hf.models import hf, minilm_l6
from harness_hf.objectives import Objective
from harness_hf.plan import Plan
from harness_hf.settings import Settings
from harness_hf.spans import NOTHING, SpanEngine, span_rows, windows
from harness_hf.trainer import Material, make_trainer

FAST = {"epochs": 25, "batch_size": 8, "learning_rate": 1e-2, "patience": 25}
FILLERS = ("the", "was", "match", "goals")
KINDS = {"Who?": ("England", "bank"), "What?": ("shares", "analyst")}


def rows(count, *, seed=0, nothing=False):
    """Passages with an answer to each of two questions; or, of some, none."""
    rng, found = random.Random(seed), []
    for number in range(count):
        question = ("Who?", "What?")[number % 2]
        answers = {one: rng.choice(words) for one, words in KINDS.items()}
        missing = nothing and number % 4 < 2
        if missing:
            del answers[question]
        words = [*rng.choices(FILLERS, k=rng.randint(3, 8)), *answers.values()]
        rng.shuffle(words)
        passage = " ".join(words)
        start = -1 if missing else f" {passage} ".index(f" {answers[question]} ")
        target = "null" if missing else json.dumps([start, start + len(answers[question])])
        found.append(((question, passage), target))
    return found


@pytest.fixture
def job(tmp_path):
    def make(examples=None, *, method="head", folder="abc", **hyperparameters):
        return TrainingJob(
            examples=rows(96) if examples is None else examples,
            validation=rows(16, seed=1),
            labels=(),
            seed=3,
            device="cpu",
            hyperparameters={**FAST, **hyperparameters},
            folder=tmp_path / folder,
            method=method,
            learnt="span",
        )

    return make


@pytest.fixture
def model(tiny_checkpoint, empty_assets):
    return lambda name="bert", **parameters: hf(str(tiny_checkpoint(name)), empty_assets, **parameters)


def right(trained, examples, *, unanswerable=False):
    answers = trained.engine.run([FindSpan(text, unanswerable) for text, _ in examples])
    said = [json.dumps([one.start, one.start + len(one.answer)]) if one.answer else "null" for one in answers]
    return sum(one == target for one, (_, target) in zip(said, examples, strict=True)) / len(examples)


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2"])
def test_answers_are_learnt_by_encoders_and_decoders(model, job, name):
    trained = model(name).train(job())
    assert isinstance(trained.engine, SpanEngine)
    assert right(trained, rows(24, seed=2)) >= 0.6, "a word at random is right once in ten times"
    again = model(name).train(job())
    assert again.notes[-1] == "trained in an earlier run"
    asked = [FindSpan(text) for text, _ in rows(8, seed=4)]
    assert again.engine.run(asked) == trained.engine.run(asked)


def test_low_rank_updates_are_kept_and_read_back(model, job):
    known = job(method="lora", epochs=2)
    asked = [FindSpan(text) for text, _ in rows(8, seed=4)]
    assert model().train(known).engine.run(asked) == model().train(known).engine.run(asked)


def test_the_contract(model, job):
    engine = model().train(job(epochs=1)).engine
    _check_engine(engine, "FindSpan")
    with pytest.raises(ModelError, match="only finds answers in passages"):
        engine.run([Tag("the", ("a",))])
    (answer,) = engine.run([FindSpan(("Who?", ""))])
    assert (answer.answer, answer.start) == ("", -1)


def test_an_architecture_without_such_a_head_is_refused(model, job):
    with pytest.raises(TrainingError, match="no head for answers in passages for models of type 'gemma2'"):
        model("gemma2-softcap").train(job())


# --- windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2", "llama-bos"])
@pytest.mark.parametrize("limit", [16, 24, 64, None])
def test_windows_hold_the_whole_passage_and_the_question_before_it(tiny_checkpoint, name, limit):
    tokenizer = load_tokenizer(tiny_checkpoint(name), trust_remote_code=False)
    rng = random.Random(0)
    pairs = [(question, " ".join(rng.choices(FILLERS, k=n))) for question, n in (("Who?", 30), ("What was it?", 2))]
    read = windows(tokenizer, pairs, limit)
    assert [one.pair for one in read] == sorted(one.pair for one in read)
    for number, (_, passage) in enumerate(pairs):
        own = [one for one in read if one.pair == number]
        assert own
        held = {at for one in own for letters in one.letters if letters for at in range(*letters)}
        assert {at for at, letter in enumerate(passage) if letter != " "} <= held
        for one in own:
            assert limit is None or len(one.ids) <= limit
            assert len(one.letters) == len(one.ids)


def test_a_question_that_fills_the_window_loses_its_end(tiny_checkpoint):
    tokenizer = load_tokenizer(tiny_checkpoint("bert"), trust_remote_code=False)
    read = windows(tokenizer, [("the " * 50, "England was")], 24)
    assert all(len(one.ids) <= 24 for one in read)
    assert any(one.letters[-2] == (8, 11) for one in read)


def test_targets_are_the_tokens_of_the_answer_and_nothing_in_windows_without_it(tiny_checkpoint):
    tokenizer = load_tokenizer(tiny_checkpoint("bert"), trust_remote_code=False)
    config = AutoModelForQuestionAnswering.from_pretrained(tiny_checkpoint("bert")).config
    passage = " ".join(["the"] * 40 + ["England"] + ["was"] * 40)
    start = passage.index("England")
    example = (("Who?", passage), json.dumps([start, start + 7]))
    made = span_rows([example, (("Who?", passage), "null")], tokenizer, config, 32)
    read = windows(tokenizer, [example[0]], 32)
    assert len(made) == 2 * len(read) > 4
    for row, window in zip(made, read, strict=False):
        first, last = row["labels"]
        if (first, last) == (NOTHING, NOTHING):
            assert not any(letters and letters[0] <= start < letters[1] for letters in window.letters)
        else:
            assert passage[window.letters[first][0] : window.letters[last][1]] == "England"
    assert any(row["labels"] != [NOTHING, NOTHING] for row in made[: len(read)])
    assert all(row["labels"] == [NOTHING, NOTHING] for row in made[len(read) :])


# --- against transformers --------------------------------------------------------------------------


def test_the_loss_is_that_of_transformers(job, tiny_checkpoint):
    given, folder = job(), tiny_checkpoint("bert")
    tokenizer = load_tokenizer(folder, trust_remote_code=False)
    torch.manual_seed(0)
    plain = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    made = span_rows(given.examples, tokenizer, plain.config, 64)
    trainer = make_trainer(given, Plan.of("head", {}), Material(plain, tokenizer, made, made, given.folder, 1))
    batch = trainer.data_collator(made[:5])
    starts, ends = batch["labels"].unbind(1)
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with torch.no_grad():
        wanted = plain(**inputs, start_positions=starts, end_positions=ends).loss
        found = trainer.compute_loss(plain, dict(batch))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-6)
    assert Objective.of(given).learnt == "span"


@pytest.mark.parametrize("unanswerable", [False, True])
def test_the_answer_is_the_best_span_of_a_plain_models_scores(tiny_checkpoint, unanswerable):
    """Each pair read alone, all spans tried one after the other."""
    folder = tiny_checkpoint("bert")
    tokenizer = load_tokenizer(folder, trust_remote_code=False)
    torch.manual_seed(1)
    plain = AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    examples = rows(12, seed=5)
    engine = SpanEngine(plain, tokenizer, Settings())
    for (question, passage), answer in zip(
        [text for text, _ in examples], engine.run([FindSpan(text, unanswerable) for text, _ in examples]), strict=True
    ):
        read = tokenizer(question, passage, return_offsets_mapping=True, return_tensors="pt")
        segments = [int(one == 1) for one in read.sequence_ids(0)]
        with torch.no_grad():
            told = plain(input_ids=read["input_ids"], attention_mask=read["attention_mask"])
        start, end = told.start_logits[0].tolist(), told.end_logits[0].tolist()
        spans = [
            (start[i] + end[j], *read["offset_mapping"][0][[i, j]].flatten()[[0, 3]].tolist())
            for i, own in enumerate(segments)
            for j in range(i, min(i + 30, len(segments)))
            if own and segments[j]
        ]
        best = max(spans)
        if unanswerable and start[0] + end[0] > best[0]:
            assert (answer.answer, answer.start) == ("", -1)
        else:
            assert (answer.start, answer.start + len(answer.answer)) == best[1:]


@pytest.mark.model
def test_the_real_encoder_learns_to_find_answers_and_to_find_none(assets, job):
    examples = rows(96, nothing=True)
    trained = minilm_l6(assets).train(job(examples, epochs=10, learning_rate=5e-4, batch_size=16))
    assert right(trained, rows(40, seed=7, nothing=True), unanswerable=True) >= 0.9
