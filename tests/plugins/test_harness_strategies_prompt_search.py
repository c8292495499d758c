"""Prompt search: it finds what works, by validation rows alone, within its budget, and says all of it."""

import json
import math
import random
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

import harness
from harness.errors import ModelError, ParameterError, TrainingError
from harness.export import trials_json
from harness.interfaces import Setting
from harness.preview import preview
from harness.records import (
    Candidates,
    Component,
    Costs,
    Generate,
    Generated,
    LabelBudget,
    LogLikelihood,
    LogLikelihoods,
    Prompt,
    PromptSpec,
    Sample,
    TaskSpec,
    Usage,
    Written,
)
from harness.runner import run_experiment
from harness.sampling import normalised
from harness.taskdata import TaskData
from harness.templates import render_instruction, render_query
from harness.testing import ToyModel, check_strategy
from harness_strategies.candidates import generic, literal, space
from harness_strategies.promptsearch import PromptSearch, _in_proportion

OPEN = "{{ text }}\nVerdict:"
SPEC = TaskSpec(
    "planted",
    "classification",
    PromptSpec("{{ text }}\nLabel:", input="{{ text }}"),
    {"warm": " warm", "cold": " cold"},
    candidates=Candidates(
        ("{{ text }}\nGuess:", OPEN, "{{ text }}\nHm:"),
        ("Guess.",),
        ({"warm": " +", "cold": " -"}, {"warm": " hot", "cold": " icy"}),
    ),
)


class Planted:
    """Texts with one of two words; only the model below knows which."""

    def __init__(self, spec=SPEC, train=24, validation=24, test=40):
        self.spec = spec
        self._sizes = {"train": train, "validation": validation, "test": test}

    def samples(self, split):
        return [self._sample(split, at) for at in range(self._sizes[split])]

    def _sample(self, split, at):
        label = ("warm", "cold")[at % 2]
        return Sample(f"{split}-{at}", {"text": f"{split} {at}: {'sun' if label == 'warm' else 'snow'}"}, label)


class Locked(ToyModel):
    """Answers right where `key` says that the request is the one that it understands, else always the first choice."""

    def __init__(self, key):
        self.key = key
        self.asked = []

    def run(self, requests):
        self.asked += requests
        return [self._answer(one) for one in requests]

    def _answer(self, request):
        if not isinstance(request, LogLikelihood):
            return super().run([request])[0]
        right = int("snow" in request.prompt.query) if self.key(request) else 0
        values = [-3.0] * len(request.continuations)
        values[right] = -1.0
        return LogLikelihoods(tuple(values), Usage(5, 1))

    @property
    def texts(self):
        return [one.prompt.query for one in self.asked]


def template_opens(request):
    return "Verdict" in request.prompt.query


def adapted(strategy, task=None, model=None, *, seed=0, **setting):
    task, model = task or Planted(), model or Locked(template_opens)
    view = TaskData(task).view("test", strategy.reads)
    return strategy.adapt(model, view, Setting(seed, "cpu", Path("unused"), **setting))


def accuracy(made, task, model):
    rows = task.samples("test")
    found = [made.decide(row, model.run(made.requests(row))) for row in rows]
    return statistics.fmean(one.correct for one in found)


def all_notes(made):
    return "\n".join(made.notes)


# --- contracts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy",
    [PromptSearch(), PromptSearch(k=0, budget=30), PromptSearch(budget=1), PromptSearch(shots=2, eta=3, budget=50)],
    ids=str,
)
def test_it_keeps_the_contract(strategy):
    check_strategy(strategy)


def test_baselines_are_the_tasks_own_prompt():
    assert PromptSearch(k=3).baselines == (Component("few-shot", None, {"k": 3}), Component("zero-shot"))
    assert PromptSearch(k=0).baselines == (Component("zero-shot"),)


