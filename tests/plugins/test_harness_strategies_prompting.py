"""The five parts of a prompt strategy: each formula against an independent computation, and what is never shown."""

import dataclasses
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.neighbors import KNeighborsClassifier

import harness
from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.components import build, parameters_of
from harness.declared import reads
from harness.errors import ConfigError, ModelError, PluginError, TemplateError, TrainingError, UsageError
from harness.interfaces import Setting
from harness.planning import Planner, check_rows, plan, task_identity
from harness.plugins import Plugins
from harness.promptparts import Pool
from harness.records import (
    Component,
    Embed,
    Embedded,
    Experiment,
    Filled,
    LabelBudget,
    LogLikelihood,
    LogLikelihoods,
    PromptSpec,
    Sample,
    TaskSpec,
    Usage,
)
from harness.taskdata import TaskData
from harness.templates import render_domain
from harness.testing import ToyModel, ToyTask, check_strategy
from harness_strategies.calibration import calibrated, log_prior
from harness_strategies.neighbours import NeighbourVote
from harness_strategies.ordering import ORDERS
from harness_strategies.prompting import FewShot, ZeroShot
from harness_strategies.selection import diverse, votek

WARM, COLD = "Label: warm", "Label: cold"


class Rows:
    """A task of given rows."""

    def __init__(self, train, test, spec=ToyTask.spec):
        self.spec = spec
        self._rows = {"train": train, "validation": [], "test": test}

    def samples(self, split):
        return self._rows[split]


class Letters(ToyModel):
    """Embeds a text by the counts of its letters, and counts tokens as characters."""

    answers = frozenset({"LogLikelihood", "Generate", "Embed"})

    def __init__(self):
        self.asked = []

    def run(self, requests):
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        if isinstance(request, Embed):
            return Embedded(tuple(float(request.text.lower().count(chr(97 + n))) for n in range(26)))
        if isinstance(request, LogLikelihood):
            values = tuple(self.value(request.prompt.text, text) for text in request.continuations)
            return LogLikelihoods(values, Usage(10, 2), tuple(map(len, request.continuations)))
        return super().run([request])[0]

    def value(self, prompt, text):
        return -1.0 - (sum(map(ord, prompt + text)) % 17)


def sample(number, text, target="warm"):
    return Sample(str(number), {"text": text}, target)


def adapted(strategy, task=None, *, model=None, seed=0, folder=Path("unused"), **setting):
    data = TaskData(task or ToyTask())
    return strategy.adapt(
        model or Letters(), data.view("test", reads(strategy)), Setting(seed, "cpu", folder, **setting)
    )


def decided(strategy, task=None, *, model=None, at=0, **options):
    task, model = task or ToyTask(), model or Letters()
    made = adapted(strategy, task, model=model, **options)
    row = task.samples("test")[at]
    requests = made.requests(row)
    return made.decide(row, (made.trained.engine if made.trained else model).run(requests))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """What is kept by tests that name no folder is kept there."""
    monkeypatch.chdir(tmp_path)


# --- contracts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy",
    [
        *(FewShot(k=3, select=name) for name in ("bm25", "knn", "diverse", "votek")),
        *(ZeroShot(scoring=name) for name in ("mean", "per-byte", "pmi", "channel")),
        *(FewShot(k=2, scoring=name) for name in ("pmi", "channel")),
        ZeroShot(calibrate="contextual"),
        ZeroShot(calibrate="batch"),
        FewShot(k=2, calibrate="batch", select="knn"),
        FewShot(k=2, calibrate="contextual", scoring="mean"),
        NeighbourVote(k=3),
        NeighbourVote(k=3, weighted=True),
    ],
    ids=str,
)
def test_every_composition_keeps_the_contract(strategy):
    check_strategy(strategy, model=Letters())


# --- scorers -------------------------------------------------------------------------------------

