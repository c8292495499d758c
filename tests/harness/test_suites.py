"""Suites: their files, what `suite:NAME` stands for, and means over their tasks against numpy and hand-worked ones."""

from __future__ import annotations

import json
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.assets import Assets
from harness.board import Row, Table
from harness.catalogue import Catalogue, in_folder
from harness.cli import call as main
from harness.components import parse_component
from harness.errors import ConfigError, ParameterError, UnknownNameError
from harness.plugins import Plugins
from harness.records import Component, Estimate
from harness.suites import Suite, read_suite
from harness.suitetables import QUANTILE, suite_table


@pytest.fixture(scope="module")
def catalogue():
    plugins = Plugins()
    return Catalogue(plugins, Assets(plugins.registry("source")))


def written(folder, tasks):
    path = folder / "mine.yaml"
    path.write_text(f"name: mine\ntasks:\n{tasks}", encoding="utf-8")
    return path


# --- files ---------------------------------------------------------------------------------------------


def test_tasks_weigh_1_unless_told_and_files_lie_beside_the_suite(tmp_path):
    file = str(tmp_path / "own/task.yaml")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/task.yaml").write_text("name: ours\n")
    suite = read_suite(written(tmp_path, "  - bbc-news\n  - {task: own/task.yaml, weight: 2.5}\n"))
    assert suite == Suite("mine", "", (Component("bbc-news"), Component(file)), ("bbc-news", "ours"), (1.0, 2.5))


@pytest.mark.parametrize(
    ("tasks", "said", "place"),
    [
        ("  - bbc-news\n  - bbc-news\n", "stands twice", "mine.yaml:4: tasks[1]"),
        ("  - suite:quick\n", "a suite holds tasks, not suites", "mine.yaml:3: tasks[0]"),
        ("  - 'bbc-*'\n", "names its tasks one by one", "mine.yaml:3: tasks[0]"),
        ("  - {task: bbc-news, weight: 0}\n", "greater than 0", "mine.yaml:3: tasks[0]"),
        ("  - {task: bbc-news, wieght: 2}\n", "wieght", "mine.yaml:3: tasks[0]"),
        ("  []\n", "at least 1", "mine.yaml:2: tasks"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(tmp_path, tasks, said, place):
    with pytest.raises(ConfigError, match=said) as raised:
        read_suite(written(tmp_path, tasks))
    assert place in str(raised.value.where)


def test_every_registered_suite_holds_registered_tasks(catalogue):
    entries = [entry for entry in catalogue.plugins.registry("suite") if entry.plugin == "tasks"]
    assert {entry.name for entry in entries} == {"quick", "standard"}
    for entry in entries:
        suite = catalogue.suite(Component("suite", entry.name))
        assert (suite.name, suite.description) == (entry.name, entry.summary)
        assert catalogue.expand(Component("suite", entry.name)) == list(suite.tasks)
        for task in suite.tasks:
            assert task.name in catalogue.plugins.registry("task")


def test_the_standard_suite_has_every_task_that_comes_with_the_harness(catalogue):
    ours = {entry.name for entry in catalogue.plugins.registry("task") if entry.plugin == "tasks"}
    assert set(map(str, catalogue.suite(Component("suite", "standard")).tasks)) == ours


def test_an_unknown_suite_and_parameters_are_refused(catalogue):
    with pytest.raises(UnknownNameError, match="quikc"):
        catalogue.expand(parse_component("suite:quikc"))
    with pytest.raises(ParameterError):
        catalogue.expand(parse_component("suite:quick,limit=3"))


def test_a_suite_file_named_in_an_experiment_lies_where_that_lies(tmp_path):
    assert in_folder(parse_component("suite:own.yaml"), tmp_path) == Component("suite", str(tmp_path / "own.yaml"))
    assert in_folder(parse_component("suite:quick"), tmp_path) == Component("suite", "quick")


# --- means ---------------------------------------------------------------------------------------------


def a_row(model, score, width=0.1, metric="accuracy", status="finished", **changes):
    estimate = Estimate(score, score - width, score + width)
    return Row(1, model, "zero-shot", (0,), (f"{model}-key",), 10, status, metrics={metric: estimate}, **changes)


def a_table(task, rows, metric="accuracy", losses=(), n=10):
    return Table(task, "test", "rows", n, (metric,), frozenset(losses), tuple(rows))


def a_suite(*tasks, weights=None):
    return Suite("s", "", tuple(map(Component, tasks)), tasks, tuple(weights or [1.0] * len(tasks)))


scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 0.3), st.floats(0.1, 5)), min_size=1, max_size=6)


