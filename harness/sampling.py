"""Choosing rows: duplicates, splits, limits, demonstrations. Pure, and the same on every platform and run."""

from __future__ import annotations

import hashlib
import heapq
import unicodedata
from array import array
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from harness.packed import BLOCK, Selected

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.records import Sample

T = TypeVar("T")
S = TypeVar("S", bound=str)


# --- duplicates ----------------------------------------------------------------------------------


class _Marks(dict[int, int | str]):
    """Code of a sign -> a space for punctuation, else the sign itself; each is looked up once."""

    def __missing__(self, code: int) -> int | str:
        self[code] = found = " " if unicodedata.category(chr(code)).startswith("P") else code
        return found


_MARKS = _Marks()


def normalised(text: str) -> str:
    """The text with case, punctuation and white space folded: what two duplicates have in common.

    A text of nothing but punctuation keeps it, so that `:)` and `:(` stay two texts.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.translate(_MARKS).split()) or " ".join(folded.split())


def duplicate_key(sample: Sample, shown: Collection[str] = ()) -> str:
    """A digest of the sample's normalised fields; duplicates share it, whatever their targets and contexts.

    Args:
        sample: whichever.
        shown: the fields that a question shows, see `harness.templates.shown_fields`: others may differ between
            duplicates. All of them where none is named, or the sample has none of these.
    """
    return _digest(*(f"{name}\n{normalised(_text(sample.fields[name]))}" for name in _names(sample, shown)))


def question_text(sample: Sample, shown: Collection[str] = ()) -> str:
    """The normalised text of the fields that `duplicate_key` digests."""
    return "\n".join(normalised(_text(sample.fields[name])) for name in _names(sample, shown))


def _names(sample: Sample, shown: Collection[str]) -> list[str]:
    return sorted(name for name in sample.fields if name in shown) or sorted(sample.fields)


def without(
    pool: Sequence[Sample], scored: Iterable[Sample], shown: Collection[str] = ()
) -> tuple[Sequence[Sample], int]:
    """The samples of a pool that repeat no scored one, and how many were left out; `shown` as in `duplicate_key`."""
    repeated = np.isin(_short_keys(pool, shown), _short_keys(scored, shown))
    kept = Selected(pool, array("q", np.flatnonzero(~repeated).tolist()))
    return kept, len(pool) - len(kept)


WORDS = 8
"""From so many words on, a text is repeated by one that holds it too."""


def texts_without(texts: Iterable[str], told: Iterable[str]) -> list[str]:
    """The texts that repeat none that is told (normalised), and hold none of at least `WORDS` words as a whole."""
    whole: set[str] = set()
    begins: dict[str, list[str]] = defaultdict(list)  # first words -> the texts that begin with them
    for text in told:
        said = normalised(text)
        whole.add(said)
        first = said.split()[:WORDS]
        if len(first) == WORDS:
            begins[" ".join(first)].append(f"{said} ")
    return [text for text in texts if not _repeats(normalised(text), whole, begins)]


def _repeats(said: str, whole: Collection[str], begins: Mapping[str, Sequence[str]]) -> bool:
    if said in whole:
        return True
    words = said.split()
    for at in range(len(words) - WORDS + 1):
        held = begins.get(" ".join(words[at : at + WORDS]))
        if held and f"{' '.join(words[at:])} ".startswith(tuple(held)):
            return True
    return False


def _short_keys(samples: Iterable[Sample], shown: Collection[str]) -> NDArray[np.uint64]:
    """The first 64 bits of each duplicate key: 8 bytes a sample, and one chance in 10^8 that any two of 10^5 agree."""
    return np.fromiter((int(duplicate_key(sample, shown)[:16], 16) for sample in samples), dtype=np.uint64)


# --- splits --------------------------------------------------------------------------------------


def cut(
    rows: Sequence[T],
    fractions: Mapping[S, float],
    *,
    seed: int,
    stratum: Callable[[T], Hashable],
    group: Callable[[T], str],
) -> dict[S, list[int]]:
    """Cut rows into splits of the given fractions.

    Groups stay whole. Stratum by stratum, in an order drawn by hashing seed and group, each group goes to the split
    that is furthest behind its share of all rows so far: so every split gets its share of every stratum, to within a
    row or two where groups are single rows.

    Args:
        rows: what to cut.
        fractions: split -> its share; shares that sum to less than 1 leave rows out.
        seed: changes which rows go where.
        stratum: rows of a stratum are spread over the splits in proportion; a group's stratum is that of its first row.
        group: rows with the same group stay together.

    Returns:
        Split -> indices of its rows, ascending; no split is empty as long as there is a group for each.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[group(row)].append(index)
    keys = sorted(groups, key=lambda key: (str(stratum(rows[groups[key][0]])), _digest(seed, key)))
    names = sorted(fractions, key=lambda name: (-fractions[name], name))
    shares: dict[S | None, float] = {name: fractions[name] for name in names}
    if sum(fractions.values()) < 1 - 1e-9:
        shares[None] = 1 - sum(fractions.values())
    dealt: dict[S | None, list[str]] = {side: [] for side in shares}
    sizes = dict.fromkeys(shares, 0)
    seen = 0
    for key in keys:
        # As if the group were one row: otherwise large groups would mostly go to the largest split.
        side = max(shares, key=lambda name: round(shares[name] * (seen + 1) - sizes[name], 9))
        dealt[side].append(key)
        sizes[side] += len(groups[key])
        seen += len(groups[key])
    _fill(dealt)
    return {name: sorted(index for key in dealt[name] for index in groups[key]) for name in fractions}