SPEC = TaskSpec(
    "t", "classification", PromptSpec("Text: {{ text }}\nLabel:", input="{{ text }}"), {"a": " é", "b": " bad"}
)


@pytest.mark.parametrize(
    ("scoring", "expected"),
    [
        ("sum", lambda p, q: (p(q, " é"), p(q, " bad"))),
        ("mean", lambda p, q: (p(q, " é") / 2, p(q, " bad") / 4)),
        ("per-byte", lambda p, q: (p(q, " é") / 3, p(q, " bad") / 4)),
        ("pmi", lambda p, q: (p(q, " é") - p("Label:", " é"), p(q, " bad") - p("Label:", " bad"))),
        ("channel", lambda p, q: (p("é", "\nsnow") + math.log(0.5), p("bad", "\nsnow") + math.log(0.5))),
    ],
)
def test_scores_are_those_of_the_formula(scoring, expected):
    task, model = Rows([], [sample(1, "snow", "a")], SPEC), Letters()
    said = decided(ZeroShot(scoring=scoring), task, model=model)
    scores = expected(model.value, "Text: snow\nLabel:")
    assert said.scores == pytest.approx(scores)
    assert said.prediction == "ab"[scores.index(max(scores))]


def test_channel_turns_demonstrations_round():
    spec = dataclasses.replace(SPEC, labels={"warm": " w", "cold": " c"})
    made = adapted(FewShot(k=1, scoring="channel"), Rows([sample(1, "sun")], [sample(2, "snow")], spec))
    first, second = made.requests(sample(2, "snow"))
    assert (first.prompt.text, second.prompt.text) == ("w\nsun\n\nw", "w\nsun\n\nc")
    assert first.continuations == second.continuations == ("\nsnow",)


def test_all_that_was_read_for_a_sample_is_counted():
    assert decided(ZeroShot(scoring="pmi")).usage == Usage(20, 4)


def test_a_model_that_does_not_count_tokens_can_not_be_scored_by_them():
    with pytest.raises(ModelError, match="does not tell how many tokens"):
        decided(ZeroShot(scoring="mean"), model=ToyModel())


def test_fillings_are_scored_per_token_too():
    class Filling(ToyModel):
        answers = frozenset({"FillMask"})

        def run(self, requests):
            return [Filled((-2.0, -3.0), tokens=(1, 3)) for _ in requests]

    assert decided(ZeroShot(scoring="mean"), model=Filling()).prediction == "cold"
    assert ZeroShot(scoring="channel").refuses(Filling(), ToyTask.spec) == (
        "scoring=channel needs log-likelihoods of texts, not of blanks"
    )


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (PromptSpec("Text: {{ text }}\nLabel:"), "Label:"),
        (PromptSpec("{{ text }} It was"), "It was"),
        (PromptSpec("{% if text %}{{ text }}{% endif %}\n\nTopic:"), "Topic:"),
        (PromptSpec("{{ text }}"), ""),
        (PromptSpec("{{ text }}\nLabel:", domain="A film is"), "A film is"),
    ],
)
def test_the_domain_is_what_stands_behind_the_question_unless_it_is_told(prompt, expected):
    assert render_domain(TaskSpec("t", "classification", prompt), sample(1, "x")) == expected


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_an_engine_tells_the_tokens_that_it_scored_and_labels_may_share_their_first(load, tiny_checkpoint, name):
    from transformers import AutoTokenizer

    labels = {"warm": " business", "cold": " business sport"}
    spec = dataclasses.replace(ToyTask.spec, labels=labels)
    task, engine = Rows([], [sample(1, "the film")], spec), load(name)
    request = adapted(ZeroShot(), task).requests(sample(1, "the film"))[0]
    (response,) = engine.run([request])
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint(name))
    alone = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in labels.values()]
    assert alone[0][0] == alone[1][0]
    assert response.tokens == tuple(map(len, alone))
    assert response.values[0] > response.values[1]  # the longer one goes on from the shorter