def test_what_can_not_be_prompted_is_refused():
    class Classifier(ToyModel):
        answers = frozenset({"Classify"})

    assert PromptSearch().refuses(Classifier(), SPEC).startswith("the model can't be prompted")
    assert PromptSearch().refuses(ToyModel(), SPEC) is None
    with pytest.raises(ParameterError, match="two sizes of one draw"):
        PromptSearch(shots=2, train_size=8)


# --- it finds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opens", "part", "number"),
    [
        (template_opens, "template", 3),
        (lambda request: request.prompt.instruction.startswith("Guess."), "instruction", 2),
        (lambda request: request.continuations == (" +", " -"), "labels", 2),
    ],
)
@pytest.mark.parametrize("k", [0, 2])
def test_the_one_way_to_ask_that_works_is_found(opens, part, number, k):
    task, model = Planted(), Locked(opens)
    made = adapted(PromptSearch(k=k, budget=300), task, model)
    assert f"{part} {number} of" in all_notes(made)
    assert accuracy(made, task, model) == 1.0
    assert accuracy(adapted(PromptSearch(budget=1, k=k), task, model), task, model) == 0.5  # the task's own prompt


def test_demonstrations_are_searched_too():
    """Only prompts that show the row train-5 first are understood; the task names no other ways to ask."""
    spec = replace(SPEC, candidates=Candidates(labels=({"warm": " w", "cold": " c"},)))
    model = Locked(lambda request: request.prompt.demonstrations[0].startswith("train 5:"))
    task = Planted(spec, train=6)
    made = adapted(PromptSearch(k=2, demonstrations=16, orders=2, candidates=64, budget=2000), task, model)
    assert made.requests(task.samples("test")[0])[0].prompt.demonstrations[0].startswith("train 5:")
    assert accuracy(made, task, model) == 1.0


def test_a_budget_for_everything_finds_what_asking_everything_finds():
    """Independently: every candidate's accuracy and mean log-probability over all validation rows."""

    class Noisy(Locked):
        def _answer(self, request):
            text = request.prompt.text + "".join(request.continuations)
            return LogLikelihoods(
                tuple(-1.0 - (sum(map(ord, text + one)) * 7919 % 101) / 50 for one in request.continuations)
            )

    model = Noisy(None)
    task = Planted(validation=9, train=9)
    made = adapted(PromptSearch(k=0, candidates=100, budget=10_000), task, model)
    told = made.details["search"]
    assert told["rungs"] == [{"candidates": 4 * 2 * 3, "rows": 9}]
    best = []
    for one in told["candidates"]:
        right, gold = [], []
        for row in task.samples("validation"):
            head = f"{one['instruction']}\n\n" if one["instruction"] else ""
            prompt = Prompt(one["template"].replace("{{ text }}", row.fields["text"]), (), head)
            (answer,) = model.run([LogLikelihood(prompt, tuple(one["labels"].values()))])
            place = list(one["labels"]).index(row.target)
            right.append(answer.values.index(max(answer.values)) == place)
            gold.append(log_softmax(answer.values)[place])
        assert one["accuracy"] == pytest.approx(statistics.fmean(right))
        assert one["log_probability"] == pytest.approx(statistics.fmean(gold))
        best.append((one["accuracy"], one["log_probability"]))
    assert best[told["winner"]] == max(best)
    found = [one["first_rung_accuracy"] for one in told["candidates"]]
    spread = told["sensitivity"]
    assert (spread["candidates"], spread["rows"]) == (24, 9)
    assert (spread["min"], spread["max"]) == (min(found), max(found))
    assert spread["median"] == pytest.approx(statistics.median(found))
    assert spread["sd"] == pytest.approx(statistics.stdev(found))


def test_of_equally_accurate_ways_the_one_that_is_surer_wins():
    class Sure(Locked):
        def _answer(self, request):
            right = int("snow" in request.prompt.query)
            by = 4.0 if "Hm" in request.prompt.query else 1.0
            return LogLikelihoods(tuple(-0.1 - by * (at != right) for at in range(2)))

    made = adapted(PromptSearch(k=0, candidates=30, budget=2000), model=Sure(None))
    assert "template 4 of 4" in all_notes(made)


