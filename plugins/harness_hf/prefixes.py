"""Keys and values of prefixes that one call left for the next: few-shot preambles, system turns."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness_hf.cascade import KeyValues

BUDGET_BYTES = 512 * 2**20


class Prefixes:
    """The prefixes used last, within a budget of bytes.

    Only a whole prefix is taken again, never the beginning of a longer one: its numbers are then, to the last bit,
    those that the call would have computed, and a run that was interrupted ends as one that was not.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._known: OrderedDict[tuple[int, ...], list[KeyValues]] = OrderedDict()

    @property
    def bytes(self) -> int:
        """What is held."""
        return sum(map(_bytes, self._known.values()))

    def get(self, ids: tuple[int, ...]) -> list[KeyValues] | None:
        """The keys and values of a prefix, a piece each; None where it is not known."""
        if ids in self._known:
            self._known.move_to_end(ids)
        return self._known.get(ids)

    def keep(self, ids: tuple[int, ...], pieces: list[KeyValues]) -> None:
        """Take a prefix in; those used longest ago go."""
        if _bytes(pieces) > self._budget_bytes:
            return
        self._known[ids] = pieces
        while self.bytes > self._budget_bytes:
            self._known.popitem(last=False)


def _bytes(pieces: list[KeyValues]) -> int:
    return sum(keys.nbytes + values.nbytes for piece in pieces for keys, values in piece)
