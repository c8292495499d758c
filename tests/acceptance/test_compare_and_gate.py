"""`harness compare`, `harness gate` and what reports say of ranks, with real baselines on the installed command."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from harness.clusters import cluster_codes, clustered_share
from harness.statistics import wilson
from harness.store import Store

TASK = """\
name: moods
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
  context: source
  cluster: page
labels: {good: " good", bad: " bad"}
prompt: {template: "{{ text }}:"}
metrics: [accuracy, macro_f1, cross_entropy]
"""

MODELS = ("-m", "tfidf-lr", "-m", "majority", "-m", "random", "-s", "finetune", "-s", "zero-shot")
PLAIN = ("good", "fine", "warm"), ("bad", "dull", "cold")


def rows(rng, n, told):
    """Texts of which a share `told` holds a word that tells their mood; three quarters are good."""
    for number in range(n):
        mood = int(rng.random() < 0.25)
        word = rng.choice(PLAIN[mood]) if rng.random() < told else "so"
        text = f"{word} {' '.join(rng.choice(list('abcdefgh'), size=4))} {number}"
        yield {"text": text, "label": ("good", "bad")[mood], "source": "ab"[number % 2], "page": number // 4}


def write(folder, train_told=0.95):
    rng = np.random.default_rng(3)
    (folder / "moods.yaml").write_text(TASK)
    for name, n, told in (("test", 320, 0.95), ("train", 300, train_told)):
        lines = "".join(json.dumps(row) + "\n" for row in rows(rng, n, told))
        (folder / f"{name}.jsonl").write_text(lines)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A task folder with a store in which all baselines are finished; made once."""
    folder = tmp_path_factory.mktemp("moods")
    write(folder)
    command = [str(Path(sys.executable).with_name("harness")), "run", *MODELS, "-t", "moods.yaml", "--no-latency"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def moods(cli, tmp_path, finished):
    """The command line in a copy of that folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return cli


# --- compare -----------------------------------------------------------------------------------------------


def test_a_comparison_shows_differences_contexts_and_flipped_samples(moods):
    done = moods("compare", "tfidf-lr/finetune", "majority/finetune", "--flips", "1", "--format", "json")
    assert done.status == 0, done.err
    told = done.json
    assert [one["metric"] for one in told["metrics"]] == ["accuracy", "macro_f1", "cross_entropy"]
    accuracy = told["metrics"][0]
    assert accuracy["difference"]["low"] > 0
    assert accuracy["p_value"] < 0.001
    assert told["only_a"] + told["only_b"] + told["both"] + told["neither"] == told["n"] == 320
    assert {one["context"] for one in told["contexts"]} == {"a", "b"}
    assert told["notes"] == []
    flip = told["flips"][0]
    line = next(row for row in lines_of(moods.folder / "test.jsonl") if row["text"] == flip["a"]["prompts"][0])
    assert (flip["target"], flip["right"]) == (line["label"], "a")


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_comparison_for_people(moods, form):
    done = moods("compare", "tfidf-lr/finetune/moods/0", "random/zero-shot", "--format", form)
    assert done.status == 0, done.err
    for part in ("accuracy", "A - B", "p (Holm)", "only A is right", "A was asked:", "less is better"):
        assert part in done.out


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("tfidf-lr/finetun", "majority/finetune"), "no stored trial is called 'tfidf-lr/finetun' (did you mean"),
        (("tfidf-lr/finetune", "tfidf-lr/finetune"), "both are the same trial"),
        (("tfidf-lr/finetune", "majority/zero-shot"), "has answered nothing (not-applicable"),
        (("abcdef", "majority/finetune"), "begins with 'abcdef'"),
    ],
)
def test_what_can_not_be_compared_is_one_line_and_exit_2(moods, names, said):
    done = moods("compare", *names)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_other_rows_are_refused_with_what_differs(moods):
    assert moods("run", "-m", "random", "-t", "moods.yaml", "--limit", "50", "--no-latency", "--seeds", "1").status == 0
    done = moods("compare", "tfidf-lr/finetune", "random/zero-shot/1")
    assert done.status == 2
    assert "270 only in A" in done.err
    assert "limit None and limit 50" in done.err


def test_prompts_are_not_shown_once_the_data_has_changed(moods, finished):
    path, nothing_kept = finished / "test.jsonl", str(moods.folder / "cache")
    as_it_was = path.read_text()
    path.write_text(as_it_was.replace("so ", "very ", 1))
    try:
        done = moods("compare", "tfidf-lr/finetune", "majority/finetune", "--flips", "1", HARNESS_CACHE=nothing_kept)
    finally:
        path.write_text(as_it_was)
    assert done.status == 0, done.err
    assert "can't be shown: the data, a template, a model or a plugin has changed since it ran" in done.out


# --- gate ------------------------------------------------------------------------------------------------------


def test_a_gate_passes_what_has_not_changed_and_fails_a_planted_regression(moods):
    wrote = moods("gate", "--write", "base.json")
    assert (wrote.status, wrote.out) == (0, "wrote 3 trials to base.json\n")
    same = moods("gate", "base.json", "--no-latency")
    assert (same.status, same.out) == (0, "9 checks: 9 passed, 0 failed, 0 not compared\n")

    write(moods.folder, train_told=0.02)  # training rows no longer tell what is to be learnt
    grid = ("-m", "tfidf-lr", "-s", "finetune", "-t", "moods.yaml", "--no-latency", "--store", "new.db")
    assert moods("run", *grid).status == 0
    broken = moods(
        "gate",
        "base.json",
        "-m",
        "tfidf-lr",
        "--store",
        "new.db",
        "--no-latency",
        "--junit",
        "gate.xml",
        "--annotations",
    )
    assert broken.status == 1
    *failures, counted = broken.out.splitlines()
    assert [line.partition(": ")[0] for line in failures] == ["FAILED"] * len(failures)
    assert failures[0].startswith("FAILED: tfidf-lr/finetune/moods/0 accuracy: ")
    assert counted.startswith("3 checks: ")
    assert broken.err.splitlines()[-len(failures)].startswith(
        "::error title=harness gate::tfidf-lr/finetune/moods/0 accu"
    )
    suite = ET.parse(moods.folder / "gate.xml").find("testsuite")
    assert suite.get("failures") == str(len(failures))

    tolerant = moods(
        "gate",
        "base.json",
        "-m",
        "tfidf-lr",
        "--store",
        "new.db",
        "--tolerance",
        "9",
        "--no-latency",
        "--format",
        "json",
    )
    assert (tolerant.status, tolerant.json["passed"]) == (0, True)


def test_missing_trials_fail_a_gate_unless_they_may_be_missing(moods):
    moods("gate", "--write", "base.json")
    assert (
        moods("run", "-m", "majority", "-s", "finetune", "-t", "moods.yaml", "--no-latency", "--store", "few.db").status
        == 0
    )
    done = moods("gate", "base.json", "--store", "few.db")
    assert done.status == 1
    assert "FAILED: tfidf-lr/finetune/moods/0 trial: it is not in the store" in done.out
    allowed = moods("gate", "base.json", "--store", "few.db", "--allow-missing", "--no-latency")
    assert allowed.status == 0
    assert "not compared: tfidf-lr/finetune/moods/0 trial: it is not in the store" in allowed.out


def test_a_gate_keeps_what_was_written_with_it_and_times_are_compared(cli, tmp_path):
    write(tmp_path)
    run = ("run", "-m", "tfidf-lr", "-s", "finetune", "-t", "moods.yaml", "--scenario", "single-stream")
    assert cli(*run).status == 0
    assert cli("gate", "--write", "base.json", "--tolerance", "accuracy=0.05", "--latency-tolerance", "9").status == 0
    told = json.loads((tmp_path / "base.json").read_text())
    assert (told["tolerance"], told["latency_tolerance"]) == ({"default": 0.01, "accuracy": 0.05}, 9.0)
    assert cli(*run, "--store", "again.db").status == 0
    checks = {
        one["what"]: one for one in cli("gate", "base.json", "--store", "again.db", "--format", "json").json["checks"]
    }
    assert checks["accuracy"]["tolerance"] == 0.05
    assert checks["one sample at a time"]["verdict"] == "passed"
    assert checks["one sample at a time"]["change"]["value"] > 0
    left = cli("gate", "base.json", "--store", "again.db", "--no-latency", "--format", "json").json["checks"]
    assert {one["what"] for one in left} == {"accuracy", "macro_f1", "cross_entropy"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.json",), "none.json: can't be read"),
        (("moods.yaml",), "unknown key"),
        (("base.json", "--tolerance", "much"), "'much' is no tolerance"),
        (("base.json", "-m", "nobody"), "base.json: names no trial that matches"),
        (("--write", "other.json", "-m", "nobody"), "no finished trial matches"),
    ],
)
def test_what_is_asked_wrongly_of_a_gate_is_one_line_and_exit_2(moods, arguments, said):
    moods("gate", "--write", "base.json")
    done = moods("gate", *arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


# --- clusters ----------------------------------------------------------------------------------------------------


def test_a_task_in_clusters_has_clustered_intervals_from_the_file_to_the_report(moods):
    (trial,) = (
        one
        for one in moods("report", "--format", "json").json["trials"]
        if one["model"] == "random" and one["n"] and one["metrics"]
    )
    with Store(str(moods.folder / "harness.db")) as store:
        predictions = store.predictions(trial["key"])
        right, names = [one.correct for one in predictions], [one.cluster for one in predictions]
    assert sorted(set(names), key=int) == [str(page) for page in range(80)]
    accuracy = clustered_share(right, cluster_codes(names))
    assert trial["metrics"]["accuracy"] == {"value": accuracy.value, "low": accuracy.low, "high": accuracy.high}
    assert accuracy.low != wilson(sum(right), len(right)).low


# --- reports -----------------------------------------------------------------------------------------------------


def test_reports_show_rank_intervals_and_warn_of_what_the_majority_does_as_well(moods):
    table = moods("report")
    assert "warning: No better than the majority's answer (0.7" in table.out
    assert "random · zero-shot" in table.out.split("warning:")[1].splitlines()[0]
    ranked = {
        row["model"]: row for row in csv.DictReader(io.StringIO(moods("report", "--format", "csv").out)) if row["rank"]
    }
    assert {model: (row["rank_low"], row["rank_high"]) for model, row in ranked.items()} == {
        "tfidf-lr": ("1", "1"),
        "majority": ("2", "2"),
        "random": ("3", "3"),
    }
    assert float(ranked["random"]["p_majority"]) > 0.9
    assert ranked["majority"]["p_majority"] == ""
    (told,) = moods("report", "--format", "json").json["tables"]
    assert [row["ranks"] for row in told["rows"] if row["rank"]] == [[1, 1], [2, 2], [3, 3]]
    markdown = moods("report", "--format", "markdown").out
    assert "**Warning:** No better than the majority's answer" in markdown
    assert "ranks" in markdown


def test_a_tie_is_told_how_many_samples_would_settle_it(moods):
    assert moods("run", "-m", "random", "-t", "moods.yaml", "--seeds", "0,1", "--no-latency").status == 0
    out = moods("report", "-m", "random", "--format", "json").json["tables"][0]
    assert len([row for row in out["rows"] if row["rank"]]) == 1
    probe = moods(
        "run", "-m", "tfidf-lr", "-s", "finetune", "-s", "finetune,train_size=250", "-t", "moods.yaml", "--no-latency"
    )
    assert probe.status == 0, probe.err
    assert " samples would settle whether it is better than tfidf-lr · finetune" in probe.out
    assert "1-2" in probe.out