# --- calibration ---------------------------------------------------------------------------------


def test_the_prior_is_the_mean_of_renormalised_probabilities():
    scores = [(-1.0, -2.0, -9.0), (-300.0, -301.0, -300.5), (-5.0, -1.0, -2.0)]
    mean = np.mean([softmax(row) for row in scores], axis=0)
    assert np.exp(log_prior(scores)) == pytest.approx(mean)
    expected = log_softmax([-1.0, -1.5, -4.0]) - np.log(mean)
    assert calibrated((-1.0, -1.5, -4.0), log_prior(scores)) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("rows", [[], [(math.nan, 0.0)], [(-math.inf, -math.inf)]])
def test_nothing_is_calibrated_with_what_is_no_number(rows):
    with pytest.raises(ModelError, match="no numbers"):
        log_prior(rows)


@given(
    scores=st.lists(st.lists(st.floats(-30, 0), min_size=3, max_size=3), min_size=1, max_size=8),
    bias=st.lists(st.floats(-50, 50), min_size=3, max_size=3),
)
def test_the_constant_bias_of_a_prompt_that_says_no_more_is_taken_off_whole(scores, bias):
    """Where every text of the prior has the same scores, what they prefer is gone, whatever it is."""
    prior = log_prior([bias] * 4)
    for row in scores:
        found = calibrated(np.add(row, bias).tolist(), prior)
        assert log_softmax(found) == pytest.approx(log_softmax(row), abs=1e-6)


class Biased(Letters):
    """Knows a text's label by its weather, weakly, and likes to say `warm` much more."""

    def value(self, prompt, text):
        question = prompt.rpartition("Text: ")[2]
        knows = {" warm": "sun" in question, " cold": "snow" in question}[text]
        return -9.0 + knows + (5.0 if text == " warm" else 0.0)


@pytest.mark.parametrize("calibrate", ["contextual", "batch"])
@pytest.mark.parametrize("make", [ZeroShot, FewShot])
def test_calibration_undoes_a_planted_bias(make, calibrate):
    task = ToyTask()

    def correct(strategy):
        return sum(decided(strategy, task, model=Biased(), at=at).correct for at in range(12))

    assert correct(make()) == 6  # all are said to be warm
    assert correct(make(calibrate=calibrate)) == 12


def test_contextual_calibration_asks_three_inputs_without_content_behind_the_demonstrations():
    model = Letters()
    made = adapted(FewShot(k=2, calibrate="contextual"), model=model)
    texts = [request.prompt.query for request in model.asked]
    assert texts == ["Text: N/A\nLabel:", "Text: \nLabel:", "Text: [MASK]\nLabel:"]
    assert len({request.prompt.demonstrations for request in model.asked}) == 1
    assert "3 inputs without content, 3 model calls" in made.notes[0]
    assert made.budget == LabelBudget(train=2)


def test_batch_calibration_asks_training_texts_that_are_no_demonstrations_and_counts_them():
    model = Letters()
    made = adapted(FewShot(k=2, calibrate="batch", calibration_texts=5), model=model)
    asked = {request.prompt.query for request in model.asked}
    shown = model.asked[0].prompt.demonstrations
    assert len(asked) == 5
    assert all(query.startswith("Text: train") for query in asked)
    assert not any(text.startswith(query) for query in asked for text in shown)
    assert made.budget == LabelBudget(train=2, unlabelled=5)
    assert made.trained is None


def test_a_calibrator_leaves_its_model_alone_where_requests_are_only_shown():
    model = Letters()
    made = adapted(ZeroShot(calibrate="batch"), model=model, dry=True)
    assert not model.asked
    assert any("not loaded" in note for note in made.notes)


