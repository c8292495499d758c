"""What a head learns: a label, any number of labels, a number. Targets as numbers, the loss, the score of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from harness.values import read_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import EvalPrediction

    from harness.interfaces import TrainingJob
    from harness.records import Learnt, Text

NUMBER = ("number",)
"""The name of the one output of a head that learns numbers."""
SCORES = ("macro_f1", "micro_f1", "rmse")


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
        if job.learnt != "number":
            return cls(job.learnt, job.labels)
        numbers = np.array([float(number) for _, number in job.examples])
        return cls("number", NUMBER, float(numbers.mean()), float(numbers.std()) or 1.0)

    def targets(self, examples: Sequence[tuple[Text, str]]) -> list[Any]:
        """What the loss compares outputs with: the number of each example's label, marks of its labels, its number."""
        if self.learnt == "number":
            return [(float(number) - self.mean) / self.deviation for _, number in examples]
        if self.learnt == "labels":
            held = [set(read_labels(written)) for _, written in examples]
            return [[float(label in one) for label in self.labels] for one in held]
        numbers = {label: number for number, label in enumerate(self.labels)}
        return [numbers[label] for _, label in examples]

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """(B, outputs) logits and targets -> the sum of the examples' losses; `weights` are of single labels."""
        if self.learnt == "number":
            return mse_loss(logits[:, 0], targets.float(), reduction="sum")
        if self.learnt == "labels":
            return binary_cross_entropy_with_logits(logits, targets.float(), reduction="sum") / len(self.labels)
        return cross_entropy(logits, targets, weights.to(targets.device), reduction="sum")

    def score(self, evaluated: EvalPrediction) -> dict[str, float]:
        """What is recorded of an epoch beside its loss."""
        logits: Any = evaluated.predictions
        if isinstance(logits, tuple):  # some models give states beside their logits
            logits = logits[0]
        true: Any = evaluated.label_ids
        if self.learnt == "number":
            return {"rmse": self.deviation * float(np.sqrt(np.mean((logits[:, 0] - true) ** 2)))}
        if self.learnt == "label":
            return macro_f1(evaluated)
        said, wanted = logits >= 0, np.asarray(true) > 0.5
        return {"micro_f1": float(2 * (said & wanted).sum() / max(1, said.sum() + wanted.sum()))}


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
