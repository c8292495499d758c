"""Passages that are put before an input: the nearest ones of a collection (Lewis et al. 2020, arXiv:2005.11401).

A passage is never the input itself.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.errors import DataError
from harness.sampling import normalised
from harness_strategies.retrieval import ByCosine, ByWords, Encoder, unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting
    from harness_strategies.retrieval import Ranker

Retriever = Literal["bm25", "embeddings"]


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


def ranker(texts: Sequence[str], by: Retriever, model: Model, setting: Setting) -> Ranker:
    """Over passages; embeddings are those of the trial's own model.

    Raises:
        PluginError: when bm25s is needed and not installed.
    """
    if by == "bm25":
        return ByWords(texts)
    encoder = Encoder(model, None, setting)
    return ByCosine(unit(encoder.embed(texts)), encoder)


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
