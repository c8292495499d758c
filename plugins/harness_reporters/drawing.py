"""Which samples stand in a page one by one: all of them, or of large tasks a part that is the same for every trial."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 200_000
"""Answers in one page: a browser shows so many at once, and making them takes 300 MB."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A part of a task's samples, drawn by their names: of whichever trial, the same ones.

    Attributes:
        share: how large a part it is, about; 1 for all.
    """

    share: float = 1.0

    @property
    def is_part(self) -> bool:
        """Whether some are left out."""
        return self.share < 1

    def has(self, sample_id: str) -> bool:
        """Whether a sample is drawn."""
        if not self.is_part:
            return True
        digest = hashlib.blake2b(sample_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.share * 2**64


ALL = Draw()


def draws(tables: Sequence[tuple[int, int]], most: int | None = None) -> list[Draw]:
    """For each table its draw, so that all answers are about `most`: small tables are whole, large ones equally long.

    Args:
        tables: of each how many samples it has, and how many trials answer them.
        most: `MOST` unless told.
    """
    left, trials = MOST if most is None else most, sum(count for _, count in tables)
    found = [ALL] * len(tables)
    for number in sorted(range(len(tables)), key=lambda number: tables[number][0]):
        samples, count = tables[number]
        if samples * trials > left:  # so are all that follow
            found[number] = Draw(left / trials / samples)
        else:
            left, trials = left - samples * count, trials - count
    return found
