"""A toy model and a toy task: small, without weights or files; reached through `harness.testing`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.interfaces import Trained
from harness.records import (
    Classified,
    Classify,
    Embed,
    Embedded,
    EmbeddedTokens,
    EmbedTokens,
    Filled,
    FillMask,
    FindSpan,
    FoundSpan,
    Generate,
    Generated,
    LogLikelihood,
    LogLikelihoods,
    PromptSpec,
    Regress,
    Regressed,
    RequestKind,
    RollingLogLikelihood,
    Sample,
    Split,
    Tag,
    Tagged,
    TaskSpec,
    Usage,
    Written,
)
from harness.requests import as_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.interfaces import TrainingJob
    from harness.records import Request, Response


class ToyModel:
    """Prefers the choice that shares most letters with the prompt; can be trained, without learning anything."""

    answers: frozenset[RequestKind] = frozenset({"LogLikelihood", "RollingLogLikelihood", "Generate"})
    hyperparameters: frozenset[str] = frozenset()
    provenance: Mapping[str, str] = {"device": "none"}

    def fingerprint(self) -> str:
        """Never changes."""
        return "toy"

    def load(self, device: str) -> ToyModel:
        """It is its own engine, on any device."""
        del device
        return self

    def train(self, job: TrainingJob) -> Trained:
        """Learn nothing."""
        return Trained(self, 0.0, (f"saw {len(job.examples)} rows",))

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """Answer from letters alone."""
        return [_toy_answer(request) for request in requests]


def _toy_answer(request: Request) -> Response:
    if isinstance(request, FillMask):
        read = f"{request.prompt.text} {request.after}"
        return Filled(tuple(-1.0 / (1 + _shared(read, filling)) for filling in request.fillings))
    if isinstance(request, LogLikelihood):
        text = request.prompt.text
        values = tuple(-1.0 / (1 + _shared(text, choice)) for choice in request.continuations)
        greedy = tuple(value == max(values) for value in values) if request.greedy else ()
        return LogLikelihoods(values, Usage(len(text.split()), len(values)), greedy=greedy)
    if isinstance(request, RollingLogLikelihood):
        tokens = len(request.text.split())
        return LogLikelihoods((-2.5 * tokens,), Usage(tokens), (tokens,))
    if isinstance(request, Generate):
        words = request.prompt.query.split()
        texts = [words[number:][: request.max_tokens] for number in range(request.n)]
        first, *more = (" ".join(text) for text in texts)
        usage = Usage(len(request.prompt.text.split()), sum(map(len, texts)))
        return Generated(first, "stop", usage, tuple(Written(text, "stop") for text in more))
    return _toy_reading(request)


def _toy_reading(request: Classify | Regress | Tag | FindSpan | Embed | EmbedTokens) -> Response:
    text = as_one(request.text)
    usage = Usage(len(text.split()))
    if isinstance(request, Classify):
        total = math.log(len(request.labels))
        return Classified(tuple(-total for _ in request.labels), usage)
    if isinstance(request, FindSpan):
        first = request.text[1].split(" ")[0]
        return FoundSpan(first, 0 if first else -1, usage)
    if isinstance(request, EmbedTokens):
        words = tuple(text.split())
        vectors = np.array([(len(word), 1.0) for word in words], dtype=np.float32).reshape(-1, 2)
        return EmbeddedTokens(words, (False,) * len(words), vectors, usage)
    if isinstance(request, Tag):
        return Tagged(tuple("O" for _ in text.split(" ")), usage)
    return Regressed(float(len(text)), usage) if isinstance(request, Regress) else Embedded((len(text), 1.0), usage)


def _shared(text: str, choice: str) -> int:
    return sum(text.count(letter) for letter in set(choice.strip()))


class ToyTask:
    """Twelve short texts of two labels and two contexts, in all three splits."""

    spec = TaskSpec(
        name="toy",
        kind="classification",
        prompt=PromptSpec(template="Text: {{ text }}\nLabel:", input="{{ text }}"),
        labels={"warm": " warm", "cold": " cold"},
        has_context=True,
        contexts={"day": "said by day", "night": "said by night"},
    )

    def samples(self, split: Split) -> Sequence[Sample]:
        """Twelve rows; no text stands in two splits."""
        return [self._sample(split, number) for number in range(12)]

    def _sample(self, split: Split, number: int) -> Sample:
        label = "warm" if number % 2 else "cold"
        text = f"{split} {number}: the {'sun shines' if number % 2 else 'snow falls'}"
        return Sample(f"{split}-{number}", {"text": text}, label, "day" if number % 3 else "night")
