"""How a checkpoint is loaded and asked: the parameters of models that people set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import ModelError

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Pooling = Literal["mean", "cls"]
Quantization = Literal["none", "int8"]
DeviceMap = Literal["none", "auto"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a checkpoint is loaded and asked.

    Attributes:
        dtype: of the weights in memory; `auto`: float32 on CPUs without native bfloat16, the checkpoint's own on cuda.
        max_length: the window in tokens, of either side of an encoder-decoder; None for what the configuration says.
        batch_tokens: most tokens in one forward; None: see `TokenBudget.on`. Changes speed and memory, never an answer.
        trust_remote_code: whether Python files of the checkpoint may be run.
        chat: whether a prompt becomes one message of a user, in the checkpoint's chat template (not encoders), where it
            does not say itself how it is asked.
        pooling: how an encoder's states become one vector (encoders).
        quantization: `int8`: linear layers have 8-bit weights, see `harness_hf.quantization`; all else is of the dtype.
        device_map: `auto`: on cuda, over several cards where one is too small; changes no answer.
    """

    dtype: Dtype = "auto"
    max_length: int | None = None
    batch_tokens: int | None = None
    trust_remote_code: bool = False
    chat: bool = False
    pooling: Pooling = "mean"
    quantization: Quantization = "none"
    device_map: DeviceMap = "none"

    def window(self, positions: int | None) -> int | None:
        """How many tokens are read at once, of a model with so many positions (None: without a limit of its own).

        Raises:
            ModelError: when `max_length` is more than that.
        """
        if positions is not None and self.max_length is not None and self.max_length > positions:
            raise ModelError(f"max_length={self.max_length} is more than the model's {positions} tokens")
        return self.max_length or positions

    def answers_depend_on(self) -> dict[str, Any]:
        """The settings that belong to a model's identity; of later ones, those that are in use: others keep theirs."""
        known = {"dtype": self.dtype, "max_length": self.max_length, "chat": self.chat, "pooling": self.pooling}
        return known if self.quantization == "none" else {**known, "quantization": self.quantization}
