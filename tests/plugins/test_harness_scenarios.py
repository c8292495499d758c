from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.components import build, parse_component
from harness.errors import ParameterError
from harness.messages import ChunkTiming
from harness.plugins import Plugins
from harness.records import Sample
from harness_scenarios.offline import Offline
from harness_scenarios.single_stream import SingleStream, measure_one_by_one, spread

if TYPE_CHECKING:
    from collections.abc import Sequence


class FakeClock:
    """Nanoseconds that pass only when somebody says so."""

    def __init__(self):
        self.now = 5_000_000_000

    def __call__(self):
        return self.now

    def pass_ms(self, ms):
        self.now += round(ms * 1e6)


class FakeSlowWorkload:
    """Answers take as many milliseconds of a fake clock as the sample's field says, and 7 + 2 tokens."""

    timings: Sequence[ChunkTiming] = ()

    def __init__(self, clock, costs_ms):
        self.samples = [Sample(str(index), {"ms": cost}, "yes") for index, cost in enumerate(costs_ms)]
        self.calls: list[str] = []
        self._clock = clock

    def answer(self, samples):
        (sample,) = samples
        self.calls.append(sample.id)
        self._clock.pass_ms(sample.fields["ms"])
        return 7, 2


class FakeFaultyWorkload(FakeSlowWorkload):
    """Fails at its fifth call."""

    def answer(self, samples):
        if len(self.calls) == 4:
            raise RuntimeError("out of memory")
        return super().answer(samples)


def test_names_lead_to_scenarios_with_checked_parameters():
    scenarios = Plugins().registry("scenario")
    assert {entry.name for entry in scenarios if entry.plugin == "scenarios"} == {"offline", "single-stream"}
    offline = build(scenarios.get("offline").load(), parse_component("offline"), kind="scenario")
    assert isinstance(offline, Offline)
    target = scenarios.get("single-stream").load()
    assert build(target, parse_component("single-stream,samples=7"), kind="scenario") == SingleStream(7, 20.0)
    for wrong in ("samples=0", "seconds=-1", "seconds=inf", "sample=5"):
        with pytest.raises(ParameterError):
            build(target, parse_component(f"single-stream,{wrong}"), kind="scenario")


# --- offline ------------------------------------------------------------------------------------------


class Scored:
    """A workload whose scoring pass is over."""

    samples: Sequence[Sample] = ()

    def __init__(self, *timings):
        self.timings = timings

    def answer(self, samples):
        raise AssertionError("offline answers nothing a second time")


def test_offline_adds_up_the_scoring_pass():
    first = ChunkTiming(
        0, samples=64, seconds=4.0, prompt_tokens=6400, output_tokens=0, peak_bytes=900_000_000, counters={"reused": 7}
    )
    second = ChunkTiming(
        1,
        samples=36,
        seconds=1.0,
        prompt_tokens=3600,
        output_tokens=500,
        peak_bytes=700_000_000,
        counters={"reused": 5},
    )
    values, sample_ms = Offline().measure(Scored(first, second))
    assert values == {
        "samples_per_s": 20.0,
        "prompt_tokens_per_s": 2000.0,
        "output_tokens_per_s": 100.0,
        "tokens_per_s": 2100.0,
        "reused_tokens": 12.0,
        "peak_mb": 900.0,
        "seconds": 5.0,
        "n": 100.0,
    }
    assert sample_ms == {}


def test_offline_without_timings_has_no_rates():
    values, _ = Offline().measure(Scored())
    assert (values["samples_per_s"], values["peak_mb"], values["n"]) == (None, None, 0)
    instant = ChunkTiming(0, samples=1, seconds=0.0, prompt_tokens=3, output_tokens=0, peak_bytes=1)
    assert Offline().measure(Scored(instant))[0]["samples_per_s"] is None


# --- single-stream --------------------------------------------------------------------------------------


