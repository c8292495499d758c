"""Every two trials of a table on the same samples: who is better by how much, and could it be chance."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from harness.differences import paired_accuracy
from harness.interfaces import MeasuresTrials
from harness.pairing import RIGHT_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.differences import Paired
    from harness.interfaces import Evidence

MANY = 45
"""Trials of one table of which each is compared with each; of more the first ones are."""


def compared(answered: Mapping[str, Mapping[str, Any]], metric: str, evidence: Evidence) -> list[list[Any]]:
    """Keys of two trials; their difference in a metric with its 95% interval; the p-value.

    Args:
        answered: key -> what `harness_reporters.answers.answers` made of the trial.
        metric: the one that ranks.
        evidence: compares them, where it can; otherwise right answers are.
    """
    keys = [
        key
        for key, one in list(answered.items())[:MANY]
        if "f" not in one["status"]  # a failed sample is neither right nor wrong
    ]
    measured = evidence if isinstance(evidence, MeasuresTrials) else None
    found = []
    for a, b in combinations(keys, 2):
        if answered[a]["ids"] == answered[b]["ids"]:
            paired = measured.paired(a, b, metric) if measured else _by_answers(answered[a], answered[b], metric)
            if paired is not None:
                difference = paired.difference
                found.append([a, b, difference.value, difference.low, difference.high, paired.p_value])
    return found


def _by_answers(a: Mapping[str, Any], b: Mapping[str, Any], metric: str) -> Paired | None:
    return paired_accuracy(_right(a), _right(b)) if metric in RIGHT_ANSWERS else None


def _right(one: Mapping[str, Any]) -> list[bool]:
    equal = [target == answer for target, answer in zip(one["targets"], one["answers"], strict=True)]
    return [one["judged"].get(number, right) for number, right in enumerate(equal)]
