"""Searches over training rows, by words (BM25) or embeddings (cosine), which never find what repeats the sample."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.components import parse_component
from harness.embeddings import FrozenEmbedder
from harness.errors import ModelError, PluginError
from harness.records import Embed, Embedded
from harness.sampling import duplicate_key
from harness.templates import shown_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.interfaces import Engine, Model, Setting
    from harness.records import Component, Sample, TaskSpec

_WORD = re.compile(r"\w+")


class Encoder:
    """A model that embeds: the one that is adapted, or another that is named.

    Training texts come from the cache of embeddings where they are there; what is answered is computed each time, so
    that its time counts.

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

    @cached_property
    def engine(self) -> Engine:
        """The encoder in memory."""
        return self._embedder.engine

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) vectors of training texts."""
        return self._embedder.embed(texts).vectors

    def vector(self, text: str) -> NDArray[np.float32]:
        """(D,): the vector of a text, computed now.

        Raises:
            ModelError: when the engine answers something else.
        """
        (response,) = self.engine.run([Embed(text)])
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


class _Rows:
    """The keys by which a row that repeats a sample is known."""

    def __init__(self, spec: TaskSpec, samples: Sequence[Sample]) -> None:
        self._shown = shown_fields(spec)
        self._keys = [duplicate_key(sample, self._shown) for sample in samples]
        self.count = len(self._keys)

    def best(self, similarity: NDArray[Any], sample: Sample, k: int) -> list[int]:
        """Numbers of the k most similar rows, the first of equals first, without what repeats the sample."""
        own = duplicate_key(sample, self._shown)
        order = np.argsort(-similarity, kind="stable")
        return [int(at) for at in order if self._keys[at] != own][:k]


class Neighbours:
    """A search by the cosine of embeddings."""

    def __init__(
        self, spec: TaskSpec, samples: Sequence[Sample], vectors: NDArray[np.float32], encoder: Encoder
    ) -> None:
        self._rows = _Rows(spec, samples)
        self._vectors = vectors
        self._encoder = encoder

    def nearest(self, sample: Sample, text: str, k: int) -> list[int]:
        """Numbers of at most k rows, the most similar first."""
        return [at for at, _ in self.near(sample, self._encoder.vector(text), k)]

    def near(self, sample: Sample, vector: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        """Numbers and cosines of at most k rows, the most similar first."""
        similarity = self._vectors @ unit(vector)
        return [(at, float(similarity[at])) for at in self._rows.best(similarity, sample, k)]


class Lexical:
    """A search by BM25 (Lucene's idf, k1 1.5, b 0.75); words are lower-cased, none is left out or stemmed.

    Raises:
        PluginError: when bm25s is not installed.
    """

    def __init__(self, spec: TaskSpec, samples: Sequence[Sample], texts: Sequence[str]) -> None:
        try:
            import bm25s
        except ImportError as error:
            raise PluginError("select=bm25 needs bm25s", hint="pip install 'adapt-harness[retrieval]'") from error
        self._rows = _Rows(spec, samples)
        self._index = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
        found = [_words(text) for text in texts]
        self._known = {word for words in found for word in words}
        if self._known:
            self._index.index(found, show_progress=False)

    def nearest(self, sample: Sample, text: str, k: int) -> list[int]:
        """Numbers of at most k rows, the most similar first; of rows that share no word the first ones."""
        words = [word for word in _words(text) if word in self._known]
        scores = self._index.get_scores(words) if words else np.zeros(self._rows.count)
        return self._rows.best(scores, sample, k)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