def test_batch_calibration_of_searched_demonstrations_never_shows_a_text_its_own_label():
    model = Letters()
    adapted(FewShot(k=4, select="knn", calibrate="batch"), model=model)
    questions = [request.prompt for request in model.asked if isinstance(request, LogLikelihood)]
    assert len(questions) == 12
    assert not any(shown.startswith(one.query) for one in questions for shown in one.demonstrations)


def test_the_uncalibrated_strategy_is_the_baseline():
    assert ZeroShot().baseline is None
    assert ZeroShot(calibrate="batch", scoring="mean").baseline == Component(
        "zero-shot", None, parameters_of(ZeroShot(scoring="mean"))
    )
    assert FewShot(select="knn", calibrate="batch").baseline.params["calibrate"] == "none"
    assert FewShot(k=5, select="knn").baseline == Component("knn", None, {"k": 5, "encoder": None})


# --- selection and order -------------------------------------------------------------------------

TEXTS = ["snow falls", "snow snow", "sun shines bright", "rain falls", "hail and rain", "the moon"]


def shown(strategy, text, texts=TEXTS, **options):
    rows = [sample(number, one) for number, one in enumerate(texts)]
    query = sample(99, text)
    made = adapted(strategy, Rows(rows, [query]), **options)
    return [one.partition("\n")[0].removeprefix("Text: ") for one in made.requests(query)[0].prompt.demonstrations]


def test_bm25_finds_what_the_formula_ranks_first():
    query = ["rain", "falls", "on", "snow"]
    documents = [text.split() for text in TEXTS]
    mean = sum(map(len, documents)) / len(documents)

    def score(words):
        total = 0.0
        for word in query:
            having = sum(word in other for other in documents)
            idf = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
            tf = words.count(word)
            total += idf * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * len(words) / mean))
        return total

    ranked = sorted(TEXTS, key=lambda text: -score(text.split()))
    assert shown(FewShot(k=3, select="bm25"), "Rain falls on snow!") == list(reversed(ranked[:3]))


def test_bm25_of_texts_without_words_takes_the_first_rows():
    assert shown(FewShot(k=2, select="bm25"), "snow", texts=["!!!", "???", "..."]) == ["???", "!!!"]


def test_bm25_of_unknown_words_takes_the_first_rows():
    assert shown(FewShot(k=2, select="bm25", order="rows"), "zzz qqq") == TEXTS[:2]


def test_without_bm25s_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bm25s", None)
    with pytest.raises(PluginError, match="needs bm25s") as caught:
        shown(FewShot(select="bm25"), "x")
    assert "adapt-harness[retrieval]" in caught.value.hint


def letters(text):
    counts = np.array([text.count(chr(97 + n)) for n in range(26)], float)
    return counts / np.linalg.norm(counts)


def test_knn_finds_the_largest_cosines_and_puts_them_last():
    ranked = sorted(TEXTS, key=lambda text: -(letters(text) @ letters("snow shines")))
    assert shown(FewShot(k=3, select="knn"), "snow shines") == list(reversed(ranked[:3]))
    assert shown(FewShot(k=3, select="knn", order="similar-first"), "snow shines") == ranked[:3]
    assert shown(FewShot(k=3, select="knn", order="rows"), "snow shines") == sorted(ranked[:3], key=TEXTS.index)


def test_orders_hold_the_same_rows_and_the_seed_shuffles():
    picked = [5, 2, 9, 4]
    orders = {seed: tuple(ORDERS["seeded"].order(picked, similar=True, seed=seed, name="a")) for seed in range(20)}
    assert all(sorted(order) == sorted(picked) for order in orders.values())
    assert len(set(orders.values())) > 5
    assert ORDERS["auto"].order(picked, similar=True, seed=0, name="") == [4, 9, 2, 5]
    assert ORDERS["auto"].order(picked, similar=False, seed=0, name="") == picked


class Fixed:
    """An encoder of given vectors."""

    def __init__(self, vectors):
        self._vectors = np.asarray(vectors, np.float32)

    def embed(self, texts):
        return self._vectors