def test_the_same_seed_finds_the_same_and_another_seed_draws_others():
    def drawn(seed):
        made = adapted(PromptSearch(k=3, budget=200), seed=seed)
        return made.details["search"], made.notes, made.budget

    assert drawn(1) == drawn(1)
    others = [drawn(seed)[0]["candidates"][0]["demonstrations"] for seed in range(4)]
    assert len({tuple(ids) for ids in others}) == 4


# --- it is fair ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    budget=st.integers(1, 400),
    k=st.integers(0, 3),
    eta=st.integers(2, 4),
    size=st.one_of(st.none(), st.integers(2, 30)),
    validation=st.integers(0, 20),
    seed=st.integers(0, 3),
)
def test_budgets_of_requests_and_labels_hold(budget, k, eta, size, validation, seed):
    model, task = Locked(template_opens), Planted(validation=validation)
    made = adapted(PromptSearch(k=k, budget=budget, eta=eta, train_size=size), task, model, seed=seed)
    assert len(model.asked) <= budget
    asked = {text.partition("\n")[0] for text in model.texts}
    split = "validation" if validation else "train"
    assert all(text.startswith(split) for text in asked)
    assert len(asked) <= (size or 24) / (1 if validation else 2)
    shown = {one for request in model.asked for one in request.prompt.demonstrations}
    texts = {one.partition("\n")[0] for one in shown}
    assert all(text.startswith("train") for text in texts)
    assert not texts & asked
    assert made.budget.validation == len(asked)
    assert made.budget.train >= len(texts)
    if model.asked:
        assert made.budget.train == len(texts)
        assert sum(one["rows"] for one in made.details["search"]["candidates"]) == len(model.asked)


def test_no_demonstration_repeats_a_row_that_is_chosen_by():
    class Repeating(Planted):
        def samples(self, split):
            rows = super().samples(split)
            if split != "train":
                return rows
            return rows + [replace(one, id=f"again-{one.id}") for one in super().samples("validation")]

    model = Locked(template_opens)
    adapted(PromptSearch(k=8, demonstrations=8, budget=300), Repeating(), model)
    validation = {normalised(one.fields["text"]) for one in Planted().samples("validation")}
    shown = [one for request in model.asked for one in request.prompt.demonstrations]
    assert shown
    assert not any(normalised(text).startswith(tuple(validation)) for text in shown)


def test_validation_rows_are_as_many_as_asked_for_and_never_more_than_training_rows():
    def rows(**parameters):
        return adapted(PromptSearch(k=0, candidates=2, budget=10_000, **parameters)).budget.validation

    assert rows() == 24
    assert rows(validation_size=7) == 7
    assert rows(train_size=5) == 5
    assert rows(train_size=5, validation_size=20) == 5
    assert rows(shots=3) == 6


def test_without_validation_rows_training_rows_are_held_out():
    made = adapted(PromptSearch(k=2, budget=300), Planted(validation=0))
    assert "the task has no validation rows: 12 training rows were held out" in made.notes
    with pytest.raises(TrainingError, match="1 training rows are too few to hold some out"):
        adapted(PromptSearch(train_size=1), Planted(validation=0))


def test_the_first_rows_have_labels_in_proportion():
    rows = [Sample(str(at), {}, "rare" if at < 10 else "usual") for at in range(40)]
    for seed in range(5):
        found = _in_proportion(rows, random.Random(seed))
        assert sorted(one.id for one in found) == sorted(one.id for one in rows)
        for first in range(1, 41):
            assert abs(sum(one.target == "rare" for one in found[:first]) - first / 4) <= 1.5


# --- bad input -----------------------------------------------------------------------------------


