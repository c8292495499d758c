"""Latency under load: samples arrive at random, at a given rate, whether or not those before them are answered."""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.consumption import Consumption
from harness.latency import Stopwatch, percentiles_ms, summarise_ms, without_gc
from harness_scenarios.tokentimes import TokenTimes
from harness_scenarios.warmup import spread, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.interfaces import Work, Workload
    from harness.latency import Clock

PATIENCE = 2
"""So many times the seconds of arrivals the last answer is waited for; a server that is too slow never ends."""


@dataclass(frozen=True, slots=True)
class Server:
    """Samples that arrive as a Poisson process (MLPerf's server scenario) and are answered in turn by one worker.

    A latency counts from when its sample was *meant* to arrive, not from when the worker got round to it: a stall
    delays all that arrive meanwhile, and all of them show it. A loop that sends the next sample when the last is done
    would show one slow answer (coordinated omission).

    Attributes:
        rate: samples that arrive in a second, on average.
        samples: how many arrive at most; the task's, spread evenly, from the beginning again where there are fewer.
        seconds: none arrives later. What is not answered after twice that time has waited so long, and counts with
            the time that it had waited then.
        batch: how many of those that wait are answered together.
        limit_ms: the share of samples that took no longer is told; None tells none.
        seed: other arrivals; those of a rate and a seed are the same for all models.
    """

    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    samples: Annotated[int, Field(ge=1)] = 300
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    batch: Annotated[int, Field(ge=1)] = 1
    limit_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    seed: int = 0

    def measure(self, workload: Workload) -> tuple[Mapping[str, float | None], Mapping[str, float]]:
        """What `summarise_ms` gives of latencies; where text was generated also what `TokenTimes` gives.

        Beside them `queue_p50_ms`, `queue_p95_ms`, `queue_p99_ms` (waiting) and `service_...` (being answered),
        `longest_queue` (samples that had arrived and were not begun), `rate_per_s` (as asked for), `achieved_per_s`
        (answered from the first arrival to the last answer), `busy` (the worker's share of that time),
        `within_limit` (a share) and `limit_ms`, `unanswered_n`, `cpu_s` (seconds of all processors), `energy_j` (of the
        machine), `warmup_n`. No sample has a time of its own: it depends on who came before.
        """
        return serve(workload, self), {}


def arrivals_s(server: Server) -> list[float]:
    """When samples arrive, in seconds from the start: the gaps are exponential with the mean 1 / rate; one at least."""
    draws = random.Random(server.seed)
    times = list(accumulate(draws.expovariate(server.rate) for _ in range(server.samples)))
    return list(takewhile(lambda at: at <= server.seconds, times)) or times[:1]


@dataclass(slots=True)
class _Log:
    """What happened, in milliseconds; a sample that was not answered has waited, and that is all."""

    latencies_ms: list[float] = field(default_factory=list)
    queued_ms: list[float] = field(default_factory=list)
    service_ms: list[float] = field(default_factory=list)
    token_times: TokenTimes = field(default_factory=TokenTimes)
    busy_ms: float = 0.0
    answered: int = 0
    longest: int = 0

    def answer(self, work: Work, arrived_ms: Sequence[float], began_ms: float, ended_ms: float) -> None:
        for arrived in arrived_ms:
            self.latencies_ms.append(ended_ms - arrived)
            self.queued_ms.append(began_ms - arrived)
            self.service_ms.append(ended_ms - began_ms)
        if len(arrived_ms) == 1:
            self.token_times.add(work, ended_ms - began_ms, began_ms - arrived_ms[0])
        self.busy_ms += ended_ms - began_ms
        self.answered += len(arrived_ms)


def serve(
    workload: Workload,
    server: Server,
    clock: Clock = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, float | None]:
    """What `Server.measure` does, by any clock; `sleep` lets its seconds pass."""
    order = spread(workload.samples)
    warmup_n = warm_up(workload, order[::-1], clock) if len(order) else 0
    arriving = [1e3 * at for at in arrivals_s(server)] if len(order) else []
    log, begun, end_ms = _Log(), 0, PATIENCE * 1e3 * server.seconds
    with without_gc():
        consumption, whole = Consumption(), Stopwatch(clock)
        while begun < len(arriving):
            began = whole.ms
            if began < arriving[begun]:
                sleep((arriving[begun] - began) / 1e3)
                continue
            if began > end_ms and begun:
                break
            waiting = bisect_right(arriving, began) - begun
            log.longest = max(log.longest, waiting)
            batch = range(begun, begun + min(waiting, server.batch))
            work = workload.answer([order[at % len(order)] for at in batch])
            log.answer(work, [arriving[at] for at in batch], began, whole.ms)
            begun = batch.stop
        stopped_ms, consumed = whole.ms, consumption.consumed
    log.latencies_ms += [stopped_ms - at for at in arriving[begun:]]
    took_ms = stopped_ms - arriving[0] if arriving else 0.0
    return {
        **summarise_ms(log.latencies_ms),
        **percentiles_ms(log.queued_ms, "queue_", (50, 95, 99)),
        **percentiles_ms(log.service_ms, "service_", (50, 95, 99)),
        **log.token_times.values(),
        **_within(log.latencies_ms[: log.answered], len(arriving), server.limit_ms),
        "longest_queue": float(log.longest),
        "rate_per_s": server.rate,
        "achieved_per_s": 1e3 * log.answered / took_ms if took_ms > 0 else None,
        "busy": log.busy_ms / took_ms if took_ms > 0 else None,
        "unanswered_n": float(len(arriving) - begun),
        "cpu_s": consumed.cpu_s,
        "energy_j": consumed.energy_j,
        "warmup_n": float(warmup_n),
    }


def _within(answered_ms: Sequence[float], arrived: int, limit_ms: float | None) -> dict[str, float | None]:
    """The share of the samples that arrived which were answered in time; nothing where there is no limit."""
    if limit_ms is None:
        return {}
    in_time = sum(one <= limit_ms for one in answered_ms)
    return {"limit_ms": limit_ms, "within_limit": in_time / arrived if arrived else None}
