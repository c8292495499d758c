"""The selector `typical`: demonstrations that hold the words that speak most for their label."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING, ClassVar

from harness_keyword.learning import learn, words_of

if TYPE_CHECKING:
    from harness import Pool

TOP = 20
"""Words that speak for a label."""


class Typical:
    """For each label in turn its row with the heaviest words; `few-shot,select=typical` uses it with any model."""

    embeds: ClassVar[bool] = False
    searches: ClassVar[bool] = False  # one set of demonstrations for all samples, so that they share a prefix

    def select(self, pool: Pool, k: int) -> list[int]:
        """Numbers of rows; nothing is drawn, so the seed changes nothing."""
        texts = pool.texts()
        targets = [sample.target for sample in pool.samples]
        labels = list(pool.spec.labels) or sorted(set(targets))
        weights = learn(list(zip(texts, targets, strict=True)), labels, TOP)

        def weight(at: int) -> float:
            own = weights[targets[at]]
            return sum(own.get(word, 0.0) for word in set(words_of(texts[at])))

        ranked = [
            sorted((at for at, target in enumerate(targets) if target == label), key=lambda at: (-weight(at), at))
            for label in labels
        ]
        in_turn = chain.from_iterable(zip_longest(*ranked))
        return [at for at in in_turn if at is not None][:k]
