"""Likeness of answers and references by vectors of an encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.components import parse_component
from harness.metricparts import ModelsOfMetrics, NoModels
from harness_metrics.generated import MeanOfAnswers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records import Component, TaskSpec
    from harness_metrics.generated import Written


class EmbeddingSimilarity(MeanOfAnswers):
    """The mean cosine of the vectors of answer and nearest reference, -1 to 1.

    The vectors are those of sentence encoders (Reimers & Gurevych 2019, arXiv:1908.10084), pooled as the model pools. A
    sample without an answer counts 0.

    Args:
        model: the encoder, as it is named in runs.
        models: provided.
    """

    told: Mapping[str, str] = {}

    def __init__(self, model: str = "minilm-l6", models: ModelsOfMetrics = NoModels()) -> None:  # noqa: B008 - holds nothing
        self._model = parse_component(model)
        self._asked = models

    @property
    def models(self) -> tuple[Component, ...]:
        """The encoder."""
        return (self._model,)

    def misfit(self, spec: TaskSpec) -> str | None:
        """A model without vectors."""
        del spec
        return None if "Embed" in self._asked.answers(self._model) else f"model {str(self._model)!r} embeds no texts"

    def values(self, found: Written, spec: TaskSpec) -> list[float]:
        """The cosine of each answer with the reference that it is nearest to."""
        del spec
        texts = sorted({text for said in (found.answers, *found.references) for text in said if text.strip()})
        if not texts:
            return [0.0] * len(found.answers)
        vectors = self._asked.embed(self._model, texts).astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = dict(zip(texts, np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0), strict=True))
        return [
            max((float(unit[said] @ unit[one]) for one in wanted if one in unit), default=0.0) if said in unit else 0.0
            for said, wanted in zip(found.answers, found.references, strict=True)
        ]
