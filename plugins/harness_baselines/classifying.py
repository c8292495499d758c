"""What the baselines share: identity, a look at the training data, draws, engines that always say the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, NoReturn

from harness.errors import ModelError, TrainingError
from harness.interfaces import Trained
from harness.records import Classified, Classify, Regress, Regressed
from harness.requests import as_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import Engine, TrainingJob
    from harness.records import Request, RequestKind, Response


def fingerprint(name: str, code_version: int, parts: Mapping[str, object]) -> str:
    """What a baseline is: its class, the version of its code (raised by hand when answers change) and its settings."""
    content = json.dumps([name, code_version, parts], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


class Counting:
    """A model that learns how frequent each label is, and no more.

    Training takes no time, so nothing is kept in the job's folder. `code_version` is raised by hand when
    answers change.
    """

    answers: frozenset[RequestKind] = frozenset()
    hyperparameters: frozenset[str] = frozenset()
    code_version: ClassVar[int] = 1

    def fingerprint(self) -> str:
        """A digest of what it is."""
        return fingerprint(type(self).__name__, self.code_version, {})

    def load(self, device: str) -> NoReturn:  # noqa: ARG002 - the protocol's
        """There is nothing to load.

        Raises:
            ModelError: always.
        """
        name = type(self).__name__.lower()
        raise ModelError(f"{name} knows nothing before it is trained", hint="use a strategy that trains: finetune")

    def train(self, job: TrainingJob) -> Trained:
        """Count the labels.

        Raises:
            TrainingError: when there are no examples.
        """
        started = perf_counter()
        engine = self.engine(job, add_one_log_probs(label_counts(job)))
        return Trained(engine, perf_counter() - started)

    def engine(self, job: TrainingJob, log_probs: tuple[float, ...]) -> Engine:
        """What answers, given the labels' log-probabilities."""
        raise NotImplementedError


def uniform(*of: object) -> float:
    """A number of (0, 1), both excluded, drawn by what it is given: the same each time, wherever it is asked for."""
    digest = hashlib.sha256(json.dumps(of).encode()).digest()
    return (int.from_bytes(digest[:8]) // 2**12 + 0.5) / 2**52  # without rounding


def label_counts(job: TrainingJob) -> list[int]:
    """How often each of the job's labels stands in its training data.

    Raises:
        TrainingError: when there are no examples, or one has another label.
    """
    if not job.examples:
        raise TrainingError("there are no training examples", hint="give the task a training split")
    counts = Counter(label for _, label in job.examples)
    unknown = sorted(set(counts) - set(job.labels))
    if unknown:
        raise TrainingError(f"training examples have the label {unknown[0]!r}, which the task does not declare")
    return [counts[label] for label in job.labels]


def add_one_log_probs(counts: Sequence[int]) -> tuple[float, ...]:
    """Log-probabilities of labels from their counts, one added to each (Laplace), so that none is impossible."""
    total = sum(counts) + len(counts)
    return tuple(math.log((count + 1) / total) for count in counts)


def texts_of(requests: Sequence[Request], labels: Sequence[str]) -> list[str]:
    """The texts to classify.

    Raises:
        ModelError: when a request is of another kind, or about other labels than those of the training.
    """
    texts = []
    for request in requests:
        if not isinstance(request, Classify):
            raise ModelError(f"a trained baseline answers Classify, not {type(request).__name__}")
        if request.labels != tuple(labels):
            raise ModelError(f"trained on the labels {tuple(labels)}, asked for {request.labels}")
        texts.append(as_one(request.text))
    return texts


def numbered_texts(requests: Sequence[Request]) -> list[str]:
    """The texts that a number is to be given.

    Raises:
        ModelError: when a request is of another kind.
    """
    texts = [as_one(request.text) for request in requests if isinstance(request, Regress)]
    if len(texts) < len(requests):
        raise ModelError("trained on numbers, asked for something else")
    return texts


class ConstantEngine:
    """Gives every text the same log-probabilities."""

    def __init__(self, labels: tuple[str, ...], log_probs: tuple[float, ...], provenance: Mapping[str, str]) -> None:
        self.provenance = provenance
        self._labels = labels
        self._answer = Classified(log_probs)

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """Answer `Classify`; no tokens are counted, since there is no tokenizer."""
        return [self._answer for _ in texts_of(requests, self._labels)]


class ConstantNumber:
    """Gives every text the same number."""

    def __init__(self, value: float, provenance: Mapping[str, str]) -> None:
        self.provenance = provenance
        self._answer = Regressed(value)

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """Answer `Regress`; no tokens are counted, since there is no tokenizer."""
        return [self._answer for _ in numbered_texts(requests)]
