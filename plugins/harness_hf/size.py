"""How much memory a model's weights take."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers, those that layers share once, integers as they lie in memory."""
    parts = itertools.chain(model.parameters(), model.buffers())
    plain = {id(part): part for tensor in parts for part in _plain(tensor)}
    return sum(part.nbytes for part in plain.values())


def _plain(tensor: Tensor) -> Iterator[Tensor]:
    """The tensors that one is made of: those of torchao pretend to be floating point."""
    if not hasattr(tensor, "__tensor_flatten__"):
        yield tensor
        return
    names, _ = tensor.__tensor_flatten__()
    for name in names:
        yield from _plain(getattr(tensor, name))
