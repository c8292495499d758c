"""Guesses by the labels' frequencies: what a score is worth that needs no text, and no more than the labels' counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.records import Classified
from harness_baselines.classifying import Counting, texts_of, uniform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import TrainingJob
    from harness.records import Request, Response


class Stratified(Counting):
    """Guesses each label as often as it is frequent in the training data.

    The draws depend on the text, the label and the trial's seed alone.
    """

    def engine(self, job: TrainingJob, log_probs: tuple[float, ...]) -> StratifiedEngine:
        """It draws by the trial's seed."""
        return StratifiedEngine(job.labels, log_probs, job.seed)


class StratifiedEngine:
    """Draws the answers."""

    def __init__(self, labels: tuple[str, ...], log_probs: tuple[float, ...], seed: int) -> None:
        self.provenance: Mapping[str, str] = {"device": "cpu"}
        self._labels = labels
        self._log_probs = log_probs
        self._seed = seed

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """Answer `Classify`; no tokens are counted, since there is no tokenizer."""
        return [self._guess(text) for text in texts_of(requests, self._labels)]

    def _guess(self, text: str) -> Classified:
        """Log-probabilities of which each label's is the largest as often as the label is frequent (Gumbel 1954)."""
        drawn = [own + self._gumbel(text, label) for label, own in zip(self._labels, self._log_probs, strict=True)]
        highest = max(drawn)
        total = highest + math.log(math.fsum(math.exp(one - highest) for one in drawn))
        return Classified(tuple(one - total for one in drawn))

    def _gumbel(self, text: str, label: str) -> float:
        return -math.log(-math.log(uniform(self._seed, text, label)))
