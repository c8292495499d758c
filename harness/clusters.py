"""Scores of samples that come in clusters: several questions about one passage, paraphrases, rows of one source.

Samples of a cluster tend to be right or wrong together, so they say less than as many independent ones: a standard
error that ignores this can be three times too small (Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640).
Clusters are taken as drawn at random; with fewer than about ten of them no interval is to be relied on.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.records import Estimate
from harness.resampling import REPLICATES, Counts, Draws, Floats, Score, clustered_bca

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Truths: TypeAlias = NDArray[np.bool_]


def cluster_codes(names: Iterable[str | None]) -> Counts | None:
    """A number for each sample's cluster; a sample without one is a cluster of its own. None where none has one."""
    known: dict[str, int] = {}
    numbers = count()
    codes = np.fromiter(
        (next(numbers) if name is None else known.setdefault(name, next(numbers)) for name in names), dtype=np.int64
    )
    return np.unique(codes, return_inverse=True)[1].astype(np.int64) if known else None


def clustered_se(values: Sequence[float] | Floats, clusters: Counts) -> float:
    """The standard error of a mean: sqrt(C / (C - 1) x the sum over clusters of squared sums of deviations) / n.

    Equal to the cluster-robust one of a regression on a constant (CR1; Liang & Zeger 1986, Biometrika 73:13).

    Args:
        values: (n,) one a sample.
        clusters: (n,) what `cluster_codes` gives.

    Returns:
        The error; infinite for a single cluster.
    """
    sample = np.asarray(values, dtype=np.float64)
    sums = np.bincount(clusters, weights=sample - sample.mean())
    if len(sums) < 2:
        return math.inf
    return math.sqrt(len(sums) / (len(sums) - 1) * float((sums**2).sum())) / sample.size


def clustered_mean(values: Sequence[float] | Floats, clusters: Counts, level: float = 0.95) -> Estimate:
    """A mean with Student's interval by the clustered standard error, with C - 1 degrees of freedom.

    Raises:
        ValueError: when there are no values.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not sample.size:
        raise ValueError("a mean of no values")
    mean, error = float(sample.mean()), clustered_se(sample, clusters)
    half = _student_quantile((1 + level) / 2, clusters) * error if math.isfinite(error) else math.inf
    return Estimate(mean, mean - half, mean + half)


def clustered_share(right: Sequence[bool] | Truths, clusters: Counts, level: float = 0.95) -> Estimate:
    """A proportion with Wilson's interval for as many independent samples as the clustered ones are worth.

    That number is n divided by the design effect, the clustered variance over the independent one (Kish 1965; Dean &
    Pagano 2015, J. Surv. Stat. Methodol. 3:484), and n at most; where all are right, or none is, it is the number of
    clusters. The quantile is Student's, with C - 1 degrees of freedom.

    Raises:
        ValueError: when there are no samples.
    """
    sample = np.asarray(right, dtype=np.float64)
    if not sample.size:
        raise ValueError("a share of no samples")
    share, n = float(sample.mean()), float(sample.size)
    number = int(clusters.max()) + 1
    if number < 2:
        return Estimate(share, 0.0, 1.0)
    worth = float(number)
    if 0 < share < 1:
        variance = clustered_se(sample, clusters) ** 2
        worth = min(n, share * (1 - share) / variance) if variance > 0 else n
    z = _student_quantile((1 + level) / 2, clusters)
    centre = (share + z * z / (2 * worth)) / (1 + z * z / worth)
    half = z * math.sqrt(share * (1 - share) / worth + (z / (2 * worth)) ** 2) / (1 + z * z / worth)
    return Estimate(share, 0.0 if share == 0 else centre - half, 1.0 if share == 1 else centre + half)


def clustered_p(values: Sequence[float] | Floats, clusters: Counts) -> tuple[float, float]:
    """P-values of the hypothesis that a mean is 0, against both sides and against a larger one: Student's test.

    No smaller than the smallest that flipping the signs of C clusters could give, 2^(1 - C) and 2^-C.
    """
    sample = np.asarray(values, dtype=np.float64)
    error, number = clustered_se(sample, clusters), int(clusters.max()) + 1
    mean = float(sample.mean())
    if mean == 0 or not math.isfinite(error):
        return 1.0, 0.5 if mean == 0 and number > 1 else 1.0
    from scipy.special import stdtr

    above = float(stdtr(number - 1, -mean / error)) if error > 0 else float(mean < 0)
    least = 2.0**-number
    return max(2 * min(above, 1 - above), 2 * least), max(above, least)


def clustered_table(cells: Counts, clusters: Counts) -> tuple[Counts, Counts]:
    """How often each cell was met in each cluster.

    Args:
        cells: (n,) the number of each sample's cell.
        clusters: (n,) what `cluster_codes` gives.

    Returns:
        The numbers of the cells that were met, and (clusters, cells) counts.
    """
    met, places = np.unique(cells, return_inverse=True)
    shape = (int(clusters.max()) + 1, len(met))
    counts = np.bincount(clusters * shape[1] + places, minlength=shape[0] * shape[1])
    return met, counts.reshape(shape).astype(np.int64)


def clustered_confusion(  # noqa: PLR0913 - seed and replicates by keyword
    cells: Counts,
    clusters: Counts,
    labels: int,
    score: Score,
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Estimate:
    """A score of a confusion matrix with its BCa bootstrap interval over clusters.

    Where all answers are right, or none is, the interval is the one of the share of right answers, scaled to the score.

    Args:
        cells: (n,) each sample's cell of the matrix (labels, labels + 1), counted row by row.
        clusters: (n,) what `cluster_codes` gives.
        labels: how many there are.
        score: `harness.statistics.macro_f1` or another function of a batch of matrices.
        level: how often such intervals hold the truth.
        replicates: how often the clusters are drawn.
        seed: of the draws.

    Raises:
        ValueError: when there are no samples.
    """
    right = cells // (labels + 1) == cells % (labels + 1)
    share = clustered_share(right, clusters, level)
    met, table = clustered_table(cells, clusters)

    def score_met(counts: Counts) -> Floats:
        full = np.zeros((len(counts), labels * (labels + 1)), dtype=np.int64)
        full[:, met] = counts
        return score(full.reshape(-1, labels, labels + 1))

    if share.value in {0.0, 1.0} or len(table) < 2:
        value = float(score_met(table.sum(axis=0)[np.newaxis])[0])
        return Estimate(value, value * share.low, value if share.value == 1 else share.high)
    draws = Draws(np.random.default_rng(seed), replicates)
    return clustered_bca(table, score_met, labels * (labels + 1), level, draws)


def _student_quantile(p: float, clusters: Counts) -> float:
    from scipy.special import stdtrit  # slow to import, and few tasks have clusters

    return float(stdtrit(int(clusters.max()), p))
