"""Selectors: which training rows become demonstrations, for all samples at once or for each by itself.

first     the first k rows
random    a seeded draw
balanced  a seeded draw, as equally many of each label as there are
diverse   the rows nearest to the centres of k seeded clusters of embeddings (Zhang et al. 2023, arXiv:2210.03493)
votek     rows that many others have as neighbours and that no chosen row stands for yet (Su et al. 2023,
          arXiv:2209.01975, the fast variant: k rows are annotated, and shown to all samples)
bm25      for each sample the rows that share most of its rarer words (Robertson & Zaragoza 2009)
knn       for each sample the rows with the most similar embeddings (Liu et al. 2022, arXiv:2101.06804)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np

from harness.errors import PluginError
from harness.sampling import balanced
from harness_strategies.retrieval import ByCosine, ByWords, RowSearch, unit

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.records import Sample, TaskSpec
    from harness_strategies.retrieval import Encoder

Select: TypeAlias = Literal["balanced", "random", "first", "bm25", "knn", "diverse", "votek"]

SEARCHES = frozenset({"bm25", "knn"})
"""Selectors that choose for each sample, and so know of every training label."""
EMBEDS = frozenset({"knn", "diverse", "votek"})
"""Selectors that need an encoder."""

VOTERS = 150
"""Neighbours that a row votes for in vote-k, as Su et al. have them."""
DISCOUNT = 10.0
"""What each chosen row that a voter votes for takes from the voter's weight: it counts so many times less."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What is chosen from.

    Attributes:
        texts: what embeddings and BM25 read: `prompt.input` of each row.
        encoder: embeds, for the selectors of `EMBEDS`.
    """

    spec: TaskSpec
    samples: Sequence[Sample]
    texts: Callable[[], list[str]]
    rng: random.Random
    encoder: Encoder | None = None

    def vectors(self) -> NDArray[np.float32]:
        """(n, D), each of length 1.

        Raises:
            ValueError: without an encoder.
        """
        if self.encoder is None:
            raise ValueError("this selector needs an encoder")
        return unit(self.encoder.embed(self.texts()))


class Search(Protocol):
    """Finds rows for one sample."""

    def nearest(self, sample: Sample, text: str, k: int) -> list[int]:
        """Numbers of at most k rows, the most similar first; never the sample itself or a row that repeats it."""


class Selector(Protocol):
    """Chooses k rows, or makes the search that will choose them for each sample."""

    def __call__(self, pool: Pool, k: int) -> list[int] | Search:
        """Numbers of rows in the order in which they are to stand, or a search."""


def first(pool: Pool, k: int) -> list[int]:
    """The first k rows, in the file's order."""
    return list(range(min(k, len(pool.samples))))


def drawn(pool: Pool, k: int) -> list[int]:
    """A seeded draw."""
    return pool.rng.sample(range(len(pool.samples)), min(k, len(pool.samples)))


def even(pool: Pool, k: int) -> list[int]:
    """A seeded draw, balanced over the labels of a classification."""
    if pool.spec.kind != "classification":
        return drawn(pool, k)
    held = list(pool.samples)
    numbers = {id(sample): at for at, sample in enumerate(held)}
    return [numbers[id(sample)] for sample in balanced(held, k, pool.rng)]


def diverse(pool: Pool, k: int) -> list[int]:
    """One row for each of k clusters: the nearest to its centre (k-means with seeded k-means++ starts).

    Raises:
        PluginError: when scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise PluginError("select=diverse needs scikit-learn", hint="pip install 'adapt-harness[baselines]'")
    from sklearn.cluster import KMeans

    vectors = pool.vectors().astype(np.float64)
    if k >= len(vectors):
        return list(range(len(vectors)))
    clusters = KMeans(k, n_init=1, random_state=pool.rng.getrandbits(32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fewer different vectors than clusters: rows are chosen all the same
        away = clusters.fit(vectors).transform(vectors)  # (n, k) distances to the centres
    chosen: list[int] = []
    for distances in away.T:
        distances[chosen] = np.inf
        chosen.append(int(distances.argmin()))
    return chosen


def votek(pool: Pool, k: int) -> list[int]:
    """Greedy: the row with most votes of rows not chosen; nothing is drawn, and of equals the first is taken."""
    vectors = pool.vectors()
    n = len(vectors)
    votes: list[list[int]] = [[] for _ in range(n)]  # row -> those that vote for it
    voted = []
    for at in range(n):
        similarity = vectors @ vectors[at]
        similarity[at] = -np.inf
        voted.append(np.argsort(-similarity, kind="stable")[: min(VOTERS, n - 1)])
        for other in voted[at]:
            votes[other].append(at)
    weights = np.ones(n)
    chosen: list[int] = []
    while len(chosen) < min(k, n):
        scores = np.array([weights[voters].sum() for voters in votes])
        scores[chosen] = -np.inf
        best = int(scores.argmax())
        chosen.append(best)
        weights[votes[best]] /= DISCOUNT
        weights[chosen] = 0.0
    return chosen


def bm25(pool: Pool, k: int) -> Search:
    """A search by words."""
    del k
    return RowSearch(pool.spec, pool.samples, ByWords(pool.texts()))


def knn(pool: Pool, k: int) -> Search:
    """A search by embeddings."""
    del k
    if pool.encoder is None:
        raise ValueError("this selector needs an encoder")
    return RowSearch(pool.spec, pool.samples, ByCosine(pool.vectors(), pool.encoder))


SELECTORS: Mapping[str, Selector] = {
    "first": first,
    "random": drawn,
    "balanced": even,
    "diverse": diverse,
    "votek": votek,
    "bm25": bm25,
    "knn": knn,
}
