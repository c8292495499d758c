"""The most frequent label of the training data, or the mean of its numbers, whatever the text says; of words a tag."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING

from harness.errors import TrainingError
from harness.interfaces import Trained
from harness.values import read_labels
from harness_baselines.classifying import ConstantEngine, ConstantNumber, Counting
from harness_baselines.lexicon import WordTags

if TYPE_CHECKING:
    from harness.interfaces import TrainingJob
    from harness.records import Learnt


class Majority(Counting):
    """Gives each text the most frequent label; of equally frequent ones the first declared wins.

    Its probabilities are the labels' frequencies in the training data, one added to each count. Of texts that can have
    several labels each is judged by itself: it is given where most texts have it. Numbers are guessed by their mean,
    which has the least squared error. Each word gets the tag that it most often has. The seed changes nothing.
    """

    learns: frozenset[Learnt] = frozenset({"label", "labels", "number", "tags"})

    def train(self, job: TrainingJob) -> Trained:
        """Count the labels, or average the numbers.

        Raises:
            TrainingError: when there are no examples.
        """
        if job.learnt == "label":
            return super().train(job)
        if job.learnt == "tags":
            return Trained(WordTags(job), 0.0)
        if not job.examples:
            raise TrainingError("there are no training examples", hint="give the task a training split")
        if job.learnt == "number":
            return Trained(ConstantNumber(fmean(float(number) for _, number in job.examples), {"device": "cpu"}), 0.0)
        counts = Counter(label for _, written in job.examples for label in read_labels(written))
        shares = tuple(math.log((counts[label] + 1) / (len(job.examples) + 2)) for label in job.labels)
        return Trained(ConstantEngine(job.labels, shares, {"device": "cpu"}), 0.0)

    def engine(self, job: TrainingJob, log_probs: tuple[float, ...]) -> ConstantEngine:
        """It always says the same."""
        return ConstantEngine(job.labels, log_probs, {"device": "cpu"})
