"""Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943): which candidates are tried on how many rows. Pure.

All candidates are tried on a few rows, the best of them on more, the best of these on more again. With n candidates of
which one in eta goes on, there are R = ceil(log n / log eta) rungs of n, ceil(n / eta), ceil(n / eta^2) ... candidates.
Each rung gets an equal share of what is left of the budget; its rows are those of the rung before and new ones, and a
candidate is asked about the new ones alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Rung:
    """So many candidates, tried on the first so many rows (those of the rungs before are among these)."""

    candidates: int
    rows: int


def sizes(candidates: int, eta: int) -> list[int]:
    """How many candidates each rung has."""
    found = [candidates]
    while found[-1] > eta:
        found.append(ceil(found[-1] / eta))
    return found


def affordable(candidates: int, budget: int, eta: int) -> int:
    """How many of the candidates a budget of requests has room for: each rung asks each of its own about a row."""
    return max((n for n in range(2, candidates + 1) if n * len(sizes(n, eta)) <= budget), default=1)


def schedule(candidates: int, rows: int, budget: int, eta: int = 2) -> tuple[Rung, ...]:
    """The rungs; the sum over rungs of candidates x new rows is at most the budget.

    One rung where the budget has room for all candidates on all rows. A rung that would get no new row since all have
    been asked about ends the schedule: its candidates can be told apart already.

    Args:
        candidates: as many as are `affordable`.
        rows: that there are, at least one.
        budget: requests, one for a candidate on a row.
        eta: one in so many goes on to the next rung; 2 or more.

    Raises:
        ValueError: when the budget has no room for the candidates.
    """
    if candidates * rows <= budget:
        return (Rung(candidates, rows),)
    if candidates > affordable(candidates, budget, eta) or budget < 1:
        raise ValueError(f"a budget of {budget} has no room for {candidates} candidates")
    rungs: list[Rung] = []
    left, seen = budget, 0
    rounds = sizes(candidates, eta)
    for number, size in enumerate(rounds):
        fresh = min(left // (size * (len(rounds) - number)), rows - seen)
        if not fresh:
            break
        seen += fresh
        left -= fresh * size
        rungs.append(Rung(size, seen))
    return tuple(rungs)
