"""The order of demonstrations: it alone can move scores by tens of points (Lu et al. 2022, arXiv:2104.08786)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.seeds import derived

if TYPE_CHECKING:
    from collections.abc import Sequence

Order: TypeAlias = Literal["auto", "seeded", "rows", "similar-last", "similar-first"]


def ordered(picked: Sequence[int], order: Order, *, similar: bool, seed: int, name: str) -> list[int]:
    """Put chosen rows into an order.

    `auto` keeps what the selector drew, and puts what a search found with the most similar row last, next to the
    question (Liu et al. 2022, arXiv:2101.06804). `rows` is the training split's own order: sets of which the first rows
    are the same share a prefix, which engines read once. `seeded` is shuffled, for each sample by itself.

    Args:
        picked: numbers of rows, as they were selected; where `similar`, the most similar one first.
        order: see above.
        similar: whether a search found them.
        seed: of the trial.
        name: of the sample; empty where all samples share the demonstrations.
    """
    if order == "rows":
        return sorted(picked)
    if order == "seeded":
        shuffled = sorted(picked)
        random.Random(derived(seed, f"order {name}")).shuffle(shuffled)
        return shuffled
    last = order == "similar-last" or (order == "auto" and similar)
    return list(reversed(picked)) if last else list(picked)
