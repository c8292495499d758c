from __future__ import annotations

import gc
import mmap
import sys
import threading

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.latency import PeakMemory, Stopwatch, give_back_memory, percentile_interval, summarise_ms, without_gc


def test_stopwatch_tells_the_time_of_its_clock():
    ticks = iter([1_000_000_000, 1_250_000_000, 3_500_000_000])
    watch = Stopwatch(lambda: next(ticks))
    assert watch.ms == 250.0
    assert watch.seconds == 2.5


def test_peak_memory_sees_what_is_gone_at_the_end():
    before = psutil.Process().memory_info().rss
    with PeakMemory(interval_s=0.001) as memory, mmap.mmap(-1, 200_000_000) as block:
        # Not from malloc, which may have kept what others freed; it is closed before the last look.
        block.write(b"\1" * 200_000_000)
        threading.Event().wait(0.2)
    assert 200e6 <= memory.peak_bytes - before < 600e6
    assert "peak-memory" not in {thread.name for thread in threading.enumerate()}


def test_peak_memory_stops_looking_when_the_work_fails():
    with pytest.raises(ZeroDivisionError), PeakMemory() as memory:
        _ = 1 / 0
    assert memory.peak_bytes > 0
    assert "peak-memory" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_as_it_was_afterwards(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with without_gc():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
        with pytest.raises(ZeroDivisionError), without_gc():
            _ = 1 / 0
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_are_numpys(values):
    summary = summarise_ms(values)
    for q in (50, 90, 95, 99):
        assert summary[f"p{q}_ms"] == pytest.approx(np.percentile(values, q))
    assert summary["mean_ms"] == pytest.approx(np.mean(values))
    assert summary["n"] == len(values)


def test_linear_interpolation_by_hand():
    summary = summarise_ms([10.0, 20.0, 30.0, 40.0])
    assert (summary["p50_ms"], summary["p90_ms"], summary["mean_ms"]) == (25.0, pytest.approx(37.0), 25.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=400), st.sampled_from([50, 90, 95, 99, 12.5]))
def test_intervals_of_percentiles_are_scipys(values, q):
    low, high = percentile_interval(values, q)
    reference = stats.quantile_test(values, p=q / 100).confidence_interval(0.95)
    assert low == (None if np.isnan(reference.low) else reference.low)
    assert high == (None if np.isnan(reference.high) else reference.high)


@pytest.mark.parametrize(("n", "q"), [(30, 50), (100, 90), (300, 95), (1000, 99)])
def test_an_interval_misses_the_percentile_as_often_as_it_says(n, q):
    rng = np.random.default_rng(7)
    true = stats.lognorm(1).ppf(q / 100)
    hits = 0
    for _ in range(2000):
        low, high = percentile_interval(rng.lognormal(size=n).tolist(), q)
        hits += (low is None or low <= true) and (high is None or true <= high)
    assert 0.945 <= hits / 2000 <= 0.99, "distribution-free intervals are a little too wide"


@pytest.mark.parametrize(
    ("n", "thin_from"), [(1, 50), (4, 50), (5, 90), (28, 90), (29, 95), (58, 95), (59, 99), (298, 99), (299, None)]
)
def test_percentiles_of_few_samples_are_marked(n, thin_from):
    assert summarise_ms([1.0] * n)["thin_from"] == thin_from


def test_nothing_measured():
    summary = summarise_ms([])
    assert (summary.pop("n"), summary.pop("thin_from")) == (0.0, 50.0)
    assert set(summary.values()) == {None}
    assert len(summary) == 13


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc's allocator")
def test_freed_memory_is_given_back():
    rows = [bytearray(100_000) for _ in range(2_000)]  # below the size that glibc maps apart
    keeper = bytearray(100_000)  # stands behind them, so that the heap can't just shrink
    full = psutil.Process().memory_info().rss
    rows.clear()
    give_back_memory()
    assert psutil.Process().memory_info().rss < full - 100e6
    assert keeper