def pool(vectors, seed=0):
    rows = [sample(number, str(number)) for number in range(len(vectors))]
    return Pool(ToyTask.spec, rows, list, random.Random(seed), Fixed(vectors))


@pytest.mark.parametrize("seed", range(5))
def test_diverse_takes_a_row_of_each_cluster(seed):
    draw = np.random.default_rng(seed)
    axes = np.eye(4, 8)
    vectors = np.concatenate(
        [axis + 0.01 * draw.normal(size=(size, 8)) for axis, size in zip(axes, (30, 3, 9, 1), strict=True)]
    )
    clusters = np.repeat(range(4), (30, 3, 9, 1))
    assert sorted(clusters[diverse(pool(vectors, seed), 4)]) == [0, 1, 2, 3]
    assert sorted(diverse(pool(vectors), 99)) == list(range(43))


def test_diverse_takes_as_many_rows_as_asked_where_all_are_equal():
    assert sorted(diverse(pool(np.ones((6, 3))), 4)) == [0, 1, 2, 3]


def test_votek_is_the_greedy_of_the_paper():
    vectors = np.random.default_rng(3).normal(size=(200, 6))
    cosine = vectors @ vectors.T / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    np.fill_diagonal(cosine, -2)
    votes = np.zeros((200, 200), bool)  # votes[v, u]: v votes for u
    for v in range(200):
        votes[v, np.argsort(-cosine[v])[:150]] = True
    chosen = []
    for _ in range(6):
        left = [u for u in range(200) if u not in chosen]
        score = {u: sum(10.0 ** -votes[v, chosen].sum() for v in left if votes[v, u]) for u in left}
        chosen.append(max(left, key=lambda u: round(score[u], 9)))
    assert votek(pool(vectors), 6) == chosen


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 20),
    select=st.sampled_from(["bm25", "knn", "diverse", "votek", "balanced", "random"]),
    calibrate=st.sampled_from(["none", "batch"]),
)
def test_no_scored_row_is_shown_or_asked_and_a_seed_gives_the_same_again(tmp_path_factory, seed, k, select, calibrate):
    rng = random.Random(seed)
    texts = [f"text {rng.randrange(12)}{mark}" for mark in ("", "!", "  ") for _ in range(6)]
    rows = [sample(number, text, rng.choice(["warm", "cold"])) for number, text in enumerate(texts)]
    task = Rows(rows[:12], rows[12:])
    scored = {text.rstrip("! ") for text in texts[12:]}
    left = [row for row in rows[:12] if row.fields["text"].rstrip("! ") not in scored]
    if len(left) <= (k if calibrate == "batch" else 0):
        return
    model, strategy = Letters(), FewShot(k=k, select=select, calibrate=calibrate)
    folder = tmp_path_factory.mktemp("cache")
    first, second = (adapted(strategy, task, model=model, seed=seed, folder=folder) for _ in range(2))
    asked = [request for request in model.asked if isinstance(request, LogLikelihood)]
    assert not any(
        request.prompt.query.removeprefix("Text: ").split("\n")[0].rstrip("! ") in scored for request in asked
    )
    for row in rows[12:]:
        (request,) = first.requests(row)
        assert [request] == list(second.requests(row))
        assert len(request.prompt.demonstrations) == min(k, len(left))
        seen = [one.removeprefix("Text: ").split("\n")[0].rstrip("! ") for one in request.prompt.demonstrations]
        assert not scored.intersection(seen)


class Copying(Letters):
    """Says the label of the last demonstration."""

    def value(self, prompt, text):
        return -1.0 if prompt.rpartition("Label: ")[2].startswith(text.strip()) else -2.0


