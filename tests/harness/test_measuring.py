"""What a run measures, from the engine to the report: known times, first tokens, memory of devices, prices."""

import time

import pytest

from harness.components import parse_component
from harness.export import trials_json
from harness.interfaces import Price
from harness.messages import Job
from harness.records import Component, Experiment, Generated, GenerationSpec, PromptSpec, Sample, TaskSpec, Usage
from harness.reporting import leaderboard_of
from harness.runner import run_experiment
from harness.testing import ToyModel, ToyTask

SLEEP_MS = 100
"""So long that what the system adds to a sleep is far below 5%."""


NOBODY_WAITS = "server,rate=1.5,samples=8"
"""Its arrivals are 200 ms apart and more."""


class FakeSleepingModel(ToyModel):
    """Sleeps a known time for each request."""

    def run(self, requests):
        time.sleep(SLEEP_MS / 1e3 * len(requests))
        return super().run(requests)


class FakeDearWriter(ToyModel):
    """Writes five tokens, the first after a while; costs money, and uses memory of a device."""

    price = Price(read=1.0, written=10.0)

    def __init__(self):
        self.peaks = [900, 7_000_000, None]

    def peak_device_bytes(self):
        return self.peaks.pop(0) if len(self.peaks) > 1 else self.peaks[0]

    def run(self, requests):
        time.sleep(0.02)
        return [Generated("a b c d e", "stop", Usage(100, 5), first_token_s=0.005) for _ in requests]


class Stories(ToyTask):
    spec = TaskSpec("stories", "generation", PromptSpec("{{ text }}", input="{{ text }}"), generation=GenerationSpec(5))

    def samples(self, split):
        return [Sample(f"{split}-{n}", {"text": f"text {n}"}, "a b c d e") for n in range(6)]


@pytest.fixture
def run(catalogue, store, monkeypatch):
    """Runs a model object on a task with scenarios; the result and the leaderboard."""

    def with_model(model, *scenarios, task="toy"):
        made = catalogue.model
        monkeypatch.setattr(catalogue, "model", lambda component, **_: model)
        experiment = Experiment(
            (Component("toy"),),
            (Component(task),),
            (Component("zero-shot"),),
            scenarios=tuple(map(parse_component, scenarios)),
        )
        (result,) = run_experiment(experiment, catalogue, store)
        monkeypatch.setattr(catalogue, "model", made)
        return result, leaderboard_of([result], store, catalogue)

    return with_model


def test_a_known_time_is_what_all_three_scenarios_measure(run):
    found, _ = run(FakeSleepingModel(), "offline", "single-stream", NOBODY_WAITS)
    assert found.status == "finished"
    for scenario, measured in found.latency.items():
        # Higher percentiles are tested by a clock of their own, which no other program of the machine delays.
        assert measured["p50_ms"] == pytest.approx(SLEEP_MS, rel=0.05), scenario
        assert 0 <= measured["cpu_s"] < 1


def test_prices_tokens_and_devices_stand_beside_the_throughput(run, catalogue, monkeypatch):
    from harness.taskdata import TaskData

    monkeypatch.setattr(catalogue, "task", lambda component, **_: TaskData(Stories()))
    model = FakeDearWriter()
    found, board = run(model, "offline", "single-stream", task="toy")
    offline, alone = found.latency["offline"], found.latency["single-stream"]
    assert offline["price_usd"] == pytest.approx(6 * (100 * 1.0 + 5 * 10.0) / 1e6)
    assert offline["device_peak_mb"] == 7.0, "what loading and warming up had taken is not in it"
    assert 5 <= alone["ttft_p50_ms"] < 20, "what the engine says, and the time until it was asked"
    assert alone["tpot_p50_ms"] >= (20 - 5) / 4
    speed = board.tables[0].rows[0].speed
    assert speed.usd_per_1000 == pytest.approx(0.15)
    assert (speed.device_peak_mb, speed.ttft_p50_ms) == (7.0, alone["ttft_p50_ms"])
    assert found.provenance["price"] == "$1 for a million tokens read, $10 for a million written"


def test_each_set_of_parameters_of_a_scenario_is_shown(run, catalogue):
    servers = ["server,rate=40,samples=5", "server,rate=80,samples=6,limit_ms=1000"]
    found, board = run(ToyModel(), "offline", "single-stream", "single-stream,samples=7", *servers)
    assert set(trials_json([found])["trials"][0]["latency"]) == {
        "offline", "single-stream", "single-stream,samples=7", *servers
    }  # fmt: skip
    row = board.tables[0].rows[0]
    assert row.speed.p50_ms == found.latency["single-stream"]["p50_ms"]
    assert row.latency[servers[0]]["p99_ms"] == found.latency[servers[0]]["p99_ms"]
    for form in ("markdown", "csv"):
        text = catalogue.reporter(form).render(board).text
        for scenario in ["single-stream,samples=7", *servers]:
            assert f"{scenario} p99" in text, form
    assert "100%" in catalogue.reporter("markdown").render(board).text.split("in time")[1]


def test_an_engine_is_warmed_up_where_its_time_counts_and_asked_once_more_for_it(catalogue, monkeypatch):
    from harness.planning import plan
    from harness.worker import TrialWorker

    asked = []

    class FakeListening(ToyModel):
        def run(self, requests):
            asked.append(len(requests))
            return super().run(requests)

    monkeypatch.setattr(catalogue, "model", lambda component, **_: FakeListening())
    (job,) = plan(Experiment((Component("toy"),), (Component("toy"),), (Component("zero-shot"),)), catalogue)
    list(TrialWorker(catalogue).run(job))
    assert asked == [12]
    asked.clear()
    timed = Job(job.trial, job.task, job.device, scenarios=(Component("offline"),))
    list(TrialWorker(catalogue).run(timed))
    assert asked == [1, 12]
