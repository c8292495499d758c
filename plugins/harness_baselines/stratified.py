"""Guesses by the labels' frequencies: what a score is worth that needs no text, and no more than the labels' counts."""

from __future__ import annotations

import hashlib
import json
import math
from time import perf_counter
from typing import TYPE_CHECKING, NoReturn

from harness.errors import ModelError
from harness.interfaces import Trained
from harness.records import Classified
from harness_baselines.classifying import add_one_log_probs, fingerprint, label_counts, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import TrainingJob
    from harness.records import Request, RequestKind, Response

CODE_VERSION = 1


class Stratified:
    """Learns how frequent each label is, and guesses each label as often as that.

    The draws depend on the text, the label and the trial's seed alone, so an answer is the same each time, wherever it
    is asked for. Training takes no time, so nothing is kept in the job's folder.
    """

    answers: frozenset[RequestKind] = frozenset()
    hyperparameters: frozenset[str] = frozenset()

    def fingerprint(self) -> str:
        """A digest of what it is."""
        return fingerprint("Stratified", CODE_VERSION, {})

    def load(self, device: str) -> NoReturn:  # noqa: ARG002 - the protocol's
        """There is nothing to load.

        Raises:
            ModelError: always.
        """
        raise ModelError("stratified knows nothing before it is trained", hint="use a strategy that trains: finetune")

    def train(self, job: TrainingJob) -> Trained:
        """Count the labels.

        Raises:
            TrainingError: when there are no examples.
        """
        started = perf_counter()
        log_probs = add_one_log_probs(label_counts(job))
        return Trained(StratifiedEngine(job.labels, log_probs, job.seed), perf_counter() - started)


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
        digest = hashlib.sha256(json.dumps([self._seed, text, label]).encode()).digest()
        uniform = (int.from_bytes(digest[:8]) // 2**12 + 0.5) / 2**52  # in (0, 1), both excluded, without rounding
        return -math.log(-math.log(uniform))
