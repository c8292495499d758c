"""Running: failures cost what they must and no more; what is stored is not done again; resumed equals undisturbed."""

import dataclasses

import pytest

from harness.messages import ChunkScored, TrialEnded
from harness.records import Component
from harness.runner import run_experiment


def one(experiment, **changes):
    parts = {
        name: (Component(value),) if isinstance(value, str) and name in {"models", "tasks", "strategies"} else value
        for name, value in changes.items()
    }
    return dataclasses.replace(experiment, **parts)


class Interrupting:
    """A watcher that interrupts the run after a number of chunks."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks

    def planned(self, jobs, todo): ...

    def heard(self, message):
        self.left -= isinstance(message, ChunkScored)
        if self.left == 0:
            raise KeyboardInterrupt


def asked(path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The file to which the counting model writes what it is asked."""
    path = tmp_path / "asked.log"
    monkeypatch.setenv("FAKE_LOG", str(path))
    return path


def test_a_trial_ends_with_scores_coverage_and_provenance(catalogue, store, toy_experiment):
    (result,) = run_experiment(toy_experiment, catalogue, store)
    assert result.status == "finished"
    assert result.coverage.answered == 12
    assert result.metrics["accuracy"].low <= result.metrics["accuracy"].value <= result.metrics["accuracy"].high
    assert set(result.contexts) == {"day", "night"}
    assert sum(context.n for context in result.contexts.values()) == 12
    assert result.provenance["device"] == "none"
    assert {"harness", "python", "machine"} <= set(result.provenance)
    assert not result.cached


def test_an_interrupted_run_goes_on_and_asks_nothing_twice(catalogue, store, toy_experiment, log):
    experiment = one(toy_experiment, models="fake-counting", tasks="long-toy")
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, catalogue, store, watcher=Interrupting(2))
    assert len(asked(log)) == 128
    (result,) = run_experiment(experiment, catalogue, store)
    assert result.status == "finished"
    assert len(asked(log)) == 300
    assert len(set(asked(log))) == 300


def test_a_resumed_run_has_the_scores_of_an_undisturbed_one(catalogue, store, toy_experiment, tmp_path, log):
    from harness.store import Store

    experiment = one(toy_experiment, models="fake-counting", tasks="long-toy", strategies="few-shot")
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, catalogue, store, watcher=Interrupting(3))
    (resumed,) = run_experiment(experiment, catalogue, store)
    with Store(str(tmp_path / "other.db")) as other:
        (undisturbed,) = run_experiment(experiment, catalogue, other)
        assert store.predictions(resumed.trial.key) == other.predictions(undisturbed.trial.key)
    assert resumed.metrics == undisturbed.metrics


def test_a_finished_experiment_asks_nothing_again(catalogue, store, toy_experiment, log):
    experiment = one(toy_experiment, models="fake-counting")
    first = run_experiment(experiment, catalogue, store)
    count = len(asked(log))
    (again,) = run_experiment(experiment, catalogue, store)
    assert len(asked(log)) == count
    assert again.cached
    assert again.metrics == first[0].metrics
    run_experiment(experiment, catalogue, store, rerun=True)
    assert len(asked(log)) == 2 * count


def test_a_scenario_asked_for_later_is_measured_without_scoring_again(catalogue, store, toy_experiment, log):
    experiment = one(toy_experiment, models="fake-counting")
    run_experiment(experiment, catalogue, store)
    count = len(asked(log))
    (result,) = run_experiment(one(experiment, scenarios=(Component("offline"),)), catalogue, store)
    assert result.latency["offline"]["samples_per_s"] > 0
    assert len(asked(log)) == count


def test_an_error_costs_the_sample_at_fault_and_its_trial_is_partial(catalogue, store, toy_experiment):
    (result,) = run_experiment(one(toy_experiment, models="fake-choking"), catalogue, store)
    assert result.status == "partial"
    assert (result.coverage.answered, result.coverage.failed) == (11, 1)
    (failed,) = [found for found in store.predictions(result.trial.key) if found.status == "failed"]
    assert "choked on 7" in failed.reason


def test_only_what_failed_is_tried_again(catalogue, store, toy_experiment, log, monkeypatch):
    experiment = one(toy_experiment, models="fake-choking")
    run_experiment(experiment, catalogue, store)
    heard = []

    class Hearing(Interrupting):
        def heard(self, message):
            heard.append(message)

    run_experiment(experiment, catalogue, store, watcher=Hearing(0))
    (chunk,) = [message for message in heard if isinstance(message, ChunkScored)]
    assert [prediction.sample_id for prediction in chunk.predictions] == ["test-7"]


