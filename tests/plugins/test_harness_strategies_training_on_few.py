"""`prompt-finetune`, `setfit` and `shots`: which rows they take, what they ask, what they refuse; and whole runs."""

import dataclasses
import random
from collections import Counter
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import harness
from harness.catalogue import Catalogue
from harness.errors import ParameterError, PluginError
from harness.interfaces import Setting, Trained
from harness.plugins import Plugins
from harness.preview import preview
from harness.records import (
    Classify,
    Embed,
    Embedded,
    LabelBudget,
    LogLikelihood,
    Prompt,
    PromptSpec,
    Sample,
    TaskSpec,
)
from harness.sampling import normalised
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask, check_strategy
from harness_hf.masked_head import NO_HEAD
from harness_hf.models import hf
from harness_strategies import contrastivetuning
from harness_strategies.contrastivetuning import SetFit
from harness_strategies.finetuning import FineTune
from harness_strategies.neighbours import NeighbourVote
from harness_strategies.promptfinetuning import PromptFineTune
from harness_strategies.prompting import FewShot

SPEC = TaskSpec(
    "few",
    "classification",
    PromptSpec("Q: {{ text }}\nA:", instruction="Say it.", input="{{ text }}"),
    {"a": " one", "b": " two"},
)


class Rows:
    """A task of given rows: split -> (text, target)."""

    spec = SPEC

    def __init__(self, **splits):
        self._splits = splits

    def samples(self, split):
        return [
            Sample(f"{split}-{at}", {"text": text}, target)
            for at, (text, target) in enumerate(self._splits.get(split, ()))
        ]


class Recorder(ToyModel):
    """Can be trained in all ways; remembers its jobs, and learns nothing."""

    methods = frozenset({"head", "prompt", "contrastive"})

    def __init__(self):
        self.jobs = []

    def train(self, job):
        self.jobs.append(job)
        return Trained(Lengths() if job.method == "contrastive" else self, 0.5, ("trained",))


class Lengths:
    """The vector of a text: its length and its number of vowels."""

    provenance: ClassVar = {"device": "none"}

    def run(self, requests):
        return [Embedded((float(len(one.text)), float(sum(map(one.text.count, "aeiou"))))) for one in requests]


def many(split, count, **shares):
    labels = [label for label, share in shares.items() for _ in range(count * share)]
    return [(f"{split} {label} {'x' * at}", label) for at, label in enumerate(labels)]


TASK = Rows(
    train=many("train", 30, a=2, b=1), validation=many("validation", 30, a=1, b=2), test=many("test", 4, a=1, b=1)
)


def adapted(strategy, tmp_path, task=TASK, seed=0, **changes):
    model = Recorder()
    view = TaskData(task).view("test", strategy.reads)
    done = strategy.adapt(model, view, Setting(seed, "cpu", tmp_path, **changes))
    return done, (model.jobs or [None])[0]


# --- which rows --------------------------------------------------------------------------------------


def labels_of(examples):
    return Counter(label for _, label in examples)


def test_sixteen_rows_a_label_are_the_default_and_no_more_validation_rows(tmp_path):
    done, job = adapted(PromptFineTune(), tmp_path)
    assert labels_of(job.examples) == labels_of(job.validation) == {"a": 16, "b": 16}
    assert done.budget == LabelBudget(train=32, validation=32)
    assert done.notes == ("32 training rows, 16 a label", "32 validation rows")
    done, job = adapted(SetFit(), tmp_path)
    assert labels_of(job.examples) == {"a": 16, "b": 16}
    assert done.budget == LabelBudget(train=32)


def test_other_sizes_and_what_is_missing_is_said(tmp_path):
    done, job = adapted(PromptFineTune(train_size=9), tmp_path)
    assert labels_of(job.examples) == {"a": 6, "b": 3}
    assert len(job.validation) == 9
    done, job = adapted(PromptFineTune(shots=40), tmp_path)
    assert labels_of(job.examples) == {"a": 40, "b": 30}
    assert done.notes[0] == "70 training rows, 40 a label, but b has 30"
    done, job = adapted(SetFit(train_size=500), tmp_path)
    assert done.notes == ("90 training rows: few has no 500",)


