"""Agreement of two raters beyond chance, from how often each pair of ratings occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from harness_metrics.weighting import summed_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Estimate
    from harness.resampling import Counts, Floats

Statistic: TypeAlias = Literal["kappa", "alpha"]


def cohen_kappa(table: Floats) -> Floats:
    """Cohen's kappa (1960, Educational and Psychological Measurement 20:37): 1 is agreement, 0 what chance gives.

    Args:
        table: (..., k, k) how often the first rater said the row and the second the column.

    Returns:
        (...); NaN where both always say the same one thing.
    """
    n = table.sum(axis=(-2, -1))
    observed = np.trace(table, axis1=-2, axis2=-1) / n
    expected = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / n**2
    return _beyond(1 - observed, 1 - expected)


def krippendorff_alpha(table: Floats) -> Floats:
    """Krippendorff's alpha of nominal ratings by two raters (Krippendorff 2011, Computing Krippendorff's Alpha).

    Args:
        table: (..., k, k) as for `cohen_kappa`.

    Returns:
        (...); NaN where both always say the same one thing.
    """
    pairs = table + np.swapaxes(table, -2, -1)
    n, of_value = pairs.sum(axis=(-2, -1)), pairs.sum(axis=-1)
    observed = 1 - np.trace(pairs, axis1=-2, axis2=-1) / n
    expected = (n**2 - (of_value**2).sum(axis=-1)) / (n * (n - 1))
    return _beyond(observed, expected)


def agreement(
    first: Sequence[int], second: Sequence[int], k: int, clusters: Counts | None, statistic: Statistic
) -> Estimate | None:
    """How far two raters agree on the same samples, with its bootstrap interval.

    Args:
        first: (n,) a rating a sample, from 0 to k - 1.
        second: the other rater's.
        k: how many ratings there are.
        clusters: (n,) what `harness.clusters.cluster_codes` gives.
        statistic: which one.

    Returns:
        None where both always say the same one thing: chance can't be told from agreement.
    """
    of_table = cohen_kappa if statistic == "kappa" else krippendorff_alpha
    cells = np.eye(k * k)[np.asarray(first) * k + np.asarray(second)]
    return summed_interval(cells, lambda sums: of_table(sums.reshape(*sums.shape[:-1], k, k)), clusters)


def _beyond(observed: Floats, expected: Floats) -> Floats:
    nothing = np.full(np.shape(expected), np.nan)
    return np.asarray(1 - np.divide(observed, expected, out=nothing, where=np.asarray(expected) > 1e-12))
