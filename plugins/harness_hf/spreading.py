"""One model over several cards: when to, and what the engine needs for it (`device_map=auto`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import send_to_device  # type: ignore[import-untyped]
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn
    from transformers import PreTrainedModel

ATTENTION = "harness_spread"
"""Transformers' own sdpa under another name: engines pack prompts only where one device has all keys and values."""

ROOM = 1.25
"""Memory for each byte of weights: keys, values and states have to fit as well."""

log = logging.getLogger(__name__)


def spreads(needed: int, free: Sequence[int]) -> bool:
    """Whether weights of so many bytes go over several cards with so many bytes free: they don't fit on the first one.

    One card is faster than several, which wait for one another.
    """
    return len(free) > 1 and needed * ROOM > free[0]


def placement(folder: Path, device: torch.device, dtype: torch.dtype, stored: torch.dtype | None) -> dict[str, Any]:
    """What `from_pretrained` is told: nothing, or to lay the layers over all cards.

    Args:
        folder: of the checkpoint.
        device: the one that is asked for.
        dtype: of the weights in memory.
        stored: of the weights in the files, where the configuration tells.

    Raises:
        ModelError: when the device is not cuda, or one card is named.
    """
    if device.type != "cuda" or device.index is not None:
        raise ModelError(
            f"device_map=auto spreads a model over all cards, and the device is {device}",
            hint="leave device_map out, or write --device cuda",
        )
    files = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    needed = files * dtype.itemsize // (stored or dtype).itemsize
    free = [torch.cuda.mem_get_info(card)[0] for card in range(torch.cuda.device_count())]
    if not spreads(needed, free):
        return {}
    log.info("%.1f GB of weights are spread over %d cards", needed / 1e9, len(free))
    return {"device_map": "auto", "attn_implementation": ATTENTION}


def gather(model: PreTrainedModel) -> None:
    """Have what a spread model's parts give come back to the card of its embedding, where engines go on.

    Raises:
        ModelError: when some of it lies on no card: layers that are fetched for each forward take seconds for each.
    """
    if {"cpu", "disk"} & {str(place) for place in getattr(model, "hf_device_map", {}).values()}:
        raise ModelError("the model does not fit on all cards together", hint="give a smaller dtype")
    home = model.device

    def bring(module: nn.Module, inputs: Any, output: Any) -> Any:  # noqa: ANN401, ARG001 - as torch calls it
        return send_to_device(output, home, skip_keys="past_key_values")

    for part in (model.base_model, model.get_output_embeddings()):  # type: ignore[no-untyped-call]
        if part is not None:
            part.register_forward_hook(bring)


AttentionInterface.register(ATTENTION, sdpa_attention_forward)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
