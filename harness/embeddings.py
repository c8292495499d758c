"""Embeddings of a frozen model: each text once, kept on disk. For strategies that adapt, never for answering."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import ModelError
from harness.requests import Embed, Embedded
from harness.vectorcache import BUDGET, Kept, VectorCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.interfaces import Engine, Model, Setting

TOGETHER = 256
"""Texts that are asked and kept at once: what an interrupted run does not lose."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What embedding some texts gave.

    Attributes:
        vectors: (n, D) float32, in the order of the texts.
        seconds: what embedding each different text took when it was computed, now or before.
        kept: how many of the different texts came from the disk.
        prompt_tokens: tokens that were read for the different texts.
        cut: how many texts were longer than the model's window.
    """

    vectors: NDArray[np.float32]
    seconds: float
    kept: int
    prompt_tokens: int
    cut: int


class FrozenEmbedder:
    """Embeds texts with a model as it is, and loads it only when a text has not been embedded before.

    Vectors are kept below `setting.folder`, by the model's fingerprint (weights, pooling, window, dtype), the kind of
    device, the versions of the plugins that take part, and the text. Training on them is honest about its time, since
    the seconds of each are kept with it; a latency is not, so what answers samples asks the `engine` itself.

    Args:
        model: answers `Embed`.
        setting: device, folder of the cache, versions.
        budget: most bytes of the cache; beyond it the oldest vectors go.
    """

    def __init__(self, model: Model, setting: Setting, budget: int = BUDGET) -> None:
        self._model = model
        self._setting = setting
        self._cache = VectorCache(setting.folder / "embeddings", budget)
        parts = (model.fingerprint(), setting.device.partition(":")[0], sorted(setting.versions.items()))
        self._identity = repr(parts).encode()

    @cached_property
    def engine(self) -> Engine:
        """The model in memory, loaded when it is first needed."""
        return self._setting.engine(self._model)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """The vectors of texts; those that repeat another are computed once.

        Raises:
            ModelError: when the engine answers something else, or not every text.
        """
        keys = [self._key(text) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        found = self._cache.get(list(wanted))
        kept = len(found)
        spent = [(one.prompt_tokens, one.seconds) for one in found.values()]
        self._setting.meter.kept(kept, sum(tokens for tokens, _ in spent), sum(seconds for _, seconds in spent))
        missing = [(key, text) for key, text in wanted.items() if key not in found]
        for begin in range(0, len(missing), TOGETHER):
            fresh = self._computed(missing[begin : begin + TOGETHER])
            self._cache.put(fresh)
            found |= fresh
        return Embeddings(
            vectors=np.stack([found[key].vector for key in keys]) if keys else np.zeros((0, 0), np.float32),
            seconds=sum(one.seconds for one in found.values()),
            kept=kept,
            prompt_tokens=sum(one.prompt_tokens for one in found.values()),
            cut=sum(one.cut_tokens > 0 for one in (found[key] for key in keys)),
        )

    def _computed(self, missing: Sequence[tuple[bytes, str]]) -> dict[bytes, Kept]:
        engine = self.engine  # loading is no part of the seconds below
        started = perf_counter()
        responses = engine.run([Embed(text) for _, text in missing])
        each = (perf_counter() - started) / len(missing)
        vectors = [response for response in responses if isinstance(response, Embedded)]
        if len(vectors) != len(missing):
            raise ModelError(f"the model gave {len(vectors)} vectors for {len(missing)} texts")
        return {
            key: Kept(
                np.asarray(response.vector, np.float32), response.usage.prompt_tokens, response.usage.cut_tokens, each
            )
            for (key, _), response in zip(missing, vectors, strict=True)
        }

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(self._identity + b"\0" + text.encode("utf-8", "surrogatepass")).digest()
