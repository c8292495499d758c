"""Guesses: what a score is worth that needs no knowledge at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness.records import LogLikelihood, LogLikelihoods
from harness_baselines.classifying import fingerprint, uniform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records import Request, RequestKind, Response

CODE_VERSION = 1


class Chance:
    """Gives each continuation a random probability: each of k is the likeliest in 1 of k prompts (chance level).

    The draws depend on the prompt's text, the continuation and `seed` alone, so an answer is the same each time,
    wherever it is asked for. The probabilities of a prompt are uniform over all distributions (Dirichlet).

    Attributes:
        seed: another seed, other guesses; the trial's seed changes nothing.
    """

    answers: frozenset[RequestKind] = frozenset({"LogLikelihood"})

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fingerprint(self) -> str:
        """A digest of what it is."""
        return fingerprint("Chance", CODE_VERSION, {"seed": self.seed})

    def load(self, device: str) -> ChanceEngine:  # noqa: ARG002 - guesses need none
        """Its engine; whatever the device, it is the processor that draws."""
        return ChanceEngine(self.seed)


class ChanceEngine:
    """Draws the answers."""

    def __init__(self, seed: int) -> None:
        self.provenance: Mapping[str, str] = {"device": "cpu"}
        self._seed = seed

    def run(self, requests: Sequence[Request]) -> list[Response]:
        """Answer `LogLikelihood`; no tokens are counted, since there is no tokenizer.

        Raises:
            ModelError: when a request is of another kind.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> LogLikelihoods:
        if not isinstance(request, LogLikelihood):
            raise ModelError(f"random answers LogLikelihood, not {type(request).__name__}")
        weights = [self._exponential(request.prompt.text, continuation) for continuation in request.continuations]
        total = math.fsum(weights)
        return LogLikelihoods(tuple(math.log(weight / total) for weight in weights))

    def _exponential(self, text: str, continuation: str) -> float:
        """A draw from the exponential distribution; such draws over their sum are uniform over distributions."""
        return -math.log(uniform(self._seed, text, continuation))
