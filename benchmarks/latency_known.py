"""Latencies that are known beforehand, measured by each scenario with the real clock.

python benchmarks/latency_known.py [--ms 40] [--samples 200] [--rates 3,8] [--stall-ms 1000] [--folder DIR]

A fake model sleeps so long for each sample. Alone, that is its latency. In a queue of Poisson arrivals it is what the
queue's recursion gives for the very same arrivals, and, in the long run, what M/D/1 theory says. Then one sample of
them all takes much longer: where the next sample is sent when the last one is done there is one slow answer, in
`server` there are all that waited behind it. Nothing else should run on the machine; it takes three minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import harness
from harness import hookimpl
from harness.testing import ToyModel
from harness_scenarios.server import Server, arrivals_s
from harness_scenarios.warmup import spread

STALL = "the slow one"
"""Stands in the text of the sample that takes longer."""

TASK = """
name: known
kind: classification
data:
  files: {test: test.jsonl}
  fields: {text: text, target: label}
labels: {a: " a", b: " b"}
prompt: {template: "Text: {{ text }}\\nLabel:"}
metrics: [accuracy]
licence: none
citation: none
"""


class FakeSleeper(ToyModel):
    """Sleeps a known time for each sample before it answers by letters."""

    def __init__(self, ms: float = 40.0, stall_ms: float = 0.0) -> None:
        self.ms, self.stall_ms = ms, stall_ms

    def fingerprint(self):
        return f"sleeps {self.ms} {self.stall_ms}"

    def run(self, requests):
        for request in requests:
            time.sleep((self.stall_ms if self.stall_ms and STALL in request.prompt.text else self.ms) / 1e3)
        return super().run(requests)


@hookimpl
def register_models(register):
    register("fake-sleeper", f"{__name__}:FakeSleeper", summary="sleeps a known time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ms", type=float, default=40.0)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--rates", default="3,8", help="arrivals in a second, with commas")
    parser.add_argument("--stall-ms", type=float, default=1000.0)
    parser.add_argument("--folder", type=Path, help="where files are written; a temporary folder unless told")
    told = parser.parse_args()
    servers = [
        Server(float(rate), told.samples, seconds=4 * told.samples / float(rate)) for rate in told.rates.split(",")
    ]
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        slow_one = write_task(Path(folder), told.samples)
        print(f"{'':16} {'scenario':14} {'':4} {'measured':>9} {'expected':>9} {'ratio':>6} {'M/D/1':>9}   (ms)")
        bare = slept_ms(told.ms)
        for percentile in (50, 95):
            line("a bare sleep", "", f"p{percentile}", float(np.percentile(bare, percentile)), told.ms)
        steady = [told.ms] * told.samples
        show("steady", measured(Path(folder), f"fake-sleeper,ms={told.ms}", servers), servers, steady)
        stalled = [told.stall_ms if at == slow_one else told.ms for at in range(told.samples)]
        model = f"fake-sleeper,ms={told.ms},stall_ms={told.stall_ms}"
        show(f"one takes {told.stall_ms:g}", measured(Path(folder), model, servers[-1:]), servers[-1:], stalled)


def write_task(folder: Path, n: int) -> int:
    """A task of n rows; when, of all, the slow one is asked: in the middle, after what warms up."""
    order = spread(range(n))
    rows = [{"text": f"row {row} {STALL if row == order[n // 2] else ''}", "label": "ab"[row % 2]} for row in range(n)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "task.yaml").write_text(TASK)
    return n // 2


def written(server: Server) -> str:
    """As on the command line."""
    return f"server,rate={server.rate:g},samples={server.samples},seconds={server.seconds:g}"


def measured(folder: Path, model: str, servers: list[Server]) -> dict[str, dict[str, float | None]]:
    """Scenario -> what it measured."""
    alone = f"single-stream,samples={servers[0].samples},seconds=600"
    (trial,) = harness.run(
        model,
        folder / "task.yaml",
        "zero-shot",
        scenarios=["offline", alone, *map(written, servers)],
        store=folder / "store.db",
        plugins=__file__,
    )
    if trial.status != "finished":
        raise SystemExit(f"{model}: {trial.reason}")
    return {name.split(",samples")[0]: found for name, found in trial.latency.items()}


def show(what: str, found: dict[str, dict[str, float | None]], servers: list[Server], service_ms: list[float]) -> None:
    """A line for the mean of `offline`, and for each percentile of the other scenarios."""
    usual = min(service_ms)
    line(what, "offline", "mean", 1e3 / found["offline"]["samples_per_s"], float(np.mean(service_ms)))
    expected = {"single-stream": (service_ms, None)}
    expected |= {f"server,rate={one.rate:g}": (queued_ms(one, service_ms), one.rate) for one in servers}
    for scenario, (latencies, rate) in expected.items():
        for percentile in (50, 95, 99):
            in_theory = usual + wait_ms(percentile / 100, rate, usual) if rate and max(service_ms) == usual else None
            value = found[scenario][f"p{percentile}_ms"]
            line(what, scenario, f"p{percentile}", value, float(np.percentile(latencies, percentile)), in_theory)


def line(
    what: str, scenario: str, quantity: str, value: float, expected: float, in_theory: float | None = None
) -> None:
    """What was measured beside what was to be expected."""
    theory = "" if in_theory is None else f"{in_theory:.2f}"
    print(f"{what:16} {scenario:14} {quantity:4} {value:9.2f} {expected:9.2f} {value / expected:6.3f} {theory:>9}")


def slept_ms(ms: float, n: int = 50) -> list[float]:
    """How long the system sleeps when it is asked for so long."""
    times = [time.perf_counter()]
    for _ in range(n):
        time.sleep(ms / 1e3)
        times.append(time.perf_counter())
    return [1e3 * (after - before) for before, after in pairwise(times)]


# --- what is expected --------------------------------------------------------------------------------


def queued_ms(server: Server, service_ms: list[float]) -> list[float]:
    """Latencies of one worker that takes samples as they arrive (Lindley 1952), for these arrivals."""
    free, latencies = 0.0, []
    for arrived_s, service in zip(arrivals_s(server), service_ms, strict=True):
        free = max(free, 1e3 * arrived_s) + service
        latencies.append(free - 1e3 * arrived_s)
    return latencies


def wait_ms(share: float, rate: float, service_ms: float) -> float:
    """The wait that so large a share of all samples does not exceed in an M/D/1 queue at rest (Erlang 1909)."""
    low, high = 0.0, 100 * service_ms
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if waits_no_longer(middle, rate, service_ms) >= share else (middle, high)
    return high


def waits_no_longer(ms: float, rate: float, service_ms: float) -> float:
    """P(wait <= ms) = (1 - rho) sum over k from 0 to floor(t / D) of (rate (kD - t))^k / k! e^(-rate (kD - t))."""
    load = rate * service_ms / 1e3
    ahead = [rate * (k * service_ms - ms) / 1e3 for k in range(math.floor(ms / service_ms) + 1)]
    return (1 - load) * math.fsum(x**k / math.factorial(k) * math.exp(-x) for k, x in enumerate(ahead))


if __name__ == "__main__":
    main()
