"""Cross-entropy of the right answer under the scores of all possible answers."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from harness.clusters import cluster_codes, clustered_mean
from harness.differences import paired_means
from harness.errors import ModelError
from harness.statistics import bootstrap_mean
from harness.weighing import weighted_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts
    from harness.weighing import Weighted

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
        if not _scored(predictions, spec):
            return None
        losses, clusters = _losses(predictions, spec)
        return bootstrap_mean(losses) if clusters is None else clustered_mean(losses, clusters)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:
        """The score as a function of weights; None where any sample has no scores."""
        return weighted_mean(_losses(predictions, spec)[0]) if _scored(predictions, spec) else None

    def compare(
        self, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec, level: float = 0.95
    ) -> Paired | None:
        """The permutation test of the two means; None where either has no such score."""
        if not (_scored(a, spec) and _scored(b, spec)):
            return None
        (first, clusters), (second, _) = _losses(a, spec), _losses(b, spec)
        return paired_means(first, second, level=level, clusters=clusters)


def _scored(predictions: Sequence[Prediction], spec: TaskSpec) -> bool:
    return not (spec.generates or spec.reads) and all(prediction.scores for prediction in predictions)


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
