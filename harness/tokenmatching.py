"""Greedy matching of two texts by their tokens' vectors in context (BERTScore, Zhang et al. 2020, arXiv:1904.09675)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.requests import EmbeddedTokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 9
"""Of a cosine: float32 has no more."""

NOTHING = EmbeddedTokens((), (), np.zeros((0, 0), np.float32))
"""A text without tokens."""


@dataclass(frozen=True, slots=True)
class Side:
    """The tokens of a text but for those that frame it, and the cosine of each with the nearest one of the other text.

    As in the paper's code, the nearest may be one that frames the other text. Where one of the two texts has no tokens
    but these, all cosines are 0.
    """

    tokens: tuple[str, ...]
    cosines: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """Two texts, matched."""

    first: Side
    second: Side


def matched(first: EmbeddedTokens, second: EmbeddedTokens) -> Matched:
    """The greedy matching of two texts."""
    if all(first.special) or all(second.special):
        return Matched(*(_side(text, np.zeros(len(text.tokens))) for text in (first, second)))
    cosines = _unit(first.vectors) @ _unit(second.vectors).T
    return Matched(_side(first, cosines.max(axis=1)), _side(second, cosines.max(axis=0)))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
    return unit


def _side(text: EmbeddedTokens, nearest: NDArray[Any]) -> Side:
    places = [at for at, special in enumerate(text.special) if not special]
    cosines = (float(f"{nearest[at]:.{DIGITS}g}") for at in places)
    return Side(tuple(text.tokens[at] for at in places), tuple(cosines))
