"""Where a model runs and with which numbers: device, dtype, and the provenance that says so."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import torch
import transformers

from harness.errors import UsageError
from harness_hf.linear import linear_of
from harness_hf.quantization import is_quantized
from harness_hf.size import weight_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)


def pick_device(wanted: str) -> torch.device:
    """The device behind `auto` (cuda, else mps, else cpu), `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises:
        UsageError: when there is no such device here.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise UsageError(f"{wanted!r} is no device", hint="write auto, cpu, cuda, cuda:1 or mps") from None
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= here.get(device.type, 0):
        raise UsageError(f"there is no device {wanted!r} on this machine", hint="harness doctor lists the devices")
    return device


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively; where it emulates, it is ten times slower than with float32."""
    return any(
        probe()
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if (probe := getattr(torch.cpu, name, None))
    )


def pick_dtype(wanted: str, device: torch.device, checkpoint: torch.dtype | None) -> torch.dtype:
    """The dtype of the weights in memory.

    `auto` is the checkpoint's own where the device is fast with it (cuda; a CPU with native bfloat16), else float32.
    """
    if wanted != "auto":
        named: torch.dtype = getattr(torch, wanted)
        return named
    own = checkpoint or torch.float32
    keeps = device.type == "cuda" or (device.type == "cpu" and own is torch.bfloat16 and cpu_has_bfloat16())
    chosen = own if keeps else torch.float32
    if chosen is not own:
        log.info("weights are stored as %s and computed as %s on %s", name_of(own), name_of(chosen), device)
    return chosen


def name_of(dtype: torch.dtype) -> str:
    """`float32` and the like."""
    return str(dtype).removeprefix("torch.")


def provenance(model: PreTrainedModel) -> dict[str, str]:
    """What stands beside the results of a loaded model."""
    return {
        "device": ", ".join(map(_named, sorted(_places(model), key=str))),
        "dtype": name_of(model.dtype),
        **({"quantization": "int8"} if is_quantized(model) else {}),
        "weights_mb": f"{weight_bytes(model) / 1e6:.1f}",
        "threads": str(torch.get_num_threads()),
        "cores": str(os.cpu_count()),
        "attention": str(model.config._attn_implementation),
        "linear": linear_of(model),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def peak_bytes(model: PreTrainedModel) -> int | None:
    """The most memory that tensors took on the cards of a loaded model since the last call; None without a card."""
    cards = [device for device in _places(model) if device.type == "cuda"]
    if not cards:
        return None
    peak = sum(torch.cuda.max_memory_allocated(card) for card in cards)
    for card in cards:
        torch.cuda.reset_peak_memory_stats(card)
    return peak


def _places(model: PreTrainedModel) -> set[torch.device]:
    return {torch.device(place) for place in getattr(model, "hf_device_map", {}).values()} or {model.device}


def _named(device: torch.device) -> str:
    if device.type == "cpu":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type})"
