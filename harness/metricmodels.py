"""Models that metrics ask: loaded when something has to be computed, each answer, vector and matching kept on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from harness.answercache import AnswerCache
from harness.embeddings import FrozenEmbedder
from harness.errors import ModelError
from harness.interfaces import Setting
from harness.requests import EmbeddedTokens, EmbedTokens
from harness.tokenmatching import NOTHING, Matched, matched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.answercache import Answer
    from harness.interfaces import Engine, Model
    from harness.records import Component, Request, RequestKind, Response

    A = TypeVar("A", bound=Answer)

Q = TypeVar("Q")

DEVICE = "auto"
TOGETHER = 256
"""Requests that are asked and kept at once: what an interrupted call does not lose."""


class MetricModels:
    """A `harness.metricparts.ModelsOfMetrics`. One model is held at a time: metrics are computed one after the other.

    Args:
        make: component -> model.
        versions: component -> plugin -> version.
        folder: of the cache.
    """

    def __init__(
        self, make: Callable[[Component], Model], versions: Callable[[Component], Mapping[str, str]], folder: Path
    ) -> None:
        self._make = make
        self._versions = versions
        self._folder = folder
        self._models: dict[str, Model] = {}
        self._fingerprints: dict[str, str] = {}
        self._held: tuple[str, Engine] | None = None
        self._asks = True

    @contextmanager
    def only_kept(self) -> Iterator[None]:
        """Within this, ask no model: what is not in the cache is a `ModelError` that says what to do."""
        before, self._asks = self._asks, False
        try:
            yield
        finally:
            self._asks = before

    def fingerprint(self, component: Component) -> str:
        """The model's, asked for once, with the versions of its plugin."""
        name = str(component)
        if name not in self._fingerprints:
            versions = json.dumps(sorted(self._versions(component).items()))
            self._fingerprints[name] = f"{self._model(component).fingerprint()} {versions}"
        return self._fingerprints[name]

    def answers(self, component: Component) -> frozenset[RequestKind]:
        """See `ModelsOfMetrics`."""
        return self._model(component).answers

    def embed(self, component: Component, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `ModelsOfMetrics`."""
        model = self._model(component)
        if "Embed" not in model.answers:
            raise ModelError(f"model {str(component)!r} gives no vectors of texts", hint="name an encoder")
        setting = Setting(
            seed=0,
            device=DEVICE,
            folder=self._folder,
            versions=self._versions(component),
            load=lambda _: self._engine(component),
        )
        return FrozenEmbedder(model, setting).embed(texts).vectors

    def match(self, component: Component, pairs: Sequence[tuple[str, str]], layer: int | None) -> list[Matched]:
        """See `ModelsOfMetrics`. Matchings are kept, the vectors are not: they would take fifty times as much."""
        if "EmbedTokens" not in self._model(component).answers:
            raise ModelError(f"model {str(component)!r} gives no vectors of tokens", hint="name an encoder")
        keys = [self._key(component, "Matched", [*pair, layer]) for pair in pairs]

        def computed(some: Sequence[tuple[str, str]]) -> list[Matched]:
            texts = list(dict.fromkeys(text for pair in some for text in pair if text.strip()))
            responses = self._engine(component).run([EmbedTokens(text, layer) for text in texts])
            embedded = [response for response in responses if isinstance(response, EmbeddedTokens)]
            if len(embedded) != len(texts):
                raise ModelError(f"{component} gave vectors of tokens of {len(embedded)} of {len(texts)} texts")
            known = dict(zip(texts, embedded, strict=True))
            return [matched(*(known.get(text, NOTHING) for text in pair)) for pair in some]

        return self._kept(keys, pairs, computed)

    def ask(self, component: Component, requests: Sequence[Request]) -> list[Response]:
        """See `ModelsOfMetrics`."""
        keys = [self._key(component, type(request).__name__, dataclasses.asdict(request)) for request in requests]

        def computed(some: Sequence[Request]) -> Sequence[Response]:
            responses = self._engine(component).run(some)
            if len(responses) != len(some):
                raise ModelError(f"{component} gave {len(responses)} answers to {len(some)} requests")
            return responses

        return self._kept(keys, requests, computed)

    def _kept(
        self, keys: Sequence[str], questions: Sequence[Q], computed: Callable[[Sequence[Q]], Sequence[A]]
    ) -> list[A]:
        """The answers to questions, in their order; those that are not in the cache are computed and kept."""
        cache = AnswerCache(self._folder / "asked-by-metrics")
        wanted = dict(zip(keys, questions, strict=True))
        found: dict[str, Any] = cache.get(list(wanted))
        missing = [key for key in wanted if key not in found]
        for begin in range(0, len(missing), TOGETHER):
            some = missing[begin : begin + TOGETHER]
            fresh = dict(zip(some, computed([wanted[key] for key in some]), strict=True))
            cache.put(fresh)
            found |= fresh
        return [found[key] for key in keys]

    def _model(self, component: Component) -> Model:
        name = str(component)
        if name not in self._models:
            self._models[name] = self._make(component)
        return self._models[name]

    def _engine(self, component: Component) -> Engine:
        name = str(component)
        if not self._asks:
            raise ModelError(
                f"not all that model {name!r} would say of it is in the cache",
                hint="`harness rescore` asks the model and keeps it",
            )
        if self._held is None or self._held[0] != name:
            self._held = None  # before the next one is loaded
            self._held = (name, self._model(component).load(DEVICE))
        return self._held[1]

    def _key(self, component: Component, kind: str, asked: object) -> str:
        told = [str(component), self.fingerprint(component), kind, asked]
        return hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest()
