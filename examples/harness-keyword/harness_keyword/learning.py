"""Which words speak for a label, and how strongly: pure functions over training rows."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = re.compile(r"[^\W\d_]+")


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.lower())


def learn(examples: Sequence[tuple[str, str]], labels: Sequence[str], top: int) -> dict[str, dict[str, float]]:
    """The `top` words that speak most for each label, strongest first, with their weights.

    A weight is the logarithm of the odds ratio: the odds that a row of the label holds the word, over those of all
    other rows. Half a row is added to each count (Haldane 1956), so that none is infinite.
    """
    rows = Counter(label for _, label in examples)
    held = Counter((word, label) for text, label in examples for word in set(words_of(text)))
    anywhere = Counter(word for text, _ in examples for word in set(words_of(text)))

    def weight(word: str, label: str) -> float:
        here, elsewhere = held[word, label], anywhere[word] - held[word, label]
        others = len(examples) - rows[label]
        return math.log((here + 0.5) / (rows[label] - here + 0.5) * (others - elsewhere + 0.5) / (elsewhere + 0.5))

    learned = {}
    for label in labels:
        weights = {word: weight(word, label) for word in anywhere}
        strongest = sorted(weights, key=lambda word: (-weights[word], word))[:top]
        learned[label] = {word: weights[word] for word in strongest if weights[word] > 0}
    return learned
