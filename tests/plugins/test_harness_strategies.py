"""Strategies: what they ask, what they train on, what they never see."""

import dataclasses
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.declared import reads
from harness.errors import HarnessError, ParameterError
from harness.interfaces import Setting
from harness.plugins import Plugins
from harness.records import Component, FillMask, LabelBudget, PromptSpec, Sample, TaskSpec
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask, check_strategy
from harness_strategies.finetuning import FineTune
from harness_strategies.prompting import FewShot, ZeroShot
from harness_strategies.tuning import BitFit, LoRA, PrefixTuning, PromptTuning

CATALOGUE = Catalogue(Plugins(), Assets(Plugins().registry("source")))


def context(**parameters):
    """The strategy as the catalogue makes it."""
    return CATALOGUE.strategy(Component("context", None, parameters))


class Rows:
    """A task of given rows."""

    def __init__(self, train, test, spec=ToyTask.spec, validation=()):
        self.spec = spec
        self._rows = {"train": train, "validation": validation, "test": test}

    def samples(self, split):
        return self._rows[split]


def sample(number, text, target="warm", time="day"):
    return Sample(str(number), {"text": text}, target, time)


def adapted(strategy, task=None, *, seed=0, model=None):
    data = TaskData(task or ToyTask())
    return strategy.adapt(model or ToyModel(), data.view("test", reads(strategy)), Setting(seed, "cpu", Path("unused")))


def prompt_of(strategy, task=None, **options):
    task = task or ToyTask()
    (request,) = adapted(strategy, task, **options).requests(task.samples("test")[0])
    return request.prompt


@pytest.mark.parametrize(
    "strategy", [ZeroShot(), FewShot(k=3), FewShot(select="first"), context(), context(of="few-shot")]
)
def test_strategies_keep_the_contract(strategy):
    check_strategy(strategy)


def test_zero_shot_asks_the_prompt_alone():
    assert prompt_of(ZeroShot()).text == "Text: test 0: the snow falls\nLabel:"


def test_first_takes_the_first_rows_in_order():
    expected = (
        "Text: train 0: the snow falls\nLabel: cold\n\n"
        "Text: train 1: the sun shines\nLabel: warm\n\n"
        "Text: test 0: the snow falls\nLabel:"
    )
    assert prompt_of(FewShot(k=2, select="first")).text == expected


def test_an_instruction_stands_before_all():
    spec = TaskSpec(
        "t", "classification", PromptSpec("{{ text }}:", instruction="Choose."), {"warm": " w", "cold": " c"}
    )
    rows = Rows([sample(1, "a")], [sample(2, "b")], spec)
    assert prompt_of(FewShot(k=1), rows).text == "Choose.\n\na: w\n\nb:"


def test_balanced_takes_as_many_of_each_label():
    shown = prompt_of(FewShot(k=8)).demonstrations
    assert sum("Label: warm" in text for text in shown) == 4
    assert len(set(shown)) == 8


def test_all_samples_of_a_seed_share_their_demonstrations_and_seeds_differ():
    task = ToyTask()
    few = adapted(FewShot(k=4), task)
    assert len({few.requests(row)[0].prompt.demonstrations for row in task.samples("test")}) == 1
    assert prompt_of(FewShot(k=4), seed=0).demonstrations != prompt_of(FewShot(k=4), seed=1).demonstrations


@given(seed=st.integers(0, 10_000), k=st.integers(1, 30), select=st.sampled_from(["balanced", "random", "first"]))
def test_no_demonstration_repeats_a_scored_row(seed, k, select):
    rng = random.Random(seed)
    texts = [f"text {rng.randrange(12)}{mark}" for mark in ("", "!", "  ") for _ in range(6)]
    rows = [sample(number, text, rng.choice(["warm", "cold"])) for number, text in enumerate(texts)]
    task = Rows(rows[:12], rows[12:])
    scored = {text.rstrip("! ") for text in texts[12:]}
    if all(text.rstrip("! ") in scored for text in texts[:12]):
        return
    shown = prompt_of(FewShot(k=k, select=select), task, seed=seed).demonstrations
    assert all(text.partition("Text: ")[2].partition("\n")[0].rstrip("! ") not in scored for text in shown)


def test_more_demonstrations_than_rows_are_said():
    task = Rows([sample(1, "a"), sample(2, "b")], [sample(3, "c")])
    few = adapted(FewShot(k=8), task)
    assert few.notes == ("2 demonstrations: the training rows are no more than that",)


@pytest.mark.parametrize("strategy", [ZeroShot(), FewShot()])
def test_prompting_refuses_a_model_without_log_likelihoods(strategy):
    class Mute(ToyModel):
        answers = frozenset()

    assert (
        strategy.refuses(Mute(), ToyTask.spec) == "the model can't be prompted: it gives no log-likelihoods of answers"
    )


def test_zero_shot_gives_a_classifier_the_bare_input():
    class Classifier(ToyModel):
        answers = frozenset({"Classify"})

    zero = adapted(ZeroShot(), model=Classifier())
    (request,) = zero.requests(ToyTask().samples("test")[0])
    assert request.text == "test 0: the snow falls"
    assert request.labels == ("warm", "cold")


@pytest.mark.parametrize("strategy", [ZeroShot(), FewShot(k=2)])
def test_a_model_that_only_fills_blanks_is_asked_by_cloze(strategy):
    class Filling(ToyModel):
        answers = frozenset({"FillMask"})

    check_strategy(strategy, model=Filling())
    asked = adapted(strategy, model=Filling())
    (request,) = asked.requests(ToyTask().samples("test")[0])
    assert isinstance(request, FillMask)
    assert (request.prompt, request.fillings) == (prompt_of(strategy), (" warm", " cold"))
    assert any("cloze" in note for note in asked.notes)


