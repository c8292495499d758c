"""What each sample adds to a trial's score, and from that whether two trials differ, by any metric.

The score without a sample tells what the sample adds to it: Tukey's pseudo-values (1958, Ann. Math. Stat. 29:614),
whose mean is the score. Of a mean they are the numbers that it is the mean of; of BLEU, F1 over a corpus or an area
under a curve they stand for such numbers. So trials are reduced to a vector each, once, and every two of them are
compared by the mean of a paired difference, however many there are.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.clusters import cluster_codes
from harness.differences import Paired, exact_sign_flip
from harness.packed import Selected
from harness.records import Estimate
from harness.resampling import LONG, REPLICATES, Counts, Floats, portions
from harness.weighing import Incomparable, WeighsSamples, Weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Metric
    from harness.records import Prediction, TaskSpec

GROUPS = 40
"""Of samples that are left out together where the metric has to be computed anew each time."""

PATIENCE_S = 0.5
"""A metric that takes longer to compute once is not computed `GROUPS` times more."""

FEW = 10
"""With fewer differences of equal weight Student's test is not to be relied on."""

HELD = 4_000_000
"""Weights in memory at a time (32 MB)."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What the samples of a trial add to its score.

    Attributes:
        samples: a digest of their names, in their order, and of the clusters that they come in.
        n: how many samples.
        values: (u,) of units that are independent of one another: samples, clusters, or random groups of these where
            they are more than `LONG`. Their mean is the score.
    """

    samples: bytes
    n: int
    values: Floats


@dataclass(frozen=True, slots=True)
class Chance:
    """P-values of the hypothesis that a mean difference is 0.

    Attributes:
        two_sided: against both sides.
        above: against a larger one.
    """

    two_sided: float
    above: float


# --- one trial ---------------------------------------------------------------------------------------


def contributions(
    metric: Metric, predictions: Sequence[Prediction], spec: TaskSpec, *, patience_s: float = PATIENCE_S
) -> Contributions | None:
    """What each sample adds to a metric.

    Args:
        metric: of one that is no `WeighsSamples`, or can't weigh these, `GROUPS` random groups of samples are left out
            in turn (Shao & Tu 1995, The Jackknife and Bootstrap, 2.3).
        predictions: of all samples, none of them failed.
        spec: of the task.
        patience_s: seconds that computing a metric which is no `WeighsSamples` may take.

    Returns:
        None where the predictions have no such score, it takes too long, or is none to compare trials by.
    """
    if not predictions or isinstance(metric, Incomparable):
        return None
    digest, clusters = samples_of(predictions)
    score = metric.weighted(predictions, spec) if isinstance(metric, WeighsSamples) else None
    if score is not None:
        values = _by_weights(score, len(predictions), clusters)
    else:
        values = _by_leaving_out(metric, predictions, spec, clusters, patience_s)
    return None if values is None else Contributions(digest, len(predictions), values)


def samples_of(predictions: Sequence[Prediction]) -> tuple[bytes, Counts | None]:
    """The digest of samples in `Contributions`, and their clusters."""
    digest, names = hashlib.sha256(), list[str | None]()
    for one in predictions:
        digest.update(f"{len(one.sample_id)} {one.sample_id}{one.cluster!r}".encode("utf-8", "surrogatepass"))
        names.append(one.cluster)
    return digest.digest(), cluster_codes(names)


def units_of(n: int, clusters: Counts | None, most: int = LONG) -> Counts:
    """(n,) the number of what each sample is left out with: itself, its cluster, or one of `most` groups of these."""
    codes = np.arange(n, dtype=np.int64) if clusters is None else clusters
    number = int(codes.max()) + 1
    if number <= most:
        return codes
    return np.asarray(np.random.default_rng(0).permutation(number) % most, dtype=np.int64)[codes]


