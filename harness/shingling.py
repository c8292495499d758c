"""Texts -> the hashes of their shingles, many texts at once: the runs of a few words or characters that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Hashes: TypeAlias = NDArray[np.uint64]
    Whole: TypeAlias = NDArray[np.int64]
    Unit: TypeAlias = Literal["words", "characters"]

LENGTH = 5
"""Words, or characters, in a shingle."""

FEWEST_WORDS = 50
"""Where half of the texts have fewer, a changed word is in most of their shingles: shingles are of characters then."""

SPACE = 32

BASE = 0xD1342543DE82EF95
"""Odd, so that it has an inverse modulo 2^64."""

SPREAD = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: neighbouring codes are far apart once they are multiplied by it."""


@dataclass(frozen=True, slots=True)
class Shingled:
    """Texts as sets of shingles.

    Attributes:
        hashes: (s,) the 64-bit hashes of all texts' shingles, text after text, each once, those of a text ascending.
        sizes: (n,) how many of them each text has; at least 1.
        wholes: (n,) the hash of each text as a whole.
    """

    hashes: Hashes
    sizes: Whole
    wholes: Hashes

    def __iter__(self) -> Iterator[Hashes]:
        """The hashes of each text."""
        ends = np.cumsum(self.sizes)
        places = zip((ends - self.sizes).tolist(), ends.tolist(), strict=True)
        return (self.hashes[start:end] for start, end in places)


def unit_of(texts: Iterable[str]) -> Unit:
    """What shingles of these texts are made of: characters where they are short, or have no spaces between words."""
    lengths = [text.count(" ") + 1 for text in texts]
    return "words" if lengths and median(lengths) >= FEWEST_WORDS else "characters"


def shingled(texts: Sequence[str], unit: Unit) -> Shingled:
    """All runs of `LENGTH` words or characters of each text; the whole text where it has no more of them.

    A run's hash is a polynomial of its characters modulo 2^64, taken as the difference of two sums from the beginning
    (Karp & Rabin 1987, IBM J. Res. Dev. 31:249), so that all runs of all texts are hashed by a few array operations.
    """
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    ends = np.cumsum(lengths)
    begins = ends - lengths
    starts, stops, counts = (_of_words if unit == "words" else _of_characters)(codes, begins, ends)
    hashed = _hashing(codes)
    hashes, sizes = _sets(hashed(starts, stops), np.repeat(np.arange(len(texts)), counts), len(texts))
    return Shingled(hashes, sizes, hashed(begins, ends))


def _of_characters(codes: NDArray[np.uint32], begins: Whole, ends: Whole) -> tuple[Whole, Whole, Whole]:  # noqa: ARG001 - as below
    """Where shingles begin and end, and how many each text has."""
    counts = np.maximum(1, ends - begins - LENGTH + 1)
    starts = _counted(begins, counts)
    return starts, np.minimum(starts + LENGTH, np.repeat(ends, counts)), counts


def _of_words(codes: NDArray[np.uint32], begins: Whole, ends: Whole) -> tuple[Whole, Whole, Whole]:
    spaces = np.flatnonzero(codes == SPACE)
    words = np.searchsorted(spaces, ends) - np.searchsorted(spaces, begins) + 1
    first = np.cumsum(words) - words
    counts = np.maximum(1, words - LENGTH + 1)
    at = _counted(first, counts)
    last = np.minimum(at + LENGTH, np.repeat(first + words, counts)) - 1
    # Word k of all texts begins at the k-th of these places: where two are equal it does not matter which is whose.
    starts, stops = np.sort(np.concatenate([begins, spaces + 1])), np.sort(np.concatenate([ends, spaces]))
    return starts[at], stops[last], counts


def _counted(first: Whole, counts: Whole) -> Whole:
    """For each text so many numbers as it has shingles, counted on from its first one."""
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(first, counts) + within, dtype=np.int64)


class _hashing:  # noqa: N801 - it is called like a function
    """Places where runs of these codes begin and end -> the runs' hashes."""

    def __init__(self, codes: NDArray[np.uint32]) -> None:
        powers, self._inverses = (_powers(base, len(codes) + 1) for base in (BASE, pow(BASE, -1, 2**64)))
        terms = (codes.astype(np.uint64) + np.uint64(1)) * np.uint64(SPREAD) * powers[:-1]
        self._sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)])

    def __call__(self, starts: Whole, stops: Whole) -> Hashes:
        found = (self._sums[stops] - self._sums[starts]) * self._inverses[starts]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # so that any bits of it are random
            found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
        return np.asarray(found ^ (found >> np.uint64(31)), dtype=np.uint64)


def _powers(base: int, number: int) -> Hashes:
    factors = np.full(number, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _sets(hashes: Hashes, owners: Whole, n: int) -> tuple[Hashes, Whole]:
    """Each text's hashes ascending and once, and how many are left of each."""
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    first = np.ones(len(hashes), dtype=np.bool_)
    first[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[first], np.bincount(owners[first], minlength=n)
