"""The model `keyword`: each keyword that a text holds votes for its label."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness import Classified, Classify, DataError, ModelError, Trained, TrainingError, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness import TrainingJob

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Keyword:
    """Answers `Classify` as it is, with a vote a keyword; training learns keywords and the weights of their votes.

    A label for which there are no keywords votes with the words of its name.

    Args:
        keywords: a JSON file, label -> list of words. Training learns its own and does not use it.
        top: how many keywords of a label training keeps.
        smoothing: added to each count of rows.
    """

    keywords: str | None = None
    top: Annotated[int, Field(ge=1)] = 20
    smoothing: Annotated[float, Field(gt=0)] = 0.5

    answers: ClassVar[frozenset[Literal["Classify"]]] = frozenset({"Classify"})
    hyperparameters: ClassVar[frozenset[str]] = frozenset()

    def fingerprint(self) -> str:
        """A digest of all that can change an answer: the content of the file, not its path.

        Raises:
            DataError: when the file can't be used.
        """
        settings = asdict(self) | {"keywords": self._given()}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

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
        learned = learn(job.examples, job.labels, top=self.top, smoothing=self.smoothing)
        best = "; ".join(f"{label}: {', '.join(list(weights)[:3])}" for label, weights in learned.items())
        return Trained(Votes(learned), perf_counter() - started, (f"strongest keywords: {best}",))

    def _given(self) -> dict[str, list[str]]:
        """The keywords of the file, in lower case."""
        if self.keywords is None:
            return {}
        try:
            content = json.loads(Path(self.keywords).read_text(encoding="utf-8"))
            return {label: words_of(" ".join(listed)) for label, listed in content.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            hint = 'it should hold {"label": ["word", ...], ...}'
            raise DataError(f"is no file of keywords: {error}", where=self.keywords, hint=hint) from error


class Votes:
    """Keywords in memory: label -> word -> weight of its vote."""

    def __init__(self, weights: Mapping[str, Mapping[str, float]]) -> None:
        self.provenance: Mapping[str, str] = {"device": "cpu"}
        self._weights = weights

    def run(self, requests: Sequence[object]) -> list[Classified]:
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
        total = math.log(math.fsum(map(math.exp, votes)))
        return Classified(tuple(vote - total for vote in votes), Usage(prompt_tokens=len(words)))

    def _votes(self, label: str, words: set[str]) -> float:
        weights = self._weights.get(label) or dict.fromkeys(words_of(label), 1.0)
        return math.fsum(weights[word] for word in words & weights.keys())


def learn(
    examples: Sequence[tuple[str, str]], labels: Sequence[str], *, top: int, smoothing: float
) -> dict[str, dict[str, float]]:
    """The words that speak most for each label, strongest first, with their weights.

    A weight is the logarithm of the odds ratio: the odds that a row of the label holds the word, over those of the
    other rows. Adding 0.5 to each count (Haldane 1956) keeps it finite.
    """
    rows = Counter(label for _, label in examples)
    holding = {label: Counter[str]() for label in labels}
    for text, label in examples:
        holding[label].update(set(words_of(text)))
    everywhere = sum(holding.values(), Counter[str]())

    def log_odds(held: int, of: int) -> float:
        return math.log((held + smoothing) / (of - held + smoothing))

    def weight(word: str, label: str) -> float:
        held = holding[label][word]
        return log_odds(held, rows[label]) - log_odds(everywhere[word] - held, len(examples) - rows[label])

    learned = {}
    for label in labels:
        weights = {word: weight(word, label) for word in holding[label]}
        strongest = sorted(weights, key=lambda word: (-weights[word], word))[:top]
        learned[label] = {word: weights[word] for word in strongest if weights[word] > 0}
    return learned


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.lower())
