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
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.errors import PluginError
from harness.sampling import balanced
from harness_strategies.retrieval import ByCosine, ByWords, RowSearch, unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.promptparts import Pool, Search, Selector

VOTERS = 150
"""Neighbours that a row votes for in vote-k, as Su et al. have them."""
DISCOUNT = 10.0
"""What each chosen row that a voter votes for takes from the voter's weight: it counts so many times less."""


class _Chooses:
    """Chooses one set for all samples, without embeddings."""

    embeds: ClassVar[bool] = False
    searches: ClassVar[bool] = False


class First(_Chooses):
    """The first rows."""

    def select(self, pool: Pool, k: int) -> list[int]:
        """In the file's order."""
        return list(range(min(k, len(pool.samples))))


class Random(_Chooses):
    """A seeded draw."""

    def select(self, pool: Pool, k: int) -> list[int]:
        """Each row as likely as any other."""
        return pool.rng.sample(range(len(pool.samples)), min(k, len(pool.samples)))


class Balanced(Random):
    """A seeded draw, balanced over the labels of a classification."""

    def select(self, pool: Pool, k: int) -> list[int]:
        """As equally many of each label as there are; without labels as `Random`."""
        if not pool.spec.labelled:
            return Random.select(self, pool, k)
        held = list(pool.samples)
        numbers = {id(sample): at for at, sample in enumerate(held)}
        return [numbers[id(sample)] for sample in balanced(held, k, pool.rng)]


class Diverse(_Chooses):
    """One row for each of k clusters of embeddings."""

    embeds: ClassVar[bool] = True

    def select(self, pool: Pool, k: int) -> list[int]:
        """See `diverse`."""
        return diverse(pool, k)


class VoteK(_Chooses):
    """Rows that many others have as neighbours."""

    embeds: ClassVar[bool] = True

    def select(self, pool: Pool, k: int) -> list[int]:
        """See `votek`."""
        return votek(pool, k)


class Bm25:
    """For each sample the rows with the same words."""

    embeds: ClassVar[bool] = False
    searches: ClassVar[bool] = True

    def select(self, pool: Pool, k: int) -> Search:
        """A search by words; it finds the k that it is asked for."""
        del k
        return RowSearch(pool.spec, pool.samples, ByWords(pool.texts()))


class Knn:
    """For each sample the rows with the most similar embeddings."""

    embeds: ClassVar[bool] = True
    searches: ClassVar[bool] = True

    def select(self, pool: Pool, k: int) -> Search:
        """A search by cosine; it finds the k that it is asked for."""
        del k
        return RowSearch(pool.spec, pool.samples, ByCosine(unit(pool.vectors()), pool.embedder()))


def diverse(pool: Pool, k: int) -> list[int]:
    """One row for each of k clusters: the nearest to its centre (k-means with seeded k-means++ starts).

    Raises:
        PluginError: when scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise PluginError("select=diverse needs scikit-learn", hint="pip install 'adapt-harness[baselines]'")
    from sklearn.cluster import KMeans

    vectors = unit(pool.vectors()).astype(np.float64)
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
    vectors = unit(pool.vectors())
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


SELECTORS: Mapping[str, Selector] = {
    "balanced": Balanced(),
    "bm25": Bm25(),
    "diverse": Diverse(),
    "first": First(),
    "knn": Knn(),
    "random": Random(),
    "votek": VoteK(),
}