def test_demonstrations_that_are_near_carry_the_label_where_random_ones_do_not():
    rng = random.Random(1)
    words = {"warm": "sunny bright summer sun", "cold": "icy frozen winter ice"}
    made = [(label, " ".join(rng.sample(words[label].split(), 3)) + f" {n}") for n in range(40) for label in words]
    rows = [sample(number, text, label) for number, (label, text) in enumerate(made)]
    task = Rows(rows[:40], rows[40:])

    def accuracy(select):
        found = [decided(FewShot(k=3, select=select), task, model=Copying(), at=at) for at in range(40)]
        return sum(one.correct for one in found) / 40

    assert accuracy("knn") == 1.0
    assert accuracy("bm25") == 1.0
    assert accuracy("random") == 0.5  # one set for all: half of a balanced test set


# --- budgets and bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "budget"),
    [
        (ZeroShot(), LabelBudget()),
        (FewShot(k=4), LabelBudget(train=4)),
        (FewShot(k=99), LabelBudget(train=12)),
        (FewShot(k=4, select="knn"), LabelBudget(train=12)),
        (FewShot(k=4, select="bm25"), LabelBudget(train=12)),
        (FewShot(k=4, select="votek"), LabelBudget(train=4, unlabelled=8)),
        (ZeroShot(calibrate="batch", calibration_texts=7), LabelBudget(unlabelled=7)),
        (NeighbourVote(k=2), LabelBudget(train=12)),
    ],
    ids=str,
)
def test_labels_and_texts_that_were_used_are_told(tmp_path, strategy, budget):
    assert adapted(strategy, folder=tmp_path).budget == budget


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"order": "similar-last"}, "order=similar-last needs a search"),
        ({"encoder": "minilm-l6"}, "encoder=minilm-l6 has no use: select=balanced embeds nothing"),
        ({"select": "bm25", "calibrate": "contextual"}, "one prompt for all samples"),
        ({"select": "balancd"}, r"unknown selector 'balancd' \(did you mean balanced"),
        ({"order": "similar"}, r"unknown order 'similar' \(did you mean similar-"),
        ({"scoring": "median"}, r"unknown scorer 'median' \(did you mean mean\?\)"),
        ({"calibrate": "content"}, r"unknown calibrator 'content' \(did you mean contextual\?\)"),
        ({"k": "0"}, "parameter k='0' is wrong"),
    ],
)
def test_parts_that_make_no_sense_together_are_refused(parameters, message):
    with pytest.raises(UsageError, match=message):
        build(FewShot, Component("few-shot", None, parameters), kind="strategy")


def test_demonstrations_as_even_as_can_be_are_not_remarked_on():
    rows = [sample(0, "sun", "warm"), *(sample(n, f"snow {n}", "cold") for n in range(1, 9))]
    task = Rows(rows, [sample(99, "x")])
    assert not adapted(FewShot(k=3), task).notes, "two and one are as even as three can be"
    assert not adapted(FewShot(k=6, select="random"), task).notes, "nobody has asked for that"
    (none,) = adapted(FewShot(k=4), Rows(rows[1:], [sample(99, "x")])).notes
    assert none.endswith(": warm 0")


def test_labels_that_are_said_alike_are_refused(catalogue):
    class Alike(ToyTask):
        spec = dataclasses.replace(ToyTask.spec, labels={"warm": " it", "cold": " it"})

    with pytest.raises(ConfigError, match="task toy: labels: labels 'warm' and 'cold' are both said ' it'"):
        check_rows(TaskData(Alike()), Experiment((), (), ()), catalogue)


def test_labels_that_differ_by_white_space_alone_are_no_turns():
    class Chatting(Letters):
        chats = True

        def written(self, prompts):
            return []

    spec = dataclasses.replace(ToyTask.spec, labels={"warm": " it", "cold": "it"})
    assert "labels 'warm' and 'cold' are both said 'it'" in ZeroShot(chat="turns").refuses(Chatting(), spec)
    assert ZeroShot(chat="message").refuses(Chatting(), spec) is None


GENERATION = TaskSpec("g", "generation", PromptSpec("{{ text }}"))
CHOICES = TaskSpec("c", "multiple-choice", PromptSpec("{{ text }}"))