def test_context_is_put_before_the_question_and_before_demonstrations():
    prompt = prompt_of(context(of="few-shot", k="2", select="first"))
    assert prompt.query.startswith("night: Text: test 0")
    assert [text.split(":")[0] for text in prompt.demonstrations] == ["night", "day"]


def test_context_may_be_the_description():
    assert prompt_of(context(source="description")).query.startswith("said by night: Text:")


def test_context_uses_the_models_of_the_strategy_it_changes():
    assert context(of="few-shot", select="knn", encoder="minilm-l6").models == (Component("minilm-l6"),)
    assert context(of="zero-shot").models == ()


def test_context_names_the_strategy_it_changes_and_its_reads():
    strategy = context(of="few-shot", k="2")
    without, wrong, drawn = strategy.baselines
    assert drawn.params == {**wrong.params, "shuffle": "random"}
    assert without == Component("few-shot", None, {"k": "2"})
    assert (wrong.name, wrong.params["shuffle"], wrong.params["k"]) == ("context", "yes", "2")
    assert context(**wrong.params) == dataclasses.replace(strategy, shuffle="yes")
    assert context(**wrong.params).baselines == (without,)
    assert reads(strategy) == frozenset({"prompt", "train"})


def test_context_checks_the_parameters_of_what_it_changes():
    with pytest.raises(ParameterError, match="'few-shot' has no parameter 'epochs'"):
        context(of="few-shot", epochs="3")


def test_context_refuses_tasks_without_contexts():
    spec = TaskSpec("t", "classification", PromptSpec("{{ text }}"), {"a": "a", "b": "b"})
    assert context().refuses(ToyModel(), spec) == "the task's samples have no context"


class Recording(ToyModel):
    """Keeps the jobs that it was asked to train on."""

    hyperparameters = frozenset({"epochs"})

    def __init__(self):
        self.jobs = []

    def train(self, job):
        self.jobs.append(job)
        return super().train(job)


def test_fine_tuning_trains_on_training_rows_and_never_on_scored_ones():
    repeated = sample(9, "seen!", "warm")
    task = Rows([sample(1, "a"), sample(2, "b", "cold"), repeated], [sample(3, "seen")])
    model = Recording()
    tuned = adapted(FineTune(), task, model=model)
    (job,) = model.jobs
    assert list(job.examples) == [("a", "warm"), ("b", "cold")]
    assert job.labels == ("warm", "cold")
    assert tuned.trained is not None


def test_fine_tuning_passes_what_the_model_understands_and_names_the_rest():
    model = Recording()
    tuned = adapted(FineTune(epochs=7, batch_size=4), model=model)
    assert model.jobs[0].hyperparameters == {"epochs": 7}
    assert "not used by this model: batch_size" in tuned.notes


def test_a_training_size_is_a_seeded_stratified_draw():
    model = Recording()
    for seed in (0, 0, 1):
        adapted(FineTune(train_size=4), model=model, seed=seed)
    first, same, other = model.jobs
    assert [label for _, label in first.examples].count("warm") == 2
    assert (first.examples, first.folder) == (same.examples, same.folder)
    assert first.folder != other.folder


def test_the_epoch_is_chosen_on_no_more_rows_than_one_trains_on():
    train = [sample(number, f"a {number}", ("warm", "cold")[number % 2]) for number in range(20)]
    validation = [sample(number, f"b {number}", ("warm", "cold")[number % 2]) for number in range(30, 60)]
    task = Rows(train, [sample(90, "c")], validation=validation)
    model = Recording()
    few = adapted(FineTune(train_size=6), task, model=model)
    whole = adapted(FineTune(), task, model=model)
    cut, _ = model.jobs
    assert [label for _, label in cut.validation].count("warm") == 3
    assert few.budget == LabelBudget(train=6, validation=6)
    assert "6 of 30 validation rows, no more than training rows" in few.notes
    assert whole.budget == LabelBudget(train=20, validation=30)
    assert whole.notes == ("20 training rows",)


@pytest.mark.parametrize("made", [LoRA, PromptTuning, PrefixTuning, BitFit])
def test_other_ways_to_train_need_a_model_that_knows_them(made):
    assert made().refuses(ToyModel(), ToyTask.spec) == f"the model can't be trained by {made.method}"

    class Able(Recording):
        methods = frozenset({made.method})

    class Explaining(Recording):
        methods = frozenset({"head"})

        def cannot(self, method):
            return f"no {method} here"

    model = Able()
    assert made().refuses(model, ToyTask.spec) is None
    assert FineTune().refuses(model, ToyTask.spec) == "the model can't be trained by head"
    assert made().refuses(Explaining(), ToyTask.spec) == f"no {made.method} here"
    adapted(made(epochs=7), model=model)
    (job,) = model.jobs
    assert (job.method, dict(job.hyperparameters)) == (made.method, {"epochs": 7})


def test_a_checkpoint_is_named_by_all_that_made_it():
    model = Recording()
    adapted(FineTune(epochs=1), model=model)
    adapted(FineTune(epochs=2), model=model)
    view, plugin = TaskData(ToyTask()).view("test", FineTune.reads), {"hf": "2.0"}
    FineTune(epochs=2).adapt(model, view, Setting(0, "cpu", Path("unused"), plugin))
    assert len({job.folder for job in model.jobs}) == 3


def test_what_is_not_declared_cannot_be_read():
    view = TaskData(ToyTask()).view("test", frozenset({"prompt"}))
    with pytest.raises(HarnessError, match="without declaring it in `reads`"):
        view.samples("train")
    with pytest.raises(HarnessError, match="is being scored"):
        view.samples("test")
