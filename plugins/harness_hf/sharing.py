"""The token prefix that all rows of a call have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_hf.trie import common_length

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_SHARED = 32
"""Shorter prefixes cost more to handle than they save."""


def shared_length(inputs: Sequence[tuple[int, ...]], own: Sequence[int]) -> int:
    """How many leading tokens to compute once; 0 where it isn't worth it.

    Args:
        inputs: token ids of each row.
        own: for each row the first place whose logits are needed: a cache holds no logits, so that token is run again.
    """
    if len(inputs) < 2:
        return 0
    # The smallest and the largest row differ first where any two do.
    common = common_length(min(inputs), max(inputs))
    length = min(common, *own)
    return length if length >= LEAST_SHARED else 0
