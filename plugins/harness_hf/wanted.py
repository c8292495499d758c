"""What is looked up in which rows; rows that read the same tokens are one input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from harness_hf.prompts import Row


LIKELIEST = -1
"""Looked up in the place of a token: the likeliest one, whichever it is."""


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


def inputs_of(rows: Sequence[Row], likeliest: Sequence[int] = ()) -> list[Input]:
    """One input for all rows that read the same tokens: several continuations of one token are one input.

    Args:
        rows: what is looked up.
        likeliest: numbers of rows for which the likeliest tokens are looked up too, under the numbers behind the rows'.
    """
    found: dict[tuple[int, ...], Input] = {}
    for number, row in enumerate(rows):
        one = found.setdefault(row.ids[:-1], Input(row.ids[:-1]))
        one.lookups.extend(Lookup(place - 1, row.ids[place], number) for place in range(row.start, len(row.ids)))
    for number, at in enumerate(likeliest, len(rows)):
        row = rows[at]
        found[row.ids[:-1]].lookups.extend(
            Lookup(place - 1, LIKELIEST, number) for place in range(row.start, len(row.ids))
        )
    return list(found.values())


def log_probabilities(parts: Iterable[Tensor], wanted: Sequence[tuple[int, int]]) -> list[float]:
    """Tokens looked up in the distributions that logits make.

    Args:
        parts: (n, V) logits of consecutive places, each let go of before the next is computed.
        wanted: the number of a place, and a token or `LIKELIEST`.

    Returns:
        A natural logarithm for each that is wanted.
    """
    found: list[float] = [0.0] * len(wanted)
    order = sorted(range(len(wanted)), key=lambda number: wanted[number][0])
    begin = done = 0
    for logits in parts:
        end = begin + len(logits)
        last = done
        while last < len(order) and wanted[order[last]][0] < end:
            last += 1
        here = order[done:last]
        if here:
            rows = torch.tensor([wanted[number][0] - begin for number in here], device=logits.device)
            tokens = torch.tensor([wanted[number][1] for number in here], device=logits.device)
            chosen = logits[rows, tokens]  # the last one where the likeliest is wanted
            if any(wanted[number][1] == LIKELIEST for number in here):
                chosen = torch.where(tokens == LIKELIEST, logits.amax(-1)[rows], chosen)
            values = chosen - logits.logsumexp(-1)[rows]
            for number, value in zip(here, values.tolist(), strict=True):
                found[number] = value
        begin, done = end, last
    return found
