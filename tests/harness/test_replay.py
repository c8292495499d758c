"""Running a stored trial again: it comes out the same, and whatever has changed is named."""

import dataclasses
import json
import subprocess
import sys

import pytest

from harness import replay as module
from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.errors import HarnessError, UsageError
from harness.manifest import _revision, revision
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Estimate, Experiment, Prediction
from harness.replay import Change, prepare, replay
from harness.runner import run_experiment
from harness.store import Store

TASK = """\
name: weather
kind: classification
data:
  files: {train: train.jsonl, validation: dev.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
labels: {warm: " warm", cold: " cold"}
prompt: {template: "Text: {{ text }}\\nLabel:"}
metrics: [accuracy, macro_f1, cross_entropy]
"""
PLUGIN = """\
from harness import hookimpl


@hookimpl
def register_models(register):
    register("toy", "harness.testing:ToyModel")
"""
FINETUNED = ("tfidf-lr", "finetune")
PROMPTED = ("toy", "few-shot,k=2")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A task in the current folder, named as people name it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task.yaml").write_text(TASK)
    (tmp_path / "replayed_toys.py").write_text(PLUGIN)
    for split, count in (("train", 24), ("dev", 12), ("test", 20)):
        rows = [
            {
                "text": f"{split} {n}: " + ("sun on the beach", "snow on the roof")[n % 2],
                "label": ("warm", "cold")[n % 2],
            }
            for n in range(count)
        ]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    yield tmp_path
    sys.modules.pop("replayed_toys", None)


def fresh_catalogue(folder):
    plugins = Plugins(PluginChoice(files=(str(folder / "replayed_toys.py"),), strict=True))
    return Catalogue(plugins, Assets(plugins.registry("source"), root=folder / "cache"))


@pytest.fixture
def made(folder):
    """The keys of a prompted and of a trained trial in a store; and what replays one of them."""
    models, strategies = (
        tuple(map(Component, ("toy", "tfidf-lr"))),
        (Component("few-shot", None, {"k": "2"}), Component("finetune")),
    )
    experiment = Experiment(models, (Component("task.yaml"),), strategies, limit=100)
    with Store("harness.db") as store:
        results = run_experiment(experiment, fresh_catalogue(folder), store)
    keys = {
        (str(one.trial.model), str(one.trial.strategy)): one.trial.key for one in results if one.status == "finished"
    }

    def again(which):
        catalogue = fresh_catalogue(folder)
        with Store("harness.db") as store:
            return replay(prepare(store, keys[which], catalogue), store, catalogue)

    again.keys = keys
    return again


def changed(found):
    return {change.field for change in found.changes}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("which", [PROMPTED, FINETUNED], ids=["prompted", "trained"])
def test_every_metric_and_prediction_comes_out_the_same(made, which):
    found = made(which)
    assert (found.reproduced, found.changes, found.differences, found.differing) == (True, (), (), ())
    assert (found.metrics, found.predictions, found.status) == (3, 20, "finished")


def test_nothing_is_written_into_the_store_and_nothing_that_is_kept_is_used(made, folder):
    before = (folder / "harness.db").read_bytes()
    kept = sorted(path for path in (folder / "cache").rglob("*") if path.is_file() and "facts" not in path.parts)
    made(FINETUNED)
    assert (folder / "harness.db").read_bytes() == before
    assert kept == sorted(p for p in (folder / "cache").rglob("*") if p.is_file() and "facts" not in p.parts)


@pytest.mark.parametrize(
    ("file", "old", "new", "which", "fields"),
    [
        ("test.jsonl", "test 3", "test E", PROMPTED, {"data test", "scored rows"}),
        ("train.jsonl", "train 3", "train E", PROMPTED, {"data train", "train rows"}),
        ("train.jsonl", '"text": ', '"text":  ', PROMPTED, {"data train"}),
        ("task.yaml", "Text: {{", "TEXT: {{", PROMPTED, {"prompt.template"}),
        ("task.yaml", '" warm"', '" hot"', PROMPTED, {"labels"}),
        ("task.yaml", "Text: {{", "TEXT: {{", FINETUNED, {"prompt.template"}),
        ("task.yaml", "metrics: [accuracy, ", "metrics: [", PROMPTED, {"metrics"}),
    ],
)  # fmt: skip
def test_one_changed_byte_is_named(made, folder, file, old, new, which, fields):
    edit(folder / file, old, new)
    assert changed(made(which)) == fields


def test_a_change_that_does_no_harm_is_told_beside_equal_results(made, folder):
    edit(folder / "task.yaml", "Text: {{", "TEXT: {{")
    found = made(FINETUNED)  # it reads the bare text
    assert found.reproduced
    before, now = "Text: {{ text }}\nLabel:", "TEXT: {{ text }}\nLabel:"
    assert found.changes == (Change("prompt.template", before, now),)


