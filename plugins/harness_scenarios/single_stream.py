"""Latency: one sample at a time, the next when the last is done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import cycle, islice
from time import perf_counter_ns
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.latency import Stopwatch, summarise_ms, without_gc
from harness.packed import Selected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import Workload
    from harness.latency import Clock
    from harness.records import Sample

WARMUP_CALLS = (3, 10)
WARMUP_S = 1.0
FEWEST = 5
"""Samples that are measured however long they take."""


@dataclass(frozen=True, slots=True)
class SingleStream:
    """One sample at a time in a closed loop (MLPerf's single-stream scenario), from its text to the decision.

    What is measured is the time of service: nobody waits in a queue here. Warm-up calls are left out: at least 3, until
    they took a second, 10 at most.

    Attributes:
        samples: how many samples are measured at most, each once, spread evenly over the task's.
        seconds: no further sample is begun after that time, once 5 are measured.
    """

    samples: Annotated[int, Field(ge=1)] = 100
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0

    def measure(self, workload: Workload) -> tuple[Mapping[str, float | None], Mapping[str, float]]:
        """What `summarise_ms` gives, `tokens_per_s` (read and written) and `warmup_n`; milliseconds by sample id."""
        return measure_one_by_one(workload, self.samples, self.seconds)


def measure_one_by_one(
    workload: Workload, samples: int, seconds: float, clock: Clock = perf_counter_ns
) -> tuple[Mapping[str, float | None], Mapping[str, float]]:
    """What `SingleStream.measure` does, by any clock."""
    order = spread(workload.samples)
    warmup_n = _warm_up(workload, order[::-1], clock)
    sample_ms: dict[str, float] = {}
    tokens = 0
    with without_gc():
        whole = Stopwatch(clock)
        for sample in order[:samples]:
            if len(sample_ms) >= FEWEST and whole.seconds >= seconds:
                break
            watch = Stopwatch(clock)
            read, written = workload.answer([sample])
            sample_ms[sample.id] = watch.ms
            tokens += read + written
    took_s = sum(sample_ms.values()) / 1e3
    rate = tokens / took_s if took_s > 0 else None
    values = summarise_ms(list(sample_ms.values()))
    return {**values, "tokens_per_s": rate, "warmup_n": float(warmup_n)}, sample_ms


def spread(samples: Sequence[Sample]) -> Sequence[Sample]:
    """All samples in a fixed order of which every beginning is spread evenly over the data, however that is sorted.

    By the fractional part of index x golden section: the indices where it is below a bound lie evenly (Kronecker).
    """
    golden = (math.sqrt(5) - 1) / 2
    return Selected(samples, sorted(range(len(samples)), key=lambda index: index * golden % 1))


def _warm_up(workload: Workload, samples: Sequence[Sample], clock: Clock) -> int:
    """Answer samples, those that will be measured last or not at all, and give the number of calls."""
    fewest, most = WARMUP_CALLS
    watch = Stopwatch(clock)
    calls = 0
    for sample in islice(cycle(samples), most):
        if calls >= fewest and watch.seconds >= WARMUP_S:
            break
        workload.answer([sample])
        calls += 1
    return calls
