"""A task that asks and judges by itself, through planning, running, storing and reporting; folders of tasks."""

import json
from pathlib import Path

import pytest

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.checking import check_task
from harness.cli import call
from harness.errors import UnknownNameError
from harness.planning import plan
from harness.plugins import PluginChoice, Plugins
from harness.preview import preview
from harness.records import Component, Experiment
from harness.reporting import leaderboard_of
from harness.runner import run_experiment

EXTERNAL = str(Path(__file__).parents[1] / "external_tasks.py")


@pytest.fixture
def external(tmp_path) -> Catalogue:
    """A catalogue with tasks that ask by themselves."""
    plugins = Plugins(PluginChoice(files=(EXTERNAL,), strict=True))
    return Catalogue(plugins, Assets(plugins.registry("source"), root=tmp_path / "cache"))


def experiment(*strategies: str, task: str = "one") -> Experiment:
    written = [text.partition(",") for text in strategies]
    chosen = tuple(Component(name, None, dict([rest.split("=")]) if rest else {}) for name, _, rest in written)
    return Experiment((Component("toy"),), (Component("other", task),), chosen)


def test_it_says_how_it_is_asked_and_what_is_measured(external, store):
    results = run_experiment(experiment("zero-shot", "few-shot,k=3", "native"), external, store)
    assert [result.metrics["shown"].value for result in results] == [0, 3, 2]
    assert [result.metrics["more"].value for result in results] == [0, 3, 2]
    assert [result.metrics["surprise"].value for result in results] == [7.5, 4.5, 5.5]
    assert all(result.status == "finished" and "asked as it likes" in result.notes for result in results)
    (first, *_) = store.predictions(results[0].trial.key)
    assert first.measured == {"surprise": 7.5, "shown": 0}
    assert first.correct, "the task finds it right, though it is not the target"
    assert next(iter(store.outcomes(results[0].trial.key))).right
    board = leaderboard_of(results, store, external)
    (table,) = board.tables
    assert [row.strategy for row in table.rows] == ["few-shot,k=3", "native", "zero-shot"], "less surprise is better"
    assert all(result.trial.losses == ("surprise",) for result in results)
    again = run_experiment(experiment("zero-shot"), external, store)
    assert again[0].cached


def test_other_strategies_and_what_the_task_can_not_do_are_refused(external):
    jobs = plan(experiment("finetune", "few-shot,k=4", "few-shot,select=first", "linear-probe"), external)
    refused = [job.trial.refusal for job in jobs]
    assert refused[1] == "it takes three at most"
    assert "few-shot says their number alone" in refused[2]
    assert all("the task makes its own prompts" in refused[at] for at in (0, 2, 3))


def test_native_is_for_such_tasks_alone(catalogue):
    (job,) = plan(Experiment((Component("toy"),), (Component("toy"),), (Component("native"),)), catalogue)
    assert "take few-shot" in job.trial.refusal


def test_its_identity_is_part_of_keys(external, monkeypatch):
    (before,) = plan(experiment("zero-shot"), external)
    monkeypatch.setattr(type(external.task(Component("other", "one")).task), "asked", "How much?")
    (after,) = plan(experiment("zero-shot"), external)
    assert before.trial.key != after.trial.key


def test_one_name_stands_for_several_tasks(external):
    assert [str(one) for one in external.expand(Component("other", "*"))] == ["other:one", "other:two"]
    jobs = plan(experiment("zero-shot", task="*"), external)
    assert [str(job.trial.task) for job in jobs] == ["other:one", "other:two"]


def test_a_glob_over_names_means_no_collection(external):
    names = [one.name for one in external.expand(Component("*"))]
    assert "sms-spam" in names
    assert "other" not in names


def test_it_is_shown_and_checked(external):
    shown = preview(external, "other:one", strategy="few-shot,k=2", count=1)
    likelihood, rolling = shown.samples[0].requests
    assert (likelihood.text, likelihood.demonstrations, likelihood.answers) == ("x\nx\nHow many? 0", 2, (" a", " b"))
    assert (rolling.kind, rolling.text) == ("RollingLogLikelihood", "a b c")
    findings = check_task(external.task(Component("other", "one")).task)
    assert list(map(str, findings)) == ["test: 5 rows", "note: asked as it likes"]


def test_the_tasks_behind_a_name_are_listed(tmp_path, capsys):
    (tmp_path / "more").mkdir()
    listed = ("list", "tasks", "--in", "other", "--tasks-path", str(tmp_path / "more"))
    assert call(["--plugin", EXTERNAL, *listed, "--match", "*:two", "--format", "json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["name"], one["summary"]) == ("other:two", "in 1 folders")
    assert call(["--plugin", EXTERNAL, "list", "tasks", "--in", "sms-spam"]) == 2
    assert "one task" in capsys.readouterr().err
    assert call(["--plugin", EXTERNAL, "list", "models", "--in", "other"]) == 2


# --- folders of tasks --------------------------------------------------------------------------------

TASK = """
name: weather
kind: classification
data:
  files: {test: test.jsonl}
  fields: {text: text, target: label}
labels: {warm: " warm", cold: " cold"}
prompt: {template: "{{ text }}:"}
"""


@pytest.fixture
def weather(tmp_path) -> Path:
    """A folder of tasks with one task."""
    folder = tmp_path / "tasks" / "weather"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    (folder / "test.jsonl").write_text('{"text": "sun", "label": "warm"}\n{"text": "snow", "label": "cold"}\n')
    return folder.parent


def test_a_name_that_stands_in_a_folder_of_tasks_is_its_file(weather, catalogue):
    found = Catalogue(catalogue.plugins, catalogue.assets, [weather])
    assert found.expand(Component("weather"))[0].name == str(weather / "weather" / "task.yaml")
    assert found.task(Component("weather")).spec.name == "weather"
    with pytest.raises(UnknownNameError):
        catalogue.task(Component("weather"))


def test_the_command_line_takes_folders_of_tasks(weather, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ("show", "-t", "weather", "-n", "1", "--format", "json")
    assert call([*asked, "--tasks-path", str(weather)]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "weather"
    monkeypatch.setenv("HARNESS_TASKS_PATH", str(weather))
    assert call([*asked]) == 0
    assert call([*asked, "--tasks-path", str(tmp_path / "nowhere")]) == 2
