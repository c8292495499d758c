"""pass@k: how likely is one of k programs to pass the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes
from harness.statistics import wilson
from harness.weighing import weighted_mean
from harness_metrics.weighting import summed_interval, summed_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.differences import Paired
    from harness.records import Estimate, Prediction, TaskSpec
    from harness.resampling import Counts, Floats
    from harness.weighing import Weighted


class PassAt:
    """The share of problems that one of k programs solves, by the unbiased estimate of n >= k (Chen et al. 2021).

    arXiv:2107.03374: of n programs c pass, and k drawn of them all fail with probability C(n-c, k) / C(n, k). The
    interval is a bootstrap's over problems; of one program for each problem it is Wilson's.
    """

    higher_is_better = True
    k = 1

    def compute(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Estimate | None:  # noqa: ARG002 - same for all tasks
        """None where a problem has fewer than k programs, or none was run."""
        found = self._chances(predictions)
        if found is None:
            return None
        chances, clusters = found
        if clusters is None and set(chances) <= {0.0, 1.0}:
            return wilson(int(chances.sum()), len(chances))
        return summed_interval(_counted(chances), _mean, clusters)

    def weighted(self, predictions: Sequence[Prediction], spec: TaskSpec) -> Weighted | None:  # noqa: ARG002 - same for all tasks
        """The score as a function of weights; None where a problem has fewer than k programs."""
        found = self._chances(predictions)
        return None if found is None else weighted_mean(found[0])

    def compare(
        self,
        a: Sequence[Prediction],
        b: Sequence[Prediction],
        spec: TaskSpec,  # noqa: ARG002 - same for all tasks
        level: float = 0.95,
    ) -> Paired | None:
        """Their difference on the same problems."""
        first, second = self._chances(a), self._chances(b)
        if first is None or second is None:
            return None
        return summed_pair(_counted(first[0]), _counted(second[0]), _mean, first[1], level=level)

    def _chances(self, predictions: Sequence[Prediction]) -> tuple[Floats, Counts | None] | None:
        counts = [(one.measured.get("programs", 0), one.measured.get("passed", 0)) for one in predictions]
        if any(n < self.k for n, _ in counts):
            return None
        chances = np.array([pass_chance(n, c, self.k) for n, c in counts])
        return chances, cluster_codes(one.cluster for one in predictions)


class PassAt10(PassAt):
    """pass@10."""

    k = 10


class PassAt100(PassAt):
    """pass@100."""

    k = 100


def pass_chance(n: int, c: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k): how likely one of k programs is to pass, drawn of n of which c pass."""
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def _counted(chances: Floats) -> Floats:
    """(n, 2): the chance of each problem, and 1 for the problem."""
    return np.stack([chances, np.ones_like(chances)], axis=1)


def _mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])
