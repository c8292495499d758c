"""Cross-entropy of the right answer under the scores of all possible answers."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from harness.clusters import cluster_codes, clustered_mean
from harness.differences import paired_means
from harness.errors import ModelError
from harness.statistics import bootstrap_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts

_WORST = -math.log(sys.float_info.min)


class CrossEntropy:
    """The mean of -log p(right answer) in nats, with a bootstrap interval over samples; lower is better.

    p is the softmax of a sample's scores over its labels or choices. A probability below the smallest normal double
    (2.2e-308, zero included) counts as that, so one sample adds 708.4 nats at most.
    """

    higher_is_better = False

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The mean; None where any sample has no scores, or the task has neither labels nor choices.

        Raises:
            ModelError: when scores are NaN, all of probability zero, or not one a label.
        """
        if spec.generates or spec.reads or not all(prediction.scores for prediction in predictions):
            return None
        losses, clusters = _losses(predictions, spec)
        return bootstrap_mean(losses) if clusters is None else clustered_mean(losses, clusters)

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two means; None where either has no such score."""
        if spec.generates or spec.reads or not all(one.scores and two.scores for one, two in zip(a, b, strict=True)):
            return None
        (first, clusters), (second, _) = _losses(a, spec), _losses(b, spec)
        return paired_means(first, second, level=level, clusters=clusters)


def _losses(predictions: Sequence[Prediction], spec: TaskSpec) -> tuple[list[float], Counts | None]:
    """Each sample's, and their clusters."""
    place = {label: index for index, label in enumerate(spec.labels)}
    losses, names = list[float](), list[str | None]()
    for prediction in predictions:
        losses.append(_loss(prediction, place))
        names.append(prediction.cluster)
    return losses, cluster_codes(names)


def _loss(prediction: Prediction, place: dict[str, int]) -> float:
    """-log softmax(scores)[target]."""
    scores, target = prediction.scores, place_of_target(prediction, place)
    highest = max(scores)
    total = highest + math.log(sum(math.exp(score - highest) for score in scores))
    return min(total - scores[target], _WORST)


def place_of_target(prediction: Prediction, place: dict[str, int]) -> int:
    """Which of the scores is the target's; without labels the target is the number of a choice.

    Args:
        prediction: with scores.
        place: of each label among the scores.

    Raises:
        ModelError: when scores are NaN, all of probability zero, or not one a label.
    """
    scores = prediction.scores
    target = place[prediction.target] if place else int(prediction.target)
    expected = len(place) or max(target + 1, len(scores))
    highest = max(scores)
    if len(scores) != expected or not math.isfinite(highest) or any(map(math.isnan, scores)):
        raise ModelError(f"the scores of sample {prediction.sample_id!r} make no sense: {scores}")
    return target
