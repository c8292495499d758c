"""BLEU, chrF and TER of a whole test set, from sacrebleu's counts (Post 2018, WMT, arXiv:1804.08771).

The counts of each sample are sacrebleu's; the scores of their sums are computed for many draws at once, and are its
scores of the corpus. Scales are its own: BLEU and chrF from 0 to 100, TER from 0 up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness_metrics.generated import require, written
from harness_metrics.weighting import summed_interval, summed_pair, weighted_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted


class _OfCorpus:
    """A score of sums of sacrebleu's counts."""

    name = ""
    higher_is_better = True

    def counter(self) -> Any:  # noqa: ANN401 - sacrebleu's metric
        """The metric that counts."""
        raise NotImplementedError

    def score(self, sums: Floats) -> Floats:
        """(r, m) sums of counts -> (r,) scores."""
        raise NotImplementedError

    def require(self) -> None:
        """Raises `PluginError` where sacrebleu is missing."""
        require("sacrebleu", self.name)

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score with its bootstrap interval; None for a task that generates nothing."""
        found = self._counts(predictions, spec)
        return None if found is None else summed_interval(found[0], self.score, found[1])

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task that generates nothing."""
        found = self._counts(predictions, spec)
        return None if found is None else weighted_sums(found[0], self.score)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None where either has none."""
        first, second = self._counts(a, spec), self._counts(b, spec)
        if first is None or second is None:
            return None
        return summed_pair(first[0], second[0], self.score, first[1], level=level)

    def _counts(self, predictions: Sequence[Prediction], spec: TaskSpec) -> tuple[Floats, Counts | None] | None:
        found = written(predictions, spec)
        if found is None:
            return None
        self.require()
        counter = self.counter()
        counts = [
            counter._extract_corpus_statistics([answer], [[one] for one in references])[0]
            for answer, references in zip(found.answers, found.references, strict=True)
        ]
        return np.asarray(counts, dtype=np.float64), found.clusters


class Bleu(_OfCorpus):
    """BLEU of the corpus (Papineni et al. 2002), 0 to 100: nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp."""

    name = "bleu"
    top = 100.0

    def counter(self) -> Any:  # noqa: ANN401 - sacrebleu's metric
        """Case kept, tokenizer 13a."""
        from sacrebleu.metrics import BLEU

        return BLEU()

    def score(self, sums: Floats) -> Floats:
        """Sums of lengths (answer, reference), matches and n-grams of four orders."""
        said, wanted, matches, total = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:10]
        zero = (matches == 0) & (total > 0)
        halved = 2.0 ** -np.cumsum(zero, axis=1)  # each order without a match counts half of what the one before did
        precision = np.divide(np.where(zero, halved, matches), total, out=np.zeros_like(total), where=total > 0)
        with np.errstate(divide="ignore"):
            mean = np.exp(np.log(precision).mean(axis=1))
        ratio = np.divide(wanted, said, out=np.full_like(said, np.inf), where=said > 0)
        brevity = np.exp(np.minimum(0.0, 1 - ratio))
        return np.asarray(np.where(matches.any(axis=1), 100 * brevity * mean, 0.0))


class Chrf(_OfCorpus):
    """chrF2 of the corpus (Popovic 2015), 0 to 100: nrefs:var|case:mixed|eff:yes|nc:6|nw:0|space:no."""

    name = "chrf"
    top = 100.0

    def counter(self) -> Any:  # noqa: ANN401 - sacrebleu's metric
        """Six orders of characters, no words."""
        from sacrebleu.metrics import CHRF

        return CHRF()

    def score(self, sums: Floats) -> Floats:
        """Sums of n-grams in answers, in references, and in both, for each order."""
        said, wanted, matches = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
        used = (said > 0) & (wanted > 0)
        orders = np.maximum(used.sum(axis=1), 1)
        precision = np.divide(matches, said, out=np.zeros_like(matches), where=used).sum(axis=1) / orders
        recall = np.divide(matches, wanted, out=np.zeros_like(matches), where=used).sum(axis=1) / orders
        below = 4 * precision + recall
        return np.asarray(100 * np.divide(5 * precision * recall, below, out=np.zeros_like(below), where=below > 0))


class Ter(_OfCorpus):
    """Translation edit rate of the corpus (Snover et al. 2006), 0 is best.

    Its signature is nrefs:var|case:lc|tok:tercom|norm:no|punct:yes|asian:no.
    """

    name = "ter"
    higher_is_better = False

    def counter(self) -> Any:  # noqa: ANN401 - sacrebleu's metric
        """As tercom counts."""
        from sacrebleu.metrics import TER

        return TER()

    def score(self, sums: Floats) -> Floats:
        """Sums of edits, and of references' lengths."""
        edits, words = sums[:, 0], sums[:, 1]
        return np.asarray(100 * np.divide(edits, words, out=(edits > 0).astype(np.float64), where=words > 0))
