"""Two trials on the same samples: gains over baselines, and tests against the best."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.differences import Paired, mcnemar, paired_accuracy, sign_flip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.records import Estimate, TrialResult

RIGHT_ANSWERS = ("accuracy", "exact_match")
"""Metrics that are the share of right answers: a gain has the name of the one that its trial has."""


class Right(NamedTuple):
    """Which samples a trial has right: a digest of those that it answered, in their order, and (n,) truth values."""

    samples: bytes
    right: NDArray[np.bool_]


class Pairing:
    """Compares trials by which samples they have right, a byte a sample; each trial is asked for once.

    Args:
        answers: key -> the samples that a trial answered, in the data's order, and whether it has each right.
    """

    def __init__(self, answers: Callable[[str], Iterable[tuple[str, bool]]]) -> None:
        self._answers = answers
        self._known: dict[str, Right] = {}

    def right(self, key: str) -> Right:
        """Which samples a trial has right."""
        if key not in self._known:
            samples = hashlib.sha256()
            right = bytearray()
            for sample, correct in self._answers(key):
                samples.update(f"{len(sample)} {sample}".encode("utf-8", "surrogatepass"))
                right.append(correct)
            self._known[key] = Right(samples.digest(), np.frombuffer(right, dtype=np.bool_))
        return self._known[key]

    def compare(self, a: str, b: str) -> Paired | None:
        """How trial `a` differs from trial `b`; None unless both have answered the same samples."""
        first, second = self.right(a), self.right(b)
        if not len(first.right) or first.samples != second.samples:
            return None
        return paired_accuracy(first.right, second.right)

    def versus(self, a: Sequence[str], b: Sequence[str]) -> tuple[float, float] | None:
        """Whether two rows differ, over the seeds that both have: a p-value, and the mean squared difference.

        With one seed the test is McNemar's, and the mean squared difference the share of samples on which they
        disagree; with several, each sample's share of right answers over the seeds is compared by flipping signs.

        Args:
            a: the keys of the first row's trials, seed by seed.
            b: those of the second row's, of the same seeds.
        """
        rights = [(self.right(one), self.right(other)) for one, other in zip(a, b, strict=True)]
        n = len(rights[0][0].right) if rights else 0
        if not n or len({one.samples for pair in rights for one in pair}) > 1:
            return None
        total = sum(first.right.astype(np.int64) - second.right for first, second in rights)
        differences = np.asarray(total, dtype=np.float64) / len(rights)
        disagreement = float((differences**2).mean())
        if len(rights) > 1:
            return sign_flip(differences), disagreement
        return mcnemar(int((differences == 1).sum()), int((differences == -1).sum())), disagreement

    def gains(self, result: TrialResult) -> Mapping[str, Mapping[str, Estimate]]:
        """A finished trial's gain in right answers over each of its baselines that has answered the same samples."""
        if result.status != "finished":
            return {}
        name = next((name for name in RIGHT_ANSWERS if name in result.metrics), RIGHT_ANSWERS[0])
        compared = {over: self.compare(result.trial.key, key) for over, key in result.trial.baselines.items()}
        return {over: {name: paired.difference} for over, paired in compared.items() if paired is not None}
