"""The most frequent label of the training data, whatever the text says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_baselines.classifying import ConstantEngine, Counting

if TYPE_CHECKING:
    from harness.interfaces import TrainingJob


class Majority(Counting):
    """Gives each text the most frequent label; of equally frequent ones the first declared wins.

    Its probabilities are the labels' frequencies in the training data, one added to each count. The seed changes
    nothing.
    """

    def engine(self, job: TrainingJob, log_probs: tuple[float, ...]) -> ConstantEngine:
        """It always says the same."""
        return ConstantEngine(job.labels, log_probs, {"device": "cpu"})
