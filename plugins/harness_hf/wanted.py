"""What is looked up in which rows; rows that read the same tokens are one input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_hf.prompts import Row


class Lookup(NamedTuple):
    """The log-probability of a token at a place, and the number of the row that it counts for."""

    place: int
    token: int
    row: int


@dataclass(frozen=True, slots=True)
class Input:
    """Tokens to run, and what to look up in the distributions that they lead to."""

    ids: tuple[int, ...]
    lookups: list[Lookup] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The first place whose distribution is needed."""
        return min(lookup.place for lookup in self.lookups)


def inputs_of(rows: Sequence[Row]) -> list[Input]:
    """One input for all rows that read the same tokens: several continuations of one token are one input."""
    found: dict[tuple[int, ...], Input] = {}
    for number, row in enumerate(rows):
        one = found.setdefault(row.ids[:-1], Input(row.ids[:-1]))
        one.lookups.extend(Lookup(place - 1, row.ids[place], number) for place in range(row.start, len(row.ids)))
    return list(found.values())
