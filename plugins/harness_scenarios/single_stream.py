"""Latency: one sample at a time, the next when the last is done."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.consumption import Consumption
from harness.latency import Stopwatch, summarise_ms, without_gc
from harness_scenarios.tokentimes import TokenTimes
from harness_scenarios.warmup import spread, warm_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import Workload
    from harness.latency import Clock

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
        """What `summarise_ms` and, where text was generated, `TokenTimes` give; milliseconds by sample id.

        Beside them `tokens_per_s` (read and written), `cpu_s` (seconds of all processors), `energy_j` (of the machine),
        `warmup_n`.
        """
        return measure_one_by_one(workload, self.samples, self.seconds)


def measure_one_by_one(
    workload: Workload, samples: int, seconds: float, clock: Clock = perf_counter_ns
) -> tuple[Mapping[str, float | None], Mapping[str, float]]:
    """What `SingleStream.measure` does, by any clock."""
    order = spread(workload.samples)
    warmup_n = warm_up(workload, order[::-1], clock)
    sample_ms: dict[str, float] = {}
    token_times = TokenTimes()
    tokens = 0
    with without_gc():
        consumption, whole = Consumption(), Stopwatch(clock)
        for sample in order[:samples]:
            if len(sample_ms) >= FEWEST and whole.seconds >= seconds:
                break
            watch = Stopwatch(clock)
            work = workload.answer([sample])
            sample_ms[sample.id] = took_ms = watch.ms
            token_times.add(work, took_ms)
            tokens += work.prompt_tokens + work.output_tokens
        consumed = consumption.consumed
    took_s = sum(sample_ms.values()) / 1e3
    return {
        **summarise_ms(list(sample_ms.values())),
        **token_times.values(),
        "tokens_per_s": tokens / took_s if took_s > 0 else None,
        "cpu_s": consumed.cpu_s,
        "energy_j": consumed.energy_j,
        "warmup_n": float(warmup_n),
    }, sample_ms