def test_single_stream_times_each_sample_alone():
    clock = FakeClock()
    costs = [float(cost) for cost in range(100, 140)]
    workload = FakeSlowWorkload(clock, costs)
    values, sample_ms = measure_one_by_one(workload, samples=100, seconds=60, clock=clock)
    assert sample_ms == {str(index): pytest.approx(cost) for index, cost in enumerate(costs)}
    for q in (50, 90, 95, 99):
        assert values[f"p{q}_ms"] == pytest.approx(np.percentile(costs, q))
    assert values["mean_ms"] == pytest.approx(119.5)
    assert (values["n"], values["thin_from"]) == (40, 95.0)
    assert values["tokens_per_s"] == pytest.approx(9 / 0.1195)


@pytest.mark.parametrize(("cost_ms", "calls"), [(2000, 3), (400, 3), (300, 4), (125, 8), (1, 10)])
def test_warm_up_takes_three_calls_and_a_second_but_no_more_than_ten_calls(cost_ms, calls):
    clock = FakeClock()
    workload = FakeSlowWorkload(clock, [cost_ms] * 30)
    values, sample_ms = measure_one_by_one(workload, samples=8, seconds=1000, clock=clock)
    assert values["warmup_n"] == calls
    assert len(workload.calls) == calls + 8
    assert not set(workload.calls[:calls]) & set(sample_ms), (
        "samples that warmed up are measured only where there are too few"
    )


def test_a_slow_first_call_is_not_in_the_percentiles():
    clock = FakeClock()
    workload = FakeSlowWorkload(clock, [10.0] * 20)
    first = spread(workload.samples)[-1]
    first.fields["ms"] = 5000.0
    values, _ = measure_one_by_one(workload, samples=19, seconds=60, clock=clock)
    assert workload.calls[0] == first.id
    assert values["p99_ms"] == pytest.approx(10.0)


@pytest.mark.parametrize(("cost_ms", "n"), [(1000, 20), (3000, 7), (9000, 5), (100, 100)])
def test_measuring_ends_in_time_but_not_before_five_samples(cost_ms, n):
    clock = FakeClock()
    values, sample_ms = measure_one_by_one(
        FakeSlowWorkload(clock, [cost_ms] * 200), samples=100, seconds=20, clock=clock
    )
    assert values["n"] == len(sample_ms) == n


def test_a_task_of_one_sample_and_one_of_none():
    clock = FakeClock()
    values, sample_ms = measure_one_by_one(FakeSlowWorkload(clock, [50]), samples=100, seconds=20, clock=clock)
    assert (sample_ms, values["warmup_n"], values["thin_from"]) == ({"0": 50.0}, 10, 50.0)
    values, sample_ms = measure_one_by_one(FakeSlowWorkload(clock, []), samples=100, seconds=20, clock=clock)
    assert (sample_ms, values["p50_ms"], values["tokens_per_s"]) == ({}, None, None)


def test_the_real_clock_is_the_default():
    workload = FakeSlowWorkload(FakeClock(), [1] * 6)
    values, sample_ms = SingleStream(samples=6, seconds=5).measure(workload)
    assert values["n"] == 6
    assert all(ms > 0 for ms in sample_ms.values())


def test_an_error_is_passed_on_and_the_garbage_collector_runs_again():
    clock = FakeClock()
    with pytest.raises(RuntimeError, match="out of memory"):
        measure_one_by_one(FakeFaultyWorkload(clock, [500] * 10), samples=10, seconds=20, clock=clock)
    assert gc.isenabled()


@pytest.mark.parametrize("n", [1, 2, 3, 6, 10, 97, 100, 1000])
def test_every_beginning_of_the_order_is_spread_evenly(n):
    samples = [Sample(str(index), {}, "yes") for index in range(n)]
    order = [int(sample.id) for sample in spread(samples)]
    assert sorted(order) == list(range(n))
    for taken in range(1, n + 1):
        gaps = np.diff(np.sort(order[:taken]), append=min(order[:taken]) + n)
        assert gaps.max() <= 3 * max(1, np.ceil(n / taken))
