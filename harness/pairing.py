"""Two trials on the same samples: gains over baselines, and tests against the best."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from harness.statistics import Paired, mcnemar, paired_accuracy, sign_flip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.records import Estimate, Prediction, TrialResult

RIGHT_ANSWERS = ("accuracy", "exact_match")
"""Metrics that are the share of right answers: a gain has the name of the one that its trial has."""


class Pairing:
    """Compares trials by which samples they have right; each trial's predictions are asked for once."""

    def __init__(self, predictions: Callable[[str], Sequence[Prediction]]) -> None:
        self._predictions = predictions
        self._right: dict[str, Mapping[str, bool]] = {}

    def right(self, key: str) -> Mapping[str, bool]:
        """Sample -> whether the trial has it right; failed samples are left out."""
        if key not in self._right:
            said = self._predictions(key)
            self._right[key] = {one.sample_id: one.correct for one in said if one.status != "failed"}
        return self._right[key]

    def compare(self, a: str, b: str) -> Paired | None:
        """How trial `a` differs from trial `b`; None unless `b` has answered all that `a` has."""
        first, second = self.right(a), self.right(b)
        if not first or not first.keys() <= second.keys():
            return None
        return paired_accuracy(list(first.values()), [second[sample] for sample in first])

    def versus(self, a: Sequence[str], b: Sequence[str]) -> tuple[float, float] | None:
        """Whether two rows differ, over the seeds that both have: a p-value, and the mean squared difference.

        With one seed the test is McNemar's, and the mean squared difference the share of samples on which they
        disagree; with several, each sample's share of right answers over the seeds is compared by flipping signs.

        Args:
            a: the keys of the first row's trials, seed by seed.
            b: those of the second row's, of the same seeds.
        """
        rights = [(self.right(one), self.right(other)) for one, other in zip(a, b, strict=True)]
        samples = rights[0][0].keys() if rights else set[str]()
        if not samples or any(first.keys() != samples or not samples <= second.keys() for first, second in rights):
            return None
        differences = [fmean(first[one] - second[one] for first, second in rights) for one in samples]
        disagreement = fmean(difference**2 for difference in differences)
        if len(rights) > 1:
            return sign_flip(differences), disagreement
        return mcnemar(differences.count(1.0), differences.count(-1.0)), disagreement

    def gains(self, result: TrialResult) -> Mapping[str, Estimate]:
        """A finished trial's gain in right answers over its baseline, if that has answered the same samples."""
        trial = result.trial
        if result.status != "finished" or trial.baseline is None:
            return {}
        paired = self.compare(trial.key, trial.baseline)
        name = next((name for name in RIGHT_ANSWERS if name in result.metrics), RIGHT_ANSWERS[0])
        return {} if paired is None else {name: paired.difference}
