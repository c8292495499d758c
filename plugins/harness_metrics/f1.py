"""F1 scores of classifications, from the confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes, clustered_confusion
from harness.differences import paired_f1
from harness.statistics import answer_codes, confusion, confusion_interval, label_codes, macro_f1, mean_f1, micro_f1
from harness_metrics import labelsets
from harness_metrics.classes import marked
from harness_metrics.weighting import weighted_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.differences import Average, Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Floats, Score
    from harness.weighing import Weighted


class MacroF1:
    """The mean of the declared labels' F1, with a bootstrap interval; of sets of labels too.

    As scikit-learn's `f1_score(average="macro", labels=declared, zero_division=0)`: a label that is neither a target
    nor an answer has an F1 of 0; a missing answer, or one that is no label, is a miss of its target.
    """

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task without labels."""
        if spec.learnt == "labels":
            return labelsets.MACRO_F1.compute(predictions, spec)
        return _f1(predictions, spec, macro_f1)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task without labels."""
        if spec.learnt == "labels":
            return labelsets.MACRO_F1.weighted(predictions, spec)
        return _weighted(predictions, spec, mean_f1)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None for a task without labels."""
        if spec.learnt == "labels":
            return labelsets.MACRO_F1.compare(a, b, spec, level)
        return _compared(a, b, spec, "macro", level)


class MicroF1:
    """F1 of all labels' counts together, with a bootstrap interval; the accuracy where every answer is a label."""

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The score; None for a task without labels."""
        if spec.learnt == "labels":
            return labelsets.MICRO_F1.compute(predictions, spec)
        return _f1(predictions, spec, micro_f1)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None for a task without labels."""
        if spec.learnt == "labels":
            return labelsets.MICRO_F1.weighted(predictions, spec)
        return _weighted(predictions, spec, _micro)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two scores; None for a task without labels."""
        if spec.learnt == "labels":
            return labelsets.MICRO_F1.compare(a, b, spec, level)
        return _compared(a, b, spec, "micro", level)


def _f1(predictions: Sequence[Prediction], spec: TaskSpec, score: Score) -> Estimate | None:
    if not spec.labels:
        return None
    labels = tuple(spec.labels)
    place: dict[str | None, int] = {label: index for index, label in enumerate(labels)}
    targets, answers, names = list[str](), list[str | None](), list[str | None]()
    for prediction in predictions:  # once, since they are made anew each time; labels are held, not copies of them
        targets.append(labels[place[prediction.target]] if prediction.target in place else prediction.target)
        answers.append(labels[place[prediction.prediction]] if prediction.prediction in place else None)
        names.append(prediction.cluster)
    clusters = cluster_codes(names)
    if clusters is None:
        return confusion_interval(confusion(targets, answers, labels), score)
    cells = label_codes(targets, labels) * (len(labels) + 1) + answer_codes(answers, labels)
    return clustered_confusion(cells, clusters, len(labels), score)


def _weighted(
    predictions: Sequence[Prediction], spec: TaskSpec, score: Callable[[Floats, Floats, Floats], Floats]
) -> Weighted | None:
    if not spec.labels:
        return None
    labels = tuple(spec.labels)
    gold = label_codes((one.target for one in predictions), labels)
    statistics = marked(gold, answer_codes((one.prediction for one in predictions), labels), len(labels))
    return weighted_sums(statistics, lambda sums: score(*np.split(sums, 3, axis=1)))


def _micro(hits: Floats, gold: Floats, answered: Floats) -> Floats:
    return mean_f1(*(part.sum(axis=1, keepdims=True) for part in (hits, gold, answered)))


def _compared(
    a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, average: Average, level: float
) -> Paired | None:
    if not spec.labels:
        return None
    told = [(one.target, one.prediction, other.prediction, one.cluster) for one, other in zip(a, b, strict=True)]
    targets, first, second, clusters = zip(*told, strict=True)
    return paired_f1(
        targets, first, second, tuple(spec.labels), average=average, level=level, clusters=cluster_codes(clusters)
    )
