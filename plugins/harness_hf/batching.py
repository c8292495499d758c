"""Batches within a budget of tokens: halved when memory runs out, on a GPU doubled as long as that is faster."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import torch

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")

log = logging.getLogger(__name__)

BATCH_TOKENS = 1024
"""Tokens a forward on a CPU: matrix products are at full speed from about 256 on; 2,000 only take more memory."""

FIRST_TOKENS = 4096
"""Tokens a forward on a GPU, to begin with."""

CACHED_TOKENS = 8
"""How many tokens may wait in a key-value cache for each token of the budget: they take memory but little time."""

GAIN = 1.05
"""How much faster per token forwards have to be for twice the tokens to be worth their memory."""

FULL = 0.75
"""The share of the budget that a forward has to fill to say something about it."""

MOST = 2**17
"""Where growing ends in any case."""

_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory")


class TokenBudget:
    """Most tokens in one forward. What was learnt stays for the engine's life.

    Attributes:
        tokens: at most so many.
        growing: whether forwards are still timed, to find out whether twice as many are faster.
    """

    def __init__(self, tokens: int, *, growing: bool = False) -> None:
        self.tokens = tokens
        self.growing = growing
        self._tokens_per_s = 0.0

    @classmethod
    def on(cls, device: torch.device, wanted: int | None) -> TokenBudget:
        """The budget that somebody wants; else a fixed one on a CPU, and on a GPU one that grows.

        What is measured on a CPU is flat over sizes, and a fixed size comes to the same bits each time.
        """
        if wanted is not None:
            return cls(wanted)
        return cls(BATCH_TOKENS) if device.type == "cpu" else cls(FIRST_TOKENS, growing=True)

    def run(
        self, items: Sequence[Item], weight: Callable[[Item], int], forward: Callable[[Sequence[Item]], None]
    ) -> None:
        """Call `forward` with batches of all items, the heaviest first, so that memory runs out early or never.

        Args:
            items: in any order.
            weight: the tokens an item takes; a batch is padded to its heaviest.
            forward: called once for each batch; after running out of memory again, with smaller ones.

        Raises:
            ModelError: when memory does not suffice for a single item.
        """
        waiting = sorted(items, key=weight, reverse=True)
        while waiting:
            batch = waiting[: max(1, self.tokens // max(1, weight(waiting[0])))]
            tokens = len(batch) * weight(batch[0])
            if self.fits(batch, forward, tokens=tokens):
                waiting = waiting[len(batch) :]
                continue
            self.out_of_memory(len(batch), tokens)

    def out_of_memory(self, items: int, total: int) -> None:
        """Learn that so many tokens at once were too many.

        Raises:
            ModelError: when it was a single item.
        """
        if items == 1:
            raise ModelError(
                f"out of memory with a single input of {total} tokens",
                hint="lower max_length, or take another device or dtype",
            )
        self.halve(total)

    def halve(self, total: int) -> None:
        """Go on with half of so many tokens."""
        self.growing = False
        self.tokens = max(1, min(self.tokens, total) // 2)
        log.warning("out of memory with %d tokens in a batch: going on with %d", total, self.tokens)

    def fits(self, batch: Sequence[Item], forward: Callable[[Sequence[Item]], None], *, tokens: int = 0) -> bool:
        """Run a batch; False when memory runs out.

        Args:
            batch: handed on.
            forward: what runs it.
            tokens: how many it has, for learning how fast they are; 0 where that says nothing.

        Raises:
            RuntimeError: whatever else goes wrong in it.
        """
        began = self._now()
        try:
            forward(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            if self.growing and tokens >= FULL * self.tokens:
                self._learn(tokens / (self._now() - began))
            return True
        # Outside of the handler, whose traceback would keep the tensors alive.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False

    def _now(self) -> float:
        """Seconds; while they count, after the device has done all that it was given."""
        if self.growing and torch.cuda.is_available():
            torch.cuda.synchronize()
        return perf_counter()

    def _learn(self, tokens_per_s: float) -> None:
        """Double the budget, or go back to the last one where this one was hardly faster."""
        faster = tokens_per_s >= GAIN * self._tokens_per_s
        self.growing = faster and self.tokens < MOST
        if self.growing:
            self._tokens_per_s = tokens_per_s
            self.tokens *= 2
            return
        if not faster:
            self.tokens //= 2
        log.info("%d tokens in a forward from now on: more are not faster", self.tokens)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch has a class for it on cuda, and only words on a CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)
