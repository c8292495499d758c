"""The model `keyword`: each keyword that a text holds votes for its label."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, TypeAdapter

from harness import Classified, Classify, DataError, ModelError, Trained, TrainingError, Usage
from harness_keyword.learning import learn, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness import Request, RequestKind, TrainingJob


@dataclass(frozen=True, slots=True)
class Keyword:
    """Answers `Classify` as it is, one vote a keyword; training learns keywords and the weights of their votes.

    A label for which there are no keywords votes with the words of its name.

    Args:
        keywords: a JSON file, label -> list of words. Training learns its own instead.
        top: how many keywords of a label training keeps.
    """

    keywords: str | None = None
    top: Annotated[int, Field(ge=1)] = 20

    answers: ClassVar[frozenset[RequestKind]] = frozenset({"Classify"})
    hyperparameters: ClassVar[frozenset[str]] = frozenset()

    def fingerprint(self) -> str:
        """A digest of all that can change an answer: the content of the file, not its path.

        Raises:
            DataError: when the file can't be used.
        """
        return hashlib.sha256(json.dumps([self.top, self._given()], sort_keys=True).encode()).hexdigest()

    def load(self, device: str) -> Votes:
        """The untrained model; a vote weighs 1."""
        del device  # there is nothing to put on one
        return Votes({label: dict.fromkeys(words, 1.0) for label, words in self._given().items()})

    def train(self, job: TrainingJob) -> Trained:
        """Learn keywords; that takes milliseconds, so nothing is kept in the job's folder.

        Raises:
            TrainingError: when there are no examples.
        """
        if not job.examples:
            raise TrainingError("there are no training rows")
        started = perf_counter()
        learned = learn(job.examples, job.labels, self.top)
        best = "; ".join(f"{label}: {', '.join(list(weights)[:3])}" for label, weights in learned.items())
        return Trained(Votes(learned), perf_counter() - started, (f"strongest keywords: {best}",))

    def _given(self) -> dict[str, list[str]]:
        if self.keywords is None:
            return {}
        try:
            content = TypeAdapter(dict[str, list[str]]).validate_json(Path(self.keywords).read_bytes())
        except OSError as error:
            raise DataError(f"can't be read: {error.strerror}", where=self.keywords) from error
        except ValueError as error:
            hint = 'it has to hold {"label": ["word", ...], ...}'
            raise DataError("is no file of keywords", where=self.keywords, hint=hint) from error
        return {label: words_of(" ".join(words)) for label, words in content.items()}


class Votes:
    """Keywords in memory: label -> word -> the weight of its vote."""

    def __init__(self, weights: Mapping[str, Mapping[str, float]]) -> None:
        self.provenance: Mapping[str, str] = {"device": "cpu"}
        self._weights = weights

    def run(self, requests: Sequence[Request]) -> list[Classified]:
        """Answer `Classify`.

        Raises:
            ModelError: when a request is of another kind.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: object) -> Classified:
        if not isinstance(request, Classify):
            raise ModelError(f"keyword answers Classify, not {type(request).__name__}")
        words = words_of(request.text)
        votes = [self._votes(label, set(words)) for label in request.labels]
        most = max(votes)  # taken out of the sum, which would overflow
        total = most + math.log(math.fsum(math.exp(vote - most) for vote in votes))
        return Classified(tuple(vote - total for vote in votes), Usage(prompt_tokens=len(words)))

    def _votes(self, label: str, words: set[str]) -> float:
        weights = self._weights.get(label) or dict.fromkeys(words_of(label), 1.0)
        return math.fsum(weights[word] for word in words & weights.keys())
