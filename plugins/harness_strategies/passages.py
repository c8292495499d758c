"""Passages that are put before an input: the nearest ones of a collection (Lewis et al. 2020, arXiv:2005.11401).

A passage is never the input itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.sampling import normalised
from harness_strategies.retrieval import ByCosine, ByWords, Encoder, unit
from harness_strategies.textfile import read_texts

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


def read_passages(path: str) -> list[str]:
    """The passages of a file, a line each; raises as `read_texts`."""
    return [" ".join(text.split()) for text in read_texts(path, "passages")]