def single_scores(score: Weighted, n: int) -> Floats:
    """(n,) the score of each sample by itself; NaN where that is none."""
    rows = max(1, HELD // n)
    with np.errstate(invalid="ignore", divide="ignore"):  # one sample has no correlation
        return np.concatenate([score(np.eye(min(rows, n - start), n, k=start)) for start in range(0, n, rows)])


def _by_weights(score: Weighted, n: int, clusters: Counts | None) -> Floats | None:
    value = float(score(np.ones((1, n)))[0])
    if not math.isfinite(value):
        return None
    units = units_of(n, clusters)
    number, rows = int(units.max()) + 1, max(1, HELD // n)
    left_out = [
        score((units != np.arange(start, min(start + rows, number))[:, np.newaxis]).astype(np.float64))
        for start in range(0, number if number > 1 else 0, rows)
    ]
    return pseudo_values(value, np.concatenate([np.zeros(0), *left_out]))


def _by_leaving_out(
    metric: Metric, predictions: Sequence[Prediction], spec: TaskSpec, clusters: Counts | None, patience_s: float
) -> Floats | None:
    started = time.process_time()
    whole = metric.compute(predictions, spec)
    if whole is None or not math.isfinite(whole.value) or time.process_time() - started > patience_s:
        return None
    units = units_of(len(predictions), clusters, GROUPS)
    number = int(units.max()) + 1
    found = [
        metric.compute(Selected(predictions, np.flatnonzero(units != unit).tolist()), spec)
        for unit in range(number if number > 1 else 0)
    ]
    scores = [math.nan if one is None else one.value for one in found]
    return pseudo_values(whole.value, np.array(scores, dtype=np.float64))


def pseudo_values(value: float, left_out: Floats) -> Floats:
    """(u,) scores without each unit -> (u,) what each adds, their mean being the score.

    The mean of pseudo-values as Tukey defined them is the score less its bias; here they are moved to the score itself,
    so that differences of trials are those that people see. A unit without which there is no score adds as much as
    others do. Of a single unit it is the score.
    """
    if not len(left_out):
        return np.array([value])
    known = np.where(np.isfinite(left_out), left_out, value)
    return np.asarray(value + (len(known) - 1) * (known.mean() - known))


# --- two of them -------------------------------------------------------------------------------------


def chance(differences: Floats, seeds: int = 1) -> Chance:
    """How likely so large a mean of paired differences would be by chance.

    Differences that are whole numbers (of seeds, where they are means over several) are those of right answers: all
    assignments of signs are counted, which with one seed is McNemar's exact test. Others are tested as a mean by
    Student's test, unless a few of them make up nearly all of their sum of squares; then signs are drawn.

    Args:
        differences: (u,) of two trials' contributions, or of their means over seeds.
        seeds: how many trials each is the mean of.
    """
    mean, number = float(differences.mean()), len(differences)
    counted = np.rint(differences * seeds)
    if np.abs(differences * seeds - counted).max() < 1e-9 and np.abs(counted).max() <= seeds:
        return Chance(*exact_sign_flip(counted.astype(np.int64)))
    squares = differences**2
    if number < 2:
        return Chance(1.0, 1.0)
    if float(squares.sum()) ** 2 < FEW * float((squares**2).sum()):
        return _drawn_signs(differences)
    from scipy.special import stdtr  # slow to import, and many tables rest on right answers alone

    error = standard_error(differences)
    above = float(stdtr(number - 1, -mean / error)) if error > 0 else float(mean <= 0)
    least = 2.0**-number  # what flipping all signs could give
    return Chance(max(2 * min(above, 1 - above), 2 * least), max(above, least))


def standard_error(values: Floats) -> float:
    """Of the mean of contributions or their differences; infinite where there is one."""
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf


def paired_contributions(a: Contributions, b: Contributions, *, level: float = 0.95) -> Paired | None:
    """How two trials differ, with Student's interval and the p-value of `chance`; None unless samples are the same.

    `only_a` counts the units to which the first one's answers add more.
    """
    if a.samples != b.samples or len(a.values) != len(b.values):
        return None
    differences = a.values - b.values
    value, half = float(differences.mean()), 0.0
    if differences.any():
        half = _student(len(differences), level) * standard_error(differences)
    beyond = 1e-9 * max(1.0, float(np.abs(a.values).max()))  # what rounding leaves of equal numbers
    return Paired(
        a.n,
        Estimate(value, value - half, value + half),
        chance(differences).two_sided,
        int((differences > beyond).sum()),
        int((differences < -beyond).sum()),
    )


def _student(number: int, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(number - 1, (1 + level) / 2)) if number > 1 else math.inf


def _drawn_signs(differences: Floats) -> Chance:
    """The permutation test of the sum, by drawing signs."""
    sizes = np.abs(differences)
    kept = differences[sizes > 1e-3 * sizes.max()]  # the others make no difference, and most of a thousand may be such
    observed, slack, rng = float(kept.sum()), 1e-9 * float(sizes.sum()), np.random.default_rng(0)
    beyond = above = 0
    for rows in portions(REPLICATES, len(kept)):
        sums = (2.0 * rng.integers(2, size=(rows, len(kept)), dtype=np.int8) - 1) @ kept
        beyond += int((np.abs(sums) >= abs(observed) - slack).sum())
        above += int((sums >= observed - slack).sum())
    return Chance((1 + beyond) / (1 + REPLICATES), (1 + above) / (1 + REPLICATES))
