"""The rules of fair comparison, for every strategy that is registered: whatever adapts, never sees what is scored."""

import contextlib
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.assets import Assets
from harness.budgets import UNSTATED, stated
from harness.catalogue import Catalogue
from harness.components import parse_component
from harness.declared import reads
from harness.errors import TrainingError
from harness.interfaces import Pretrained, Setting, Trained
from harness.plugins import Plugins
from harness.records import (
    Classified,
    Classify,
    Embed,
    Embedded,
    Filled,
    FillMask,
    Generated,
    LabelBudget,
    LogLikelihood,
    LogLikelihoods,
    PromptSpec,
    Sample,
    TaskSpec,
)
from harness.sampling import normalised
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask

PLUGINS = Plugins()
CATALOGUE = Catalogue(PLUGINS, Assets(PLUGINS.registry("source")))
NAMES = sorted(entry.name for entry in PLUGINS.registry("strategy") if entry.name != "native")  # adapts nothing
VARIANTS = [
    "few-shot,select=random",
    "few-shot,select=first",
    "linear-probe,train_size=4",
    "finetune,train_size=4",
    "context,of=few-shot",
    "context,of=finetune",
    "context,of=finetune,train=no",
    "context,of=linear-probe,shuffle=yes",
    "context,source=retrieved",
    "prompt-search,k=0,budget=40",
    "context,of=prompt-search,budget=100",
    "prompt-search,k=2,train_size=8,budget=100",
    "context,source=retrieved,retriever=embeddings,of=finetune",
    "context,source=retrieved,of=few-shot,passages_k=3",
    "pretrain,of=few-shot",
    "pretrain,of=lora",
    "pretrain,of=context",
    *(f"context,of={name}" for name in NAMES if name not in {"context", "few-shot", "finetune"}),
]


class Watching(ToyModel):
    """Answers everything, can be trained by every method, and keeps each text that it is shown."""

    answers = frozenset({"LogLikelihood", "Generate", "Classify", "Embed", "FillMask"})
    methods = frozenset({"head", "lora", "prompt-tuning", "prefix-tuning", "bitfit", "prompt", "contrastive"})

    def __init__(self):
        self.texts = []

    def train(self, job):
        self.texts += [text for text, _ in (*job.examples, *job.validation, *job.ordinary)]
        return Trained(self, 0.0)

    def cannot_pretrain(self):
        return None

    def pretrain(self, job):
        self.texts += [*job.texts, *job.held_out]
        return Pretrained(self, 0.0, 2.0, 1.0, "tokens", 1)

    def run(self, requests):
        self.texts += [one.text if isinstance(one, Classify | Embed) else one.prompt.text for one in requests]
        return [self._answer(one) for one in requests]

    def _answer(self, request):
        match request:
            case Embed():
                return Embedded((float(len(request.text)), float(request.text.count("a"))))
            case Classify():
                return Classified(tuple(-1.0 - at for at in range(len(request.labels))))
            case LogLikelihood():
                return LogLikelihoods(tuple(-1.0 - at for at in range(len(request.continuations))))
            case FillMask():
                return Filled(tuple(-1.0 - at for at in range(len(request.fillings))))
        return Generated("warm", "stop")


class Drawn:
    """A task of drawn rows."""

    spec = TaskSpec(
        "drawn",
        "classification",
        PromptSpec("<{{ text }}> is", input="<{{ text }}>"),
        {"warm": " warm", "cold": " cold"},
        has_context=True,
        contexts={"day": "by day", "night": "by night"},
    )

    def __init__(self, splits):
        self._rows = {
            split: [Sample(f"{split}-{at}", {"text": text}, *rest) for at, (text, *rest) in enumerate(rows)]
            for split, rows in splits.items()
        }

    def samples(self, split):
        return self._rows[split]


ROW = st.tuples(
    st.builds(
        lambda number, mark: f"{mark[0]}Text {number}{mark[1]}",
        st.integers(0, 30),
        st.sampled_from([("", ""), ("", "!"), (" ", " "), ("", "  ?")]),
    ),
    st.sampled_from(["warm", "cold"]),
    st.sampled_from(["day", "night"]),
)
SPLITS = st.fixed_dictionaries(
    {
        "train": st.lists(ROW, min_size=8, max_size=24),
        "validation": st.lists(ROW, max_size=12),
        "test": st.lists(ROW, min_size=1, max_size=10),
    }
)


@pytest.mark.parametrize("name", [*NAMES, *VARIANTS])
@settings(max_examples=12, deadline=None)
@given(splits=SPLITS, seed=st.integers(0, 3))
def test_no_scored_row_and_no_duplicate_of_one_is_shown_while_adapting(name, splits, seed):
    task, model = Drawn(splits), Watching()
    strategy = CATALOGUE.strategy(parse_component(name))
    assume(not strategy.refuses(model, task.spec))
    view = TaskData(task).view("test", reads(strategy))
    pool = TaskData(task).pool("train", "test")[0]
    assume(len({(row.target, row.context) for row in pool}) == 4)  # enough to learn from
    adapted = None
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(TrainingError):  # a draw of one label alone
        adapted = strategy.adapt(model, view, Setting(seed, "cpu", Path(folder)))
    scored = {normalised(row.fields["text"]) for row in task.samples("test")}
    shown = {normalised(text) for one in model.texts for text in re.findall("<(.*?)>", one)}
    assert not shown & scored

    if adapted is None:
        return
    stranger = Sample("new", {"text": "something new"}, "warm", "day")  # what it carries into every prompt
    asked = [one for one in adapted.requests(stranger) if not isinstance(one, Classify | Embed)]
    carried = {normalised(text) for one in asked for text in re.findall("<(.*?)>", one.prompt.text)}
    assert not carried & scored


def test_every_strategy_is_tested_with_a_model_that_it_takes():
    refused = [name for name in NAMES if CATALOGUE.strategy(parse_component(name)).refuses(Watching(), Drawn.spec)]
    assert not refused


@pytest.mark.parametrize("name", ["linear-probe,train_size=4"])
def test_the_budget_says_what_was_used_and_validation_is_no_larger_than_training(name, tmp_path):
    strategy = CATALOGUE.strategy(parse_component(name))
    view = TaskData(ToyTask()).view("test", reads(strategy))
    assert strategy.adapt(Watching(), view, Setting(0, "cpu", tmp_path)).budget == LabelBudget(4, 4)


def test_a_strategy_that_does_not_say_what_it_used_is_taken_to_have_used_all_that_it_was_shown():
    view = TaskData(ToyTask()).view("test", frozenset({"train", "validation"}))
    assert stated(LabelBudget(), view) == (LabelBudget(), ())
    view.conditioned("label").samples("train")
    assert stated(LabelBudget(), view) == (LabelBudget(12, 0), (UNSTATED,))
    view.samples("validation")
    assert stated(LabelBudget(), view) == (LabelBudget(12, 12), (UNSTATED,))
    assert stated(LabelBudget(3), view) == (LabelBudget(3), ())
    assert stated(LabelBudget(unlabelled=12), view) == (LabelBudget(unlabelled=12), ())
