"""Throughput: how much is answered in a second when all samples are there at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import Workload


class Offline:
    """All samples at once (MLPerf's offline scenario), as the scoring pass took them: nothing is answered twice.

    Everything counts, the first chunk too: it does work that others profit from (the prefix that all prompts share),
    which can't be told from what is only set up then. Loading and training are outside.
    """

    def measure(self, workload: Workload) -> tuple[Mapping[str, float | None], Mapping[str, float]]:
        """The sums of the pass; no sample has a time of its own.

        Returns:
            `samples_per_s`, `prompt_tokens_per_s`, `output_tokens_per_s`, `tokens_per_s` (both sorts), `peak_mb` (10^6
            bytes resident in the process), `seconds`, `n`. A rate is None where no time was measured. What the engine
            counted of its work: `forwarded_tokens`, `reused_tokens`, `padded_tokens`.
        """
        timings = workload.timings
        seconds = sum(timing.seconds for timing in timings)
        samples = sum(timing.samples for timing in timings)
        read = sum(timing.prompt_tokens for timing in timings)
        written = sum(timing.output_tokens for timing in timings)
        amounts = {"samples": samples, "prompt_tokens": read, "output_tokens": written, "tokens": read + written}
        rates = {f"{name}_per_s": amount / seconds if seconds > 0 else None for name, amount in amounts.items()}
        peak_mb = max((timing.peak_bytes / 1e6 for timing in timings), default=None)
        counted = Counter[str]()
        for timing in timings:
            counted.update(timing.counters)
        work = {f"{name}_tokens": float(count) for name, count in counted.items()}
        return {**rates, **work, "peak_mb": peak_mb, "seconds": seconds, "n": float(samples)}, {}
