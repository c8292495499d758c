"""Seeds that are made of seeds, so that what is drawn for one sample or answer says nothing of another's. Pure."""

from __future__ import annotations

import hashlib
import json


def derived(seed: int, name: str | int) -> int:
    """A seed of its own for what is called `name`, below 2**63; the same on every platform.

    Args:
        seed: of the whole that it is a part of.
        name: of the part; the number 1 and the text "1" are two.
    """
    digest = hashlib.sha256(json.dumps([seed, name]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def answer_seeds(seed: int, n: int) -> tuple[int, ...]:
    """The seeds of n answers to one request: the first has the request's own, so it is the answer that n = 1 gives."""
    return (seed, *(derived(seed, number) for number in range(1, n)))
