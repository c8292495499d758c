"""Whether two ways to the same numbers came to the same, but for the noise of the order of summation."""

from __future__ import annotations

import torch
from torch import Tensor

WHOLE = 1e-4
"""How far the largest difference may be, as a share of the largest number: in float32."""

HALF = 5e-2
"""The same in dtypes of 16 bits."""


def close(expected: Tensor, found: Tensor, dtype: torch.dtype | None = None, *, half: float = HALF) -> bool:
    """Whether found numbers are the expected ones; of the same shape.

    Args:
        expected: as the plain way has them.
        found: by the way that is tried.
        dtype: in which they were computed, which says how much noise there may be; that of `expected` unless told.
        half: the bound for dtypes of 16 bits.
    """
    bound = WHOLE if (dtype or expected.dtype) is torch.float32 else half
    return bool((found - expected).abs().max() <= bound * expected.abs().max().clamp(min=1e-6))