def test_a_budget_of_one_searches_nothing_and_says_so():
    model = Locked(template_opens)
    made = adapted(PromptSearch(budget=1), model=model)
    assert not model.asked
    assert "budget=1 has room for 1 of 16 candidates" in made.notes
    assert "nothing was searched: there is one candidate, the task's own prompt" in made.notes
    assert made.details == {}
    assert made.budget == LabelBudget(4)
    (request,) = made.requests(Planted().samples("test")[0])
    assert request.prompt.query.endswith("Label:")


def test_a_budget_below_a_rung_has_room_for_fewer_candidates():
    model = Locked(template_opens)
    made = adapted(PromptSearch(budget=10), model=model)
    assert "budget=10 has room for 4 of 16 candidates" in made.notes
    assert len(model.asked) <= 10


def test_candidates_that_fail_are_dropped_and_said():
    """One template breaks on a row, and one way to say a label is nothing to this model."""
    templates = ("{{ 1 // (text | length - 17) }} {{ text }}:", OPEN)
    labels = ({"warm": " void", "cold": " -"},)
    spec = replace(SPEC, candidates=Candidates(templates, (), labels))

    class Choosy(Locked):
        def run(self, requests):
            if any(" void" in one.continuations for one in requests):
                raise ModelError("' void' has no tokens")
            return super().run(requests)

    task, model = Planted(spec), Choosy(template_opens)
    made = adapted(PromptSearch(k=0, candidates=20, budget=2000), task, model)
    told = made.details["search"]["candidates"]
    reasons = {(one["template"] == templates[0], " void" in one["labels"].values()): one["dropped"] for one in told}
    assert "division" in reasons[True, False]
    assert reasons[False, True] == "' void' has no tokens"
    assert reasons[False, False] is None
    assert any(note.startswith("4 of 6 candidates dropped, the first with: ") for note in made.notes)
    assert accuracy(made, task, model) == 1.0
    assert [one["accuracy"] is None for one in told] == [one["dropped"] is not None for one in told]
    json.dumps(made.details, allow_nan=False)


def test_answers_that_are_no_numbers_drop_a_candidate():
    class Nan(Locked):
        def _answer(self, request):
            return LogLikelihoods((math.nan,) * 2) if "Hm" in request.prompt.query else super()._answer(request)

    made = adapted(PromptSearch(k=0, candidates=30, budget=3000), model=Nan(template_opens))
    assert any("no choice can be the likeliest" in note for note in made.notes)


def test_impossible_answers_stand_in_the_details_as_null():
    class Never(Locked):
        def _answer(self, request):
            return LogLikelihoods((-1.0, -math.inf))

    made = adapted(PromptSearch(k=0, budget=300), model=Never(None))
    json.dumps(made.details, allow_nan=False)
    assert made.details["search"]["candidates"][0]["log_probability"] is None


def test_where_every_candidate_fails_the_trial_does_and_says_why():
    class Broken(Locked):
        def run(self, requests):
            raise RuntimeError("out of tune")

    with pytest.raises(ModelError, match=r"none of 16 candidates could be asked; the first: RuntimeError: out of tune"):
        adapted(PromptSearch(budget=300), model=Broken(None))


def test_a_failed_search_leaves_other_trials_whole(catalogue, store, toy_experiment):
    """The model chokes on one scored row and on one validation row: the search can't do without it."""
    strategies = (Component("prompt-search", None, {"k": 0}), Component("zero-shot"))
    experiment = replace(toy_experiment, models=(Component("fake-choking"),), strategies=strategies)
    found = {str(one.trial.strategy): one for one in run_experiment(experiment, catalogue, store)}
    assert found["prompt-search,k=0"].status == "failed"
    assert "choked on 7" in found["prompt-search,k=0"].reason
    assert found["zero-shot"].coverage.answered == 11


def test_fewer_training_rows_than_demonstrations():
    made = adapted(PromptSearch(k=8, budget=100), Planted(train=3))
    assert "3 demonstrations: the training rows are no more than that" in made.notes


# --- other kinds and shows -----------------------------------------------------------------------


