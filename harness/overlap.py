"""Rows that nearly repeat one another: all of them, found without comparing every two.

Exact duplicates of scored rows are never adapted on (`harness.taskdata`). Rows that differ in a word or two are, and a
score on those says less than it seems to. What counts is that of Lee et al. (2022, "Deduplicating Training Data Makes
Language Models Better", arXiv:2107.06499): a Jaccard similarity of 0.8 or more of the sets of shingles. They look for
candidates by MinHash, which misses a few; here two texts are compared if they share one of their rarest shingles, which
any two so similar do (Chaudhuri, Ganti & Kaushik 2006, "A Primitive Operator for Similarity Joins in Data Cleaning").
Texts that are made by one template share most of their shingles, and none of the rarest: they cost next to nothing.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.packed import Packed
from harness.sampling import question_text
from harness.shingling import shingled, unit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.records import Sample, Split
    from harness.shingling import Hashes, Shingled, Unit, Whole

    Pair = TypeVar("Pair", bound=tuple[Any, ...])

SIMILAR = 0.8
"""The Jaccard similarity of shingles from which a row counts as a repetition."""

TOGETHER = 2**18
"""Characters of texts that are hashed together."""

COMPARED = 2**20
"""Pairs of texts that share a rare shingle, in memory at a time."""

KINDS = 20
"""Bits of a hash by which shingles are counted: a few share a count, which costs time and changes nothing."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """A scored row and the row of another split that it comes closest to, with their similarity (1: the same)."""

    sample: str
    split: Split
    other: str
    similarity: float


def repetitions(
    scored: Sequence[Sample], pools: Mapping[Split, Iterable[Sample]], shown: Collection[str] = ()
) -> tuple[Repetition, ...]:
    """The scored rows that repeat, or nearly repeat, a row of another split; in their order.

    The scored rows' shingles are held packed; the others go by.

    Args:
        scored: the rows that are scored.
        pools: split -> rows that may be adapted on.
        shown: the fields that a question shows, as in `harness.sampling.duplicate_key`.
    """
    texts = Packed((question_text(sample, shown) for sample in scored), str)
    unit = unit_of(texts)
    held = _Held(texts, unit)
    best: dict[int, Repetition] = {}
    seen: set[int] = set()
    told = ((question_text(row, shown), split, row.id) for split, rows in pools.items() for row in rows)
    for batch in _batches(told):
        found = shingled([text for text, _, _ in batch], unit)
        fresh = [number for number, whole in enumerate(found.wholes.tolist()) if whole not in seen]
        seen.update(found.wholes.tolist())
        for place, number, similarity in held.similar(found, fresh):
            if place not in best or similarity > best[place].similarity:
                _, split, other = batch[number]
                best[place] = Repetition("", split, other, similarity)
    repeated = np.flatnonzero(np.isin(held.first, list(best))).tolist()
    closest = [best[held.first[place]] for place in repeated]
    return tuple(
        Repetition(scored[place].id, one.split, one.other, one.similarity)
        for place, one in zip(repeated, closest, strict=True)
    )


def jaccard(one: Hashes, others: Sequence[Hashes]) -> NDArray[np.float64]:
    """(n,) the share of all shingles that both have, for a set and each of n others; each ascending and not empty."""
    sizes, shingles = np.fromiter(map(len, others), dtype=np.int64), np.concatenate(others)
    is_shared = one[np.minimum(np.searchsorted(one, shingles), len(one) - 1)] == shingles
    both = np.add.reduceat(is_shared.astype(np.int64), np.cumsum(sizes) - sizes)
    return np.asarray(both / (len(one) + sizes - both), dtype=np.float64)


class _Held:
    """The scored texts' shingles: packed, and an index of each text's rarest ones.

    Attributes:
        first: (n,) the place of the first text that is the same as each one.
    """

    def __init__(self, texts: Iterable[str], unit: Unit) -> None:
        self._counts = np.zeros(2**KINDS, dtype=np.int64)
        wholes, sizes = array("Q"), array("q")

        def sets() -> Iterator[bytes]:
            for batch in _batches((text,) for text in texts):
                found = shingled([text for (text,) in batch], unit)
                np.add.at(self._counts, _kinds(found.hashes), 1)
                wholes.extend(found.wholes.tolist())
                sizes.extend(found.sizes.tolist())
                yield from (one.tobytes() for one in found)

        self._sets = Packed(sets(), _hashes)
        self._sizes = np.array(sizes, dtype=np.int64)
        _, first, which = np.unique(np.array(wholes, dtype=np.uint64), return_index=True, return_inverse=True)
        self.first: Whole = first[which]
        self._keys, self._places = self._indexed(first)

    def _indexed(self, chosen: Whole) -> tuple[Hashes, NDArray[np.int32]]:
        """The rarest shingles of the chosen texts in ascending order, and the text that has each."""
        keys, places = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int32)]
        is_chosen = np.zeros(len(self._sizes), dtype=np.bool_)
        is_chosen[chosen] = True
        for batch in _batches((one, place) for place, one in enumerate(self._sets) if is_chosen[place]):
            sizes = np.array([len(one) for one, _ in batch])
            rare, owners = self._rarest(np.concatenate([one for one, _ in batch]), sizes)
            keys.append(rare)
            places.append(np.array([place for _, place in batch], dtype=np.int32)[owners])
        key, place = np.concatenate(keys), np.concatenate(places)
        order = np.argsort(key, kind="stable")
        return key[order], place[order]

    def _rarest(self, hashes: Hashes, sizes: Whole) -> tuple[Hashes, Whole]:
        """Of each text so many of its rarest shingles that any similar text has one of them among its own.

        Two texts of similarity s share s of the larger one's shingles or more: at least one of those that are left when
        all but one of so many are taken away. That holds for the first ones in any order that is the same for all.

        Returns:
            The shingles' hashes, and the number of the text that has each.
        """
        owners = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((hashes, self._counts[_kinds(hashes)], owners))
        within = np.arange(len(hashes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept = order[within < (sizes - _least(sizes) + 1)[owners]]
        return hashes[kept], owners[kept]

    def similar(self, found: Shingled, numbers: Sequence[int]) -> Iterator[tuple[int, int, float]]:
        """Place of a scored text, number of a text of these, and their similarity: for all that are similar.

        Args:
            found: texts.
            numbers: of those that are to be looked at.
        """
        sets = list(found)
        if not numbers:
            return
        sizes = found.sizes[numbers]
        rare, owners = self._rarest(np.concatenate([sets[number] for number in numbers]), sizes)
        low, high = np.searchsorted(self._keys, rare), np.searchsorted(self._keys, rare, side="right")
        for some in _portions(high - low):
            pairs = self._sharing(low[some], high[some], owners[some], sizes)
            for place, of in groupby(pairs, key=itemgetter(0)):
                sharing = [numbers[at] for _, at in of]
                similarity = jaccard(self._sets[place], [sets[number] for number in sharing])
                for at in np.flatnonzero(similarity >= SIMILAR).tolist():
                    yield place, sharing[at], float(similarity[at])

    def _sharing(self, low: Whole, high: Whole, owners: Whole, sizes: Whole) -> Iterator[tuple[int, int]]:
        """Each pair once, in the order of places, without those of which one has too few shingles for the other."""
        counts = high - low
        at = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
        pairs = np.unique(self._places[at].astype(np.int64) * len(sizes) + np.repeat(owners, counts))
        places, of = np.divmod(pairs, len(sizes))
        mine, its = sizes[of], self._sizes[places]
        fit = np.minimum(mine, its) >= _least(np.maximum(mine, its))
        return zip(places[fit].tolist(), of[fit].tolist(), strict=True)


def _least(sizes: Whole) -> Whole:
    """How many shingles a text shares at least with one that is similar."""
    return np.asarray(np.ceil(SIMILAR * sizes - 1e-9), dtype=np.int64)


def _kinds(hashes: Hashes) -> Hashes:
    return hashes >> np.uint64(64 - KINDS)


def _hashes(content: bytes) -> Hashes:
    return np.frombuffer(content, dtype=np.uint64)


def _portions(counts: Whole) -> Iterator[slice]:
    """Cuts that have about `COMPARED` in sum, or are single."""
    start, before = 0, 0
    for end, total in enumerate(np.cumsum(counts).tolist(), start=1):
        if total - before >= COMPARED or end == len(counts):
            yield slice(start, end)
            start, before = end, total


def _batches(items: Iterable[Pair]) -> Iterator[list[Pair]]:
    """Lists of tuples whose first members, texts or arrays, have about `TOGETHER` elements in all."""
    batch: list[Pair] = []
    held = 0
    for item in items:
        batch.append(item)
        held += len(item[0])
        if held >= TOGETHER:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
