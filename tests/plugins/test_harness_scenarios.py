from __future__ import annotations

import gc
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from harness.components import build, parse_component
from harness.errors import ParameterError
from harness.interfaces import Price, Work
from harness.messages import ChunkTiming
from harness.plugins import Plugins
from harness.records import Sample
from harness_scenarios.offline import Offline
from harness_scenarios.server import Server, arrivals_s, serve
from harness_scenarios.single_stream import SingleStream, measure_one_by_one
from harness_scenarios.warmup import spread

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
    price = None

    def __init__(self, clock, costs_ms):
        self.samples = [Sample(str(index), {"ms": cost}, "yes") for index, cost in enumerate(costs_ms)]
        self.calls: list[str] = []
        self._clock = clock

    def answer(self, samples):
        (sample,) = samples
        self.calls.append(sample.id)
        self._clock.pass_ms(sample.fields["ms"])
        return Work(7, 2)


class FakeFaultyWorkload(FakeSlowWorkload):
    """Fails at its fifth call."""

    def answer(self, samples):
        if len(self.calls) == 4:
            raise RuntimeError("out of memory")
        return super().answer(samples)


def test_names_lead_to_scenarios_with_checked_parameters():
    scenarios = Plugins().registry("scenario")
    assert {entry.name for entry in scenarios if entry.plugin == "scenarios"} == {
        "offline",
        "single-stream",
        "server",
    }
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

    def __init__(self, *timings, price=None):
        self.timings = timings
        self.price = price

    def answer(self, samples):
        raise AssertionError("offline answers nothing a second time")


def test_offline_adds_up_the_scoring_pass():
    first = ChunkTiming(
        0,
        samples=64,
        seconds=4.0,
        prompt_tokens=6400,
        output_tokens=0,
        peak_bytes=900_000_000,
        counters={"reused": 7},
        cpu_s=7.5,
        energy_j=80.0,
        device_peak_bytes=2_000_000,
    )
    second = ChunkTiming(
        1,
        samples=36,
        seconds=1.0,
        prompt_tokens=3600,
        output_tokens=500,
        peak_bytes=700_000_000,
        counters={"reused": 5},
        cpu_s=1.5,
        energy_j=20.0,
        device_peak_bytes=5_000_000,
    )
    values, sample_ms = Offline().measure(Scored(first, second, price=Price(read=0.5, written=2.0)))
    assert values == {
        "samples_per_s": 20.0,
        "prompt_tokens_per_s": 2000.0,
        "output_tokens_per_s": 100.0,
        "tokens_per_s": 2100.0,
        "p50_ms": 62.5,
        "p95_ms": 62.5,
        "reused_tokens": 12.0,
        "peak_mb": 900.0,
        "device_peak_mb": 5.0,
        "seconds": 5.0,
        "cpu_s": 9.0,
        "energy_j": 100.0,
        "price_usd": pytest.approx((10_000 * 0.5 + 500 * 2) / 1e6),
        "n": 100.0,
    }
    assert sample_ms == {}


def test_offline_without_timings_has_no_rates():
    values, _ = Offline().measure(Scored())
    assert (values["samples_per_s"], values["peak_mb"], values["n"]) == (None, None, 0)
    instant = ChunkTiming(0, samples=1, seconds=0.0, prompt_tokens=3, output_tokens=0, peak_bytes=1)
    values, _ = Offline().measure(Scored(instant))
    assert (values["samples_per_s"], values["cpu_s"], values["energy_j"], values["price_usd"]) == (None,) * 4


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


class FakeWriter(FakeSlowWorkload):
    """Writes: the first token is there after 30 ms, the further four after 10 ms each."""

    def answer(self, samples):
        super().answer(samples)
        return Work(7, 5, (0.030,))


def test_generated_text_has_the_times_of_its_tokens():
    clock = FakeClock()
    values, _ = measure_one_by_one(FakeWriter(clock, [70.0] * 12), samples=12, seconds=60, clock=clock)
    assert (values["ttft_p50_ms"], values["ttft_p95_ms"]) == (pytest.approx(30), pytest.approx(30))
    assert (values["tpot_p50_ms"], values["tpot_p95_ms"]) == (pytest.approx(10), pytest.approx(10))
    silent, _ = measure_one_by_one(FakeSlowWorkload(clock, [70.0] * 12), samples=12, seconds=60, clock=clock)
    assert not [name for name in silent if name.startswith(("ttft", "tpot"))]


# --- server ---------------------------------------------------------------------------------------------


def served(workload, clock, **parameters):
    def sleep(seconds):
        clock.now += math.ceil(1e9 * seconds)  # never too short, as the system's

    return serve(workload, Server(**parameters), clock, sleep)


def test_arrivals_are_a_poisson_process_that_is_the_same_for_all():
    server = Server(rate=4.0, samples=20_000, seconds=1e9)
    gaps = np.diff(arrivals_s(server), prepend=0.0)
    assert stats.kstest(gaps, stats.expon(scale=0.25).cdf).pvalue > 0.01
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.03
    assert arrivals_s(server) == arrivals_s(server) != arrivals_s(Server(rate=4.0, samples=20_000, seed=1))
    assert arrivals_s(Server(rate=4.0, seconds=10.0)) == [at for at in arrivals_s(server)[:300] if at <= 10]
    assert len(arrivals_s(Server(rate=0.001, seconds=1.0))) == 1


