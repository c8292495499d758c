"""What a head learns: a label, labels, a number, tags, a span. Targets as numbers, the loss, the score of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from harness.entities import entities_of, read_entities, tag_names, tags_of
from harness.requests import as_one
from harness.values import read_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import EvalPrediction

    from harness.interfaces import TrainingJob
    from harness.records import Learnt, Text

NUMBER = ("number",)
"""The name of the one output of a head that learns numbers."""
ENDS = ("start", "end")
"""The outputs of a head that learns spans, for each token."""
SCORES = ("macro_f1", "micro_f1", "rmse", "entity_f1", "exact_spans")
IGNORED = -100
"""In the place of a target: nothing is learnt there."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What a job's head learns.

    Attributes:
        learnt: see `TrainingJob`.
        labels: the names of its outputs.
        mean: of the training numbers, which are learnt standardised: how fast a head learns would else depend on the
            unit.
        deviation: theirs.
    """

    learnt: Learnt
    labels: tuple[str, ...]
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, job: TrainingJob) -> Objective:
        """The job's."""
        if job.learnt == "span":
            return cls("span", ENDS)
        if job.learnt == "tags":
            return cls("tags", tag_names(job.labels))
        if job.learnt != "number":
            return cls(job.learnt, job.labels)
        numbers = np.array([float(number) for _, number in job.examples])
        return cls("number", NUMBER, float(numbers.mean()), float(numbers.std()) or 1.0)

    def targets(self, examples: Sequence[tuple[Text, str]]) -> list[Any]:
        """What the loss compares outputs with: the number of each example's label, marks of its labels, its number.

        Of tags: the number of each word's.
        """
        if self.learnt == "number":
            return [(float(number) - self.mean) / self.deviation for _, number in examples]
        if self.learnt == "labels":
            held = [set(read_labels(written)) for _, written in examples]
            return [[float(label in one) for label in self.labels] for one in held]
        numbers = {label: number for number, label in enumerate(self.labels)}
        if self.learnt == "tags":
            return [[numbers[tag] for tag in _tags(*example)] for example in examples]
        return [numbers[label] for _, label in examples]

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """(B, outputs) logits and targets -> the sum of the targets' losses; `weights` are of single labels.

        Of tags (B, L, outputs) and (B, L), where `IGNORED` ones cost nothing; of spans (B, 2, L) and (B, 2) places.
        """
        if self.learnt == "number":
            return mse_loss(logits[:, 0], targets.float(), reduction="sum")
        if self.learnt == "labels":
            return binary_cross_entropy_with_logits(logits, targets.float(), reduction="sum")
        if self.learnt in {"tags", "span"}:
            return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return cross_entropy(logits, targets, weights.to(targets.device), reduction="sum")

    def logits(self, outputs: Any) -> Tensor:  # noqa: ANN401 - whatever a model's class gives
        """What the loss reads of a model's outputs, float32."""
        if self.learnt == "span":
            return torch.stack([outputs.start_logits, outputs.end_logits], dim=1).float()
        found: Tensor = outputs.logits.float()
        return found

    def score(self, evaluated: EvalPrediction) -> dict[str, float]:
        """What is recorded of an epoch beside its loss."""
        logits: Any = evaluated.predictions
        if self.learnt == "span":  # starts and ends of each window
            said = np.stack([one.argmax(-1) for one in logits[:2]], axis=1)
            return {"exact_spans": float((said == evaluated.label_ids).all(axis=1).mean())}
        if isinstance(logits, tuple):  # some models give states beside their logits
            logits = logits[0]
        true: Any = evaluated.label_ids
        if self.learnt == "number":
            return {"rmse": self.deviation * float(np.sqrt(np.mean((logits[:, 0] - true) ** 2)))}
        if self.learnt == "label":
            return macro_f1(evaluated)
        if self.learnt == "tags":
            return {"entity_f1": self._entity_f1(logits.argmax(-1), np.asarray(true))}
        said, wanted = logits >= 0, np.asarray(true) > 0.5
        return {"micro_f1": float(2 * (said & wanted).sum() / max(1, said.sum() + wanted.sum()))}

    def _entity_f1(self, said: Any, true: Any) -> float:  # noqa: ANN401 - arrays
        """F1 of entities whose tokens and type are right, of (n, L) numbers of tags."""
        hits = total = 0
        for one, other, at in zip(said, true, true != IGNORED, strict=True):
            found, wanted = (set(entities_of([self.labels[number] for number in row[at]])) for row in (one, other))
            hits, total = hits + len(found & wanted), total + len(found) + len(wanted)
        return 2 * hits / max(1, total)


def _tags(text: Text, written: str) -> list[str]:
    return tags_of((one for one, _ in read_entities(written)), len(as_one(text).split(" ")))


def macro_f1(evaluated: EvalPrediction) -> dict[str, float]:
    """The mean of F1 over the labels that are predicted or true."""
    logits: Any = evaluated.predictions
    if isinstance(logits, tuple):
        logits = logits[0]
    predicted, true = np.argmax(logits, -1), np.asarray(evaluated.label_ids)
    present = np.union1d(predicted, true)
    hits = [2 * np.sum((predicted == label) & (true == label)) for label in present]
    sizes = [np.sum(predicted == label) + np.sum(true == label) for label in present]
    return {"macro_f1": float(np.mean([hit / size for hit, size in zip(hits, sizes, strict=True)]))}


def read_out(logits: Tensor, *, several: bool) -> Tensor:
    """(n, labels) logits -> log-probabilities: of all labels together, or where a text can have several of each."""
    return torch.nn.functional.logsigmoid(logits) if several else logits.log_softmax(-1)
