"""Two trials on the same samples: gains over baselines, and tests against the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.statistics import Paired, paired_accuracy

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

    def gains(self, result: TrialResult) -> Mapping[str, Estimate]:
        """A finished trial's gain in right answers over its baseline, if that has answered the same samples."""
        trial = result.trial
        if result.status != "finished" or trial.baseline is None:
            return {}
        paired = self.compare(trial.key, trial.baseline)
        name = next((name for name in RIGHT_ANSWERS if name in result.metrics), RIGHT_ANSWERS[0])
        return {} if paired is None else {name: paired.difference}
