"""Batches within a budget of tokens; one that does not fit into memory halves the budget and is tried again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import torch

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")

log = logging.getLogger(__name__)

CACHED_TOKENS = 8
"""How many tokens may wait in a key-value cache for each token of the budget: they take memory but little time."""

_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory")


class TokenBudget:
    """Most tokens in one forward. What was learnt from running out of memory stays for the engine's life."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

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
            if self.fits(batch, forward):
                waiting = waiting[len(batch) :]
                continue
            self.out_of_memory(len(batch), len(batch) * weight(batch[0]))

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
        self.tokens = max(1, min(self.tokens, total) // 2)
        log.warning("out of memory with %d tokens in a batch: going on with %d", total, self.tokens)

    @staticmethod
    def fits(batch: Sequence[Item], forward: Callable[[Sequence[Item]], None]) -> bool:
        """Run a batch; False when memory runs out.

        Raises:
            RuntimeError: whatever else goes wrong in it.
        """
        try:
            forward(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return True
        # Outside of the handler, whose traceback would keep the tensors alive.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch has a class for it on cuda, and only words on a CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)
