"""The most frequent label of the training data, whatever the text says."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NoReturn

from harness.errors import ModelError
from harness.interfaces import Trained
from harness_baselines.classifying import ConstantEngine, add_one_log_probs, fingerprint, label_counts

if TYPE_CHECKING:
    from harness.interfaces import TrainingJob
    from harness.records import RequestKind

CODE_VERSION = 1


class Majority:
    """Learns how frequent each label is, and no more; of equally frequent ones the first declared wins.

    Its probabilities are the labels' frequencies in the training data, one added to each count. The seed changes
    nothing; training takes no time, so nothing is kept in the job's folder.
    """

    answers: frozenset[RequestKind] = frozenset()
    hyperparameters: frozenset[str] = frozenset()

    def fingerprint(self) -> str:
        """A digest of what it is."""
        return fingerprint("Majority", CODE_VERSION, {})

    def load(self, device: str) -> NoReturn:  # noqa: ARG002 - the protocol's
        """There is nothing to load.

        Raises:
            ModelError: always.
        """
        raise ModelError("majority knows nothing before it is trained", hint="use a strategy that trains: finetune")

    def train(self, job: TrainingJob) -> Trained:
        """Count the labels.

        Raises:
            TrainingError: when there are no examples.
        """
        started = perf_counter()
        log_probs = add_one_log_probs(label_counts(job))
        return Trained(ConstantEngine(job.labels, log_probs, {"device": "cpu"}), perf_counter() - started)