def _fill(dealt: dict[S | None, list[str]]) -> None:
    """Give each empty split a group of the largest side (that of the rows left out first)."""
    for side, keys in dealt.items():
        if side is None or keys:
            continue
        donor = max(dealt, key=lambda name: (name is None and bool(dealt[name]), len(dealt[name])))
        if donor is None or len(dealt[donor]) > 1:
            keys.append(dealt[donor].pop())


# --- draws ---------------------------------------------------------------------------------------


def draw(samples: Sequence[Sample], n: int, stratum: Callable[[Sample], Hashable], seed: int = 0) -> Sequence[Sample]:
    """A seeded stratified draw of n samples, in their original order; all of them where there are no more than n.

    Strata are drawn from in proportion. A smaller draw is part of a larger one of the same seed.
    """
    if n >= len(samples):
        return samples
    sizes = Counter(str(stratum(sample)) for sample in samples)
    quotas = _quotas(sizes, max(n, 0))
    lowest: dict[str, list[tuple[str, int]]] = {name: [] for name in quotas}
    for index, sample in enumerate(samples):
        name = str(stratum(sample))
        found, quota = lowest[name], quotas[name]
        found.append((_digest(seed, sample.id), index))
        if len(found) > 2 * quota + BLOCK:  # no more is held than what may be drawn
            found[:] = sorted(found)[:quota]
    chosen = (index for name, found in lowest.items() for _, index in sorted(found)[: quotas[name]])
    return Selected(samples, array("q", sorted(chosen)))


def draw_each(samples: Sequence[Sample], n: int, seed: int = 0) -> Sequence[Sample]:
    """A seeded draw of n samples of each target, in their original order; all of a target that has no more.

    A smaller draw is part of a larger one.
    """
    lowest: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for index, sample in enumerate(samples):
        found = lowest[sample.target]
        found.append((_digest(seed, sample.id), index))
        if len(found) > 2 * n + BLOCK:  # no more is held than what may be drawn
            found[:] = sorted(found)[:n]
    return Selected(samples, array("q", sorted(index for found in lowest.values() for _, index in sorted(found)[:n])))


def few(
    train: Sequence[Sample], validation: Sequence[Sample], n: int | None, seed: int, *, by_target: bool = True
) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Training and validation rows of a strategy that is to learn from n training rows; all of both where n is None.

    Both are drawn, seeded and stratified by target and context, and no more validation rows are left than training
    rows: a few-shot claim that is chosen by a large validation set is none (Perez et al. 2021, arXiv:2105.11447).
    Targets that are all different, as numbers are, make no strata: `by_target` is False for them.
    """
    if n is None:
        return train, validation

    def stratum(sample: Sample) -> Hashable:
        return sample.target if by_target else "", sample.context or ""

    drawn = draw(train, n, stratum, seed)
    return drawn, draw(validation, len(drawn), stratum, seed)


def _quotas(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """Shares of n in proportion to the sizes, rounded to the nearest (Webster 1832): no share falls as n grows.

    The seats of a size s stand at 1/2s, 3/2s, 5/2s ...; the n lowest of all are taken.
    """
    quotas = dict.fromkeys(sizes, 0)
    seats = [(1 / size, -size, name) for name, size in sizes.items()]
    heapq.heapify(seats)
    for _ in range(min(n, sum(sizes.values()))):
        _, less, name = seats[0]
        quotas[name] += 1
        heapq.heapreplace(seats, ((2 * quotas[name] + 1) / -less, less, name))
    return quotas


def balanced(samples: Sequence[Sample], k: int, rng: random.Random) -> list[Sample]:
    """Choose k samples, as equally many of each target as there are; all of them where there are no more than k.

    Drawn from `rng`: which samples stand for a target, which targets have one more than others, and the order.
    """
    targets: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        targets[sample.target].append(sample)
    piles = [targets[target] for target in sorted(targets)]
    rng.shuffle(piles)
    for pile in piles:
        rng.shuffle(pile)
    rounds = range(max(map(len, piles), default=0))
    chosen = [pile[turn] for turn in rounds for pile in piles if turn < len(pile)][:k]
    rng.shuffle(chosen)
    return chosen


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def _text(value: object) -> str:
    return "\n".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
