"""Scores of sets of labels: F1 of labels and of samples, subset accuracy, Hamming loss; as scikit-learn's.

A missing answer is a set of no labels that is never right. Where all answers are right, or nothing of any is, draws of
samples say nothing of the spread: the interval is then Wilson's of the share of right answers, scaled to the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes, clustered_share
from harness.differences import paired_accuracy
from harness.records import Estimate
from harness.statistics import wilson
from harness.values import read_labels
from harness_metrics.weighting import summed_interval, summed_pair, weighted_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.clusters import Truths
    from harness.differences import Paired
    from harness.records import Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted


@dataclass(frozen=True, slots=True)
class _Told:
    """Targets and answers.

    Attributes:
        marks: (n, k) 1 where a target has a label, likewise of answers, and (n,) 1 where there is an answer.
        clusters: (n,) what `cluster_codes` gives.
    """

    marks: tuple[Floats, Floats, Floats]
    clusters: Counts | None

    def right(self) -> Truths:
        """(n,) where all labels are right and there is no other."""
        wanted, said, answered = self.marks
        return (wanted == said).all(axis=1) & (answered > 0)


class _OfLabelSets:
    """A score of sums over samples, with a bootstrap interval."""

    higher_is_better = True

    def statistics(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """(n, k) marks of targets and answers, (n,) whether there is an answer -> (n, m) what each sample adds."""
        raise NotImplementedError

    def score(self, sums: Floats) -> Floats:
        """(r, m) sums -> (r,) scores."""
        raise NotImplementedError

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task whose samples have no sets of labels."""
        found = _told(predictions, spec)
        if found is None:
            return None
        told = summed_interval(self.statistics(*found.marks), self.score, found.clusters)
        right, worst = found.right(), 0.0 if self.higher_is_better else 1.0
        if told is None or not (right.all() or (told.value == worst and not right.any())):
            return told
        share = _share(right, found.clusters)
        beyond = 1 - share.low if right.all() else share.high  # how far the truth may be from what was seen
        if right.all() == self.higher_is_better:
            return Estimate(told.value, told.value * (1 - beyond), told.value)
        return Estimate(told.value, told.value, beyond)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task whose samples have no sets of labels."""
        found = _told(predictions, spec)
        return None if found is None else weighted_sums(self.statistics(*found.marks), self.score)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None for a task whose samples have no sets of labels."""
        first, second = _told(a, spec), _told(b, spec)
        if first is None or second is None:
            return None
        told = self.statistics(*first.marks), self.statistics(*second.marks)
        return summed_pair(*told, self.score, first.clusters, level=level)


class OfCounts(_OfLabelSets):
    """A score of how often each label is right, wanted and said.

    Args:
        score: (r, k) each -> (r,).
    """

    def __init__(self, score: Callable[[Floats, Floats, Floats], Floats]) -> None:
        self._score = score

    def statistics(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """Each label's hits, targets and answers."""
        del answered
        return np.concatenate([wanted * said, wanted, said], axis=1)

    def score(self, sums: Floats) -> Floats:
        """What was given."""
        return self._score(*np.split(sums, 3, axis=1))


class MicroF1(_OfLabelSets):
    """F1 of all labels' counts together."""

    def statistics(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """Hits, and targets and answers together."""
        del answered
        return np.stack([(wanted * said).sum(axis=1), (wanted + said).sum(axis=1)], axis=1)

    def score(self, sums: Floats) -> Floats:
        """2 hits over both; 0 where there is neither."""
        hits, total = sums.T
        return np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)


class MacroF1(_OfLabelSets):
    """The mean of the declared labels' F1; a label that is neither a target nor an answer has an F1 of 0."""

    def statistics(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """Each label's hits, then its targets and answers together."""
        del answered
        return np.concatenate([wanted * said, wanted + said], axis=1)

    def score(self, sums: Floats) -> Floats:
        """The mean of 2 hits over both."""
        hits, total = np.split(sums, 2, axis=1)
        return np.asarray(np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0).mean(axis=1))


class _MeanOfSamples(_OfLabelSets):
    """The mean of a number that each sample has by itself."""

    def each(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """(n,) a number a sample."""
        raise NotImplementedError

    def statistics(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """The numbers, and how many there are."""
        return np.stack([self.each(wanted, said, answered), np.ones_like(answered)], axis=1)

    def score(self, sums: Floats) -> Floats:
        """Their mean."""
        return np.asarray(sums[:, 0] / sums[:, 1])


class SamplesF1(_MeanOfSamples):
    """The mean of the samples' F1 over their labels; 1 where a sample has none and is given none."""

    def each(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """2 hits over targets and answers together."""
        total = (wanted + said).sum(axis=1)
        return np.divide(2 * (wanted * said).sum(axis=1), total, out=answered.copy(), where=total > 0)


class SubsetAccuracy(_MeanOfSamples):
    """The share of samples with all labels right and no other, with Wilson's interval."""

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """Count them; None for a task whose samples have no sets of labels."""
        found = _told(predictions, spec)
        return None if found is None else _share(found.right(), found.clusters)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """McNemar's test of the two shares; None for a task whose samples have no sets of labels."""
        first, second = _told(a, spec), _told(b, spec)
        if first is None or second is None:
            return None
        return paired_accuracy(first.right(), second.right(), level=level, clusters=first.clusters)

    def each(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """1 or 0."""
        return np.asarray((wanted == said).all(axis=1) * answered)


class HammingLoss(_MeanOfSamples):
    """The share of labels that are wrong, over all samples; all of a sample without an answer. Lower is better."""

    higher_is_better = False

    def each(self, wanted: Floats, said: Floats, answered: Floats) -> Floats:
        """The share of a sample's."""
        return np.where(answered > 0, (wanted != said).mean(axis=1), 1.0)


MICRO_F1, MACRO_F1 = MicroF1(), MacroF1()
"""What the metrics of single labels are of such tasks."""


def _told(predictions: Sequence[Prediction], spec: TaskSpec) -> _Told | None:
    """None for a task whose samples have no sets of labels."""
    if spec.learnt != "labels":
        return None
    place = {label: at for at, label in enumerate(spec.labels)}
    n = len(predictions)
    wanted, said, answered = np.zeros((n, len(place))), np.zeros((n, len(place))), np.ones(n)
    names = list[str | None]()
    for at, prediction in enumerate(predictions):
        wanted[at, [place[label] for label in read_labels(prediction.target)]] = 1
        if prediction.prediction is None:
            answered[at] = 0
        else:
            said[at, [place[label] for label in read_labels(prediction.prediction)]] = 1
        names.append(prediction.cluster)
    return _Told((wanted, said, answered), cluster_codes(names))


def _share(right: Truths, clusters: Counts | None) -> Estimate:
    return wilson(int(right.sum()), len(right)) if clusters is None else clustered_share(right, clusters)
