"""Every two trials of a table on the same samples: who is better by how much, and could it be chance."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING, Any

from harness.differences import paired_accuracy
from harness.interfaces import MeasuresTrials
from harness.pairing import RIGHT_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.differences import Paired
    from harness.interfaces import Evidence
    from harness.records import Prediction

MANY = 45
"""Trials of one table of which each is compared with each; of more the first ones are."""


class Right:
    """Which samples a trial has right, added one by one: a byte a sample.

    Attributes:
        failed: whether one of them failed, which is neither right nor wrong.
    """

    def __init__(self) -> None:
        self._samples = hashlib.sha256()
        self._right = bytearray()
        self.failed = False

    def add(self, prediction: Prediction) -> None:
        """Count one."""
        name = prediction.sample_id.encode("utf-8", "surrogatepass")
        self._samples.update(b"%d %b" % (len(name), name))
        self._right.append(prediction.correct)
        self.failed = self.failed or prediction.status == "failed"

    def has_samples_of(self, other: Right) -> bool:
        """Whether both are of the same samples in the same order."""
        return self._samples.digest() == other._samples.digest()

    def each(self) -> list[bool]:
        """Whether each is right."""
        return list(map(bool, self._right))


def compared(answered: Mapping[str, Right], metric: str, evidence: Evidence) -> list[list[Any]]:
    """Keys of two trials; their difference in a metric with its 95% interval; the p-value.

    Args:
        answered: key -> what the trial has right.
        metric: the one that ranks.
        evidence: compares them, where it can; otherwise right answers are.
    """
    keys = [key for key, one in list(answered.items())[:MANY] if not one.failed]
    measured = evidence if isinstance(evidence, MeasuresTrials) else None
    found = []
    for a, b in combinations(keys, 2):
        if answered[a].has_samples_of(answered[b]):
            paired = measured.paired(a, b, metric) if measured else _by_answers(answered[a], answered[b], metric)
            if paired is not None:
                difference = paired.difference
                found.append([a, b, difference.value, difference.low, difference.high, paired.p_value])
    return found


def _by_answers(a: Right, b: Right, metric: str) -> Paired | None:
    return paired_accuracy(a.each(), b.each()) if metric in RIGHT_ANSWERS else None
