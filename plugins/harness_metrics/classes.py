"""Scores of classifications where labels are not equally frequent: balanced accuracy, weighted F1, MCC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes, clustered_confusion
from harness.records import Estimate
from harness.statistics import answer_codes, confusion_interval, label_codes, marginals
from harness_metrics.weighting import summed_pair, weighted_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.differences import Paired
    from harness.records import Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted


class OfMarginals:
    """A score of how often each label is right, wanted and answered, with a bootstrap interval."""

    higher_is_better = True

    def score(self, hits: Floats, gold: Floats, answered: Floats) -> Floats:
        """(..., k) each -> (...)."""
        raise NotImplementedError

    def scorer(self, spec: TaskSpec) -> Callable[[Floats, Floats, Floats], Floats]:
        """`score`, or what it is for this task."""
        del spec
        return self.score

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task without labels."""
        if not spec.labels or spec.learnt == "labels":
            return None
        gold, answered, clusters = _codes(predictions, spec)
        k = len(spec.labels)
        cells, of_marginals = gold * (k + 1) + answered, self.scorer(spec)

        def score(matrix: Counts) -> Floats:
            return of_marginals(*marginals(matrix))

        if clusters is not None:
            found = clustered_confusion(cells, clusters, k, score)
        else:
            matrix = np.bincount(cells, minlength=k * (k + 1)).reshape(k, k + 1).astype(np.int64)
            found = confusion_interval(matrix, score)
        return found if found.low <= found.value else Estimate(found.value, -1.0, found.high)  # MCC, with none right

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task without labels."""
        if not spec.labels or spec.learnt == "labels":
            return None
        gold, answered, _ = _codes(predictions, spec)
        return weighted_sums(marked(gold, answered, len(spec.labels)), self._of_sums(spec))

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None for a task without labels."""
        if not spec.labels or spec.learnt == "labels":
            return None
        (gold, first, clusters), (_, second, _) = _codes(a, spec), _codes(b, spec)
        k = len(spec.labels)
        return summed_pair(marked(gold, first, k), marked(gold, second, k), self._of_sums(spec), clusters, level=level)

    def _of_sums(self, spec: TaskSpec) -> Callable[[Floats], Floats]:
        """(r, 3 k) sums of what `marked` gives -> (r,)."""
        of_marginals = self.scorer(spec)

        def score(sums: Floats) -> Floats:
            hits, gold, answered = np.split(sums, 3, axis=1)
            return of_marginals(hits, gold, answered)

        return score


class BalancedAccuracy(OfMarginals):
    """The mean share of right answers over the labels that occur, as scikit-learn's `balanced_accuracy_score`."""

    def score(self, hits: Floats, gold: Floats, answered: Floats) -> Floats:
        """The mean of recalls."""
        del answered
        recall = np.divide(hits, gold, out=np.zeros_like(hits), where=gold > 0)
        return np.asarray(recall.sum(axis=-1) / (gold > 0).sum(axis=-1))


class WeightedF1(OfMarginals):
    """The mean of labels' F1, each as often as the label occurs, as scikit-learn's `f1_score(average="weighted")`."""

    def score(self, hits: Floats, gold: Floats, answered: Floats) -> Floats:
        """The weighted mean of F1."""
        total = gold + answered
        f1 = np.divide(2 * hits, total, out=np.zeros_like(total), where=total > 0)
        return np.asarray((f1 * gold).sum(axis=-1) / gold.sum(axis=-1))


class MatthewsCorrelation(OfMarginals):
    """Matthews' correlation of labels and answers (Gorodkin 2004 for several labels), -1 to 1.

    As scikit-learn's `matthews_corrcoef`, where no answer is an answer of its own; 0 where all labels or all answers
    are one.
    """

    def score(self, hits: Floats, gold: Floats, answered: Floats) -> Floats:
        """The covariance over the root of both variances."""
        n = gold.sum(axis=-1)
        none = n - answered.sum(axis=-1)
        shared = hits.sum(axis=-1) * n - (gold * answered).sum(axis=-1)
        of_gold = n**2 - (gold**2).sum(axis=-1)
        of_answers = n**2 - (answered**2).sum(axis=-1) - none**2
        product = of_gold * of_answers
        return np.asarray(np.divide(shared, np.sqrt(product), out=np.zeros_like(shared), where=product > 0))


def _codes(predictions: Sequence[Prediction], spec: TaskSpec) -> tuple[Counts, Counts, Counts | None]:
    """Targets, answers and clusters, by number."""
    labels = tuple(spec.labels)
    targets, answers, names = list[str](), list[str | None](), list[str | None]()
    for prediction in predictions:
        targets.append(prediction.target)
        answers.append(prediction.prediction)
        names.append(prediction.cluster)
    return label_codes(targets, labels), answer_codes(answers, labels), cluster_codes(names)


def marked(gold: Counts, answered: Counts, k: int) -> Floats:
    """(n, 3 k) what each sample adds to hits, targets and answers."""
    wanted, said = np.eye(k)[gold], np.eye(k + 1)[answered][:, :k]
    return np.concatenate([wanted * said, wanted, said], axis=1)
