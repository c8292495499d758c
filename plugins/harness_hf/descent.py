"""Steps of AdamW down a loss, with linear warm-up and decay, that stop where a number is none (Devlin et al. 2019)."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from transformers import get_linear_schedule_with_warmup

from harness.errors import TrainingError
from harness_hf.batching import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor, nn

LARGEST_NORM = 1.0
"""Gradients are cut to this norm."""


class Descent:
    """The optimiser of some modules over a known number of steps.

    Weight decay is for matrices alone: biases and the scales of norms have none.

    Args:
        modules: whose weights change.
        learning_rate: at its peak; it falls linearly to 0.
        weight_decay: of AdamW.
        warmup: the share of all steps during which the learning rate rises linearly from 0.
        steps: how many will be made.
    """

    def __init__(
        self, modules: Sequence[nn.Module], *, learning_rate: float, weight_decay: float, warmup: float, steps: int
    ) -> None:
        self._weights = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for weight in self._weights if weight.ndim > 1], "weight_decay": weight_decay},
            {"params": [weight for weight in self._weights if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=learning_rate)
        self._schedule = get_linear_schedule_with_warmup(self._optimiser, math.ceil(warmup * steps), steps)
        self._peak = learning_rate
        self._steps = steps
        self.done = 0

    def step(self, parts: Iterable[Tensor]) -> float:
        """Make a step down the sum of the parts, each of which is let go of before the next is computed; the sum.

        Raises:
            TrainingError: naming step and learning rate, when the loss or its gradient is not finite.
        """
        self.done += 1
        total = 0.0
        for part in parts:
            value = float(part.detach())
            self._require(math.isfinite(value), "the loss")
            part.backward()  # type: ignore[no-untyped-call]
            total += value
        norm = torch.nn.utils.clip_grad_norm_(self._weights, LARGEST_NORM)
        self._require(bool(norm.isfinite()), "the gradient")
        self._optimiser.step()
        self._schedule.step()
        self._optimiser.zero_grad()
        return total

    def check(self, loss: float = 0.0) -> None:
        """After some steps: neither what they led to (a loss on other rows) nor a weight is broken.

        Raises:
            TrainingError: naming step and learning rate.
        """
        finite = math.isfinite(loss) and all(bool(weight.isfinite().all()) for weight in self._weights)
        self._require(finite, "a weight, or the loss on validation rows,")

    def _require(self, finite: bool, what: str) -> None:
        if not finite:
            raise TrainingError(
                f"{what} is not finite in step {self.done} of {self._steps} at learning_rate={self._peak:g}",
                hint="lower learning_rate",
            )


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout and new weights are drawn from the seed; torch's own generators are left as they were.

    Raises:
        TrainingError: for running out of memory inside.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError("out of memory while training", hint="lower batch_size or max_tokens") from error
