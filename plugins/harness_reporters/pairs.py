"""Every two trials of a table on the same samples: who is better by how much, and could it be chance."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from harness.differences import paired_accuracy

if TYPE_CHECKING:
    from collections.abc import Mapping

MANY = 45
"""Trials of one table of which each is compared with each; of more the first ones are."""


def compared(answered: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    """Keys of two trials; their difference in right answers with its 95% interval; McNemar's exact p-value.

    Args:
        answered: key -> what `harness_reporters.answers.answers` made of the trial.
    """
    rights = {
        key: [target == answer for target, answer in zip(one["targets"], one["answers"], strict=True)]
        for key, one in list(answered.items())[:MANY]
        if "f" not in one["status"]  # a failed sample is neither right nor wrong
    }
    found = []
    for a, b in combinations(rights, 2):
        if answered[a]["ids"] == answered[b]["ids"]:
            paired = paired_accuracy(rights[a], rights[b])
            difference = paired.difference
            found.append([a, b, difference.value, difference.low, difference.high, paired.p_value])
    return found
