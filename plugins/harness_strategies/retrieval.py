"""How near texts are to a query, by words (BM25) or embeddings (cosine); searches over training rows by either."""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.components import parse_component
from harness.embeddings import FrozenEmbedder
from harness.errors import ModelError, PluginError
from harness.records import Embed, Embedded
from harness.sampling import duplicate_key, normalised
from harness.templates import shown_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.interfaces import Engine, Model, Setting
    from harness.promptparts import TextEncoder
    from harness.records import Component, Response, Sample, TaskSpec


class Encoder:
    """A model that embeds: the one that is adapted, or another that is named.

    Training texts come from the cache of embeddings where they are there; any other text is computed each time, so that
    its time counts.

    Raises:
        ModelError: when the model gives no embeddings.
    """

    def __init__(self, model: Model, encoder: str | None, setting: Setting) -> None:
        self.model = model if encoder is None else setting.model(parse_component(encoder))
        if "Embed" not in self.model.answers:
            raise ModelError(
                f"{encoder or 'the model'} gives no embeddings", hint="name one that does, such as encoder=minilm-l6"
            )
        self._embedder = FrozenEmbedder(self.model, setting)
        self._known: dict[str, NDArray[np.float32]] = {}

    @cached_property
    def engine(self) -> Engine:
        """The encoder in memory."""
        return self._embedder.engine

    def load(self) -> None:
        """Bring it into memory now, where it will be asked: that is no part of the time of the first question."""
        _ = self.engine

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) vectors of training texts."""
        vectors = self._embedder.embed(texts).vectors
        self._known.update(zip(texts, vectors, strict=True))
        return vectors

    def queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) vectors of texts, computed now, all in one call, but for training texts.

        Raises:
            ModelError: when the engine answers something else.
        """
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        responses = self.engine.run([Embed(text) for text in new]) if new else ()
        computed = {text: _vector(response) for text, response in zip(new, responses, strict=True)}
        return np.stack([computed[text] if text in computed else self._known[text] for text in texts])


def _vector(response: Response) -> NDArray[np.float32]:
    if not isinstance(response, Embedded):
        raise ModelError(f"the encoder answered {type(response).__name__} where a vector was asked for")
    return np.asarray(response.vector, np.float32)


def models_of(encoder: str | None) -> tuple[Component, ...]:
    """The models that a strategy with this parameter uses beside its own."""
    return () if encoder is None else (parse_component(encoder),)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; one of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


class Ranker(Protocol):
    """Tells how near each of some texts is to a query."""

    def scores(self, query: str) -> NDArray[np.floating]:
        """(n,) in the texts' order; more is nearer."""

    def prepare(self, queries: Sequence[str]) -> None:
        """Get ready for these queries; what it was ready for before is forgotten."""


class ByWords:
    """BM25 over words (Robertson & Zaragoza 2009; Lucene's idf, k1 1.5, b 0.75).

    Words are those of `harness.sampling.normalised`; none is left out or stemmed, and one that stands in no text counts
    for nothing.

    Raises:
        PluginError: when bm25s is not installed.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        check_bm25()
        import bm25s

        self._n = len(texts)
        self._index = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
        found = [_words(text) for text in texts]
        self._known = {word for words in found for word in words}
        if self._known:  # an index of no words at all can't be made
            self._index.index(found, show_progress=False)

    def scores(self, query: str) -> NDArray[np.floating]:
        """(n,) float32."""
        words = [word for word in _words(query) if word in self._known]
        found: NDArray[np.floating] = self._index.get_scores(words) if words else np.zeros(self._n, np.float32)
        return found

    def prepare(self, queries: Sequence[str]) -> None:
        """Nothing is gained by knowing them."""


class ByCosine:
    """The cosine of embeddings.

    Args:
        vectors: (n, D) of the texts, each of length 1.
        encoder: embeds queries, anew each time.
    """

    def __init__(self, vectors: NDArray[np.float32], encoder: TextEncoder) -> None:
        self._vectors = vectors
        self._encoder = encoder
        self._ready: dict[str, NDArray[np.float32]] = {}

    def prepare(self, queries: Sequence[str]) -> None:
        """Embed them in one call."""
        self._ready = dict(zip(queries, self._encoder.queries(queries), strict=True)) if queries else {}

    def scores(self, query: str) -> NDArray[np.floating]:
        """(n,) float32 in [-1, 1]; embeds a query that it was not prepared for."""
        vector = self._ready.get(query)
        return self.cosines(self._encoder.queries([query])[0] if vector is None else vector)

    def cosines(self, vector: NDArray[np.float32]) -> NDArray[np.floating]:
        """(D,) vector of a query -> (n,)."""
        found: NDArray[np.floating] = self._vectors @ unit(vector)
        return found


def check_bm25() -> None:
    """Raise a `PluginError` where BM25 can't be had."""
    if find_spec("bm25s") is None:
        raise PluginError("a search by BM25 needs bm25s", hint="pip install 'adapt-harness[retrieval]'")


def _words(text: str) -> list[str]:
    return normalised(text).split()


class RowSearch:
    """A search over rows that never finds the sample that is asked for, or a row that repeats it."""

    def __init__(self, spec: TaskSpec, samples: Sequence[Sample], ranker: Ranker) -> None:
        self._shown = shown_fields(spec)
        self._keys = [duplicate_key(sample, self._shown) for sample in samples]
        self._ranker = ranker

    def prepare(self, texts: Sequence[str]) -> None:
        """Get ready for these texts."""
        self._ranker.prepare(texts)

    def nearest(self, sample: Sample, text: str, k: int) -> list[int]:
        """Numbers of at most k rows, the most similar first, the first of equals first."""
        return self.best(sample, self._ranker.scores(text), k)

    def best(self, sample: Sample, similarity: NDArray[np.floating], k: int) -> list[int]:
        """The same, by numbers (n,) that are known already."""
        own = duplicate_key(sample, self._shown)
        order = np.argsort(-similarity, kind="stable")
        return [int(at) for at in order if self._keys[at] != own][:k]
