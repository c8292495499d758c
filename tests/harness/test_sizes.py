"""Strategies crossed with sizes: which parameter takes them, what is clamped, what is refused."""

import logging

import pytest

from harness.components import parse_component
from harness.errors import UsageError
from harness.interfaces import Sizes
from harness.planning import plan
from harness.records import Component, Experiment
from harness.sizes import crossed, curve_of
from harness.testing import ToyTask


def planned(catalogue, *strategies, task="toy", model="toy", **changes):
    experiment = Experiment(
        (Component(model),), (Component(task),), tuple(map(parse_component, strategies)), seeds=(0,), **changes
    )
    return [job.trial for job in plan(experiment, catalogue)]


def names(trials):
    return [str(trial.strategy) for trial in trials]


def test_each_strategy_takes_sizes_by_its_own_parameter(catalogue):
    found = planned(catalogue, "zero-shot", "few-shot", "linear-probe,max_iter=5", sizes=(2, 4))
    assert names(found) == [
        "zero-shot",
        "few-shot,k=2",
        "few-shot,k=4",
        "linear-probe,max_iter=5,train_size=2",
        "linear-probe,max_iter=5,train_size=4",
    ]
    assert [trial.curve for trial in found] == ["", *["few-shot"] * 2, *["linear-probe,max_iter=5"] * 2]
    assert [trial.prompts for trial in found] == [True] * 3 + [False] * 2


def test_rows_of_each_label_are_demonstrations_times_labels(catalogue):
    found = planned(catalogue, "few-shot", "lora", "knn", sizes=(1, 2), per_label=True)
    assert names(found) == [
        "few-shot,k=2",
        "few-shot,k=4",
        "lora,shots=1",
        "lora,shots=2",
        "knn,shots=1",
        "knn,shots=2",
    ]
    assert [trial.curve for trial in found] == ["few-shot"] * 2 + ["lora (shots)"] * 2 + ["knn (shots)"] * 2


@pytest.mark.parametrize(("per_label", "kept"), [(False, [4, 100]), (True, [4, 100])])
def test_of_sizes_beyond_the_rows_the_smallest_is_kept(catalogue, caplog, per_label, kept):
    caplog.set_level(logging.INFO, logger="harness")
    assert len(ToyTask().samples("train")) < 100
    found = planned(catalogue, "finetune", sizes=(4, 100, 200, 300), per_label=per_label)
    parameter = "shots" if per_label else "train_size"
    assert names(found) == [f"finetune,{parameter}={size}" for size in kept]
    assert f"finetune on toy: {parameter}=100 takes all rows there are" in caplog.messages


def test_a_search_for_each_sample_has_no_size(catalogue):
    assert names(planned(catalogue, "few-shot,select=bm25", sizes=(2, 4))) == ["few-shot,select=bm25"]


def test_a_context_has_the_sizes_of_what_it_changes(catalogue):
    found = planned(catalogue, "context,of=few-shot", "context", sizes=(2, 4))
    assert names(found) == ["context,of=few-shot,k=2", "context,of=few-shot,k=4", "context"]
    assert found[0].curve == "context,of=few-shot"


def test_without_sizes_everything_is_as_written(catalogue):
    found = planned(catalogue, "few-shot", "few-shot,k=3", "finetune,train_size=8")
    assert names(found) == ["few-shot", "few-shot,k=3", "finetune,train_size=8"]
    assert [trial.curve for trial in found] == ["few-shot", "few-shot", "finetune"]


def test_trials_have_the_keys_of_the_strategies_written_out(catalogue):
    swept = planned(catalogue, "few-shot", sizes=(2, 4))
    written = planned(catalogue, "few-shot,k=2", "few-shot,k=4")
    assert [trial.key for trial in swept] == [trial.key for trial in written]


def test_a_size_of_its_own_is_refused(catalogue):
    with pytest.raises(UsageError, match=r"few-shot,k=3 has its own k.*leave it out"):
        planned(catalogue, "few-shot,k=3", sizes=(2, 4))
    with pytest.raises(UsageError, match="has its own train_size"):
        planned(catalogue, "finetune,train_size=8", sizes=(2, 4), per_label=True)


def test_a_task_without_labels_has_no_rows_of_each(catalogue):
    with pytest.raises(UsageError, match=r"'gsm8k-100' has no labels.*leave --per-label out"):
        planned(catalogue, "few-shot", task="gsm8k-100", sizes=(2, 4), per_label=True)


class OnlyEach:
    """A fake strategy that knows rows of each label alone."""

    sizes = Sizes(per_label="shots")


def test_a_strategy_for_rows_of_each_label_alone_says_so(catalogue):
    experiment = Experiment((), (), (), sizes=(4, 8))
    with pytest.raises(UsageError, match=r"each label \(shots\) alone.*--per-label"):
        crossed(Component("own"), OnlyEach(), catalogue.task(Component("toy")), experiment)
    assert curve_of(Component("own", None, {"shots": 3}), OnlyEach()) == "own (shots)"