@pytest.mark.parametrize(
    ("strategy", "spec", "reason"),
    [
        (ZeroShot(scoring="pmi"), GENERATION, "scoring=pmi compares choices, and a generation has none"),
        (FewShot(calibrate="batch"), GENERATION, "calibrate=batch needs labels that all rows share"),
        (ZeroShot(calibrate="contextual"), CHOICES, "calibrate=contextual needs labels that all rows share"),
        (ZeroShot(calibrate="contextual", scoring="pmi"), SPEC, "choose one"),
        (ZeroShot(calibrate="contextual", scoring="channel"), SPEC, "empties the input"),
        (FewShot(select="knn"), SPEC, "select=knn needs embeddings, which the model does not give: name an encoder"),
        (NeighbourVote(), SPEC, "the model gives no embeddings: name an encoder"),
        (NeighbourVote(), CHOICES, "only labels can be voted for"),
    ],
    ids=str,
)
def test_pairs_that_make_no_sense_are_refused_with_the_reason(strategy, spec, reason):
    assert reason in strategy.refuses(ToyModel(), spec)


def test_one_example_of_a_class_and_more_demonstrations_than_it_has():
    rows = [sample(0, "ice", "cold"), *(sample(n, f"sun {n}") for n in range(1, 9))]
    made = adapted(FewShot(k=6), Rows(rows, [sample(99, "x")]))
    texts = made.requests(sample(99, "x"))[0].prompt.demonstrations
    assert Counter(WARM in text for text in texts) == {True: 5, False: 1}
    assert made.notes == ("demonstrations are not balanced, since some labels have too few training rows: cold 1",)


def test_a_label_that_nothing_says_is_an_error_that_names_it():
    made = adapted(FewShot(k=1), Rows([sample(1, "a", "mild")], [sample(2, "b")]))
    with pytest.raises(TemplateError, match="nothing says the label 'mild'"):
        made.requests(sample(2, "b"))


def test_a_calibrator_without_a_text_says_so():
    with pytest.raises(ModelError, match="no training text beside the demonstrations"):
        adapted(FewShot(k=2, calibrate="batch"), Rows([sample(1, "a"), sample(2, "b")], [sample(3, "c")]))


# --- the vote of the neighbours --------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_the_vote_is_that_of_scikit_learn(tmp_path, weighted):
    rng = random.Random(5)
    words = ["snow", "sun", "rain", "hail", "moon", "storm", "wind", "ice", "heat", "fog"]
    texts = list(dict.fromkeys(" ".join(rng.sample(words, 4)) for _ in range(90)))
    rows = [sample(n, text, rng.choice(["warm", "cold"])) for n, text in enumerate(texts)]
    train, test = rows[:50], rows[50:80]

    def weigh(distances):
        return 1 - distances if weighted else np.ones_like(distances)

    judge = KNeighborsClassifier(5, metric="cosine", algorithm="brute", weights=weigh)
    judge.fit([letters(row.fields["text"]) for row in train], [row.target for row in train])
    expected = judge.predict_proba([letters(row.fields["text"]) for row in test])  # cold, warm
    model = Letters()
    made = adapted(NeighbourVote(k=5, weighted=weighted), Rows(train, test), model=model, folder=tmp_path)
    kept = {row.id for row in train}
    assert len(kept) == 50
    for row, (cold, warm) in zip(test, expected, strict=True):
        said = made.decide(row, model.run(made.requests(row)))
        nearest = np.sort(judge.kneighbors([letters(row.fields["text"])], 6)[0][0])
        if nearest[5] - nearest[4] > 1e-6:  # which of equal rows votes is not told
            assert said.scores == pytest.approx((warm, cold), abs=1e-5)