def test_a_change_that_does_harm_shows_in_metrics_and_predictions(made, folder):
    edit(folder / "test.jsonl", '"label": "warm"', '"label": "cold"')
    found = made(FINETUNED)
    assert not found.reproduced
    assert len(found.differing) == 1
    assert {one.metric for one in found.differences} == {"accuracy", "macro_f1", "cross_entropy"}


def test_another_version_of_a_plugin_is_named(made, folder):
    plugin = folder / "replayed_toys.py"
    plugin.write_text(plugin.read_text() + "# another version\n")
    assert changed(made(PROMPTED)) == {"plugin replayed_toys"}


def test_another_version_of_a_library_or_machine_is_named(made, monkeypatch):
    real = module.version
    monkeypatch.setattr(module, "version", lambda name: "0.1.2" if name == "scikit-learn" else real(name))
    monkeypatch.setattr(module, "here", lambda: {"python": "2.7.18"})
    found = made(FINETUNED)
    assert changed(found) >= {"scikit-learn", "python"}
    assert next(change for change in found.changes if change.field == "scikit-learn").now == "0.1.2"


def test_other_weights_are_named(made, monkeypatch):
    from harness.testing import ToyModel

    monkeypatch.setattr(ToyModel, "fingerprint", lambda self: "other weights")
    assert changed(made(PROMPTED)) == {"weights"}


def test_a_task_is_found_from_any_folder(made, folder, monkeypatch, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    catalogue = fresh_catalogue(folder)
    with Store(str(folder / "harness.db")) as store:
        assert replay(prepare(store, made.keys[PROMPTED], catalogue), store, catalogue).reproduced
    (folder / "task.yaml").unlink()
    with Store(str(folder / "harness.db")) as store, pytest.raises(HarnessError, match="it was run in"):
        prepare(store, made.keys[PROMPTED], fresh_catalogue(folder))


def test_a_trial_without_results_cannot_be_reproduced(catalogue, store, toy_experiment):
    experiment = dataclasses.replace(toy_experiment, models=(Component("fake-unloadable"),))
    (failed,) = run_experiment(experiment, catalogue, store)
    with pytest.raises(UsageError, match="is failed: it has no results to reproduce"):
        prepare(store, failed.trial.key, catalogue)


def test_a_partial_trial_and_one_stored_without_a_manifest_are_replayed(catalogue, store, toy_experiment):
    experiment = dataclasses.replace(toy_experiment, models=(Component("fake-choking"),))
    (partial,) = run_experiment(experiment, catalogue, store)
    prepared = prepare(store, partial.trial.key, catalogue)
    assert replay(prepared, store, catalogue).reproduced
    older = dataclasses.replace(partial, manifest={}, trial=dataclasses.replace(partial.trial, samples="others"))
    job = module.plan(prepared.experiment, catalogue)[0]
    assert [change.field for change in module._changes(older, job, catalogue)] == ["scored rows"]
    renamed = dataclasses.replace(partial, trial=dataclasses.replace(partial.trial, key="old"))
    assert [change.field for change in module._changes(renamed, job, catalogue)] == ["key"]


def test_scores_may_differ_in_their_last_digits_alone():
    def said(text, *scores):
        return Prediction("7", "a", text, scores=scores)

    assert dict(module._distances([said("a", -1.0, -2.0)], [said("a", -1.0, -2.00001)])) == {"7": pytest.approx(1e-5)}
    assert dict(module._distances([said("a", -1.0, float("nan"))], [said("a", -1.0, float("nan"))])) == {"7": 0}
    for other in (said("b", -1.0, -2.0), said("a", -1.0), said("a", -1.0, float("inf"))):
        assert dict(module._distances([said("a", -1.0, -2.0)], [other])) == {"7": float("inf")}
    assert dict(module._distances([said("a")], [])) == dict(module._distances([], [said("a")])) == {"7": float("inf")}
    assert module._alike(Estimate(0.5, 0.4, 0.6), Estimate(0.500001, 0.4, 0.6))
    assert not module._alike(Estimate(0.5, 0.4, 0.6), Estimate(0.5, 0.4, 0.7))
    assert not module._alike(Estimate(0.5, 0.4, 0.6), None)


def test_the_git_revision_of_a_task_file_is_the_last_that_touched_its_folder(tmp_path):
    def git(*arguments):
        names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", tmp_path, *names, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    task = tmp_path / "tasks" / "task.yaml"
    task.parent.mkdir()
    task.write_text("name: a\n")
    assert revision(task) == {}
    git("init", "-q")
    _revision.cache_clear()
    assert revision(task) == {}, "nothing is committed"
    git("add", ".")
    git("commit", "-qm", "first")
    first = git("rev-parse", "HEAD")
    (tmp_path / "other.txt").write_text("else\n")
    git("add", ".")
    git("commit", "-qm", "second")
    _revision.cache_clear()
    assert revision(task) == {"task revision": first}
    task.write_text("name: b\n")
    _revision.cache_clear()
    assert revision(task) == {"task revision": f"{first}+"}
    assert revision(None) == {}
