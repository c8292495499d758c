"""Rows that nearly repeat one another: found by MinHash, verified by their exact similarity.

Exact duplicates of scored rows are never adapted on (`harness.taskdata`). Rows that differ in a word or two are, and a
score on those says less than it seems to. How such rows are found is that of Lee et al. (2022, "Deduplicating Training
Data Makes Language Models Better", arXiv:2107.06499): shingles of n words, MinHash and bands for candidates (Broder
1997), and a Jaccard similarity of 0.8 or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.sampling import question_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from datasketch import MinHash

    from harness.records import Sample, Split

    Shingles: TypeAlias = frozenset[str]
    Unit: TypeAlias = Literal["words", "characters"]

SIMILAR = 0.8
"""The Jaccard similarity of shingles from which a row counts as a repetition."""

LENGTH = 5
"""Words, or characters, in a shingle."""

FEWEST_WORDS = 50
"""Where half of the texts have fewer, a changed word is in most of their shingles: shingles are of characters then."""

BANDS, ROWS = 21, 6
"""Of the signature: texts of similarity s become candidates with the chance 1 - (1 - s^6)^21; 0.998 for 0.8."""

HELD = 2_000
"""Shingles of so many scored rows are kept at hand."""


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

    The scored rows' signatures are held; the others go by one by one.

    Args:
        scored: the rows that are scored.
        pools: split -> rows that may be adapted on.
        shown: the fields that a question shows, as in `harness.sampling.duplicate_key`.
    """
    from datasketch import MinHashLSH

    texts = [question_text(sample, shown) for sample in scored]
    unit = unit_of(texts)
    places: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        places.setdefault(text, []).append(place)
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    with index.insertion_session() as session:
        for number, text in enumerate(places):
            session.insert(number, _signature(shingles(text, unit)))
    distinct = list(places)
    at_hand = lru_cache(HELD)(lambda number: shingles(distinct[number], unit))
    best: dict[int, Repetition] = {}
    for split, rows in pools.items():
        for row in rows:
            own = shingles(question_text(row, shown), unit)
            for number in index.query(_signature(own)):
                similarity = jaccard(own, at_hand(number))
                if similarity >= SIMILAR and (number not in best or similarity > best[number].similarity):
                    best[number] = Repetition("", split, row.id, similarity)
    found = {
        place: Repetition(scored[place].id, one.split, one.other, one.similarity)
        for number, one in best.items()
        for place in places[distinct[number]]
    }
    return tuple(found[place] for place in sorted(found))


def unit_of(texts: Sequence[str]) -> Unit:
    """What shingles of these texts are made of: characters where they are short, or have no spaces between words."""
    lengths = [text.count(" ") + 1 for text in texts]
    return "words" if lengths and median(lengths) >= FEWEST_WORDS else "characters"


def shingles(text: str, unit: Unit) -> Shingles:
    """All runs of `LENGTH` words or characters; the whole text where it has no more of them."""
    parts = text.split(" ") if unit == "words" else text
    glue = " " if unit == "words" else ""
    return frozenset(glue.join(parts[at : at + LENGTH]) for at in range(max(1, len(parts) - LENGTH + 1)))


def jaccard(one: Shingles, other: Shingles) -> float:
    """The share of all shingles that both have."""
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def _signature(found: Shingles) -> MinHash:
    from datasketch import MinHash

    signature = MinHash(num_perm=BANDS * ROWS)
    signature.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in found])
    return signature
