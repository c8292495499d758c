"""Tags of words: where their tokens stand, what is learnt, against plain transformers; tiny models and the real one."""

import random

import pytest
import torch
from transformers import AutoModelForTokenClassification

from harness.entities import entities_of, tag_names, tags_of, written_entities
from harness.errors import ModelError, TrainingError
from harness.interfaces import TrainingJob
from harness.records import Classify, Tag
from harness_hf import training
from harness_hf.loading import load_tokenizer
from harness_hf.models import hf, minilm_l6
from harness_hf.objectives import IGNORED, Objective
from harness_hf.plan import Plan
from harness_hf.tagging import TaggerEngine, tagged_rows, word_places
from harness_hf.trainer import Material, make_trainer

TYPES = ("person", "place")
NAMES = {"person": ("England", "goals"), "place": ("shares", "bank")}
FILLERS = ("the", "was", "match")
FAST = {"epochs": 25, "batch_size": 8, "learning_rate": 1e-2, "patience": 25}


def rows(count, *, seed=0):
    """Sentences with an entity of one word or two; which type it is, its words tell."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        type_ = TYPES[number % 2]
        name = rng.choices(NAMES[type_], k=rng.randint(1, 2))
        before, after = (rng.choices(FILLERS, k=rng.randint(1, 4)) for _ in range(2))
        words = [*before, *name, *after]
        tags = ["O"] * len(before) + [f"B-{type_}"] + [f"I-{type_}"] * (len(name) - 1) + ["O"] * len(after)
        found.append((" ".join(words), written_entities(entities_of(tags), words)))
    return found


@pytest.fixture
def job(tmp_path):
    def make(examples=None, *, method="head", folder="abc", validation=None, **hyperparameters):
        return TrainingJob(
            examples=rows(64) if examples is None else examples,
            validation=rows(8, seed=1) if validation is None else validation,
            labels=TYPES,
            seed=3,
            device="cpu",
            hyperparameters={**FAST, **hyperparameters},
            folder=tmp_path / folder,
            method=method,
            learnt="tags",
        )

    return make


@pytest.fixture
def model(tiny_checkpoint, empty_assets):
    return lambda name="bert": hf(str(tiny_checkpoint(name)), empty_assets)


def right(trained, examples):
    """The share of sentences with all tags right."""
    answers = trained.engine.run([Tag(text, TYPES) for text, _ in examples])
    said = [
        written_entities(entities_of(answer.tags), text.split(" "))
        for answer, (text, _) in zip(answers, examples, strict=True)
    ]
    return sum(one == target for one, (_, target) in zip(said, examples, strict=True)) / len(examples)


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2"])
def test_tags_are_learnt_by_encoders_and_decoders(model, job, name):
    trained = model(name).train(job())
    assert right(trained, rows(20, seed=2)) >= 0.8
    again = model(name).train(job())
    assert again.notes[-1] == "trained in an earlier run"
    texts = [Tag(text, TYPES) for text, _ in rows(6, seed=3)]
    assert again.engine.run(texts) == trained.engine.run(texts)


@pytest.mark.parametrize("method", ["lora", "bitfit"])
def test_few_weights_are_enough(model, job, method):
    known = job(method=method, epochs=20, learning_rate=2e-2)
    trained = model().train(known)
    assert right(trained, rows(20, seed=2)) >= 0.5, "to name nothing is never right"
    texts = [Tag(text, TYPES) for text, _ in rows(6, seed=3)]
    assert model().train(known).engine.run(texts) == trained.engine.run(texts)


def test_the_same_seed_learns_the_same(model, job):
    texts = [Tag(text, TYPES) for text, _ in rows(6, seed=3)]
    one, other = (model().train(job(folder=name, epochs=2)).engine for name in ("one", "other"))
    assert one.run(texts) == other.run(texts)


def test_answers_stand_in_order_and_what_is_not_known_is_refused(model, job):
    engine = model().train(job()).engine
    requests = [Tag("England was the bank", TYPES), Tag("the", TYPES), Tag("goals goals", TYPES)]
    together = engine.run(requests)
    assert [len(one.tags) for one in together] == [4, 1, 2]
    assert [engine.run([one])[0] for one in requests] == list(together)
    assert list(engine.run([])) == []
    with pytest.raises(ModelError, match="not trained on entities of type 'animal'"):
        engine.run([Tag("the", ("animal",))])
    with pytest.raises(ModelError, match="only tags words"):
        engine.run([Classify("the", TYPES)])


def test_words_behind_the_window_have_no_tag_and_are_counted(tiny_checkpoint, empty_assets, job):
    short = hf(str(tiny_checkpoint("bert")), empty_assets, max_length=8).train(job(epochs=1))
    (answer,) = short.engine.run([Tag(" ".join(["England"] * 30), TYPES)])
    assert len(answer.tags) == 30
    assert set(answer.tags[8:]) == {"O"}
    assert answer.usage.cut_tokens > 0


def test_the_loss_is_that_of_transformers(model, job, tiny_checkpoint):
    """A batch's loss with the head's own targets, as `ForTokenClassification` computes it from the same labels."""
    given = job()
    folder = tiny_checkpoint("bert")
    objective = Objective.of(given)
    assert objective.labels == tag_names(TYPES)
    tokenizer = load_tokenizer(folder, trust_remote_code=False)
    torch.manual_seed(0)
    plain = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(objective.labels)).eval()
    made = tagged_rows(given.examples, objective.targets(given.examples), tokenizer, 64)
    plan = Plan.of("head", {})
    trainer = make_trainer(given, plan, Material(plain, tokenizer, made, made, given.folder, 1))
    batch = trainer.data_collator(made[:5])
    with torch.no_grad():
        wanted = plain(**batch).loss
        found = trainer.compute_loss(plain, dict(batch))
    assert found.item() == pytest.approx(wanted.item(), abs=1e-6)


def test_each_word_has_its_tag_at_its_last_token(tiny_checkpoint):
    tokenizer = load_tokenizer(tiny_checkpoint("bert"), trust_remote_code=False)
    text, target = "the Englandbank was", written_entities(entities_of(["O", "B-place", "O"]), ["the", "x", "was"])
    ((words,), (row,)) = (
        word_places(tokenizer, [text]),
        tagged_rows([(text, target)], Objective("tags", tag_names(TYPES)).targets([(text, target)]), tokenizer, 99),
    )
    pieces = tokenizer.convert_ids_to_tokens(row["input_ids"])
    assert pieces[0] == "[CLS]"
    assert len(pieces) > 5
    assert words[0] == 1
    assert words[2] == len(pieces) - 2
    assert words[1] == words[2] - 1
    assert row["labels"][words[1]] == tag_names(TYPES).index("B-place")
    assert sum(one != IGNORED for one in row["labels"]) == 3


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2", "llama-bos"])
def test_places_of_words_agree_with_the_tokenizers_own_count(tiny_checkpoint, name):
    """A word ends where the tokens of the text up to it end: true of tokenizers that read from left to right."""
    tokenizer = load_tokenizer(tiny_checkpoint(name), trust_remote_code=False)
    words = ["England", "was,", "the", "b@nk:", "naïve", "7:30", "—", "ok"]
    (places,) = word_places(tokenizer, [" ".join(words)])
    bare = [
        len(tokenizer(" ".join(words[: at + 1]), add_special_tokens=False)["input_ids"]) for at in range(len(words))
    ]
    special = places[0] - (bare[0] - 1)
    assert special in (0, 1)
    assert places == [count - 1 + special for count in bare]


def test_a_word_that_the_tokenizer_leaves_out_has_no_place(tiny_checkpoint):
    tokenizer = load_tokenizer(tiny_checkpoint("bert"), trust_remote_code=False)
    assert word_places(tokenizer, ["the \u200b\u200d bank"])[0][1] is None


def test_what_can_not_be_learnt_says_so(model, job, tiny_checkpoint, empty_assets):
    nothing = [("the match was", "[]")] * 3
    with pytest.raises(TrainingError, match="nothing to learn"):
        model().train(job(nothing))


def test_an_architecture_without_a_classifier_of_tokens_is_refused(tmp_path, tiny_checkpoint, empty_assets, job):
    from transformers import CTRLConfig, CTRLLMHeadModel

    folder = tmp_path / "ctrl"
    load_tokenizer(tiny_checkpoint("gpt2"), trust_remote_code=False).save_pretrained(folder)
    CTRLLMHeadModel(CTRLConfig(vocab_size=400, n_embd=32, n_layer=1, n_head=4, dff=48)).save_pretrained(folder)
    with pytest.raises(TrainingError, match="no classifier of tokens for models of type 'ctrl'"):
        hf(str(folder), empty_assets).train(job())


def test_tags_of_text_longer_than_its_entities():
    assert tags_of([], 2) == ["O", "O"]


@pytest.mark.model
def test_the_real_encoder_learns_entities(assets, job):
    """Nonsense names that are told by what stands around them."""
    rng = random.Random(0)
    heads = {"person": "Mr.", "place": "in"}
    names = ["Zorblat", "Quimby", "Farnel", "Oxtred", "Vellum", "Brannoch"]

    def some(count):
        made = []
        for number in range(count):
            type_ = TYPES[number % 2]
            words = ["yesterday", heads[type_], rng.choice(names), "stayed", "for", "tea"]
            tags = ["O", "O", f"B-{type_}", "O", "O", "O"]
            made.append((" ".join(words), written_entities(entities_of(tags), words)))
        return made

    trained = minilm_l6(assets).train(job(some(64), validation=[], epochs=6, learning_rate=5e-4, batch_size=8))
    assert isinstance(trained.engine, TaggerEngine)
    assert right(trained, some(20)) >= 0.95
    assert training.Objective.of(job()).learnt == "tags"
