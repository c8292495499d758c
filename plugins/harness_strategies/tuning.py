"""Fine-tuning of few parameters: LoRA, soft prompts, prefixes, biases. Each trains a new head as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal  # noqa: F401 - annotations of inherited parameters are read here

from pydantic import Field

from harness_strategies.finetuning import FineTune


@dataclass(frozen=True, slots=True)
class FewWeights(FineTune):
    """What the ways have in common: few parameters need more passes."""

    epochs: Annotated[int, Field(ge=1)] = 10


@dataclass(frozen=True, slots=True)
class LoRA(FewWeights):
    """Low-rank updates W + (alpha / r) B A of frozen weights (Hu et al. 2022); as `FineTune` but for these.

    Args:
        learning_rate: of AdamW, at its peak.
        r: rank of the updates.
        alpha: their scale is alpha / r.
        dropout: of what goes into them.
        target_modules: names of the layers that get one, with `+` between; `auto`: queries' and values' projections.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    r: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[float, Field(gt=0)] = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    target_modules: Annotated[str, Field(min_length=1)] = "auto"

    method: ClassVar[str] = "lora"


@dataclass(frozen=True, slots=True)
class PromptTuning(FewWeights):
    """Learnt vectors before the text's own (Lester et al. 2021); as `FineTune` but for these.

    Args:
        learning_rate: of AdamW, at its peak.
        virtual_tokens: the number of vectors.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 0.03
    virtual_tokens: Annotated[int, Field(ge=1)] = 20

    method: ClassVar[str] = "prompt-tuning"


@dataclass(frozen=True, slots=True)
class PrefixTuning(FewWeights):
    """Learnt keys and values before the text's own, in every layer (Li & Liang 2021); as `FineTune` but for these.

    Args:
        learning_rate: of AdamW, at its peak.
        virtual_tokens: the number of keys and values in a layer.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 1e-2
    virtual_tokens: Annotated[int, Field(ge=1)] = 20

    method: ClassVar[str] = "prefix-tuning"


@dataclass(frozen=True, slots=True)
class BitFit(FewWeights):
    """The biases alone (Ben Zaken et al. 2022); as `FineTune` but for these.

    Args:
        learning_rate: of AdamW, at its peak.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3

    method: ClassVar[str] = "bitfit"
