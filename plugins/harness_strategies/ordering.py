"""The order of demonstrations: it alone can move scores by tens of points (Lu et al. 2022, arXiv:2104.08786)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

from harness.seeds import derived

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.promptparts import Order


class Rows:
    """The training split's own order: sets of which the first rows are the same share a prefix, which is read once."""

    by_similarity: ClassVar[bool] = False

    def order(self, picked: Sequence[int], *, similar: bool, seed: int, name: str) -> list[int]:
        """Sorted."""
        del similar, seed, name
        return sorted(picked)


class Seeded:
    """Shuffled, for each sample by itself."""

    by_similarity: ClassVar[bool] = False

    def order(self, picked: Sequence[int], *, similar: bool, seed: int, name: str) -> list[int]:
        """By the trial's seed and the sample's name."""
        del similar
        shuffled = sorted(picked)
        random.Random(derived(seed, f"order {name}")).shuffle(shuffled)
        return shuffled


class SimilarFirst:
    """The most similar row first."""

    by_similarity: ClassVar[bool] = True

    def order(self, picked: Sequence[int], *, similar: bool, seed: int, name: str) -> list[int]:
        """As they were found."""
        del similar, seed, name
        return list(picked)


class SimilarLast:
    """The most similar row last, next to the question (Liu et al. 2022, arXiv:2101.06804)."""

    by_similarity: ClassVar[bool] = True

    def order(self, picked: Sequence[int], *, similar: bool, seed: int, name: str) -> list[int]:
        """The reverse of how they were found."""
        del similar, seed, name
        return list(reversed(picked))


class Auto:
    """What a selector drew as it was drawn; what a search found with the most similar row last."""

    by_similarity: ClassVar[bool] = False

    def order(self, picked: Sequence[int], *, similar: bool, seed: int, name: str) -> list[int]:
        """By where they come from."""
        del seed, name
        return list(reversed(picked)) if similar else list(picked)


ORDERS: Mapping[str, Order] = {
    "auto": Auto(),
    "rows": Rows(),
    "seeded": Seeded(),
    "similar-first": SimilarFirst(),
    "similar-last": SimilarLast(),
}