def test_choices_and_generated_answers_can_be_searched_for():
    def rows(**more):
        return [Sample(f"{split}{at}", {"question": f"{split} {at}"}, **more) for split in "abc" for at in range(4)]

    class Task(Planted):
        def __init__(self, spec, rows):
            self.spec = spec
            self._rows = rows

        def samples(self, split):
            at = ("train", "validation", "test").index(split)
            return self._rows[4 * at : 4 * at + 4]

    prompt = PromptSpec("{{ question }}", input="{{ question }}")
    for spec, task_rows in (
        (TaskSpec("quiz", "multiple-choice", prompt), rows(target="1", choices=("left", "right"))),
        (TaskSpec("sums", "generation", prompt), rows(target="b")),
    ):
        check_strategy(PromptSearch(k=1, budget=40), task=Task(spec, task_rows))
        made = adapted(PromptSearch(k=1, budget=40), Task(spec, task_rows), ToyModel())
        assert made.details["search"]["sensitivity"]["candidates"] > 1


def test_show_loads_nothing_and_shows_the_tasks_own_prompt(catalogue):
    shown = preview(catalogue, "toy", strategy="prompt-search,k=2", count=1)
    assert any("a search among 16 candidates asks the model, which is not loaded" in note for note in shown.notes)
    (request,) = shown.samples[0].requests
    assert request.demonstrations == 2
    assert request.text.endswith("Label:")


def test_a_run_stores_the_whole_search_and_what_it_took(catalogue, store, toy_experiment):
    experiment = replace(toy_experiment, strategies=(Component("prompt-search", None, {"budget": "60"}),))
    (result,) = run_experiment(experiment, catalogue, store)
    told = result.details["search"]
    assert result.costs.model_calls == told["requests"] <= 60
    assert result.costs.adapt_tokens > 0
    assert replace(result.costs, load_s=None, adapt_s=None, model_calls=None, adapt_tokens=None) == Costs()
    assert result.budget.validation == max(one["rows"] for one in told["candidates"])
    assert list(result.trial.baselines) == ["few-shot,k=4", "zero-shot"]
    (exported,) = trials_json([result])["trials"]
    assert exported["details"] == result.details
    json.dumps(exported, allow_nan=False)


# --- generic candidates --------------------------------------------------------------------------


def test_generic_candidates_are_made_of_the_tasks_own_prompt():
    spec = TaskSpec(
        "mail",
        "classification",
        PromptSpec("Mail: {{ text | words(60) }}\nIs it spam? ", input="{{ text }}"),
        {"ham": "no", "spam": "yes"},
    )
    found = generic(spec)
    assert found.templates == (
        "Mail: {{ text | words(60) }}\nLabel: ",
        "Mail: {{ text | words(60) }}\nAnswer: ",
        "Mail: {{ text | words(60) }}\nWhich of these is it: no, yes? ",
    )
    assert found.instructions == ("", "Answer with one of: no, yes.", "Assign a label to the text.")
    assert found.labels == ({"ham": "No", "spam": "Yes"}, {"ham": "no", "spam": "yes"}, {"ham": "ham", "spam": "spam"})


def test_generic_labels_can_be_told_apart():
    spec = replace(SPEC, labels={"a": " Yes", "A": " yes"}, candidates=Candidates())
    assert generic(spec).labels == ({"a": " a", "A": " A"},)


@given(st.text())
def test_a_literal_is_said_to_the_letter(text):
    text = text.replace("\r", "")  # which Jinja2 folds into line ends, in any template
    spec = replace(SPEC, prompt=replace(SPEC.prompt, instruction=literal(text)))
    assert render_instruction(spec) == text


