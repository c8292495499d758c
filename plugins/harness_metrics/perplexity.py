"""How many bits or nats texts take that a model predicts: of all texts together, as lm-evaluation-harness counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes
from harness_metrics.weighting import summed_interval, summed_pair, weighted_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted


class _OfTexts:
    """A function of the texts' log-likelihoods over their length, with a bootstrap interval; lower is better."""

    higher_is_better = False
    unit = ""

    def score(self, sums: Floats) -> Floats:
        """(r, 2) sums of nats and of lengths -> (r,); perplexity unless told."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(_nats(sums)))

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task that predicts no texts, or where there is nothing to predict."""
        found = self._sums(predictions, spec)
        return None if found is None else summed_interval(found[0], self.score, found[1])

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None where there is nothing to predict."""
        found = self._sums(predictions, spec)
        return None if found is None else weighted_sums(found[0], self.score)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None where either has none."""
        first, second = self._sums(a, spec), self._sums(b, spec)
        if first is None or second is None:
            return None
        return summed_pair(first[0], second[0], self.score, first[1], level=level)

    def _sums(self, predictions: Sequence[Prediction], spec: TaskSpec) -> tuple[Floats, Counts | None] | None:
        if not spec.reads:
            return None
        sums, names = list[tuple[float, float]](), list[str | None]()
        for prediction in predictions:
            if not prediction.scores or self.unit not in prediction.measured:
                return None
            sums.append((-prediction.scores[0], float(prediction.measured[self.unit])))
            names.append(prediction.cluster)
        return np.array(sums), cluster_codes(names)


class TokenPerplexity(_OfTexts):
    """exp of the nats that a token takes: of models with one tokenizer alone can it be compared."""

    unit = "tokens"


class WordPerplexity(_OfTexts):
    """exp of the nats that a word takes; words are what white space separates, whatever the tokenizer."""

    unit = "words"


class BitsPerByte(_OfTexts):
    """The bits that a byte of the texts in UTF-8 takes, whatever the tokenizer."""

    unit = "bytes"

    def score(self, sums: Floats) -> Floats:
        """(r, 2) sums of nats and of bytes -> (r,) bits a byte."""
        return np.asarray(_nats(sums) / math.log(2))


def _nats(sums: Floats) -> Floats:
    """Of each unit; NaN where there is none."""
    return np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
