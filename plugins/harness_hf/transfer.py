"""Token ids from the CPU to where the model runs, without waiting for the copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def on_device(ids: Sequence[int] | Sequence[Sequence[int]] | Tensor, device: torch.device) -> Tensor:
    """Numbers as a tensor on a device; a tensor keeps its dtype, numbers become int64.

    To cuda they go from pinned memory, so that the CPU goes on while they are copied; what runs on the device's
    stream afterwards sees them whole. Torch keeps the pinned memory until then.
    """
    tensor = torch.as_tensor(ids, dtype=None if isinstance(ids, torch.Tensor) else torch.long)
    if device.type != "cuda":
        return tensor.to(device)
    if tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
