"""Keys and values of prefixes that one call left for the next: few-shot preambles, system turns."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from harness_hf.trie import common_length

if TYPE_CHECKING:
    from harness_hf.cascade import KeyValues

BUDGET_BYTES = 512 * 2**20


class Prefixes:
    """The prefixes used last, within a budget of bytes."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._known: OrderedDict[tuple[int, ...], KeyValues] = OrderedDict()

    @property
    def bytes(self) -> int:
        """What is held."""
        return sum(map(_bytes, self._known.values()))

    def find(self, ids: tuple[int, ...]) -> tuple[int, KeyValues | None]:
        """How many of the tokens are known from their beginning on, and their keys and values."""
        best, length = None, 0
        for known in self._known:
            common = common_length(known, ids)
            if common > length:
                best, length = known, common
        if best is None:
            return 0, None
        self._known.move_to_end(best)
        return length, [(keys[:, :, :length], values[:, :, :length]) for keys, values in self._known[best]]

    def keep(self, ids: tuple[int, ...], found: KeyValues) -> None:
        """Take a prefix in; those that it makes superfluous and those used longest ago go."""
        for known in [known for known in self._known if known == ids[: len(known)]]:
            del self._known[known]
        if _bytes(found) > self._budget_bytes:
            return
        self._known[ids] = found
        while self.bytes > self._budget_bytes:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """Let go of all."""
        self._known.clear()


def _bytes(found: KeyValues) -> int:
    return sum(keys.nbytes + values.nbytes for keys, values in found)
