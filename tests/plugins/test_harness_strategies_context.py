"""Contexts: a task whose label flips with its context, wrong contexts, retrieved passages."""

import dataclasses
import math
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.declared import reads
from harness.errors import DataError, ParameterError, PluginError, UsageError
from harness.interfaces import Setting
from harness.plugins import Plugins
from harness.records import (
    Component,
    Embedded,
    LabelBudget,
    LogLikelihoods,
    PromptSpec,
    Sample,
    TaskSpec,
)
from harness.sampling import normalised
from harness.taskdata import TaskData
from harness.testing import ToyModel, check_strategy
from harness_strategies import retrieval
from harness_strategies.finetuning import FineTune
from harness_strategies.given import exchange
from harness_strategies.passages import Passages
from harness_strategies.probing import LinearProbe
from harness_strategies.prompting import FewShot, ZeroShot
from harness_strategies.retrieval import ByWords

CATALOGUE = Catalogue(Plugins(), Assets(Plugins().registry("source")))

TOPICS, DESKS, REST = ("goal", "vote"), ("north", "south"), ("the", "a", "late", "new", "big", "old")


def context(**parameters):
    """The strategy as the catalogue makes it."""
    return CATALOGUE.strategy(Component("context", None, parameters))


class Desks:
    """The desk `north` wants goals and no votes, `south` votes and no goals: neither text nor desk tells alone."""

    spec = TaskSpec(
        "desks",
        "classification",
        PromptSpec("Text: {{ text }}\nWanted:", input="{{ text }}"),
        {"yes": " yes", "no": " no"},
        has_context=True,
        contexts={"north": "the desk of north", "south": "the desk of south"},
    )

    def samples(self, split):
        rng = np.random.default_rng({"train": 0, "validation": 1, "test": 2}[split])
        rows = []
        for number in range({"train": 240, "validation": 40, "test": 100}[split]):
            topic, desk = TOPICS[number % 2], DESKS[number // 2 % 2]
            words = [*rng.choice(REST, 3), topic, *rng.choice(REST, 3)]
            text = f"{' '.join(words)} {split} {number}"
            target = "yes" if (topic == "goal") == (desk == "north") else "no"
            rows.append(Sample(f"{split}-{number}", {"text": text}, target, desk))
        return rows


def said(text):
    """The desk and the topic that a text tells."""
    words = text.replace(":", " ").replace(".", " ").split()
    return tuple(next((word for word in words if word in told), "") for told in (DESKS, TOPICS))


class Reader(ToyModel):
    """Reads the question and its demonstrations: what a demonstration of the same desk and topic says is its answer.

    Without demonstrations it knows the rule; where nothing tells, it says yes.
    """

    answers = frozenset({"LogLikelihood"})

    def run(self, requests):
        answered = []
        for request in requests:
            desk, topic = said(request.prompt.query)
            votes = Counter()
            for shown in request.prompt.demonstrations:
                if said(shown) == (desk, topic):
                    votes[" yes" if "Wanted: yes" in shown else " no"] += 1
            if not request.prompt.demonstrations and desk:
                votes[" yes" if (topic == "goal") == (desk == "north") else " no"] += 1
            best = votes.most_common(1)[0][0] if votes else " yes"
            answered.append(LogLikelihoods(tuple(0.0 if one == best else -9.0 for one in request.continuations)))
        return answered


class Embedder(ToyModel):
    """Vectors of what a text tells: desk and topic by themselves, and each pair of them where it sees interactions."""

    answers = frozenset({"Embed"})

    def __init__(self, interacts):
        self.interacts = interacts

    def fingerprint(self):
        return f"embedder {self.interacts}"

    def run(self, requests):
        return [Embedded(self._vector(*said(request.text))) for request in requests]

    def _vector(self, desk, topic):
        alone = [float(desk == one) for one in DESKS] + [float(topic == one) for one in TOPICS]
        pairs = [float((desk, topic) == (one, other)) for one in DESKS for other in TOPICS]
        return tuple(alone + pairs) if self.interacts else tuple(alone)


def accuracy(strategy, model, folder, task=None):
    """Of a strategy on the scored rows, asked as a trial asks them."""
    task = task or Desks()
    adapted = strategy.adapt(model, TaskData(task).view("test", reads(strategy)), Setting(0, "cpu", folder))
    engine = adapted.trained.engine if adapted.trained else model.load("cpu")
    rows = task.samples("test")
    asked = [adapted.requests(row) for row in rows]
    answered = iter(engine.run([request for several in asked for request in several]))
    decided = [adapted.decide(row, [next(answered) for _ in several]) for row, several in zip(rows, asked, strict=True)]
    assert [one.context for one in decided] == [row.context for row in rows]  # scores stand under the true context
    return sum(one.correct for one in decided) / len(rows)


@pytest.mark.parametrize("source", ["label", "description"])
@pytest.mark.parametrize(
    ("of", "plain", "model"),
    [
        ("zero-shot", ZeroShot(), Reader()),
        ("few-shot", FewShot(k=40), Reader()),
        ("linear-probe", LinearProbe(), Embedder(interacts=True)),
    ],
    ids=["zero-shot", "few-shot", "linear-probe"],
)
def test_a_label_that_flips_with_the_context_is_told_by_it_alone(tmp_path, of, plain, model, source):
    parameters = {"k": 40} if of == "few-shot" else {}
    assert 0.4 <= accuracy(plain, model, tmp_path) <= 0.6
    assert accuracy(context(of=of, source=source, **parameters), model, tmp_path) >= 0.95
    assert accuracy(context(of=of, source=source, shuffle="yes", **parameters), model, tmp_path) <= 0.1


def test_a_linear_probe_on_vectors_that_add_up_cannot_tell(tmp_path):
    assert 0.4 <= accuracy(context(of="linear-probe"), Embedder(interacts=False), tmp_path) <= 0.6


@pytest.fixture(scope="module")
def small_bert(tmp_path_factory):
    """A random BERT with a vocabulary of the task's words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *TOPICS, *DESKS, *REST, ":"]
    core = Tokenizer(models.WordPiece({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = transformers.BertConfig(
        vocab_size=len(words), max_position_embeddings=32, initializer_range=0.2, hidden_dropout_prob=0.0, **size
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_fine_tuning_learns_how_context_and_text_work_together(small_bert, empty_assets, tmp_path):
    from harness_hf.models import hf

    model = hf(str(small_bert), empty_assets)
    parameters = {"epochs": 15, "learning_rate": 2e-3, "patience": 15}
    assert 0.35 <= accuracy(FineTune(**parameters), model, tmp_path) <= 0.65
    given = context(of="finetune", **parameters)
    assert accuracy(given, model, tmp_path) >= 0.95
    assert accuracy(dataclasses.replace(given, shuffle="yes"), model, tmp_path) <= 0.1
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2  # wrong contexts are asked of the same checkpoint


# --- training with and without -----------------------------------------------------------------------


class Recording(ToyModel):
    """Keeps the texts that it is trained on."""

    def __init__(self):
        self.seen = []

    def train(self, job):
        self.seen += [text for text, _ in (*job.examples, *job.validation)]
        return super().train(job)


def adapted(strategy, model, tmp_path, task=None, seed=0):
    return strategy.adapt(
        model, TaskData(task or Desks()).view("test", reads(strategy)), Setting(seed, "cpu", tmp_path)
    )


@pytest.mark.parametrize(("train", "said_in_training"), [("yes", True), ("no", False)])
def test_training_rows_have_contexts_unless_told_and_scored_rows_always(tmp_path, train, said_in_training):
    model = Recording()
    asked = adapted(context(of="finetune", train=train, train_size="20"), model, tmp_path)
    assert all(bool(said(text)[0]) == said_in_training for text in model.seen)
    row = Desks().samples("test")[0]
    assert asked.requests(row)[0].text == f"north: {row.fields['text']}"


def test_training_without_contexts_draws_the_rows_that_the_plain_strategy_draws(tmp_path):
    plain, without = Recording(), Recording()
    adapted(FineTune(train_size=20), plain, tmp_path)
    adapted(context(of="finetune", train="no", train_size="20"), without, tmp_path)
    assert plain.seen == without.seen


def test_wrong_contexts_are_for_scored_rows_alone(tmp_path):
    right, wrong = Recording(), Recording()
    adapted(context(of="finetune"), right, tmp_path)
    adapted(context(of="finetune", shuffle="yes"), wrong, tmp_path)
    assert right.seen == wrong.seen


def test_what_means_nothing_is_refused():
    with pytest.raises(UsageError, match="zero-shot sees no training rows"):
        context(train="no")
    with pytest.raises(UsageError, match="source=retrieved"):
        context(passages_k=3)
    with pytest.raises(ParameterError):
        context(of="few-shot", source="retrieved", epochs=3)


@given(st.sets(st.text(max_size=4), min_size=2, max_size=9), st.integers(0, 99))
def test_no_context_is_exchanged_for_itself_and_each_is_handed_out_once(contexts, seed):
    exchanged = exchange(contexts, seed)
    assert set(exchanged) == set(exchanged.values()) == contexts
    assert all(exchanged[one] != one for one in contexts)


def test_a_single_context_has_no_wrong_one(tmp_path):
    class One(Desks):
        def samples(self, split):
            return [dataclasses.replace(row, context="north") for row in super().samples(split)]

    with pytest.raises(DataError, match="no wrong contexts to hand out: the training rows have 1"):
        adapted(context(shuffle="yes"), Reader(), tmp_path, One())


def test_a_context_that_was_never_seen_is_said_by_its_label_and_gets_a_known_one_as_wrong(tmp_path):
    stranger = Sample("s", {"text": "a late goal"}, "yes", "west")
    assert adapted(context(), Reader(), tmp_path).requests(stranger)[0].prompt.query.startswith("west: ")
    wrong = adapted(context(shuffle="yes"), Reader(), tmp_path).requests(stranger)[0].prompt.query
    assert said(wrong)[0] in DESKS


# --- retrieval ---------------------------------------------------------------------------------------------


def spec(**changes):
    return dataclasses.replace(Desks.spec, **changes)


class Rows:
    """A task of given rows."""

    def __init__(self, train, test, spec=Desks.spec):
        self.spec = spec
        self._rows = {"train": train, "validation": [], "test": test}

    def samples(self, split):
        return self._rows[split]


def row(number, text, target="yes", desk="north"):
    return Sample(str(number), {"text": text}, target, desk)


def test_bm25_is_that_of_the_formula():
    """Robertson's BM25 with Lucene's idf, k1 = 1.5 and b = 0.75, counted by hand."""
    texts = ["the cat sat on the mat", "a dog barked", "the dog and the cat", ""]
    words = [text.split() for text in texts]
    mean = sum(map(len, words)) / len(words)

    def score(query, document):
        total = 0.0
        for word in query.split():
            holding = sum(word in one for one in words)
            if holding:
                often = document.count(word)
                idf = math.log(1 + (len(words) - holding + 0.5) / (holding + 0.5))
                total += idf * often / (often + 1.5 * (0.25 + 0.75 * len(document) / mean))
        return total

    for query in ("the cat", "dog", "a zebra", "", "mat mat"):
        expected = [score(query, document) for document in words]
        assert ByWords(texts).scores(query) == pytest.approx(expected, abs=1e-5)


def test_a_collection_without_words_gives_nothing():
    assert Passages(["", " "], ByWords(["", " "])).nearest("cat", 2) == ()


TRAIN = [
    row(1, "a cat sat on a mat"),
    row(2, "a cat ran", "no", "south"),
    row(3, "ships sail at dawn"),
    row(4, "A cat sat, on a mat!", "no"),
]


def test_a_passage_is_the_nearest_training_text_of_the_same_context(tmp_path):
    asked = adapted(context(source="retrieved"), ToyModel(), tmp_path, Rows(TRAIN, [row(9, "my cat ran")]))
    (request,) = asked.requests(row(9, "my cat ran"))
    assert request.prompt.query == "a cat sat on a mat\nText: my cat ran\nWanted:"
    (request,) = asked.requests(row(9, "my cat ran", desk="south"))
    assert request.prompt.query.startswith("a cat ran\nText: my cat ran")
    assert asked.budget == LabelBudget(unlabelled=4)
    assert any("1 of 4 passages before each input, by bm25" in note for note in asked.notes)


def test_a_context_without_passages_is_given_those_of_all(tmp_path):
    asked = adapted(context(source="retrieved"), ToyModel(), tmp_path, Rows(TRAIN, [row(9, "x")]))
    assert asked.requests(row(9, "ships", desk="west"))[0].prompt.query.startswith("ships sail at dawn\n")


def test_a_task_without_contexts_retrieves_from_all_its_training_texts(tmp_path):
    rows = [dataclasses.replace(one, context=None) for one in TRAIN]
    task = Rows(rows, [dataclasses.replace(row(9, "my cat ran"), context=None)], spec(has_context=False, contexts={}))
    strategy = context(source="retrieved", passages_k=2)
    assert strategy.refuses(ToyModel(), task.spec) is None
    query = adapted(strategy, ToyModel(), tmp_path, task).requests(task.samples("test")[0])[0].prompt.query
    assert query.startswith("a cat ran\na cat sat on a mat\nText:")


def test_no_training_row_is_given_itself_or_its_duplicate(tmp_path):
    model = Recording()
    adapted(context(of="finetune", source="retrieved"), model, tmp_path, Rows(TRAIN, [row(9, "x")]))
    assert model.seen[0] == "ships sail at dawn\na cat sat on a mat"  # not row 4, which says the same
    for text in model.seen:
        lines = list(map(normalised, text.split("\n")))
        assert len(set(lines)) == len(lines)


@given(st.lists(st.text("ab !", min_size=1, max_size=5), min_size=1, max_size=9), st.text("ab !", max_size=5))
def test_no_passage_says_what_the_query_says_or_another_passage(texts, query):
    found = [normalised(one) for one in Passages(texts, ByWords(texts)).nearest(query, 3)]
    assert normalised(query) not in found
    assert len(set(found)) == len(found)


def test_wrong_passages_are_those_near_another_row(tmp_path):
    task = Rows([row(at, f"{word} {word} {at}") for at, word in enumerate("abcdefgh" * 4)], [row(99, "a a")])
    right = adapted(context(source="retrieved"), ToyModel(), tmp_path, task)
    wrong = adapted(context(source="retrieved", shuffle="yes"), ToyModel(), tmp_path, task)
    queries = [row(100 + at, f"{word} {word}") for at, word in enumerate("abcdefgh" * 4)]
    near = [
        asked.requests(one)[0].prompt.query[0] == one.fields["text"][0] for asked in (right, wrong) for one in queries
    ]
    assert all(near[:32])
    assert sum(near[32:]) <= 12  # one in eight by chance


def test_passages_of_a_file(tmp_path):
    lines, texts = tmp_path / "p.jsonl", tmp_path / "p.txt"
    lines.write_text('{"text": "the cat is out"}\n\n{"text": "ships"}\n')
    texts.write_text("the cat\nis out\n\n\nships\n")
    for file in (lines, texts):
        strategy = context(source="retrieved", passages=str(file))
        assert reads(strategy) == {"prompt"}
        asked = adapted(strategy, ToyModel(), tmp_path, Rows([], [row(1, "x")]))
        assert asked.requests(row(9, "my cat"))[0].prompt.query.startswith("the cat is out\nText: my cat")
        assert asked.budget == LabelBudget()


def test_the_content_of_a_file_of_passages_is_part_of_the_strategy(tmp_path):
    file = tmp_path / "p.txt"
    file.write_text("one")
    before = context(source="retrieved", passages=str(file))
    file.write_text("two")
    assert context(source="retrieved", passages=str(file)) != before


@pytest.mark.parametrize(
    ("name", "content", "said_of_it"),
    [
        ("p.txt", " \n\n ", "the file has no passages"),
        ("p.jsonl", '{"text": "a"}\n{"body": "b"}\n', r"p.jsonl:2: has no `text`"),
        ("p.jsonl", "{", r"p.jsonl:1: is no JSON"),
    ],
)
def test_a_file_that_holds_no_passages_is_refused_with_the_place(tmp_path, name, content, said_of_it):
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(DataError, match=said_of_it):
        adapted(context(source="retrieved", passages=str(file)), ToyModel(), tmp_path)


def test_a_missing_file_is_refused_when_the_strategy_is_made():
    with pytest.raises(DataError, match=r"nowhere.txt: can't read the passages"):
        context(source="retrieved", passages="nowhere.txt")


def test_an_empty_collection_is_refused(tmp_path):
    with pytest.raises(DataError, match="there are no passages: the task has no training rows"):
        adapted(context(source="retrieved"), ToyModel(), tmp_path, Rows([], [row(1, "x")]))


def test_a_question_is_embedded_each_time_it_is_asked_and_a_training_text_once(tmp_path):
    class CountingEmbedder(ToyModel):
        answers = frozenset({"Embed", "LogLikelihood"})
        read: ClassVar[list[str]] = []

        def run(self, requests):
            self.read.extend(one.text for one in requests)
            return [Embedded((float(len(one.text)), 1.0)) for one in requests]

    task, model = Rows([row(1, "short"), row(2, "a longer text")], [row(9, "a question")]), CountingEmbedder()
    asked = adapted(context(source="retrieved", retriever="embeddings"), model, tmp_path, task)
    for _ in range(2):
        asked.requests(task.samples("test")[0])
    assert model.read.count("a question") == 2, "a time that is measured has the work in it"
    assert all(model.read.count(one.fields["text"]) == 1 for one in task.samples("train"))


def test_what_bm25_needs_is_said(monkeypatch):
    monkeypatch.setattr(retrieval, "find_spec", lambda _: None)
    with pytest.raises(PluginError, match="needs bm25s"):
        context(source="retrieved")
    context(source="retrieved", retriever="embeddings")


def test_passages_by_embeddings_are_the_nearest_by_cosine(tmp_path):
    class Letters(ToyModel):
        answers = frozenset({"Embed", "LogLikelihood"})

        def run(self, requests):
            return [Embedded(tuple(float(one.text.count(letter)) for letter in "abc")) for one in requests]

    task = Rows([row(1, "aaaa b"), row(2, "b"), row(3, "cc")], [row(9, "aa")])
    asked = adapted(context(source="retrieved", retriever="embeddings"), Letters(), tmp_path, task)
    firsts = [asked.requests(row(9, text))[0].prompt.query.partition("\n")[0] for text in ("aa", "bb", "c")]
    assert firsts == ["aaaa b", "b", "cc"]
    refusal = context(source="retrieved", retriever="embeddings").refuses(ToyModel(), Desks.spec)
    assert refusal == "the model gives no embeddings to retrieve by"


@pytest.mark.parametrize("changes", [{"source": "retrieved"}, {"shuffle": "yes"}, {"of": "few-shot", "train": "no"}])
def test_they_keep_the_contract(changes):
    check_strategy(context(**changes))