def test_nan_is_a_failure_with_its_reason_not_a_score(catalogue, store, toy_experiment):
    (result,) = run_experiment(one(toy_experiment, models="fake-nan"), catalogue, store)
    assert result.status == "partial"
    assert result.coverage.failed == 1


def test_a_model_that_cannot_be_loaded_fails_its_trials_and_no_others(catalogue, store, toy_experiment):
    experiment = one(toy_experiment, models=(Component("fake-unloadable"), Component("toy")))
    failed, finished = run_experiment(experiment, catalogue, store)
    assert (failed.status, finished.status) == ("failed", "finished")
    assert failed.reason == "the weights are gone on auto"


def test_observers_hear_of_the_start_and_of_the_end(catalogue, store, toy_experiment, monkeypatch):
    heard = []
    monkeypatch.setattr(catalogue.plugins, "notify", lambda hook, **arguments: heard.append((hook, sorted(arguments))))
    run_experiment(toy_experiment, catalogue, store)
    assert heard == [("run_started", ["run"]), ("run_finished", ["result", "run"])]


def test_a_changed_metric_is_computed_from_what_is_stored(catalogue, store, toy_experiment, log, monkeypatch):
    experiment = one(toy_experiment, models="fake-counting")
    run_experiment(experiment, catalogue, store)
    count = len(asked(log))
    monkeypatch.setattr(catalogue, "metrics_version", lambda spec, asked=(): "of another day")
    (result,) = run_experiment(experiment, catalogue, store)
    assert len(asked(log)) == count
    assert store.scored_by(result.trial.key) == "of another day"


def test_worker_errors_become_messages(catalogue, toy_experiment):
    from harness.planning import plan
    from harness.worker import TrialWorker

    (job,) = plan(one(toy_experiment, models="fake-unloadable"), catalogue)
    (message,) = TrialWorker(catalogue).run(job)
    assert isinstance(message, TrialEnded)
    assert message.failed
    assert "ModelError" in message.traceback


def test_a_strategy_asks_the_engine_that_will_answer(catalogue, toy_experiment, monkeypatch):
    from harness.planning import plan
    from harness.worker import TrialWorker

    (job,) = plan(one(toy_experiment), catalogue)
    worker = TrialWorker(catalogue)
    parts = worker._parts(job)
    engine = parts.setting.load(parts.model)
    assert parts.load()[0] is engine
    other = catalogue.model(Component("fake-counting"))
    assert parts.setting.engine(other) is not engine


def test_a_failing_sample_costs_neither_the_score_nor_the_latency_of_the_others(catalogue, store, toy_experiment):
    scenarios = (Component("offline"), Component("single-stream"))
    experiment = one(toy_experiment, models="fake-choking", scenarios=scenarios)
    for _ in range(2):  # the second run tries the failed sample again, and changes nothing
        (result,) = run_experiment(experiment, catalogue, store)
        assert result.status == "partial"
        assert result.coverage.answered == 11
        assert result.latency["single-stream"]["n"] == 11


def test_models_that_differ_in_a_parameter_are_trials_of_their_own(catalogue, toy_experiment):
    from harness.planning import plan

    models = (Component("tfidf-lr", None, {"max_features": "5"}), Component("tfidf-lr", None, {"max_features": "9"}))
    assert len(plan(one(toy_experiment, models=models), catalogue)) == 2


def test_a_metric_that_raises_costs_its_trial_and_no_other(catalogue, store, toy_experiment, monkeypatch):
    class FakeBrokenMetric:
        higher_is_better = True

        def compute(self, predictions, spec):
            if spec.name == "toy":
                raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(catalogue, "metrics", lambda names, **_: {"accuracy": FakeBrokenMetric()})
    experiment = one(toy_experiment, tasks=(Component("toy"), Component("long-toy")))
    broken, whole = run_experiment(experiment, catalogue, store)
    assert (broken.status, whole.status) == ("failed", "finished")
    assert broken.reason == "a metric failed: ZeroDivisionError: nothing to divide by"


def test_a_scenario_that_fails_leaves_a_finished_trial_finished(catalogue, store, toy_experiment, monkeypatch):
    run_experiment(toy_experiment, catalogue, store)

    class FakeBrokenScenario:
        def measure(self, workload):
            workload.answer(workload.samples[:1])
            raise RuntimeError("no clock")

    monkeypatch.setattr(catalogue, "scenario", lambda component: FakeBrokenScenario())
    (result,) = run_experiment(one(toy_experiment, scenarios=(Component("offline"),)), catalogue, store)
    assert result.status == "finished"
    assert "offline" not in result.latency