def test_a_known_time_is_measured_where_nobody_has_to_wait():
    clock = FakeClock()
    values = served(FakeSlowWorkload(clock, [20.0] * 50), clock, rate=0.5, samples=300, seconds=1e4, limit_ms=21)
    for quantity in ("p50_ms", "p95_ms", "service_p50_ms", "service_p99_ms"):
        assert values[quantity] == pytest.approx(20, rel=0.05)
    assert values["queue_p95_ms"] == pytest.approx(0, abs=0.01)
    assert values["achieved_per_s"] == pytest.approx(0.5, rel=0.2)
    assert (values["n"], values["unanswered_n"], values["limit_ms"]) == (300, 0, 21)
    assert values["within_limit"] > 0.95


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_waiting_is_as_long_as_queueing_theory_says(load):
    """M/D/1 (Pollaczek-Khinchine): the mean wait is load x service / (2 (1 - load))."""
    clock = FakeClock()
    values = served(FakeSlowWorkload(clock, [10.0] * 50), clock, rate=100 * load, samples=60_000, seconds=1e9)
    assert values["mean_ms"] == pytest.approx(10 + 10 * load / (2 * (1 - load)), rel=0.05)
    assert values["busy"] == pytest.approx(load, rel=0.03)
    assert values["achieved_per_s"] == pytest.approx(100 * load, rel=0.03)


class FakeStallingWorkload(FakeSlowWorkload):
    """Stalls for two seconds at its 150th call, once."""

    def answer(self, samples):
        if len(self.calls) == 150:
            self._clock.pass_ms(2000)
        return super().answer(samples)


def test_a_stall_shows_in_p99_under_load_and_hides_where_one_waits_for_the_other():
    clock = FakeClock()
    loaded = served(FakeStallingWorkload(clock, [10.0] * 400), clock, rate=10.0, samples=299, seconds=1000)
    assert loaded["p99_ms"] > 1500
    assert loaded["service_p99_ms"] == pytest.approx(10), "the worker itself was slow once"
    assert loaded["longest_queue"] > 5
    alone, _ = measure_one_by_one(FakeStallingWorkload(clock, [10.0] * 400), samples=299, seconds=1000, clock=clock)
    assert alone["p99_ms"] == pytest.approx(10), "299 samples, one of them slow"


def test_what_is_never_answered_counts_with_the_time_that_it_has_waited():
    clock = FakeClock()
    values = served(FakeSlowWorkload(clock, [1000.0] * 50), clock, rate=10.0, samples=1000, seconds=20.0, limit_ms=1500)
    arrived = len(arrivals_s(Server(rate=10.0, samples=1000, seconds=20.0)))
    assert values["n"] == arrived
    assert values["unanswered_n"] == arrived - 40, "an answer a second, until 40 s are over"
    assert values["p99_ms"] > 20_000
    assert values["within_limit"] < 0.05


def test_samples_that_wait_are_answered_together_where_that_is_asked_for():
    class FakeBatching(FakeSlowWorkload):
        def answer(self, samples):
            sizes.append(len(samples))
            self._clock.pass_ms(100)
            return Work(1, 1)

    clock, sizes = FakeClock(), []
    values = served(FakeBatching(clock, [0.0] * 50), clock, rate=25.0, samples=500, seconds=1000, batch=4)
    assert max(sizes) == 4
    assert values["n"] == 500
    assert values["service_p50_ms"] == pytest.approx(100)
    assert values["achieved_per_s"] == pytest.approx(25, rel=0.1)
    sizes.clear()
    alone = served(FakeBatching(clock, [0.0] * 50), clock, rate=25.0, samples=500, seconds=10)
    assert max(sizes) == 1
    assert alone["unanswered_n"] > 0


def test_tokens_are_waited_for_from_when_a_sample_was_meant_to_arrive():
    clock = FakeClock()
    values = served(FakeWriter(clock, [70.0] * 12), clock, rate=100.0, samples=50, seconds=100)
    assert values["ttft_p95_ms"] > 1000
    assert values["tpot_p95_ms"] == pytest.approx(10)


def test_a_server_without_samples():
    clock = FakeClock()
    values = served(FakeSlowWorkload(clock, []), clock, rate=5.0, limit_ms=10)
    assert (values["n"], values["p50_ms"], values["within_limit"], values["busy"]) == (0, None, None, None)


def test_the_rate_has_to_be_given():
    target = Plugins().registry("scenario").get("server").load()
    assert build(target, parse_component("server,rate=2.5,batch=4"), kind="scenario") == Server(2.5, batch=4)
    for wrong in ("server", "server,rate=0", "server,rate=inf", "server,rate=1,limit_ms=0", "server,rate=1,batch=0"):
        with pytest.raises(ParameterError):
            build(target, parse_component(wrong), kind="scenario")
