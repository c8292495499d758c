"""Planning: what is edited changes the keys of exactly the trials that it touches."""

import dataclasses

import pytest

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.errors import ConfigError, UnknownNameError
from harness.planning import plan
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Exclusion, Experiment

GRID = ("zero-shot", "few-shot,k=2", "finetune", "context")

TASK = """
name: weather
kind: classification
data:
  files: {train: train.jsonl, validation: dev.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
  context: time
labels: {warm: " warm", cold: " cold"}
prompt:
  template: "Text: {{ text }}\\nLabel:"
"""


def rows(name: str, count: int) -> str:
    return "".join(
        f'{{"text": "{name} {n}", "label": "{("warm", "cold")[n % 2]}", "time": "{("day", "night")[n % 3 % 2]}"}}\n'
        for n in range(count)
    )


@pytest.fixture
def folder(tmp_path):
    """A task folder that tests edit."""
    (tmp_path / "task.yaml").write_text(TASK)
    for name, count in (("train", 12), ("dev", 6), ("test", 10)):
        (tmp_path / f"{name}.jsonl").write_text(rows(name, count))
    return tmp_path


def keys(folder, faulty_parts, **changes) -> dict[str, str]:
    """Strategy -> key, planned from scratch."""
    plugins = Plugins(PluginChoice(files=(faulty_parts,)))
    catalogue = Catalogue(plugins, Assets(plugins.registry("source"), root=folder / "cache"))
    experiment = Experiment(
        models=(Component("toy"),),
        tasks=(Component(str(folder / "task.yaml")),),
        strategies=tuple(
            Component(text.split(",")[0], None, dict(p.split("=") for p in text.split(",")[1:])) for text in GRID
        ),
    )
    jobs = plan(dataclasses.replace(experiment, **changes), catalogue)
    assert all(not job.trial.refusal for job in jobs)
    return {job.trial.strategy.name: job.trial.key for job in jobs}


def edit(path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        ("task.yaml", "Text: {{", "TEXT: {{", {"zero-shot", "few-shot", "context"}),
        ("task.yaml", '" warm"', '" hot"', {"zero-shot", "few-shot", "context"}),
        ("train.jsonl", "train 3", "train three", {"few-shot", "finetune"}),
        ("dev.jsonl", "dev 3", "dev three", {"finetune"}),
        ("test.jsonl", "test 3", "test three", {"zero-shot", "few-shot", "finetune", "context"}),
        ("task.yaml", "name: weather", "name: weather\ndescription: words alone", set()),
    ],
)
def test_an_edit_touches_exactly_the_trials_that_read_it(folder, faulty_parts, file, old, new, touched):
    before = keys(folder, faulty_parts)
    edit(folder / file, old, new)
    after = keys(folder, faulty_parts)
    assert {name for name in before if before[name] != after[name]} == touched


@pytest.mark.parametrize(
    ("old", "new"),
    [("top_p: 0.9", "top_p: 0.8"), ("n: 5", "n: 6"), ("ature: 0.5", "ature: 0.6"), ("tokens: 9", "tokens: 8")],
)
def test_how_answers_are_generated_is_part_of_the_key(folder, faulty_parts, old, new):
    (folder / "task.yaml").write_text(
        "name: sums\nkind: generation\ndata: {files: {train: train.jsonl, test: test.jsonl}, "
        "fields: {text: text, target: label}, context: time}\nprompt: {template: '{{ text }}'}\n"
        "generation: {max_tokens: 9, temperature: 0.5, top_p: 0.9, n: 5}\n"
    )
    strategies = (Component("zero-shot"), Component("few-shot", None, {"k": "2"}))
    before = keys(folder, faulty_parts, strategies=strategies)
    edit(folder / "task.yaml", old, new)
    after = keys(folder, faulty_parts, strategies=strategies)
    assert not set(before.values()) & set(after.values())


def test_planning_twice_gives_the_same_keys(folder, faulty_parts):
    assert keys(folder, faulty_parts) == keys(folder, faulty_parts)


def test_a_seed_is_part_of_every_key(folder, faulty_parts):
    first, second = keys(folder, faulty_parts), keys(folder, faulty_parts, seeds=(1,))
    assert not set(first.values()) & set(second.values())


def test_a_limit_beyond_the_rows_changes_nothing(folder, faulty_parts):
    assert keys(folder, faulty_parts) == keys(folder, faulty_parts, limit=10_000)
    assert keys(folder, faulty_parts) != keys(folder, faulty_parts, limit=4)


def test_a_plugins_version_touches_the_trials_it_takes_part_in(folder, faulty_parts, tmp_path):
    copy = tmp_path / "faulty_copy.py"
    copy.write_text(
        "from harness import hookimpl\n\n@hookimpl\n"
        "def register_models(register): register('toy', 'harness.testing:ToyModel')\n"
    )
    before = keys(folder, str(copy))
    copy.write_text(copy.read_text() + "# a new version\n")
    after = keys(folder, str(copy))
    assert not set(before.values()) & set(after.values())


def test_written_defaults_make_no_other_trial(catalogue, toy_experiment):
    spelt = (Component("few-shot"), Component("few-shot", None, {"k": "8", "select": "balanced"}))
    jobs = plan(dataclasses.replace(toy_experiment, strategies=spelt), catalogue)
    assert len(jobs) == 1


def test_the_baseline_of_context_is_the_trial_without_it(catalogue, toy_experiment):
    strategies = (Component("few-shot", None, {"k": "2"}), Component("context", None, {"of": "few-shot", "k": "2"}))
    without, with_context = plan(dataclasses.replace(toy_experiment, strategies=strategies), catalogue)
    assert next(iter(with_context.trial.baselines.values())) == without.trial.key
    assert without.trial.baselines == {}


def test_pairs_that_cannot_work_carry_the_reason(catalogue, toy_experiment):
    experiment = dataclasses.replace(
        toy_experiment, models=(Component("majority"),), strategies=(Component("zero-shot"),)
    )
    (job,) = plan(experiment, catalogue)
    assert "can't be prompted" in job.trial.refusal


def test_what_an_experiment_excludes_stands_there_with_the_reason(catalogue, toy_experiment):
    excluded = (Exclusion(model="to*", strategy="few-shot*", reason="takes too long"), Exclusion(task="other"))
    strategies = (Component("zero-shot"), Component("few-shot", None, {"k": 2}))
    experiment = dataclasses.replace(toy_experiment, strategies=strategies, exclude=excluded)
    jobs = plan(experiment, catalogue)
    assert [job.trial.refusal for job in jobs] == ["", "left out by the experiment: takes too long"]


def test_adapting_on_what_is_scored_is_refused(catalogue, toy_experiment):
    experiment = dataclasses.replace(toy_experiment, split="train", strategies=(Component("few-shot"),))
    (job,) = plan(experiment, catalogue)
    assert job.trial.refusal == "it adapts on split train, which is being scored"


def test_globs_stand_for_all_their_tasks(catalogue, toy_experiment):
    jobs = plan(dataclasses.replace(toy_experiment, tasks=(Component("*toy"),)), catalogue)
    assert [str(job.trial.task) for job in jobs] == ["long-toy", "toy"]
    with pytest.raises(UnknownNameError, match=r"unknown task 'nothing-\*'"):
        plan(dataclasses.replace(toy_experiment, tasks=(Component("nothing-*"),)), catalogue)


def test_an_empty_grid_says_what_is_missing(catalogue, toy_experiment):
    with pytest.raises(ConfigError, match="names no model"):
        plan(dataclasses.replace(toy_experiment, models=()), catalogue)
