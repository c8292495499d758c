"""How a classifier is trained: the hyperparameters of all methods."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import TrainingError
from harness_hf.headless import HEADLESS, RECURRENT
from harness_hf.masked_head import tensor_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

METHODS = frozenset({"head", "lora", "prompt-tuning", "prefix-tuning", "bitfit"})
"""Values of `TrainingJob.method`: all weights; low-rank updates; virtual tokens; virtual keys and values; biases.

A new head is trained with each of them.
"""

NEED_PEFT = frozenset({"lora", "prompt-tuning", "prefix-tuning"})


def why_not(method: str, folder: Path) -> str | None:
    """Why a checkpoint can't be trained by a method, from its configuration and the names of its weights.

    Raises:
        ModelError: when its files are damaged.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    kind = config.get("model_type")
    own_code = "AutoModelForSequenceClassification" in (config.get("auto_map") or {})
    if kind in HEADLESS and not own_code:
        return f"transformers has no classifier for models of type {kind!r}"
    if config.get("is_encoder_decoder") and method in {"prompt-tuning", "prefix-tuning"}:
        return f"{method} does not work with encoder-decoders: their classifiers take no virtual tokens"
    if method == "prefix-tuning" and kind in RECURRENT:
        return "prefix-tuning needs keys and values in every layer, and some of its layers are recurrent; take lora"
    if method == "bitfit" and not any(name.endswith(".bias") for name in tensor_names(folder)):
        return "it has no biases: bitfit trains nothing else; take lora"
    return None


@dataclass(frozen=True, slots=True)
class Plan:
    """The hyperparameters; each method reads those that concern it.

    Attributes:
        epochs: passes over the examples.
        batch_size: examples a step.
        learning_rate: of AdamW at its peak, after which it falls linearly to 0.
        weight_decay: of AdamW.
        warmup: steps of linear warm-up; at most a tenth of all, as few steps with a long warm-up learn nothing.
        max_tokens: longer texts are cut on the right, in training and in answering.
        patience: epochs without a lower validation loss after which training stops.
        class_weights: `balanced`: each example's loss counts n / (labels * examples of its label).
        accumulation: parts that a batch is cut into, for memory's sake; the step is the same.
        gradient_checkpointing: compute activations anew in the backward pass instead of keeping them.
        r: rank of LoRA's updates.
        alpha: their scale is alpha / r.
        dropout: of what goes into them.
        target_modules: names of the layers that they are added to, with + between; `auto`: attention projections.
        virtual_tokens: of prompt-tuning and prefix-tuning.
    """

    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup: int = 500
    max_tokens: int = 256
    patience: int = 2
    class_weights: Literal["none", "balanced"] = "none"
    accumulation: int = 1
    gradient_checkpointing: bool = False
    r: int = 8
    alpha: float = 16
    dropout: float = 0.05
    target_modules: str = "auto"
    virtual_tokens: int = 20

    @classmethod
    def of(cls, method: str, hyperparameters: Mapping[str, Any]) -> Plan:
        """The plan of a job.

        Raises:
            TrainingError: when the parameters don't go together.
        """
        plan = cls(**hyperparameters)
        if plan.batch_size % plan.accumulation:
            raise TrainingError(
                f"a batch of {plan.batch_size} can't be cut into {plan.accumulation} equal parts",
                hint="let accumulation divide batch_size",
            )
        if method == "prefix-tuning" and plan.gradient_checkpointing:
            raise TrainingError(
                "prefix-tuning needs the cache that gradient checkpointing switches off",
                hint="leave gradient_checkpointing out",
            )
        return plan

    def warmup_steps(self, examples: int) -> int:
        """The warm-up for so many examples."""
        return min(self.warmup, math.ceil(examples / self.batch_size) * self.epochs // 10)

    def weights(self, said: Sequence[str], labels: Sequence[str]) -> list[float]:
        """What an example of each label counts; those of a label without examples are never asked for.

        `balanced`: n / (labels that occur * examples of the label), after King & Zeng (2001), as scikit-learn has it.
        """
        counts = Counter(said)
        if self.class_weights == "none":
            return [1.0] * len(labels)
        return [len(said) / (len(counts) * counts[label]) if counts[label] else 1.0 for label in labels]
