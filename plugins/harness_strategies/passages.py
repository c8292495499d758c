"""Passages that are put before an input: the nearest ones of a collection (Lewis et al. 2020, arXiv:2005.11401).

By words (BM25: Robertson & Zaragoza 2009) or by the cosine of embeddings. A passage is never the input itself.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from harness.embeddings import FrozenEmbedder
from harness.errors import DataError, PluginError
from harness.sampling import normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.interfaces import Model, Setting

Retriever = Literal["bm25", "embeddings"]


class Ranker(Protocol):
    """Tells how near passages are to a text."""

    def scores(self, query: str) -> NDArray[np.floating]:
        """(n,) for the passages in their order; more is nearer."""


@dataclass(frozen=True)
class Passages:
    """A collection that can be searched.

    Attributes:
        texts: the passages; there is at least one.
        ranker: over them, in their order.
    """

    texts: Sequence[str]
    ranker: Ranker

    def nearest(self, query: str, k: int, never: str = "") -> tuple[str, ...]:
        """The k nearest passages, the nearest first: none that says the same as the query, `never`, or another one."""
        order = np.argsort(-self.ranker.scores(query), kind="stable")
        found: list[str] = []
        seen = {normalised(query), normalised(never)}
        for place in order.tolist():
            if len(found) == k:
                break
            if self._said[place] not in seen:
                seen.add(self._said[place])
                found.append(self.texts[place])
        return tuple(found)

    @cached_property
    def _said(self) -> list[str]:
        return [normalised(text) for text in self.texts]


class Bm25:
    """BM25 over words, as bm25s counts (k1 = 1.5, b = 0.75); words that stand in no passage count for nothing."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        self._n = len(texts)
        self._index = bm25s.BM25()
        words = [_words(text) for text in texts]
        self._empty = not any(words)  # an index of no words at all can't be made
        if not self._empty:
            self._index.index(words, show_progress=False)

    def scores(self, query: str) -> NDArray[np.floating]:
        """(n,) float32."""
        words = _words(query)
        if self._empty or not words:
            return np.zeros(self._n, np.float32)
        found: NDArray[np.floating] = self._index.get_scores(words)
        return found


class Cosine:
    """The cosine of embeddings by a frozen model."""

    def __init__(self, texts: Sequence[str], embedder: FrozenEmbedder) -> None:
        self._embedder = embedder
        self._vectors = _unit(embedder.embed(texts).vectors)

    def scores(self, query: str) -> NDArray[np.floating]:
        """(n,) float32 in [-1, 1]."""
        found: NDArray[np.floating] = self._vectors @ _unit(self._embedder.embed([query]).vectors)[0]
        return found


def ranker(texts: Sequence[str], by: Retriever, model: Model, setting: Setting) -> Ranker:
    """Over passages; embeddings are those of the trial's own model."""
    return Bm25(texts) if by == "bm25" else Cosine(texts, FrozenEmbedder(model, setting))


def check_installed(by: Retriever) -> None:
    """Raise a `PluginError` where BM25 is asked for and can't be had."""
    if by == "bm25" and find_spec("bm25s") is None:
        raise PluginError("retrieving passages by BM25 needs bm25s", hint="pip install 'adapt-harness[retrieval]'")


def digest_of(path: str) -> str:
    """SHA-256 of a file of passages.

    Raises:
        DataError: when it can't be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"can't read the passages: {error.strerror or error}", where=path) from error


def read_passages(path: str) -> list[str]:
    """The passages of a file: JSONL with a `text` each, or a text file with blank lines between them.

    Raises:
        DataError: when it can't be read, or holds none, naming file and line.
    """
    file = Path(path)
    try:
        written = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"can't read the passages: {error}", where=path) from error
    pieces = _jsonl(path, written) if file.suffix.lower() == ".jsonl" else written.split("\n\n")
    passages = [" ".join(piece.split()) for piece in pieces if piece.strip()]
    if not passages:
        raise DataError("the file has no passages", where=path)
    return passages


def _jsonl(path: str, written: str) -> list[str]:
    texts: list[str] = []
    for number, line in enumerate(written.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"is no JSON: {error}", where=f"{path}:{number}") from error
        text = row.get("text") if isinstance(row, dict) else None
        if not isinstance(text, str):
            raise DataError("has no `text`", where=f"{path}:{number}", hint='write {"text": "the passage"}')
        texts.append(text)
    return texts


def _words(text: str) -> list[str]:
    return normalised(text).split()


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)
