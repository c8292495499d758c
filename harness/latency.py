"""What measuring of time and memory shares: a clock that tests can replace, peak memory, percentiles with intervals."""

from __future__ import annotations

import ctypes
import gc
import threading
from contextlib import contextmanager, suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
import psutil

from harness.distributions import binomial_quantile
from harness.samplesize import percentile_is_thin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    Clock: TypeAlias = Callable[[], int]

PERCENTILES = (50, 90, 95, 99)


class Stopwatch:
    """The time since it was made, read as often as one likes; `clock` tells nanoseconds from any beginning."""

    def __init__(self, clock: Clock = perf_counter_ns) -> None:
        self._clock = clock
        self._start = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return (self._clock() - self._start) / 1e9

    @property
    def ms(self) -> float:
        """Milliseconds since the beginning."""
        return (self._clock() - self._start) / 1e6


class PeakMemory:
    """The most memory that this process holds while the block runs (resident set), looked at every 15 ms in a thread.

    with PeakMemory() as memory:
        work()
    memory.peak_bytes
    """

    def __init__(self, interval_s: float = 0.015) -> None:
        self.peak_bytes = 0
        self._interval_s = interval_s
        self._process = psutil.Process()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(self._interval_s):
            self._look()

    def _look(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep the garbage collector from stopping a measurement: collect now, then not until the block is over."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def summarise_ms(values: Sequence[float]) -> dict[str, float | None]:
    """Percentiles of latencies by linear interpolation, as numpy's default (Hyndman & Fan 1996, type 7).

    Args:
        values: milliseconds; a percentile of none is None.

    Returns:
        `p50_ms`, `p90_ms`, `p95_ms`, `p99_ms`, each with the bounds of its 95% interval (`p50_ms_low`, `p50_ms_high`;
        see `percentile_interval`), `mean_ms`, `n`, and `thin_from`: the lowest of these percentiles that so few samples
        say little about, as of those above it (`harness.samplesize.samples_for_percentile`); None where all are sound.
    """
    summary = percentiles_ms(values, "", PERCENTILES)
    for q in PERCENTILES:
        summary[f"p{q}_ms_low"], summary[f"p{q}_ms_high"] = percentile_interval(values, q)
    thin = [float(q) for q in PERCENTILES if percentile_is_thin(len(values), q)]
    mean = float(np.mean(values)) if len(values) else None
    return summary | {"mean_ms": mean, "n": float(len(values)), "thin_from": min(thin, default=None)}


def percentiles_ms(
    values: Sequence[float], name: str, percentiles: Sequence[int] = (50, 95)
) -> dict[str, float | None]:
    """`p50_ms` and so on by linear interpolation, with a name before each; None where there are no values."""
    if not len(values):
        return dict.fromkeys(f"{name}p{q}_ms" for q in percentiles)
    points = np.percentile(np.asarray(values, dtype=np.float64), percentiles)
    return {f"{name}p{q}_ms": float(point) for q, point in zip(percentiles, points, strict=True)}


def percentile_interval(values: Sequence[float], q: float, level: float = 0.95) -> tuple[float | None, float | None]:
    """Two of the values between which the percentile `q` lies with that confidence, whatever the distribution.

    How many of n independent values lie below a percentile is binomial, so order statistics bound it (David & Nagaraja
    2003, Order Statistics, 7.1). It says nothing of values that hang together, such as those of a queue.

    Args:
        values: whichever.
        q: between 0 and 100, both excluded.
        level: the confidence; each bound is missed with half of the rest at most.

    Returns:
        Either bound is None where there are too few values for it.
    """
    if not len(values):
        return None, None
    ordered, missed = sorted(values), (1 - level) / 2
    low = binomial_quantile(missed, len(ordered), q / 100) - 1
    high = binomial_quantile(1 - missed, len(ordered), q / 100)
    return ordered[low] if low >= 0 else None, ordered[high] if high < len(ordered) else None


def give_back_memory() -> None:
    """Return freed memory to the system, where the allocator can: what the last model used is no peak of the next."""
    gc.collect()
    with suppress(OSError, AttributeError):  # there is no glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
