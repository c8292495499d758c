"""Models that metrics ask: loaded when something has to be computed, each answer and vector kept on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

from harness.answercache import AnswerCache
from harness.embeddings import FrozenEmbedder
from harness.errors import ModelError
from harness.interfaces import Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.interfaces import Engine, Model
    from harness.records import Component, Request, RequestKind, Response

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

    def ask(self, component: Component, requests: Sequence[Request]) -> list[Response]:
        """See `ModelsOfMetrics`."""
        cache = AnswerCache(self._folder / "asked-by-metrics")
        keys = [self._key(component, request) for request in requests]
        wanted = dict(zip(keys, requests, strict=True))
        found = cache.get(list(wanted))
        missing = [(key, request) for key, request in wanted.items() if key not in found]
        for begin in range(0, len(missing), TOGETHER):
            some = missing[begin : begin + TOGETHER]
            responses = self._engine(component).run([request for _, request in some])
            if len(responses) != len(some):
                raise ModelError(f"{component} gave {len(responses)} answers to {len(some)} requests")
            fresh = {key: response for (key, _), response in zip(some, responses, strict=True)}
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
        if self._held is None or self._held[0] != name:
            self._held = None  # before the next one is loaded
            self._held = (name, self._model(component).load(DEVICE))
        return self._held[1]

    def _key(self, component: Component, request: Request) -> str:
        told = [str(component), self.fingerprint(component), type(request).__name__, dataclasses.asdict(request)]
        return hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest()