@given(scores)
def test_a_mean_is_weighted_and_its_error_that_of_independent_tasks(found):
    names = [f"t{index}" for index in range(len(found))]
    tables = [a_table(name, [a_row("m", score, width)]) for name, (score, width, _) in zip(names, found, strict=True)]
    suite = a_suite(*names, weights=[weight for *_, weight in found])
    (row,) = suite_table(suite, tables, kinds={}, tops={}).rows
    values, widths, weights = map(np.array, zip(*found, strict=True))
    assert row.score.value == pytest.approx(np.average(values, weights=weights))
    half = QUANTILE * sqrt(np.sum((weights * widths / QUANTILE) ** 2)) / weights.sum()
    assert row.score.high == pytest.approx(min(row.score.value + half, 1))
    assert (row.rank, row.tasks) == (1, len(found))


def test_a_row_that_lacks_a_task_stands_last_without_rank():
    tables = [a_table("a", [a_row("half", 0.9), a_row("whole", 0.5)]), a_table("b", [a_row("whole", 0.3)])]
    rows = suite_table(a_suite("a", "b"), tables, kinds={}, tops={}).rows
    assert [(row.model, row.rank, row.tasks) for row in rows] == [("whole", 1, 2), ("half", None, 1)]
    assert rows[0].score.value == pytest.approx(0.4)


def test_partial_and_failed_rows_are_not_averaged():
    table = a_table("a", [a_row("m", 0.9, status="partial")])
    assert suite_table(a_suite("a"), [table], kinds={}, tops={}).rows == ()


def test_losses_and_tasks_without_scores_are_left_out_with_a_note():
    tables = [
        a_table("a", [a_row("m", 0.5)]),
        a_table("text", [a_row("m", 0.9, metric="bits_per_byte")], "bits_per_byte", {"bits_per_byte"}),
        a_table("odd", [a_row("m", 17.0, metric="points")], "points"),
    ]
    found = suite_table(a_suite("a", "text", "odd", "absent"), tables, kinds={}, tops={})
    assert found.tasks == ("a",)
    assert [note.partition(" ")[0] for note in found.notes] == ["text", "odd", "absent"]


def test_scores_are_shares_of_the_highest_and_kinds_have_means_of_their_own():
    tables = [
        a_table("a", [a_row("m", 0.5)]),
        a_table("b", [a_row("m", 0.7)]),
        a_table("t", [a_row("m", 30.0, 2.0, metric="bleu")], "bleu"),
    ]
    kinds = {"a": "classification", "b": "classification", "t": "generation"}
    found = suite_table(a_suite("a", "b", "t"), tables, kinds=kinds, tops={"bleu": 100.0})
    (row,) = found.rows
    assert found.kinds == ("classification", "generation")
    assert row.score.value == pytest.approx(0.5)
    assert {kind: one.value for kind, one in row.kinds.items()} == pytest.approx(
        {"classification": 0.6, "generation": 0.3}
    )


def test_controls_have_no_rank_and_of_two_tables_of_a_task_the_larger_counts():
    control = replace(a_row("m", 0.9), control=True)
    tables = [a_table("a", [a_row("m", 0.1)], n=5), a_table("a", [control], n=50)]
    (row,) = suite_table(a_suite("a"), tables, kinds={}, tops={}).rows
    assert (row.rank, row.control, row.score.value) == (None, True, 0.9)


# --- the command line ------------------------------------------------------------------------------------


def test_a_run_of_a_suite_shows_its_means_and_a_report_adds_them(tmp_path, capsys):
    for name, labels in (("one", ("sun", "moon")), ("two", ("cat", "dog"))):
        rows = [{"text": f"{label} {index}", "label": label} for index in range(8) for label in labels]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        for split in ("train", "test"):
            (tmp_path / f"{name}-{split}.jsonl").write_text(text.replace('"text": "', f'"text": "{split} '))
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nkind: classification\n"
            f"data:\n  files: {{train: {name}-train.jsonl, test: {name}-test.jsonl}}\n"
            "  fields: {text: text, target: label}\n"
            f"labels: {{{labels[0]}: ' {labels[0]}', {labels[1]}: ' {labels[1]}'}}\n"
            "prompt: {template: '{{ text }}'}\n"
        )
    suite = written(tmp_path, "  - one.yaml\n  - {task: two.yaml, weight: 3}\n")
    store = str(tmp_path / "s.db")
    grid = ["-m", "tfidf-lr", "-m", "majority", "-t", f"suite:{suite}", "-s", "finetune", "--no-latency"]
    assert main(["run", *grid, "--store", store, "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["suites"]
    assert [(row["model"], row["rank"], row["tasks"]) for row in found["rows"]] == [
        ("tfidf-lr", 1, 2),
        ("majority", 2, 2),
    ]
    assert found["rows"][0]["score"]["value"] == 1.0
    assert found["rows"][1]["score"]["value"] == 0.5
    for form in ("table", "markdown"):
        for named in (["--suite", str(suite)], ["-t", f"suite:{suite}"]):
            assert main(["report", "--store", store, *named, "--format", form]) == 0
            assert "suite mine: mean over" in capsys.readouterr().out
    assert main(["report", "--store", store, "-t", "suite:nosuch"]) == 2
    assert "nosuch" in capsys.readouterr().err