def test_all_few_shot_strategies_draw_the_same_rows(tmp_path):
    texts = [
        [text for text, _ in adapted(strategy, tmp_path, seed=4)[1].examples]
        for strategy in (SetFit(shots=5), PromptFineTune(shots=5))
    ]
    assert [f"Q: {text}\nA:" for text in texts[0]] == texts[1]
    assert texts[0] != [text for text, _ in adapted(SetFit(shots=5), tmp_path, seed=5)[1].examples]


@pytest.mark.parametrize("strategy", [FineTune, PromptFineTune, SetFit])
@pytest.mark.parametrize("size", ["train_size", "shots"])
def test_a_larger_draw_of_a_seed_holds_the_smaller_ones(strategy, size, tmp_path):
    drawn = [adapted(strategy(**{size: n}), tmp_path, seed=3)[1] for n in (2, 5, 9, 17)]
    for smaller, larger in pairwise(drawn):
        assert set(smaller.examples) < set(larger.examples)
        assert set(smaller.validation) <= set(larger.validation)


def test_demonstrations_and_votes_of_a_seed_are_nested_too(tmp_path):
    view = TaskData(TASK).view("test", frozenset({"prompt", "train"}))
    shown = []
    for k in (2, 5, 9):
        done = FewShot(k=k).adapt(ToyModel(), view, Setting(3, "cpu", tmp_path))
        (request,) = done.requests(view.data.task.samples("test")[0])
        shown.append(set(request.prompt.demonstrations))
    assert [len(one) for one in shown] == [2, 5, 9]
    assert shown[0] < shown[1] < shown[2]
    votes = NeighbourVote(shots=4).adapt(ToyModel(), view, Setting(3, "cpu", tmp_path, dry=True))
    assert votes.budget == LabelBudget(train=8)
    assert NeighbourVote(train_size=9).adapt(ToyModel(), view, Setting(3, "cpu", tmp_path, dry=True)).budget.train == 9


def test_fine_tuning_takes_rows_of_each_label(tmp_path):
    done, job = adapted(FineTune(shots=4), tmp_path)
    assert labels_of(job.examples) == labels_of(job.validation) == {"a": 4, "b": 4}
    assert done.budget == LabelBudget(train=8, validation=8)
    assert done.notes == ("8 training rows, 4 a label", "8 of 90 validation rows, no more than training rows")
    assert "shots" not in job.hyperparameters


@pytest.mark.parametrize("strategy", ["prompt-finetune", "setfit", "linear-probe", "finetune", "lora", "bitfit", "knn"])
def test_two_sizes_at_once_are_refused(strategy, planted, tmp_path):
    with pytest.raises(ParameterError, match="two sizes of one draw"):
        harness.run("majority", str(planted), f"{strategy},shots=2,train_size=8", store=str(tmp_path / "r.db"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Sun!", "sun", "moon", "stars", "rain", "SNOW"]), st.sampled_from("ab")), min_size=4
    ),
    st.lists(st.sampled_from(["sun", "moon.", "rain", "wind"]), min_size=1, max_size=3),
    st.integers(1, 4),
)
def test_no_scored_row_nor_its_duplicate_is_trained_on(tmp_path, train, scored, shots):
    task = Rows(train=train, validation=train[::2], test=[(text, "a") for text in scored])
    hidden = {normalised(text) for text in scored}
    for strategy in (PromptFineTune(shots=shots, joint=0.5), SetFit(shots=shots)):
        model = Recorder()
        try:
            strategy.adapt(model, TaskData(task).view("test", strategy.reads), Setting(0, "cpu", tmp_path))
        except ValueError:  # scikit-learn's, of one label alone: the recorder does not refuse it as models do
            assert isinstance(strategy, SetFit)
        (job,) = model.jobs
        seen = [text for text, _ in (*job.examples, *job.validation, *job.ordinary)]
        bare = {normalised(text.removeprefix("Q: ").removesuffix("\nA:")) for text in seen}
        assert not bare & hidden


