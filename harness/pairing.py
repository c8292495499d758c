"""Two trials on the same samples: gains over baselines, and tests of one against another."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.clusters import cluster_codes, clustered_p, clustered_se
from harness.differences import Paired, exact_sign_flip, paired_accuracy
from harness.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.records import Estimate, TrialResult

RIGHT_ANSWERS = ("accuracy", "exact_match")
"""Metrics that are the share of right answers: a gain has the name of the one that its trial has."""


class Right(NamedTuple):
    """Which samples a trial has right.

    Attributes:
        samples: a digest of those that it answered, in their order.
        right: (n,) whether it has each right.
        commonest: (n,) whether the target that most samples have, the first of equals, is each one's; empty where
            targets are not known.
        clusters: (n,) what `harness.clusters.cluster_codes` gives.
    """

    samples: bytes
    right: NDArray[np.bool_]
    commonest: NDArray[np.bool_]
    clusters: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class Versus:
    """How the right answers of one row differ from those of another.

    Attributes:
        difference: the first one's share minus the second one's.
        discordance: the mean squared difference of a sample's shares of right answers over the seeds: with one seed
            the share of samples on which the two disagree. With clusters, what it would be if independent samples told
            as much.
        p_value: of the hypothesis that they do not differ, against both sides.
        p_better: the same, against the first being better.
    """

    difference: float
    discordance: float
    p_value: float
    p_better: float


class Pairing:
    """Compares trials by which samples they have right, a byte a sample; each trial is asked for once.

    Args:
        outcomes: key -> the samples that a trial answered, in the data's order.
    """

    def __init__(self, outcomes: Callable[[str], Iterable[Outcome]]) -> None:
        self._outcomes = outcomes
        self._known: dict[str, Right] = {}

    def right(self, key: str) -> Right:
        """Which samples a trial has right."""
        if key not in self._known:
            self._known[key] = _read(self._outcomes(key))
        return self._known[key]

    def compare(self, a: str, b: str) -> Paired | None:
        """How trial `a` differs from trial `b`; None unless both have answered the same samples."""
        first, second = self.right(a), self.right(b)
        if not len(first.right) or first.samples != second.samples:
            return None
        return paired_accuracy(first.right, second.right, clusters=first.clusters)

    def versus(self, a: Sequence[str], b: Sequence[str]) -> Versus | None:
        """How two rows differ, over the seeds that both have; None unless all answered the same samples.

        With one seed the tests are McNemar's; with several, each sample's share of right answers over the seeds is
        compared by flipping signs, exactly. With clusters they are Student's.

        Args:
            a: the keys of the first row's trials, seed by seed.
            b: those of the second row's, of the same seeds.
        """
        rights = [(self.right(one), self.right(other)) for one, other in zip(a, b, strict=True)]
        if len({one.samples for pair in rights for one in pair}) > 1:
            return None
        return _versus([(first, second.right) for first, second in rights])

    def over_commonest(self, keys: Sequence[str]) -> Versus | None:
        """How a row differs from the answer that most samples have as target; None where nothing was answered."""
        rights = [self.right(key) for key in keys]
        if len({one.samples for one in rights}) != 1 or not len(rights[0].commonest):
            return None
        return _versus([(one, one.commonest) for one in rights])

    def commonest(self, key: str) -> float | None:
        """The share of samples that have the commonest target; None where nothing was answered."""
        found = self.right(key).commonest
        return float(found.mean()) if len(found) else None

    def gains(self, result: TrialResult) -> Mapping[str, Mapping[str, Estimate]]:
        """A finished trial's gain in right answers over each of its baselines that has answered the same samples."""
        if result.status != "finished":
            return {}
        name = next((name for name in RIGHT_ANSWERS if name in result.metrics), RIGHT_ANSWERS[0])
        compared = {over: self.compare(result.trial.key, key) for over, key in result.trial.baselines.items()}
        return {over: {name: paired.difference} for over, paired in compared.items() if paired is not None}


def _read(outcomes: Iterable[Outcome]) -> Right:
    samples = hashlib.sha256()
    right = bytearray()
    targets, known = array("q"), dict[str, int]()
    clusters: list[str | None] = []
    for sample, correct, target, cluster in (Outcome(*one) for one in outcomes):
        samples.update(f"{len(sample)} {sample}".encode("utf-8", "surrogatepass"))
        right.append(correct)
        clusters.append(cluster)
        if target is not None:
            targets.append(known.setdefault(target, len(known)))
    commonest = np.zeros(0, dtype=np.bool_)
    if targets and len(targets) == len(right):
        codes = np.frombuffer(targets, dtype=np.int64)
        commonest = codes == np.bincount(codes).argmax()
    return Right(samples.digest(), np.frombuffer(right, dtype=np.bool_), commonest, cluster_codes(clusters))


def _versus(pairs: Sequence[tuple[Right, NDArray[np.bool_]]]) -> Versus | None:
    """Of what rows have right, seed by seed, and which of the same samples something else has right."""
    n = len(pairs[0][0].right) if pairs else 0
    if not n:
        return None
    total = sum((one.right.astype(np.int64) - other for one, other in pairs), np.zeros(n, dtype=np.int64))
    differences = total / len(pairs)
    mean, squared = float(differences.mean()), float((differences**2).mean())
    clusters = pairs[0][0].clusters
    if clusters is None:
        return Versus(mean, squared, *exact_sign_flip(total))
    if not total.any():
        return Versus(0.0, 0.0, 1.0, 1.0)
    return Versus(mean, n * clustered_se(differences, clusters) ** 2 + mean**2, *clustered_p(differences, clusters))
