"""What a judge is worth: how far it agrees with what is right, and with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.clusters import cluster_codes
from harness.errors import ParameterError
from harness.metricparts import ModelsOfMetrics, NoModels
from harness_metrics.agreement import Statistic, agreement
from harness_metrics.judge import Prefers, Rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Estimate, Prediction, TaskSpec

INCOMPARABLE = "it says what the judge is worth, which is no difference between trials"


class JudgeAgreement(Rates):
    """How far a judge's ratings agree with what is right by the task: kappa or alpha, with a bootstrap interval.

    Args:
        model: see `harness_metrics.judge.Judge`.
        rubric: see `harness_metrics.judge.Judge`.
        scale: see `harness_metrics.judge.Judge`.
        threshold: from this rating on the judge finds an answer right; the upper half of the scale unless told.
        statistic: Cohen's `kappa` or Krippendorff's `alpha`.
        models: provided.

    Raises:
        ParameterError: see `harness_metrics.judge.Judge`; and when the threshold is no rating above 1.
    """

    incomparable = INCOMPARABLE

    def __init__(
        self,
        model: str,
        rubric: str | None = None,
        scale: Annotated[int, Field(ge=2, le=9)] = 5,
        threshold: int | None = None,
        statistic: Statistic = "kappa",
        models: ModelsOfMetrics = NoModels(),  # noqa: B008 - holds nothing
    ) -> None:
        super().__init__(model, rubric, scale, models)
        self._threshold = scale // 2 + 1 if threshold is None else threshold
        self._statistic: Statistic = statistic
        if not 1 < self._threshold <= scale:
            raise ParameterError(f"threshold={threshold} is no rating from 2 to {scale}")

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The agreement; None where all ratings or all answers are alike, or nobody gave the metric the rows."""
        ratings = self.ratings(predictions, spec)
        if ratings is None:
            return None
        judged = [int(rating >= self._threshold) for rating in ratings]
        right = [int(one.correct) for one in predictions]
        clusters = cluster_codes(one.cluster for one in predictions)
        return agreement(judged, right, 2, clusters, self._statistic)


class JudgeConsistency(Prefers):
    """How far a judge prefers the same in both orders: kappa or alpha, with a bootstrap interval.

    Args:
        model: see `harness_metrics.judge.JudgePreference`.
        rubric: see `harness_metrics.judge.JudgePreference`.
        statistic: Cohen's `kappa` or Krippendorff's `alpha`.
        models: provided.

    Raises:
        ParameterError: see `harness_metrics.judge.JudgePreference`.
    """

    incomparable = INCOMPARABLE

    def __init__(
        self,
        model: str,
        rubric: str | None = None,
        statistic: Statistic = "kappa",
        models: ModelsOfMetrics = NoModels(),  # noqa: B008 - holds nothing
    ) -> None:
        super().__init__(model, rubric, models)
        self._statistic: Statistic = statistic

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:
        """The agreement; None where the judge always says one thing, or nobody gave the metric the rows."""
        if self._find is None:
            return None
        places = {True: 0, False: 1, None: 2}
        both = [(places[one], places[other]) for one, other in self.orders(predictions, spec)]
        clusters = cluster_codes(one.cluster for one in predictions)
        return agreement([one for one, _ in both], [other for _, other in both], 3, clusters, self._statistic)
