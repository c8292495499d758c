"""Throughput: how much is answered in a second when all samples are there at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.latency import percentiles_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.interfaces import Workload


class Offline:
    """All samples at once (MLPerf's offline scenario), as the scoring pass took them: nothing is answered twice.

    Loading, training and one call that warms the engine up are outside. Everything else counts, the first chunk too: it
    does work that others profit from (the prefix that all prompts share).
    """

    def measure(self, workload: Workload) -> tuple[Mapping[str, float | None], Mapping[str, float]]:
        """The sums of the pass; no sample has a time of its own.

        Returns:
            `samples_per_s`, `prompt_tokens_per_s`, `output_tokens_per_s`, `tokens_per_s` (both sorts), `p50_ms` and
            `p95_ms` of a sample's share of the time that its chunk took, `peak_mb` (10^6 bytes resident in the
            process), `device_peak_mb` (in a GPU), `seconds`, `cpu_s` (of all processors), `energy_j` (of the machine),
            `price_usd` (of the tokens), `n`. Each is None where nobody could tell. What the engine counted of its work:
            `forwarded_tokens`, `reused_tokens`, `padded_tokens`.
        """
        timings = workload.timings
        seconds = sum(timing.seconds for timing in timings)
        samples = sum(timing.samples for timing in timings)
        read = sum(timing.prompt_tokens for timing in timings)
        written = sum(timing.output_tokens for timing in timings)
        amounts = {"samples": samples, "prompt_tokens": read, "output_tokens": written, "tokens": read + written}
        rates = {f"{name}_per_s": amount / seconds if seconds > 0 else None for name, amount in amounts.items()}
        shares = [1e3 * one.seconds / one.samples for one in timings for _ in range(one.samples)]
        counted = Counter[str]()
        for timing in timings:
            counted.update(timing.counters)
        return {
            **rates,
            **percentiles_ms(shares, ""),
            **{f"{name}_tokens": float(count) for name, count in counted.items()},
            "peak_mb": max((timing.peak_bytes / 1e6 for timing in timings), default=None),
            "device_peak_mb": _most(timing.device_peak_bytes for timing in timings),
            "seconds": seconds,
            "cpu_s": _total(timing.cpu_s for timing in timings),
            "energy_j": _total(timing.energy_j for timing in timings),
            "price_usd": None if workload.price is None else workload.price.of(read, written),
            "n": float(samples),
        }, {}


def _most(peaks: Iterable[int | None]) -> float | None:
    """The largest, in 10^6 bytes."""
    return max((peak / 1e6 for peak in peaks if peak is not None), default=None)


def _total(values: Iterable[float | None]) -> float | None:
    """The sum; None where one is not known, or there is none."""
    known: list[float] = []
    for value in values:
        if value is None:
            return None
        known.append(value)
    return sum(known) if known else None