# --- what is asked -----------------------------------------------------------------------------------


def test_the_job_has_the_prompts_parts_and_what_is_asked_is_what_was_trained(tmp_path):
    done, job = adapted(PromptFineTune(shots=2, joint=0.4, epochs=7), tmp_path)
    assert job.method == "prompt"
    assert job.answers == {"a": " one", "b": " two"}
    assert job.instruction == "Say it.\n\n"
    assert {label for _, label in job.ordinary} == {"a", "b"}
    assert [f"Q: {text}\nA:" for text, _ in job.ordinary] == [text for text, _ in job.examples]
    assert job.hyperparameters["joint"] == 0.4
    assert job.hyperparameters["epochs"] == 7
    (request,) = done.requests(TASK.samples("test")[0])
    assert request == LogLikelihood(Prompt("Q: test a \nA:", (), "Say it.\n\n"), (" one", " two"))
    assert adapted(PromptFineTune(), tmp_path)[1].ordinary == []


def test_the_folder_is_that_of_all_that_matters(tmp_path):
    folders = {
        adapted(strategy, tmp_path, seed=seed, versions=versions)[1].folder
        for strategy in (
            PromptFineTune(),
            PromptFineTune(joint=0.5),
            PromptFineTune(shots=3),
            SetFit(),
            SetFit(pairs=4),
        )
        for seed in (0, 1)
        for versions in ({}, {"plugin": "2"})
    }
    assert len(folders) == 20
    assert all(folder.parent == tmp_path / "checkpoints" for folder in folders)
    once, again = (adapted(SetFit(), tmp_path)[1].folder for _ in range(2))
    assert once == again


def test_setfit_answers_by_scikit_learns_regression_on_unit_vectors(tmp_path):
    done, job = adapted(SetFit(shots=6), tmp_path)

    def unit(texts):
        vectors = np.array([one.vector for one in Lengths().run([Embed(text) for text in texts])])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    fitted = LogisticRegression(max_iter=1000).fit(
        unit([text for text, _ in job.examples]), [label for _, label in job.examples]
    )
    test = TASK.samples("test")
    found = done.trained.engine.run([request for sample in test for request in done.requests(sample)])
    assert all(isinstance(request, Classify) for request in done.requests(test[0]))
    expected = fitted.predict_log_proba(unit([sample.fields["text"] for sample in test]))
    np.testing.assert_allclose([one.log_probs for one in found], expected, atol=1e-9)
    assert done.trained.train_s >= 0.5
    assert done.trained.notes == ("trained",)


def test_they_are_shown_without_training(planted, empty_assets):
    catalogue = Catalogue(Plugins(), empty_assets)
    shown = preview(catalogue, str(planted), strategy="prompt-finetune,shots=2", count=1)
    assert shown.notes == ("4 training rows, 2 a label", "4 validation rows")
    assert shown.samples[0].requests[0].kind == "LogLikelihood"
    shown = preview(catalogue, str(planted), strategy="setfit,shots=2", count=1)
    assert shown.notes == ("4 training rows, 2 a label",)
    assert shown.samples[0].requests[0].kind == "Classify"


# --- refused -----------------------------------------------------------------------------------------


