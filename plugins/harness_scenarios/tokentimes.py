"""Times of tokens where text was generated: to the first one, and for each one behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.latency import percentiles_ms

if TYPE_CHECKING:
    from harness.interfaces import Work


class TokenTimes:
    """Collects, answer by answer, the time to first token (TTFT) and the time per output token (TPOT)."""

    def __init__(self) -> None:
        self._ttft_ms: list[float] = []
        self._tpot_ms: list[float] = []

    def add(self, work: Work, took_ms: float, waited_ms: float = 0.0) -> None:
        """Take the answer to one sample, the time that it took, and the time that it waited before.

        What is written behind the first token is shared out among the other tokens; of several texts that were written
        side by side, a token's share is smaller than the time between two of one text.
        """
        first_s = work.first_token_s[0] if len(work.first_token_s) == 1 else None
        if first_s is None:
            return
        self._ttft_ms.append(waited_ms + 1e3 * first_s)
        if work.output_tokens > 1:
            self._tpot_ms.append((took_ms - 1e3 * first_s) / (work.output_tokens - 1))

    def values(self) -> dict[str, float | None]:
        """`ttft_p50_ms`, `ttft_p95_ms`, `tpot_p50_ms`, `tpot_p95_ms`; nothing where no token was timed."""
        if not self._ttft_ms:
            return {}
        return percentiles_ms(self._ttft_ms, "ttft_") | percentiles_ms(self._tpot_ms, "tpot_")