@pytest.mark.parametrize("name", ["bbc-news", "sms-spam", "sentiment-domains", "gsm8k-100"])
def test_generic_candidates_of_the_tasks_that_come_along_render(name, catalogue):
    spec = catalogue.task(Component(name)).spec
    fields = dict.fromkeys(("text", "question", "solution"), "some text")
    row = Sample("1", fields, next(iter(spec.labels), "1"), None)
    found = space(spec, [])
    assert len(found.templates) >= 2
    for template in found.templates:
        assert render_query(replace(spec, prompt=replace(spec.prompt, template=template)), row)
    for instruction in found.instructions:
        render_instruction(replace(spec, prompt=replace(spec.prompt, instruction=instruction)))
    assert all(list(labels) == list(spec.labels) for labels in found.labels)
    assert len({tuple(labels.values()) for labels in found.labels}) == len(found.labels)


def test_every_alternative_has_its_turn():
    shown = [tuple(Planted().samples("train")[at : at + 2]) for at in range(5)]
    found = space(SPEC, shown)
    for seed in range(5):
        drawn = found.drawn(SPEC, 20, random.Random(seed))
        numbers = [one.numbers for one in drawn]
        assert numbers[0] == (1, 1, 1, 1)
        assert len(set(numbers)) == 20
        for place, alternatives in enumerate(found.parts):
            counts = [sum(one[place] == at + 1 for one in numbers) for at in range(len(alternatives))]
            assert min(counts) >= 20 // len(alternatives) - 2
    assert len(found.drawn(SPEC, 1000, random.Random(0))) == 4 * 2 * 3 * 5


# --- proposals -----------------------------------------------------------------------------------


class Proposer(ToyModel):
    """Proposes what makes the locked model understand, among other things."""

    def __init__(self):
        self.asked = []

    def run(self, requests):
        self.asked += requests
        assert all(isinstance(one, Generate) for one in requests)
        return [
            Generated(
                "Say it.",
                "stop",
                Usage(9, 9),
                tuple(Written(text, "stop") for text in ("", "Guess {well}.", "Say it.")),
            )
        ]


def test_a_model_proposes_instructions_from_solved_training_rows():
    proposer, task = Proposer(), Planted(replace(SPEC, candidates=Candidates(labels=SPEC.candidates.labels)))
    model = Locked(lambda request: request.prompt.instruction.startswith("Guess {well}."))
    strategy = PromptSearch(k=0, budget=300, propose="a-model")
    made = adapted(strategy, task, model, find=lambda component: proposer)
    assert strategy.models == (Component("a-model"),)
    (request,) = proposer.asked
    assert request.n == 4
    assert request.temperature > 0
    assert all(text in request.prompt.text for text in ("Input: train", "Output: warm", "Output: cold"))
    assert "instruction 3 of 3" in all_notes(made)
    assert accuracy(made, task, model) == 1.0
    assert made.budget.train == 6
    assert len(model.asked) <= 299 + 40  # of the search, and of the line above


def test_a_model_that_writes_nothing_can_not_propose():
    class Mute(ToyModel):
        answers = frozenset({"Embed"})

    with pytest.raises(ModelError, match="generates no text"):
        adapted(PromptSearch(propose="mute"), find=lambda component: Mute())


# --- a real model --------------------------------------------------------------------------------


@pytest.mark.model
def test_a_real_model_is_searched_for_on_real_articles(tmp_path):
    found = harness.run(
        "smollm2-135m",
        "bbc-news",
        ["prompt-search,k=0,candidates=8,budget=200,train_size=40", "zero-shot"],
        store=str(tmp_path / "run.db"),
        limit=40,
        scenarios=(),
    ).trials
    searched, plain = found
    assert {one.status for one in found} == {"finished"}
    told = searched.details["search"]
    assert told["requests"] == searched.costs.model_calls <= 200
    assert searched.costs.adapt_tokens > 0
    assert searched.costs.adapt_s > 0
    spread = told["sensitivity"]
    assert spread["candidates"] == 8
    assert 0 <= spread["min"] < spread["max"] <= 1
    assert searched.trial.baselines == {"zero-shot": plain.trial.key}
    assert plain.details == {}
