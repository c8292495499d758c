"""The Python API: a grid in, results and a data frame out."""

import numpy as np
import pytest

import harness
from harness.errors import UnknownNameError


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
    assert np.isfinite(finished.p50_ms).all()
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
