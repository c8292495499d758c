"""Likeness of answers and references token by token (BERTScore, Zhang et al. 2020, arXiv:1904.09675)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from harness.components import parse_component
from harness.metricparts import ModelsOfMetrics, NoModels
from harness.weighing import weighted_mean
from harness_metrics.generated import MeanOfAnswers, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records import Component, Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.tokenmatching import Side
    from harness.weighing import Weighted
    from harness_metrics.generated import Written


class BertScore(MeanOfAnswers):
    """Greedy matching of the tokens' vectors of answer and reference: the mean over samples, up to 1.

    Precision is the mean over the answer's tokens of the cosine with the nearest token of the reference, recall that
    over the reference's tokens, F1 their harmonic mean; of several references the best counts. Tokens that frame a text
    count nothing, but others may be nearest to them: all of this as in the paper's code, without its rescaling. A
    sample without an answer counts 0.

    Args:
        model: the encoder, as it is named in runs.
        layer: after how many of its layers the vectors are taken; the last one unless told.
        idf: weigh tokens by log((M + 1) / (m + 1)), m of the M references of the scored samples having the token.
        measure: which of the three.
        models: provided.
    """

    told: Mapping[str, str] = {}

    def __init__(
        self,
        model: str = "minilm-l6",
        layer: Annotated[int, Field(ge=0)] | None = None,
        idf: bool = False,
        measure: Literal["precision", "recall", "f1"] = "f1",
        models: ModelsOfMetrics = NoModels(),  # noqa: B008 - holds nothing
    ) -> None:
        self._model = parse_component(model)
        self._layer = layer
        self._idf = idf
        self._measure = measure
        self._asked = models

    @property
    def models(self) -> tuple[Component, ...]:
        """The encoder."""
        return (self._model,)

    def misfit(self, spec: TaskSpec) -> str | None:
        """A model without vectors of tokens."""
        del spec
        known = "EmbedTokens" in self._asked.answers(self._model)
        return None if known else f"model {str(self._model)!r} gives no vectors of tokens"

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """The score of each answer with the reference that it is best with."""
        del spec
        pairs = self._pairs(found)
        return self._scores(pairs, pairs.weights(np.ones(len(found.answers)), idf=self._idf)).tolist()

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The mean as a function of weights; with `idf` references count as often as their samples do."""
        found = written(predictions, spec)
        if found is None:
            return None
        if not self._idf:
            return weighted_mean(self.values(found, spec))
        pairs = self._pairs(found)

        def mean(weights: Floats) -> Floats:
            each = (weighted_mean(self._scores(pairs, pairs.weights(row, idf=True)))(row[None]) for row in weights)
            return np.concatenate([np.zeros(0), *each])

        return mean

    def _pairs(self, found: Written) -> _Pairs:
        samples = [at for at, wanted in enumerate(found.references) for _ in wanted]
        # A space before the first word: tokenizers that tell words within a text by it read the first one like others.
        texts = [
            (f" {said.strip()}", f" {one.strip()}")
            for said, wanted in zip(found.answers, found.references, strict=True)
            for one in wanted
        ]
        matches = self._asked.match(self._model, texts, self._layer)
        codes: dict[str, int] = {}
        return _Pairs(
            np.array(samples, dtype=np.int64),
            _Tokens.of((one.first for one in matches), codes),
            _Tokens.of((one.second for one in matches), codes),
            len(codes),
        )

    def _scores(self, pairs: _Pairs, weights: Floats) -> Floats:
        """(n,) the score of each sample, with (V,) weights of tokens."""
        number = len(pairs.samples)
        precision, recall = (side.means(weights, number) for side in (pairs.answers, pairs.references))
        scores = {"precision": precision, "recall": recall}.get(self._measure)
        if scores is None:
            both = precision + recall
            scores = np.divide(2 * precision * recall, both, out=np.zeros(number), where=both != 0)
        starts = np.flatnonzero(np.diff(pairs.samples, prepend=-1))
        return np.maximum.reduceat(scores, starts)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The T tokens of one side of all pairs: (T,) the pair, the token's number, its cosine with the nearest one."""

    pairs: Counts
    codes: Counts
    cosines: Floats

    @classmethod
    def of(cls, sides: Iterable[Side], numbers: dict[str, int]) -> _Tokens:
        """Tokens in the order of the pairs; `numbers` has those of the vocabulary that occurred, and gets new ones."""
        pairs, codes, cosines = list[int](), list[int](), list[float]()
        for pair, side in enumerate(sides):
            pairs += [pair] * len(side.tokens)
            codes += [numbers.setdefault(token, len(numbers)) for token in side.tokens]
            cosines += side.cosines
        return cls(np.array(pairs, np.int64), np.array(codes, np.int64), np.array(cosines, np.float64))

    def means(self, weights: Floats, number: int) -> Floats:
        """(P,) the weighted mean of the cosines of each of so many pairs; 0 where no token weighs anything."""
        own = weights[self.codes]
        total = np.bincount(self.pairs, own, number)
        added = np.bincount(self.pairs, own * self.cosines, number)
        return np.divide(added, total, out=np.zeros(number), where=total > 0)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """All pairs of an answer and a reference: (P,) the sample of each, in order; their tokens, of so many different."""

    samples: Counts
    answers: _Tokens
    references: _Tokens
    vocabulary: int

    def weights(self, samples: Floats, *, idf: bool) -> Floats:
        """(V,) weights of tokens, where samples count so often."""
        if not idf:
            return np.ones(self.vocabulary)
        counted = samples[self.samples]  # (P,) how often each reference counts
        having = np.unique(np.stack([self.references.pairs, self.references.codes]), axis=1)
        frequency = np.bincount(having[1], counted[having[0]], self.vocabulary)
        return np.log((counted.sum() + 1) / (frequency + 1))
