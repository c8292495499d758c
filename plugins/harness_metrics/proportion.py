"""Shares of samples that were answered right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.clusters import cluster_codes, clustered_share
from harness.differences import paired_accuracy
from harness.statistics import wilson
from harness.weighing import weighted_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.weighing import Weighted


class Accuracy:
    """The share of right answers, with Wilson's interval; a sample without an answer counts as wrong."""

    higher_is_better = True

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:  # noqa: ARG002 - same for all tasks
        """Count them; where samples come in clusters they count as many as they are worth."""
        right, names = bytearray(), list[str | None]()  # a byte a sample: there may be many
        for prediction in predictions:
            right.append(prediction.correct)
            names.append(prediction.cluster)
        clusters = cluster_codes(names)
        if clusters is None:
            return wilson(sum(right), len(right))
        return clustered_share([one > 0 for one in right], clusters)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted:  # noqa: ARG002 - same for all tasks
        """The share as a function of weights."""
        return weighted_mean([float(one.correct) for one in predictions])

    def compare(
        self,
        a: Sequence[Prediction],
        b: Sequence[Prediction],
        spec: TaskSpec,  # noqa: ARG002 - same for all tasks
        level: float = 0.95,
    ) -> Paired | None:
        """McNemar's test of the two shares."""
        told = [(one.correct, other.correct, one.cluster) for one, other in zip(a, b, strict=True)]
        clusters = cluster_codes(cluster for _, _, cluster in told)
        first, second = [one for one, _, _ in told], [other for _, other, _ in told]
        return paired_accuracy(first, second, level=level, clusters=clusters)


class ExactMatch(Accuracy):
    """The same share under the name it has for generated text: the answer found in the text is the reference answer."""
