"""Many trials: corrections for the number of tests, and ranks with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, adjusted for their number by Holm's step-down method (1979, Scand. J. Stat. 6:65), in order."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def rank_intervals(
    differences: Mapping[tuple[int, int], tuple[float, float]], number: int, level: float = 0.95
) -> list[tuple[int, int]]:
    """The ranks that each of several trials may have, from tests of every pair.

    A trial ranks behind those that are significantly better and before those that are significantly worse, by Holm's
    method over all pairs: all intervals together hold the true ranks with the confidence that is asked for (Mogstad,
    Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91:476). Bootstrapped ranks don't where trials are about
    equally good, which is where one wants to know.

    Args:
        differences: (i, j) -> how much better i is than j, and the two-sided p-value; each pair once. A pair that is
            not there tells nothing.
        number: of trials.
        level: the confidence.

    Returns:
        The best and the worst rank of each, 1 being the best.
    """
    better, worse = [0] * number, [0] * number  # how many are better, and worse, than each
    adjusted = holm([p_value for _, p_value in differences.values()])
    for ((i, j), (difference, _)), p_value in zip(differences.items(), adjusted, strict=True):
        if p_value < 1 - level and difference:
            first, second = (i, j) if difference > 0 else (j, i)
            better[second] += 1
            worse[first] += 1
    return [(1 + above, number - below) for above, below in zip(better, worse, strict=True)]
