"""Linear layers by oneDNN where the library that torch takes for float32, MKL, is the slower one.

MKL leaves half of the width of an AMD CPU's AVX-512 units unused: 108 GFLOP/s a core of a Zen 5 against oneDNN's 240,
on the same weights as they lie, with the same accuracy. Elsewhere the two are about equal, and torch's choice stays.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from harness.errors import UsageError
from harness_hf.closeness import close

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

SWITCH = "HARNESS_LINEAR"
"""Environment variable: `onednn` or `torch`, whatever the CPU is."""

log = logging.getLogger(__name__)


class OneDnnLinear(nn.Linear):
    """`nn.Linear` for inference."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as torch names it
        """(..., K) -> (..., N)."""
        return _product(input, self.weight, self.bias)


class OneDnnConv1D(Conv1D):
    """GPT-2's linear layer, whose weight is (K, N), for inference."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) -> (..., N)."""
        return _product(x, self.weight.t(), self.bias)


FASTER: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: OneDnnLinear, Conv1D: OneDnnConv1D}


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def linear_of(model: PreTrainedModel) -> str:
    """Which library computes its linear layers: `onednn` or `torch` (whatever that takes)."""
    return "onednn" if any(type(module) in FASTER.values() for module in model.modules()) else "torch"


def quicken(model: PreTrainedModel, states: Callable[[], Tensor]) -> None:
    """Let oneDNN compute a model's linear layers where that is faster and comes to the same states.

    It is decided by what the CPU is, not by a stop-watch: one machine always comes to the same bits.

    Args:
        model: in memory; it is changed in place and can't be trained any more.
        states: runs it on a few tokens.

    Raises:
        UsageError: when the environment variable says something else than it may.
    """
    wanted = os.environ.get(SWITCH, "")
    if wanted not in {"", "onednn", "torch"}:
        raise UsageError(f"{SWITCH}={wanted} means nothing", hint="write onednn or torch, or leave it out")
    can = model.device.type == "cpu" and model.dtype is torch.float32 and torch.backends.mkldnn.is_available()
    if not can or wanted == "torch" or not (wanted or faster_here()):
        return
    plain = states()
    changed: list[Any] = [module for module in model.modules() if type(module) in FASTER]
    for module in changed:
        module.__class__ = FASTER[type(module)]
    try:
        right = close(plain, states())
    except (RuntimeError, AttributeError) as error:
        log.debug("oneDNN can't run it: %s", error)
        right = False
    if not right:
        for module in changed:
            module.__class__ = next(slow for slow, fast in FASTER.items() if type(module) is fast)
        log.info("oneDNN comes to other states of %s: torch's own linear layers stay", type(model).__name__)


@cache
def faster_here() -> bool:
    """Whether this is a CPU by AMD with AVX-512."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:  # not Linux
        return False
