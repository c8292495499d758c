"""The Python API: a grid in, results and a data frame out."""

from pathlib import Path

import numpy as np
import pytest

import harness
from harness.errors import UnknownNameError
from harness.plugins import PluginChoice, Plugins


@pytest.fixture
def results(tmp_path, faulty_parts):
    return harness.run(
        models=["toy", "majority"],
        tasks="toy",
        strategies=["zero-shot", "few-shot,k=2"],
        store=str(tmp_path / "r.db"),
        plugins=[faulty_parts],
        limit=10,
    )


def test_results_are_in_planned_order(results):
    assert [(str(result.trial.model), result.trial.strategy.name) for result in results] == [
        ("toy", "zero-shot"),
        ("toy", "few-shot"),
        ("majority", "zero-shot"),
        ("majority", "few-shot"),
    ]
    assert [result.status for result in results] == ["finished", "finished", "not-applicable", "not-applicable"]


def test_a_data_frame_has_a_row_a_trial(results):
    frame = results.to_pandas()
    assert len(frame) == 4
    finished = frame[frame.status == "finished"]
    assert (finished.accuracy_low <= finished.accuracy).all()
    assert (finished.accuracy <= finished.accuracy_high).all()
    assert np.isfinite(finished["single-stream p50_ms"]).all()
    assert (finished.n == 10).all()


def test_predictions_are_those_of_the_trial(results):
    predictions = results.predictions(results[0].trial.key)
    assert len(predictions) == 10
    right = sum(prediction.correct for prediction in predictions) / 10
    assert right == pytest.approx(results[0].metrics["accuracy"].value)


def test_the_leaderboard_ranks_what_is_finished(results):
    (table,) = results.leaderboard.tables
    assert [row.rank is not None for row in table.rows] == [True, True, False, False]


def test_wrong_names_are_told(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown model 'majorty'"):
        harness.run(models="majorty", tasks="bbc-news", store=str(tmp_path / "r.db"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seeds": "a"}, "seeds 'a' are not whole numbers"),
        ({"limit": 0}, "limit 0 is no whole number"),
        ({"limit": True}, "limit True is no whole number"),
        ({"limit": 10**30}, "is no whole number from 1"),
        ({"seeds": 10**30}, "do not all lie between 0 and"),
        ({"device": "banana"}, "device 'banana' is none of auto, cpu"),
        ({"split": "dev"}, "split 'dev' is none of"),
        ({"executor": "lcoal"}, "unknown executor 'lcoal'"),
        ({"scenarios": "ofline"}, "unknown scenario 'ofline'"),
    ],
)
def test_wrong_settings_are_told(tmp_path, settings, said):
    with pytest.raises(harness.HarnessError, match=said):
        harness.run(models="majority", tasks="bbc-news", store=str(tmp_path / "r.db"), **settings)


def test_a_relative_plugin_file_may_be_loaded_twice(tmp_path, monkeypatch):
    (tmp_path / "twice_loaded.py").write_text(
        "from harness import hookimpl\n\n@hookimpl\n"
        "def register_models(register): register('again', 'harness.testing:ToyModel')\n"
    )
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert "again" in Plugins(PluginChoice(("twice_loaded.py",))).registry("model")


def test_a_plugin_file_may_register_a_task_file_beside_it(tmp_path):
    (tmp_path / "task_beside.py").write_text(
        "from harness import hookimpl\n\n@hookimpl\n"
        "def register_tasks(register): register('beside', 'task_beside:beside.yaml')\n"
    )
    (tmp_path / "beside.yaml").write_text(
        "name: beside\nkind: classification\ndata: {files: {test: t.jsonl}, fields: {text: text, target: label}}\n"
        "labels: {a: ' a', b: ' b'}\nprompt: {template: '{{ text }}:'}\n"
    )
    (tmp_path / "t.jsonl").write_text('{"text": "x", "label": "a"}\n')
    (result,) = harness.run(
        "random", "beside", store=str(tmp_path / "r.db"), plugins=[str(tmp_path / "task_beside.py")], scenarios=()
    )
    assert result.status == "finished"


def test_paths_are_taken_and_what_is_no_name_is_told(tmp_path, faulty_parts):
    results = harness.run("toy", "toy", store=tmp_path / "x.db", plugins=Path(faulty_parts), scenarios=())
    assert len(results) == 1
    with pytest.raises(harness.HarnessError, match="no trial"):
        results.predictions("0123456789")
    for wrong in (None, 3, {"name": "toy"}, [{"name": "toy"}]):
        with pytest.raises(harness.HarnessError, match="models"):
            harness.run(wrong, "toy", store=tmp_path / "x.db", plugins=Path(faulty_parts))
