"""docs/store.md is what a store has, its examples run, and other programs read from it what the harness says itself."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa

import harness
from harness import records, schema, views
from harness.cli import group
from harness.messages import ChunkScored
from harness.records import Prediction
from harness.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^<!-- test: (\S+) -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
TYPES = {
    schema.Json: "JSON", sa.Boolean: "truth", sa.String: "text", sa.Integer: "integer", sa.Double: "number"
}  # fmt: skip
"""SQLAlchemy's type -> what the page calls it; the first that fits."""
SEEN = {"text": {"text"}, "JSON": {"text"}, "integer": {"integer"}, "truth": {"integer"}, "number": {"real"}}
"""What the page calls a type -> what SQLite calls its values."""


def described() -> dict[str, dict[str, str]]:
    """Table or view -> column -> type, as the page has them."""
    parts = re.split(r"^##+ (.+)$", PAGE, flags=re.MULTILINE)
    row = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)
    found = {name: dict(row.findall(text)) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    return {name: columns for name, columns in found.items() if columns}


def type_of(column: sa.Column) -> str:
    return next(said for kind, said in TYPES.items() if isinstance(column.type, kind))


# --- readers -------------------------------------------------------------------------------------------


@pytest.fixture
def read(stored):
    """A query -> what pandas reads, as the page says to."""
    with closing(sqlite3.connect("file:harness.db?mode=ro", uri=True)) as store:
        yield lambda query: pd.read_sql(query, store)


@pytest.fixture
def duck(stored):
    """DuckDB, without a network: its extension is a file that was installed."""
    (place,) = importlib.util.find_spec("duckdb_ext").submodule_search_locations
    (extension,) = Path(place).rglob("sqlite_scanner.duckdb_extension")
    connection = duckdb.default_connection()
    connection.load_extension(str(extension))
    yield connection
    connection.execute("DETACH DATABASE IF EXISTS store")


# --- the page -------------------------------------------------------------------------------------------


def test_the_page_has_every_table_view_and_column_with_its_type_and_no_other():
    tables = {
        table.name: {column.name: type_of(column) for column in table.columns}
        for table in schema.metadata.tables.values()
    }
    found = described()
    assert {name: columns for name, columns in found.items() if name not in views.VIEWS} == tables
    assert list(found)[: len(views.VIEWS)] == list(views.VIEWS)


@pytest.mark.parametrize("view", views.VIEWS)
def test_a_view_has_the_columns_of_the_page_in_its_order_and_of_its_types(read, view):
    said, found = described()[view], read(f"SELECT * FROM {view}")
    assert list(found) == list(said)
    for column, kind in said.items():
        (seen,) = read(f'SELECT group_concat(DISTINCT typeof("{column}")) FROM {view}').iloc[0]
        assert set(seen.split(",")) - {"null"} <= SEEN[kind], column
        if kind == "truth":
            assert set(found[column]) <= {0, 1}, column
        if kind == "JSON":
            assert found[column].map(json.loads).map(type).isin([list, dict]).all()


def test_the_page_is_of_this_schema_and_names_every_status():
    assert f"this page describes schema {schema.SCHEMA_VERSION}." in PAGE
    for status in (*get_args(records.TrialStatus), *get_args(records.Answered), "interrupted"):
        assert f"`{status}`" in PAGE, status


# --- the examples, and what they read -------------------------------------------------------------------


@pytest.mark.parametrize("example", ["scores.py", "answers.py"])
def test_the_examples_for_pandas_print_what_is_stored(stored, capsys, example):
    names = {}
    exec(compile(EXAMPLES[example], example, "exec"), names)
    printed = capsys.readouterr().out
    assert "majority" in printed
    assert "tfidf-lr" in printed
    if example == "answers.py":
        assert names["confused"].sum() == 4 * 70
        assert (names["measured"]["n"] == 8).all()
        assert len(names["measured"]) == 4


def test_the_example_for_duckdb_reads_the_same_as_sqlite(stored, duck, read, capsys):
    names = {}
    exec(compile(EXAMPLES["duck.py"], "duck.py", "exec"), names)
    parted = names["parted"].df()
    assert len(parted) > 0
    assert (parted["first"] == parted["target"]).all()
    assert (parted["second"] != parted["target"]).all()
    assert len(names["speed"].df()) == 4
    written, stored = pd.read_parquet("scores.parquet"), read("SELECT * FROM named_scores")
    by = ["key", "metric"]
    pd.testing.assert_frame_equal(
        written.sort_values(by, ignore_index=True), stored.sort_values(by, ignore_index=True), check_dtype=False,
        check_exact=True,
    )  # fmt: skip


def test_the_scores_of_the_views_are_those_of_the_api(stored, read):
    again = harness.run(
        ["majority", "tfidf-lr"], "task.yaml", "finetune", seeds=[0, 1], scenarios=(), store="harness.db"
    )
    assert all(trial.cached for trial in again)
    said = again.to_pandas().set_index("key")
    scores = read("SELECT * FROM named_scores WHERE is_newest").set_index("key")
    assert len(scores) == 2 * len(said) == 8
    for key, one in scores.iterrows():
        metric, trial = one["metric"], said.loc[key]
        assert (one["value"], one["low"], one["high"]) == tuple(trial[[metric, f"{metric}_low", f"{metric}_high"]])
        assert (one["model"], one["task"], one["strategy"], one["seed"]) == tuple(
            trial[["model", "task", "strategy", "seed"]]
        )


def test_the_predictions_of_the_views_are_those_of_an_export(stored, read):
    assert group.main(["export", "-o", "said.jsonl", "--store", "harness.db"], standalone_mode=False) in (0, None)
    exported = [json.loads(line) for line in (stored / "said.jsonl").read_text().splitlines()]
    found = read("SELECT * FROM named_predictions WHERE is_newest ORDER BY key, position")
    found = found.assign(correct=found["correct"].astype(bool), scores=found["scores"].map(json.loads))
    rows = found.rename(columns={"key": "trial"})[list(exported[0])].astype(object)
    assert rows.where(rows.notna(), None).to_dict("records") == sorted(exported, key=lambda row: row["trial"])
    assert len(exported) == 4 * 70

    accuracy = read("SELECT key, value FROM named_scores WHERE is_newest AND metric = 'accuracy'").set_index("key")
    assert found.groupby("key")["correct"].mean().to_dict() == accuracy["value"].to_dict()
    assert 0 < accuracy["value"].min() < accuracy["value"].max()


def test_the_trials_of_the_views_are_those_of_a_report_and_older_ones_are_told_apart(stored, read, capsys):
    capsys.readouterr()
    assert group.main(["report", "--format", "json", "--store", "harness.db"], standalone_mode=False) in (0, None)
    reported = {trial["key"]: trial["status"] for trial in json.loads(capsys.readouterr().out)["trials"]}
    trials = read("SELECT * FROM named_trials")
    newest = trials[trials["is_newest"] == 1]
    assert dict(zip(newest["key"], newest["status"], strict=True)) == reported
    assert sorted(newest["status"]) == ["finished"] * 4 + ["not-applicable"] * 4
    older = trials[trials["is_newest"] == 0]
    assert set(older["status"]) >= {"finished"}
    assert len(older) == len(newest)


# --- what other programs need of a view -----------------------------------------------------------------


def test_programs_that_compare_with_text_find_numbers_and_truths(read, stored):
    """Datasette binds what stands in an address as it is."""
    with closing(sqlite3.connect("file:harness.db?mode=ro", uri=True)) as store:
        count = "SELECT count(*) FROM {} WHERE {}"
        for view, where, asked in (
            ("named_trials", "is_newest = ?", ("1",)),
            ("named_scores", "is_newest = ? AND value > ? AND seed = ?", ("1", "0.5", "0")),
            ("named_predictions", "correct = ? AND position < ?", ("0", "9")),
        ):
            (as_text,) = store.execute(count.format(view, where), asked).fetchone()
            (as_number,) = store.execute(count.format(view, where), tuple(map(float, asked))).fetchone()
            assert as_text == as_number > 0, view


def test_duckdb_and_sqlite_read_every_digit_and_what_is_no_number(tmp_path, duck):
    path = tmp_path / "odd.db"
    Store(str(path)).close()
    metrics = {
        "loss,base=2": {"value": 1 / 3, "low": "-inf", "high": "inf"},
        "a": {"value": "nan", "low": 5e-324, "high": 1},
    }
    with closing(sqlite3.connect(path)) as raw, raw:
        trial = (1, "k" * 64, "finished", "", "", json.dumps(metrics))
        raw.execute("INSERT INTO trials (id, key, status, reason, traceback, metrics) VALUES (?, ?, ?, ?, ?, ?)", trial)
        raw.execute("INSERT INTO runs VALUES (1, '', 'finished', '', NULL, '{}', '{}')")
        raw.execute("INSERT INTO run_trials VALUES (1, 1, 1, 0, 'm', 't', 's', 0, 'test', NULL, '{}')")
    query = "SELECT metric, value, low, high FROM {}named_scores ORDER BY metric"
    expected = [("a", None, 5e-324, 1.0), ("loss,base=2", 1 / 3, -math.inf, math.inf)]
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute(query.format("")).fetchall() == expected
    duck.execute(f"ATTACH '{path}' AS store (TYPE sqlite, READ_ONLY)")
    assert duck.execute(query.format("store.")).fetchall() == expected


def test_readers_see_what_a_run_that_goes_on_has_stored(tmp_path, made, duck):
    path = tmp_path / "harness.db"
    with closing(sqlite3.connect(made / "harness.db")) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    count = "SELECT count(*) FROM {}named_predictions WHERE sample_id = 'new'"
    with Store(str(path)) as store, closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        duck.execute(f"ATTACH '{path}' AS store (TYPE sqlite, READ_ONLY)")
        (key,) = reader.execute("SELECT key FROM named_trials WHERE is_newest AND status = 'finished'").fetchone()
        for counted in (0, 1):
            assert reader.execute(count.format("")).fetchone() == (counted,)
            assert duck.execute(count.format("store.")).fetchone() == (counted,)
            store.apply(ChunkScored(key, (70,), (Prediction("new", "good", "bad"),), None))
        assert path.with_name("harness.db-wal").stat().st_size > 0
