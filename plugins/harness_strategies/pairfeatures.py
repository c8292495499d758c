"""What a linear probe reads: the embedding of a text, or of a pair's two u and v [u, v, |u - v|, u * v].

The four parts are those of InferSent (Conneau et al. 2017, arXiv:1705.02364): a linear model of u and v alone can't
tell how near they lie to each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import ModelError
from harness.records import Embed, Embedded, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.interfaces import Engine
    from harness.records import Text


def singly(texts: Sequence[Text]) -> list[str]:
    """The texts to embed: of pairs all first ones, then all second ones."""
    if not any(isinstance(text, tuple) for text in texts):
        return [text for text in texts if isinstance(text, str)]
    pairs = [text for text in texts if isinstance(text, tuple)]
    return [first for first, _ in pairs] + [second for _, second in pairs]


def features(vectors: NDArray[np.float32], texts: Sequence[Text]) -> NDArray[np.float32]:
    """Vectors in the order of `singly` -> (n, D) of n texts, or (n, 4 D) of n pairs."""
    if len(vectors) == len(texts):
        return vectors
    first, second = np.split(vectors, 2)
    return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


def embedded(engine: Engine, texts: Sequence[Text]) -> tuple[NDArray[np.float32], list[Usage]]:
    """The features of texts as an engine embeds them now, and what each took.

    Raises:
        ModelError: when the engine answers something else.
    """
    single = singly(texts)
    found = [response for response in engine.run([Embed(text) for text in single]) if isinstance(response, Embedded)]
    if len(found) < len(single):
        raise ModelError(f"the model gave {len(found)} vectors for {len(single)} texts")
    took = [response.usage for response in found]
    if len(single) > len(texts):
        took = [_both(one, other) for one, other in zip(took[: len(texts)], took[len(texts) :], strict=True)]
    return features(np.array([response.vector for response in found], np.float32), texts), took


def _both(one: Usage, other: Usage) -> Usage:
    return Usage(one.prompt_tokens + other.prompt_tokens, cut_tokens=one.cut_tokens + other.cut_tokens)
