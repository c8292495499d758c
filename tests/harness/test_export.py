"""What other programs read: the contracts of the trials' JSON and of exported predictions."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet
import pytest

from harness.errors import HarnessError, UsageError
from harness.export import export, trials_json
from harness.messages import ChunkScored
from harness.records import (
    Component,
    ContextScore,
    Costs,
    Coverage,
    Estimate,
    Experiment,
    LabelBudget,
    Prediction,
    Trial,
    TrialResult,
    Usage,
)
from harness.store import Store

COLUMNS = [
    "trial",
    "sample_id",
    "target",
    "prediction",
    "correct",
    "scores",
    "text",
    "context",
    "prompt_tokens",
    "output_tokens",
    "latency_ms",
    "status",
]
RIGHT = Prediction("row-0", "sport", "sport", scores=(-0.1, -2.5), usage=Usage(12, 1), latency_ms=3.5)
UNPARSED = Prediction("row-1", "“Tech”", None, "unparsed", text="I'd say\n“tech”", context="films")
IMPOSSIBLE = Prediction("row-2", "a", "b", scores=(float("-inf"), -1.0))


def a_trial(key="a" * 64):
    few_shot = Component("few-shot", None, {"k": 8, "select": "first"})
    model = Component("hf", "org/name", {"dtype": "float32"})
    return Trial(key, model, Component("bbc-news"), few_shot, 3, "test", None, "rows", 3, {"hf": "1.0"})


@pytest.fixture
def store(tmp_path):
    with Store(str(tmp_path / "harness.db")) as opened:
        trial = a_trial()
        experiment = Experiment((trial.model,), (trial.task,), (trial.strategy,))
        opened.plan(opened.begin_run(experiment, {}), [trial])
        # answered out of order, as workers may
        opened.apply(ChunkScored(trial.key, (2, 0, 1), (IMPOSSIBLE, RIGHT, UNPARSED), None))
        yield opened


# --- predictions -----------------------------------------------------------------------------------------


def test_jsonl_has_one_row_a_sample_in_the_datas_order(store, tmp_path):
    export(store, ["a" * 64], tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [COLUMNS] * 3
    assert rows[0] == {
        "trial": "a" * 64,
        "sample_id": "row-0",
        "target": "sport",
        "prediction": "sport",
        "correct": True,
        "scores": [-0.1, -2.5],
        "text": None,
        "context": None,
        "prompt_tokens": 12,
        "output_tokens": 1,
        "latency_ms": 3.5,
        "status": "answered",
    }
    assert (rows[1]["target"], rows[1]["text"], rows[1]["correct"]) == ("“Tech”", "I'd say\n“tech”", False)
    assert rows[2]["scores"] == [None, -1.0]  # JSON has no infinity


def test_parquet_has_the_same_columns_with_types(store, tmp_path):
    export(store, ["a" * 64], tmp_path / "out.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "out.parquet")
    assert schema.names == COLUMNS
    assert [str(schema.field(name).type) for name in ("correct", "scores", "prompt_tokens", "latency_ms", "text")] == [
        "bool",
        "list<element: double>",
        "int64",
        "double",
        "string",
    ]
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert list(frame["sample_id"]) == ["row-0", "row-1", "row-2"]
    assert list(frame["correct"]) == [True, False, False]
    assert list(frame["scores"][2]) == [float("-inf"), -1.0]  # Parquet has infinities


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_trial_without_predictions_is_a_file_without_rows(store, tmp_path, name):
    export(store, ["b" * 64], tmp_path / name)
    read = pd.read_parquet if name.endswith("parquet") else (lambda path: pd.read_json(path, lines=True))
    assert len(read(tmp_path / name)) == 0


def test_several_trials_follow_one_another(store, tmp_path):
    export(store, ["a" * 64, "a" * 64], tmp_path / "out.JSONL")
    assert len((tmp_path / "out.JSONL").read_text().splitlines()) == 6


def test_another_suffix_is_refused(store, tmp_path):
    with pytest.raises(
        UsageError, match=r"can't export to 'out\.csv' \(name a file that ends in \.jsonl or \.parquet\)"
    ):
        export(store, ["a" * 64], tmp_path / "out.csv")


def test_a_missing_folder_is_named(store, tmp_path):
    with pytest.raises(HarnessError, match="can't write the predictions: No such file"):
        export(store, ["a" * 64], tmp_path / "nowhere" / "out.jsonl")


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_write_that_breaks_off_leaves_the_old_file(store, tmp_path, name):
    class FaultyStore:
        """Gives one trial and then fails."""

        def __init__(self):
            self.left = 1

        def predictions(self, key):
            self.left -= 1
            if self.left < 0:
                raise OSError(28, "No space left on device")
            return store.predictions(key)

    (tmp_path / name).write_bytes(b"before")
    with pytest.raises(HarnessError, match="No space left on device"):
        export(FaultyStore(), ["a" * 64, "b" * 64], tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir() if "harness.db" not in path.name) == [name]


# --- trials ------------------------------------------------------------------------------------------------


def test_the_json_of_a_run_has_the_shape_of_the_contract():
    half = Estimate(0.5, 0.4, 0.6)
    result = TrialResult(
        a_trial(),
        "finished",
        coverage=Coverage(answered=2, unparsed=1),
        metrics={"accuracy": half, "cross_entropy": Estimate(float("inf"), 1.0, float("inf"))},
        contexts={"films": ContextScore(2, {"accuracy": half})},
        gains={"accuracy": Estimate(0.1, -0.1, 0.3)},
        gains_over={"zero-shot": {"accuracy": Estimate(0.1, -0.1, 0.3)}},
        budget=LabelBudget(8, 2),
        latency={"single-stream": {"p50_ms": 12.0, "p99_ms": None}},
        costs=Costs(1.0, 20.0, 0.5, 128, 9000),
        notes=("said",),
        provenance={"device": "cpu"},
        details={"search": {"winner": 3}},
        cached=True,
    )
    shape = trials_json([result])
    assert json.loads(json.dumps(shape, allow_nan=False)) == {
        "trials": [
            {
                "key": "a" * 64,
                "model": "hf:org/name,dtype=float32",
                "task": "bbc-news",
                "strategy": "few-shot",
                "params": {"k": 8, "select": "first"},
                "seed": 3,
                "status": "finished",
                "reason": "",
                "n": 3,
                "coverage": {"answered": 2, "empty": 0, "truncated": 0, "unparsed": 1, "failed": 0, "shortened": 0},
                "metrics": {
                    "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6},
                    "cross_entropy": {"value": None, "low": 1.0, "high": None},
                },
                "contexts": {"films": {"n": 2, "metrics": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}}},
                "gains": {"accuracy": {"value": 0.1, "low": -0.1, "high": 0.3}},
                "gains_over": {"zero-shot": {"accuracy": {"value": 0.1, "low": -0.1, "high": 0.3}}},
                "control": False,
                "baseline": False,
                "budget": {"train": 8, "validation": 2, "unlabelled": 0, "transductive": False},
                "latency": {"single-stream": {"p50_ms": 12.0, "p99_ms": None}},
                "train_s": 20.0,
                "adapt_s": 0.5,
                "model_calls": 128,
                "adapt_tokens": 9000,
                "cached": True,
                "notes": ["said"],
                "provenance": {"device": "cpu"},
                "details": {"search": {"winner": 3}},
                "manifest": {},
                "clean": None,
            }
        ]
    }
    assert trials_json([]) == {"trials": []}
