"""The results database: what is kept, what a resumed run finds, and what is said when it can't be used."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from harness import database, schema
from harness.errors import StoreError, UsageError
from harness.messages import ChunkScored, ChunkTiming, LatencyMeasured, TrialEnded, TrialStarted
from harness.records import (
    Component,
    ContextScore,
    Costs,
    Coverage,
    Estimate,
    Exclusion,
    Experiment,
    LabelBudget,
    Prediction,
    Trial,
    Usage,
)
from harness.store import Store

EXPERIMENT = Experiment((Component("m"),), (Component("t"),), (Component("s"),), name="first")
NO_LABELS = LabelBudget()


def a_trial(key="a", model="tfidf-lr", strategy="finetune", **changes):
    trial = Trial(
        key=(key * 64)[:64],
        model=Component(model),
        task=Component("bbc-news"),
        strategy=Component(strategy),
        seed=0,
        split="test",
        limit=None,
        samples="rows",
        n=4,
        plugins={"baselines": "1.0"},
    )
    return replace(trial, **changes)


def a_chunk(trial, index, *, size=2, **changes):
    positions = tuple(range(index * size, (index + 1) * size))
    predictions = tuple(replace(Prediction(f"row-{p}", "sport", "sport"), **changes) for p in positions)
    return ChunkScored(trial.key, positions, predictions, ChunkTiming(index, size, 0.5, 10, 2, 1_000))


def started(trial, load_s=None, train_s=None, notes=(), budget=NO_LABELS):
    return TrialStarted(trial.key, Costs(load_s, train_s), notes, {"device": "cpu"}, budget)


def finish(store, trial, value=0.5, status="finished", reason=""):
    store.finish(
        trial.key,
        status=status,
        reason=reason,
        coverage=Coverage(answered=4),
        metrics={"macro_f1": Estimate(value, value - 0.1, value + 0.1), "accuracy": Estimate(0.75, 0.3, 0.95)},
        contexts={"films": ContextScore(2, {"accuracy": Estimate(1.0, 0.3, 1.0)})},
        scored_by="accuracy 1.0",
    )


@pytest.fixture
def store(tmp_path):
    with Store(str(tmp_path / "harness.db")) as opened:
        yield opened


def plan(store, *trials, rerun=False):
    run = store.begin_run(EXPERIMENT, {"machine": "two cores"})
    store.plan(run, trials, rerun=rerun)
    return run


# --- what is kept ------------------------------------------------------------------------------------


def test_a_finished_trial_is_read_back_whole(store):
    few_shot = Component("few-shot", None, {"k": 8, "select": "first"})
    trial = a_trial(strategy="x", baselines={"plain": "b" * 64}, limit=4)
    trial = replace(trial, strategy=few_shot, model=Component("hf", "org/name", {"dtype": "float32"}))
    run = plan(store, trial)
    store.apply(started(trial, 1.5, 20.0, ("17 train rows left out",), LabelBudget(8, 2)))
    store.apply(a_chunk(trial, 0))
    store.apply(LatencyMeasured(trial.key, "single-stream", {"p50_ms": 12.5, "p99_ms": None}, {"row-1": 12.0}))
    store.apply(TrialEnded(trial.key))
    assert store.progress(trial.key).status == "running"  # only `finish` knows whether all of it is there
    finish(store, trial)
    store.end_run(run, "finished")

    (result,) = store.results(run=run)
    assert result.trial == trial
    assert result.status == "finished"
    assert result.metrics == {"macro_f1": Estimate(0.5, 0.4, 0.6), "accuracy": Estimate(0.75, 0.3, 0.95)}
    assert list(result.metrics) == ["macro_f1", "accuracy"]  # the first ranks: the order is kept
    assert result.contexts == {"films": ContextScore(2, {"accuracy": Estimate(1.0, 0.3, 1.0)})}
    assert result.latency == {"single-stream": {"p50_ms": 12.5, "p99_ms": None}}
    assert result.costs == Costs(1.5, 20.0)
    assert result.budget == LabelBudget(8, 2)
    assert result.notes == ("17 train rows left out",)
    assert result.coverage == Coverage(answered=4)
    assert result.provenance == {"device": "cpu"}
    assert [prediction.latency_ms for prediction in store.predictions(trial.key)] == [None, 12.0]
    assert store.scored_by(trial.key) == "accuracy 1.0"
    assert store.environment() == store.environment(run) == {"machine": "two cores"}


def test_predictions_come_back_in_the_datas_order_with_all_they_had(store):
    trial = a_trial()
    plan(store, trial)
    odd = Prediction(
        sample_id="row-0",
        target="a|b",
        prediction=None,
        status="unparsed",
        scores=(-1.25, float("-inf"), float("nan")),
        text="two\nlines, “quotes”",
        context="films",
        usage=Usage(7, 3, 2, 1),
        latency_ms=4.5,
        reason="no number in it",
    )
    store.apply(ChunkScored(trial.key, (3,), (Prediction("row-3", "x", "y"),), None))
    store.apply(ChunkScored(trial.key, (1, 0), (Prediction("row-1", "x", "x"), odd), None))
    first, second, third = store.predictions(trial.key)
    assert [first.sample_id, second.sample_id, third.sample_id] == ["row-0", "row-1", "row-3"]
    assert first.scores[:2] == (-1.25, float("-inf"))
    assert first.scores[2] != first.scores[2]  # NaN comes back as NaN
    assert replace(first, scores=()) == replace(odd, scores=())


def test_infinite_and_missing_numbers_survive_in_scores_of_trials(store):
    trial = a_trial()
    plan(store, trial)
    store.apply(LatencyMeasured(trial.key, "offline", {"samples_per_s": float("inf")}, {}))
    endless = Estimate(2.0, 1.0, float("inf"))
    scores = {"coverage": Coverage(), "metrics": {"cross_entropy": endless}, "contexts": {}}
    store.finish(trial.key, status="finished", reason="", scored_by="x", **scores)
    (result,) = store.results()
    assert result.metrics == {"cross_entropy": endless}
    assert result.latency["offline"] == {"samples_per_s": float("inf")}


def test_text_that_no_database_takes_is_replaced_not_refused(store):
    trial = a_trial()
    plan(store, trial)
    broken = replace(Prediction("row-0", "x", None), text="half a pair \ud83d, a nul \0, a whole one 😀\n")
    store.apply(ChunkScored(trial.key, (0,), (broken,), None))
    assert store.predictions(trial.key)[0].text == "half a pair \ufffd, a nul \ufffd, a whole one 😀\n"


# --- resuming ------------------------------------------------------------------------------------------


def test_progress_lists_what_need_not_be_done_again(store):
    trial = a_trial()
    plan(store, trial)
    assert store.progress(trial.key).status == "planned"
    store.apply(started(trial, load_s=1.0))
    store.apply(a_chunk(trial, 0))
    store.apply(a_chunk(trial, 1, status="failed", prediction=None, reason="out of memory"))
    store.apply(LatencyMeasured(trial.key, "offline", {}, {}))

    progress = store.progress(trial.key)
    assert progress.status == "running"
    assert list(progress.done) == [0, 1]  # failed ones are tried again
    assert [timing.index for timing in progress.timings] == [0, 1]
    assert progress.timings[0] == ChunkTiming(0, 2, 0.5, 10, 2, 1_000)
    assert progress.scenarios == {"offline"}


def test_a_sample_answered_again_replaces_its_row(store):
    trial = a_trial()
    plan(store, trial)
    store.apply(a_chunk(trial, 0, status="failed", prediction=None))
    store.apply(a_chunk(trial, 0))
    assert [prediction.status for prediction in store.predictions(trial.key)] == ["answered", "answered"]
    assert len(store.progress(trial.key).timings) == 1


def test_a_second_session_keeps_the_costs_of_the_first(store):
    trial = a_trial()
    plan(store, trial)
    store.apply(started(trial, load_s=1.0, train_s=60.0))
    store.apply(started(trial, load_s=2.0, train_s=None))
    assert store.results()[0].costs == Costs(2.0, 60.0)


def test_a_failed_trial_says_why_and_starts_afresh(store):
    trial = a_trial()
    plan(store, trial)
    store.apply(TrialEnded(trial.key, failed=True, reason="the loss is not finite", traceback="Traceback ..."))
    (result,) = store.results()
    assert (result.status, result.reason) == ("failed", "the loss is not finite")
    store.apply(started(trial))
    (result,) = store.results()
    assert (result.status, result.reason) == ("running", "")


def test_planning_again_keeps_everything_and_says_what_was_found_finished(store):
    finished, begun, refused = a_trial("a"), a_trial("b", seed=1), a_trial("c", seed=2, refusal="it can't be trained")
    first = plan(store, finished, begun, refused)
    store.apply(a_chunk(finished, 0))
    finish(store, finished)
    store.apply(a_chunk(begun, 0))
    second = plan(store, finished, begun, refused)
    assert [(result.status, result.cached) for result in store.results(run=second)] == [
        ("finished", True),
        ("planned", False),
        ("not-applicable", False),
    ]
    assert store.results(run=second)[2].reason == "it can't be trained"
    assert not any(result.cached for result in store.results(run=first))
    assert list(store.progress(begun.key).done) == [0, 1]


def test_rerun_empties_trials_first(store):
    trial, other = a_trial("a"), a_trial("b", seed=1)
    plan(store, trial, other)
    for one in (trial, other):
        store.apply(started(one, train_s=3.0, notes=("old",)))
        store.apply(a_chunk(one, 0))
        store.apply(LatencyMeasured(one.key, "offline", {"samples_per_s": 2.0}, {}))
        finish(store, one)
    run = plan(store, trial, rerun=True)
    (result,) = store.results(run=run)
    assert result == replace(result, status="planned", cached=False, metrics={}, latency={}, notes=(), costs=Costs())
    assert list(store.progress(trial.key).done) == []
    assert store.scored_by(trial.key) is None
    assert store.predictions(trial.key) == []
    assert len(store.predictions(other.key)) == 2  # nobody asked for it


# --- choosing results ----------------------------------------------------------------------------------


def test_without_a_run_the_newest_trial_of_each_name_is_given(store):
    old, new = a_trial("a"), a_trial("b")  # the same name: the data was edited in between
    other = a_trial("c", seed=1)
    plan(store, old, other)
    plan(store, new)
    assert [result.trial.key[0] for result in store.results()] == ["c", "b"]
    plan(store, old)  # the edit was undone
    assert [result.trial.key[0] for result in store.results()] == ["c", "a"]
    assert [result.trial.key[0] for result in store.results(keys=[old.key, new.key])] == ["b", "a"]
    assert [result.trial.key[0] for result in store.results(run=1)] == ["a", "c"]


def test_a_trial_has_the_name_that_its_run_gave_it(store):
    trial = a_trial(strategy="few-shot")
    spelt_out = replace(trial, strategy=Component("few-shot", None, {"k": 8}), limit=100)
    first, second = plan(store, trial), plan(store, spelt_out)
    assert store.results(run=first)[0].trial == trial
    assert store.results(run=second)[0].trial == spelt_out
    assert [result.trial for result in store.results()] == [spelt_out]


def test_filters_are_globs_over_what_people_wrote(store):
    plain = a_trial("a", model="tfidf-lr", strategy="finetune")
    shots = a_trial("b", model="smollm2-135m", strategy="few-shot")
    shots = replace(shots, strategy=Component("few-shot", None, {"k": "8"}))
    plan(store, plain, shots)

    def keys(**filters):
        return [result.trial.key[0] for result in store.results(**filters)]

    assert keys(models=["smol*"]) == keys(strategies=["few-shot,k=8"]) == keys(strategies=["few-shot*"]) == ["b"]
    assert keys(models=["smol*", "tfidf-lr"], tasks=["bbc-*"]) == ["a", "b"]
    assert keys(strategies=["few-shot"]) == keys(tasks=["sms-spam"]) == []
    assert keys(run=1, models=["tfidf*"]) == ["a"]


def test_more_trials_than_fit_one_statement(store):
    many = [a_trial(f"{number:06d}", seed=number) for number in range(1_203)]
    run = plan(store, *many)
    assert [result.trial.seed for result in store.results(run=run)] == list(range(1_203))
    assert len(store.results(keys=[trial.key for trial in many])) == 1_203


def test_a_key_is_found_by_its_beginning(store):
    plan(store, a_trial("abcdef0"), a_trial("abcdef1", seed=1))
    assert store.resolve("abcdef0a") == a_trial("abcdef0").key
    with pytest.raises(UsageError, match="several trials begin with 'abcdef'"):
        store.resolve("abcdef")
    with pytest.raises(UsageError, match=r"no trial in .* begins with '%%%%%%'"):
        store.resolve("%%%%%%")
    with pytest.raises(UsageError, match="too short"):
        store.resolve("abcde")


def test_an_empty_store_has_no_results(store):
    assert store.results() == store.results(keys=[]) == []
    assert store.predictions("a" * 64) == []
    assert store.scored_by("a" * 64) is None
    assert store.environment() == {}


def test_what_was_not_planned_is_refused(store):
    with pytest.raises(StoreError, match=r"has no trial aaaaaaaaaaaa .*planned first"):
        store.apply(a_chunk(a_trial(), 0))


# --- crashes and company -------------------------------------------------------------------------------

WRITER = """
    import sys
    from harness.messages import ChunkScored, ChunkTiming
    from harness.records import *
    from harness.store import Store

    path, key, chunks = sys.argv[1], sys.argv[2], int(sys.argv[3])
    trial = Trial(key, Component("m"), Component("t"), Component("s"), int(sys.argv[4]), "test", None, "rows", 8, {})
    store = Store(path)
    run = store.begin_run(Experiment((trial.model,), (trial.task,), (trial.strategy,)), {})
    store.plan(run, [trial])
    for index in range(chunks):
        positions = tuple(range(index * 8, index * 8 + 8))
        predictions = tuple(Prediction(f"row-{p}", "a", "a", text="t" * 500) for p in positions)
        store.apply(ChunkScored(key, positions, predictions, ChunkTiming(index, 8, 1.0, 1, 1, 1)))
        print(index, flush=True)
    store.close()