def test_pairs_that_cannot_work_are_refused_in_words(tiny_checkpoint, empty_assets):
    bare, causal = (hf(str(tiny_checkpoint(name)), empty_assets) for name in ("bert", "llama"))
    assert PromptFineTune().refuses(bare, SPEC) == f"the model can't be trained on prompts: {NO_HEAD}"
    assert PromptFineTune().refuses(causal, SPEC) is None
    assert SetFit().refuses(bare, SPEC) is None
    assert "tuned on pairs" in SetFit().refuses(causal, SPEC)
    for strategy in (PromptFineTune(), SetFit()):
        assert strategy.refuses(ToyModel(), SPEC) is not None
        assert "only classification" in strategy.refuses(bare, dataclasses.replace(SPEC, kind="generation"))
    silent = dataclasses.replace(SPEC, labels={"a": " one", "b": " "})
    assert PromptFineTune().refuses(causal, silent) == "the label 'b' has no words that say it after a prompt"


def test_setfit_without_scikit_learn_is_refused(monkeypatch):
    monkeypatch.setattr(contrastivetuning, "find_spec", lambda _: None)
    with pytest.raises(PluginError, match="needs scikit-learn"):
        SetFit()


@pytest.mark.parametrize("strategy", [PromptFineTune(), SetFit()])
def test_they_keep_the_contract(strategy):
    check_strategy(strategy, model=Recorder(), task=ToyTask())


# --- whole runs --------------------------------------------------------------------------------------


@pytest.fixture
def planted(tmp_path):
    """The file of a task whose labels hang on one word."""
    rng = random.Random(0)
    signs = {"sport": "match", "business": "shares"}
    lines = []
    for number in range(160):
        label = ("sport", "business")[number % 2]
        words = rng.choices(["the", "was", "a", "on", "film", "phone", "bank", "first"], k=7)
        words.insert(rng.randrange(8), signs[label])
        lines.append(f"{' '.join(words)},{label}")
    (tmp_path / "planted.csv").write_text("\n".join(["text,label", *lines]), "utf-8")
    (tmp_path / "planted.yaml").write_text(
        """
name: planted
kind: classification
data:
  files: planted.csv
  splits: {train: 0.3, validation: 0.2, test: 0.5}
  fields: {text: text, target: label}
labels: {sport: " two", business: " one"}
prompt:
  template: "{{ text }} is"
  input: "{{ text }}"
""",
        "utf-8",
    )
    return tmp_path / "planted.yaml"


FAST = "shots=16,epochs=25,patience=25,learning_rate=0.005,max_tokens=60"


def test_a_causal_model_learns_a_task_through_its_prompt(planted, tiny_checkpoint, tmp_path):
    zero, tuned = harness.run(
        f"hf:{tiny_checkpoint('llama')}",
        str(planted),
        ["zero-shot", f"prompt-finetune,{FAST}"],
        store=str(tmp_path / "results.db"),
        scenarios=(),
    )
    assert 0.3 <= zero.metrics["accuracy"].value <= 0.7
    assert tuned.metrics["accuracy"].value >= 0.95
    assert "32 training rows, 16 a label" in tuned.notes
    assert tuned.costs.train_s > 0


def test_setfit_beats_the_frozen_encoder_on_a_planted_task(planted, tiny_checkpoint, tmp_path):
    tuned, frozen = harness.run(
        f"hf:{tiny_checkpoint('bert')}",
        str(planted),
        ["setfit,shots=16,learning_rate=0.001,epochs=3", "linear-probe,shots=16"],
        store=str(tmp_path / "results.db"),
        scenarios=(),
    )
    assert (tuned.status, frozen.status) == ("finished", "finished")
    assert tuned.metrics["accuracy"].value >= max(0.95, frozen.metrics["accuracy"].value)


def test_an_encoder_without_the_head_stands_in_the_table_with_the_reason(planted, tiny_checkpoint, tmp_path):
    (refused,) = harness.run(
        f"hf:{tiny_checkpoint('bert')}",
        str(planted),
        "prompt-finetune",
        store=str(tmp_path / "results.db"),
        scenarios=(),
    )
    assert (refused.status, refused.reason) == ("not-applicable", f"the model can't be trained on prompts: {NO_HEAD}")
