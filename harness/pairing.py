"""Two trials on the same samples: gains over baselines, and tests of one against another, by the metric that ranks."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from harness.clusters import cluster_codes, clustered_p, clustered_se
from harness.contributions import Contributions, chance, paired_contributions, standard_error
from harness.differences import Paired, exact_sign_flip, paired_accuracy
from harness.records import Estimate, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.records import TrialResult

Contributed: TypeAlias = Callable[[str, str], Contributions | None]
"""Key and metric -> what the samples of that trial add to its score, where that can be told."""

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
    """How one row differs from another: in right answers, or in another metric.

    Attributes:
        difference: the first one's score minus the second one's.
        discordance: the mean squared difference of what a sample adds to the two scores, means over the seeds; of right
            answers with one seed that is the share of samples on which the two disagree. With clusters, what it would
            be if independent samples told as much.
        p_value: of the hypothesis that they do not differ, against both sides.
        p_better: the same, against the first being better.
    """

    difference: float
    discordance: float
    p_value: float
    p_better: float


class Pairing:
    """Compares trials by which samples they have right, a byte a sample, or by other metrics; each is asked for once.

    Args:
        outcomes: key -> the samples that a trial answered, in the data's order.
        contributed: for metrics that are no share of right answers; without it nothing is compared by these.
    """

    def __init__(self, outcomes: Callable[[str], Iterable[Outcome]], contributed: Contributed | None = None) -> None:
        self._outcomes = outcomes
        self._contributed = contributed
        self._known: dict[str, Right] = {}
        self._added: dict[tuple[str, str], Contributions | None] = {}

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

    def paired(self, a: str, b: str, metric: str) -> Paired | None:
        """How two trials differ by a metric; None unless both have answered the same samples and that can be told."""
        if metric in RIGHT_ANSWERS:
            return self.compare(a, b)
        first, second = self.added(a, metric), self.added(b, metric)
        return paired_contributions(first, second) if first is not None and second is not None else None

    def added(self, key: str, metric: str) -> Contributions | None:
        """What the samples of a trial add to a metric that is no share of right answers."""
        if (key, metric) not in self._added:
            self._added[key, metric] = None if self._contributed is None else self._contributed(key, metric)
        return self._added[key, metric]

    def versus_by(self, metric: str, a: Sequence[str], b: Sequence[str]) -> Versus | None:
        """How two rows differ in a metric: `versus` where that is a share of right answers.

        By others what each sample adds to the two scores is compared, means over the seeds (`harness.contributions`).
        """
        if metric in RIGHT_ANSWERS:
            return self.versus(a, b)
        found = [(self.added(one, metric), self.added(other, metric)) for one, other in zip(a, b, strict=True)]
        pairs = [(one, other) for one, other in found if one is not None and other is not None]
        if not pairs or len(pairs) < len(found) or len({one.samples for pair in pairs for one in pair}) > 1:
            return None
        return _versus_added([one.values - other.values for one, other in pairs], pairs[0][0].n)

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
        """How much better a finished trial is than each of its baselines that has answered the same samples.

        By the metric that ranks, the first one; where nothing tells what samples add to that, in right answers.
        """
        if result.status != "finished":
            return {}
        by, key = next(iter(result.metrics), ""), result.trial.key
        if by in RIGHT_ANSWERS or self._contributed is None:
            name = next((name for name in RIGHT_ANSWERS if name in result.metrics), RIGHT_ANSWERS[0])
            compared = {over: self.compare(key, other) for over, other in result.trial.baselines.items()}
            return {over: {name: paired.difference} for over, paired in compared.items() if paired is not None}
        found: dict[str, Mapping[str, Estimate]] = {}
        for over, other in result.trial.baselines.items():
            paired = self.paired(key, other, by)
            if paired is not None:
                gain = paired.difference
                found[over] = {by: _turned(gain) if by in result.trial.losses else gain}
        return found


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


def _turned(difference: Estimate) -> Estimate:
    return Estimate(-difference.value, -difference.high, -difference.low)


def _versus_added(differences: Sequence[NDArray[np.float64]], n: int) -> Versus:
    """Of differences of contributions, seed by seed, to scores of n samples."""
    mean = np.mean(differences, axis=0)
    value, error = float(mean.mean()), standard_error(mean)
    found = chance(mean, len(differences))
    return Versus(value, n * error**2 + value**2 if mean.any() else 0.0, found.two_sided, found.above)


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