"""


def writer(path, key, *, chunks, seed=0):
    arguments = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), key, str(chunks), str(seed)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_kill_9_leaves_whole_chunks(tmp_path):
    path = tmp_path / "harness.db"
    draw = random.Random(7)
    before = 0
    for _ in range(3):
        process = writer(path, "a" * 64, chunks=1_000_000)
        for _ in range(draw.randrange(2, 40)):  # each session writes from the start again
            last = int(process.stdout.readline())
        time.sleep(draw.random() / 100)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        with Store(str(path)) as store:
            progress = store.progress("a" * 64)
            assert len(progress.timings) >= max(last + 1, before)
            assert list(progress.done) == list(range(8 * len(progress.timings)))
            assert [timing.index for timing in progress.timings] == list(range(len(progress.timings)))
            before = len(progress.timings)
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_several_processes_write_into_one_new_store(tmp_path):
    path = tmp_path / "harness.db"
    writers = [writer(path, f"{number}" * 64, chunks=25, seed=number) for number in (1, 2, 3)]
    twin = writer(path, "1" * 64, chunks=25, seed=1)  # the same trial at the same time
    for process in [*writers, twin]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with Store(str(path)) as store:
        assert [len(store.predictions(f"{number}" * 64)) for number in (1, 2, 3)] == [200, 200, 200]
        assert len(store.results()) == 3


# --- what people are told --------------------------------------------------------------------------------


def refusal(work):
    with pytest.raises(StoreError) as raised:
        work()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_store_of_a_version_too_old_is_left_alone(tmp_path):
    path = tmp_path / "harness.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE harness_schema SET version = 1")
    assert "written by an older adapt-harness: it has schema 1" in refusal(lambda: Store(str(path)))


def test_a_store_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "harness.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE harness_schema SET version = 99")
    said = refusal(lambda: Store(str(path)))
    assert f"written by a newer adapt-harness: it has schema 99, this one knows schema {schema.SCHEMA_VERSION}" in said
    assert "update adapt-harness" in said


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk\n" * 100)
    assert "notes.txt: it is not a database (name another file)" in refusal(lambda: Store(str(path)))
    assert path.read_text().startswith("remember the milk")


def test_a_database_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "music.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE songs (title)")
    assert "is a database of something else" in refusal(lambda: Store(str(path)))
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "nowhere" / "harness.db"
    assert f"{path}: it can't be opened (check that its folder exists" in refusal(lambda: Store(str(path)))


def test_a_locked_store_says_so_and_loses_nothing(tmp_path):
    url = f"sqlite:///{tmp_path}/harness.db?timeout=0.05"
    trial = a_trial()
    with Store(url) as store:
        plan(store, trial)
        other = sqlite3.connect(tmp_path / "harness.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert "it is locked by another program (wait until" in refusal(lambda: store.apply(a_chunk(trial, 0)))
        assert store.predictions(trial.key) == []  # reading goes on beside a writer
        other.execute("ROLLBACK")
        other.close()
        store.apply(a_chunk(trial, 0))
        assert len(store.predictions(trial.key)) == 2


def test_a_full_disk_says_so_and_keeps_what_was_written(tmp_path):
    def small(raw, _record):
        raw.execute("PRAGMA max_page_count = 60").close()

    trial = a_trial()
    sa.event.listen(sa.Engine, "connect", small)
    try:
        with Store(str(tmp_path / "harness.db")) as store:
            plan(store, trial)
            store.apply(a_chunk(trial, 0))
            huge = a_chunk(trial, 1, text="x" * 400_000)
            assert "the disk is full (make room and run again" in refusal(lambda: store.apply(huge))
            assert list(store.progress(trial.key).done) == [0, 1]
            assert len(store.progress(trial.key).timings) == 1
    finally:
        sa.event.remove(sa.Engine, "connect", small)


def test_a_store_that_may_only_be_read_says_so(tmp_path):
    path = tmp_path / "harness.db"
    with Store(str(path)) as store:
        plan(store, a_trial())
    with Store(f"sqlite:///file:{path}?mode=ro&uri=true") as store:
        assert len(store.results()) == 1
        assert "it can't be written to (check who may write" in refusal(lambda: plan(store, a_trial("b")))


def test_a_damaged_store_says_so(tmp_path):
    path = tmp_path / "harness.db"
    with Store(str(path)) as store:
        trial = a_trial()
        plan(store, trial)
        for index in range(200):
            store.apply(a_chunk(trial, index, text="t" * 500))
    content = bytearray(path.read_bytes())
    content[4096 * 20 :] = b"\xff" * (len(content) - 4096 * 20)
    path.write_bytes(content)
    with Store(str(path)) as store:
        assert "it is damaged" in refusal(lambda: store.predictions(trial.key))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nosuch://host/db", "nosuch://host/db: Can't load plugin: sqlalchemy.dialects:nosuch (install the database's"),
        ("://", "is not a database URL"),
        ("sqlite://host/x.db", "Invalid SQLite URL"),
    ],
)
def test_a_url_that_names_no_database(url, said):
    assert said in refusal(lambda: Store(url))


def test_passwords_are_not_shown():
    said = refusal(lambda: Store("nosuch://me:secret@host/db"))
    assert "me:***@host" in said
    assert "secret" not in said


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect()], ids=["postgresql", "mysql"])
def test_the_tables_can_be_made_in_other_databases(dialect):
    statements = [str(sa.schema.CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables]
    assert len(statements) == 8


def test_a_store_that_may_only_be_read_is_read_and_says_so_when_written(tmp_path, monkeypatch):
    file, trial = tmp_path / "results.db", a_trial()
    with Store(str(file)) as store:
        plan(store, trial)
    monkeypatch.setattr(database, "_is_read_only", lambda file: True)  # root may write everywhere
    before = sorted(path.name for path in tmp_path.iterdir())
    with Store(str(file)) as store:
        assert [result.trial for result in store.results()] == [trial]
        with pytest.raises(StoreError, match="can't be written to"):
            plan(store, a_trial())
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_experiment_that_asked_for_a_trial_is_read_as_it_was(store):
    asked = replace(
        EXPERIMENT,
        models=(Component("hf", "org/name", {"dtype": "float32"}),),
        seeds=(0, 1),
        sizes=(8, 16),
        scenarios=(Component("offline"),),
        exclude=(Exclusion(model="big*", reason="too slow"),),
        device="cuda:1",
    )
    store.plan(store.begin_run(EXPERIMENT, {}), [a_trial()])
    store.plan(store.begin_run(asked, {}), [a_trial()])
    assert store.experiment(a_trial().key) == asked
    with pytest.raises(StoreError, match="has no trial"):
        store.experiment("f" * 64)