def test_of_equal_votes_the_nearer_wins(tmp_path):
    rows = [sample(1, "snow", "cold"), sample(2, "sun", "warm")]
    for text, label in (("snow snow o", "cold"), ("sun sun s", "warm")):
        assert decided(NeighbourVote(k=2), Rows(rows, [sample(3, text)]), folder=tmp_path / label).prediction == label


def test_nobody_votes_without_training_rows():
    with pytest.raises(TrainingError, match="no training rows"):
        adapted(NeighbourVote(), Rows([], [sample(1, "x")]))


# --- keys ------------------------------------------------------------------------------------------


def test_every_parameter_stands_in_the_key():
    strategies = (FewShot(k=3), FewShot(k=3, scoring="mean"), FewShot(k=3, order="rows"))
    found = [parameters_of(one) for one in strategies]
    plugins = Plugins()
    planner = Planner(Experiment((), (), ()), Catalogue(plugins, Assets(plugins.registry("source"))))
    assert [planner._settings(Component("few-shot"), one) for one in strategies] == found
    assert set(found[0]) == {"k", "select", "order", "encoder", "scoring", "calibrate", "calibration_texts", "chat"}


def test_the_domain_stands_in_the_key():
    read = frozenset({"prompt"})
    told_one = dataclasses.replace(SPEC, prompt=dataclasses.replace(SPEC.prompt, domain="x"))
    assert task_identity(SPEC, read)["prompt"]["domain"] is None
    assert task_identity(told_one, read)["prompt"]["domain"] == "x"


@pytest.fixture
def task_file(tmp_path):
    for split in ("train", "test"):
        rows = [f'{{"text": "{split} {n} film", "label": "{"ab"[n % 2]}"}}' for n in range(8)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(rows))
    (tmp_path / "task.yaml").write_text(
        "name: t\nkind: classification\ndata:\n  files: {train: train.jsonl, test: test.jsonl}\n"
        "  fields: {text: text, target: label}\nlabels: {a: ' a', b: ' b'}\nprompt: {template: '{{ text }}:'}\n"
    )
    return str(tmp_path / "task.yaml")


def test_the_key_covers_the_encoder_and_the_plugin_that_brings_it(catalogue: Catalogue, task_file, monkeypatch):
    def trial(fingerprint):
        strategy = Component("knn", None, {"encoder": "random"})
        models, tasks = (Component("smollm2-135m"),), (Component(task_file),)
        monkeypatch.setattr(
            Planner, "_fingerprint", lambda self, component, _: fingerprint if component.name == "random" else "model"
        )
        (job,) = plan(Experiment(models, tasks, (strategy,)), catalogue)
        return job.trial

    assert trial("a").key == trial("a").key != trial("b").key
    assert set(trial("a").plugins) == {"hf", "strategies", "baselines"}


def test_a_run_uses_an_encoder_beside_the_model_and_compares_with_its_vote(tiny_checkpoint, task_file, tmp_path):
    model, encoder = f"hf:{tiny_checkpoint('llama')}", f"hf:{tiny_checkpoint('bert')}"
    strategies = [
        f"knn,k=3,encoder={encoder}",
        f"few-shot,k=3,select=knn,encoder={encoder}",
        f"few-shot,k=3,select=knn,encoder={encoder},calibrate=batch",
    ]
    store = f"{tmp_path / 'run.db'}"
    vote, shown, less = harness.run(model, task_file, strategies, store=store, scenarios=()).trials
    assert {one.status for one in (vote, shown, less)} == {"finished"}
    assert list(shown.trial.baselines.values()) == [vote.trial.key]
    assert list(less.trial.baselines.values()) == [shown.trial.key]
    assert less.costs.train_s is None
    # 32 texts of the tasks' rows are embedded to choose by (and kept), then 8 prompts are asked to calibrate.
    assert less.costs.model_calls == shown.costs.model_calls + 8 == vote.costs.model_calls + 8
    assert any("8 unlabelled training texts, 8 model calls" in note for note in less.notes)
