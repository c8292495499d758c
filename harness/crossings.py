"""Where one learning curve passes another, and how far a point of one may move: pure functions over right answers.

Samples and seeds are two crossed sources of chance: all seeds answer the same samples, and a seed changes all answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.clusters import clustered_se, clustered_share
from harness.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = NDArray[np.int64]
Verdict: TypeAlias = Literal["from-first", "crosses", "never", "unsettled"]

REPLICATES = 2000
_HELD = 2_000_000
"""Numbers held in memory at a time while drawing (16 MB)."""


# --- one point ---------------------------------------------------------------------------------------


def over_seeds(right: Truths, clusters: Counts | None = None, level: float = 0.95) -> Estimate:
    """The mean share of right answers over seeds; its interval holds the errors of sampling and of the seeds.

    With both crossed at random, the variance of the mean of S x n answers is (MS_seeds + MS_samples - MS_rest) / (S n),
    of the mean squares of the two-way table (Searle, Casella & McCulloch 1992, Variance Components, chapter 4); it is
    taken as no smaller than without the seeds. The interval is Wilson's for as many independent samples as that
    variance is worth, n at most, with Student's quantile for Satterthwaite's degrees of freedom (1946). With one seed
    it is Wilson's. Where samples come in clusters, MS_samples / (S n) gives way to the squared clustered error.

    Args:
        right: (S, n) whether each seed has each sample right.
        clusters: (n,) what `harness.clusters.cluster_codes` gives.
        level: how often such intervals hold the truth.

    Raises:
        ValueError: when there are no answers.
    """
    if right.ndim != 2 or not right.size:
        raise ValueError("a share of no answers")
    seeds, n = right.shape
    if seeds == 1 and clusters is not None:
        return clustered_share(right[0], clusters, level)
    answers = right.astype(np.float64)
    mean = float(answers.mean())
    units = n if clusters is None else int(clusters.max()) + 1
    if clusters is not None and units < 2:
        return Estimate(mean, 0.0, 1.0)
    worth, freedom = float(units), math.inf
    if seeds > 1 and n > 1 and 0 < mean < 1:
        variance, freedom = _variance(answers, clusters, units)
        worth = min(float(n), mean * (1 - mean) / variance) if variance > 0 else float(n)
    return _wilson(mean, worth, freedom, level)


def pooled(scores: Sequence[Estimate], level: float = 0.95) -> Estimate:
    """The mean of a score over seeds, of which only intervals are known, with an interval for both errors.

    Its variance is taken as that of one seed's sampling (half the width of the mean interval over the normal quantile,
    squared) plus that between seeds over their number: a little too much, since what a seed does to single samples is
    in both. With one score it is that.

    Raises:
        ValueError: when there are no scores.
    """
    if not scores:
        raise ValueError("a mean of no scores")
    if len(scores) == 1:
        return scores[0]
    from scipy.special import ndtri, stdtrit

    values = np.array([one.value for one in scores])
    mean, tail = float(values.mean()), (1 + level) / 2
    sampling = float(np.mean([one.high - one.low for one in scores])) / 2 / float(ndtri(tail))
    between = float(values.var(ddof=1)) / len(scores)
    total = sampling**2 + between
    if total == 0:
        return Estimate(mean, mean, mean)
    freedom = (len(scores) - 1) * (total / between) ** 2 if between > 0 else math.inf
    half = float(stdtrit(min(freedom, 1e9), tail)) * math.sqrt(total)
    return Estimate(mean, mean - half, mean + half)


def _variance(answers: Floats, clusters: Counts | None, units: int) -> tuple[float, float]:
    """The variance of the mean of (S, n) answers, and Satterthwaite's degrees of freedom for it.

    `units` is how many samples, or clusters, are independent.
    """
    seeds, n = answers.shape
    by_seed, by_sample, mean = answers.mean(axis=1), answers.mean(axis=0), answers.mean()
    of_seeds = float(((by_seed - mean) ** 2).sum()) / (seeds - 1) / seeds
    rest = float(((answers - by_seed[:, None] - by_sample + mean) ** 2).sum()) / ((seeds - 1) * (n - 1)) / (seeds * n)
    if clusters is None:
        of_samples = float(((by_sample - mean) ** 2).sum()) / (n - 1) / n
    else:
        of_samples = clustered_se(by_sample, clusters) ** 2
    if of_seeds <= rest:  # the seeds differ by no more than chance in single answers makes them
        return of_samples, float(units - 1)
    total = of_seeds + of_samples - rest
    parts = of_seeds**2 / (seeds - 1) + of_samples**2 / (units - 1) + rest**2 / ((seeds - 1) * (units - 1))
    return total, total**2 / parts


def _wilson(share: float, worth: float, freedom: float, level: float) -> Estimate:
    from scipy.special import stdtrit  # slow to import

    z = float(stdtrit(min(max(freedom, 1.0), 1e9), (1 + level) / 2))
    centre = (share + z * z / (2 * worth)) / (1 + z * z / worth)
    half = z * math.sqrt(share * (1 - share) / worth + (z / (2 * worth)) ** 2) / (1 + z * z / worth)
    return Estimate(share, 0.0 if share == 0 else centre - half, 1.0 if share == 1 else centre + half)


# --- two curves --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """The right answers of a strategy at each number of labelled examples, or what its samples add to another score.

    Attributes:
        labels: (p,) numbers, ascending; at least 1 where there are several.
        right: for each of them seed -> (n,) whether each sample is right; or numbers, of which more is better, whose
            mean is the score (`harness.contributions`).
        flat: whether it has one number of labels alone, and is as good at every other.
    """

    labels: tuple[int, ...]
    right: tuple[Mapping[int, Truths] | Mapping[int, Floats], ...]
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Crossing:
    """From how many labelled examples on one curve lies above another.

    Attributes:
        verdict: at the most labels that both have, with the 95% interval of the difference there: `unsettled` where
            the interval holds 0, `never` where the first one is behind; otherwise it is ahead `from-first`, from the
            fewest labels on, or `crosses` after having been behind.
        labels: the number of labels from which on its mean stays ahead: -inf where it is ahead from the fewest labels
            on, inf where it is not ahead at the most.
        low: of the 95% interval of `labels`; infinite likewise.
        high: likewise.
        first: the fewest labels that both have.
        last: the most.
        difference: at the most labels: by how much the first curve is better.
        seeds: how many took part.
        changes: how often the sign of the mean difference changes.
    """

    verdict: Verdict
    labels: float
    low: float
    high: float
    first: int
    last: int
    difference: Estimate
    seeds: int
    changes: int


def cross(
    a: Line,
    b: Line,
    clusters: Counts | None = None,
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Crossing | None:
    """From how many labels on `a` beats `b`; None where they have no number of labels or no samples in common.

    Between their points both curves are straight over the logarithm of the number of labels. Intervals come from a
    bootstrap over samples and seeds at once (Owen 2007, Ann. Appl. Stat. 1:386), paired: both curves are given the
    same ones. Of S seeds S - 1 are drawn, since S would make the spread over few seeds too small (Rao & Wu 1988, JASA
    83:231); of samples as many as there are, with two added, of which one is right by `a` alone and one by `b` alone,
    as Bonett & Price's interval has them (`harness.differences.paired_accuracy`): few differing samples settle nothing.
    To numbers nothing is added. Where samples come in clusters, whole clusters are drawn.

    Raises:
        ValueError: when a line has no points, or the samples are not as many everywhere.
    """
    grid = _grid(a, b)
    lines = (a, b)
    seeds = sorted({number for line in lines for point in line.right for number in point})
    sizes = {len(right) for line in lines for point in line.right for right in point.values()}
    if len(sizes) != 1:
        raise ValueError(f"{sorted(sizes)} samples can't be paired")
    if not grid or 0 in sizes:
        return None
    rng = np.random.default_rng(seed)
    n = sizes.pop()
    value = _differences(lines, grid, seeds, np.ones((n, 1)), np.ones((len(seeds), 1)))[:, 0]
    counted = all(right.dtype == np.bool_ for line in lines for point in line.right for right in point.values())
    added = tuple(_with_pseudo(line, first=line is a) for line in lines) if counted else lines
    draws = np.concatenate(
        [
            _differences(added, grid, seeds, samples, weights)
            for samples, weights in _weights(rng, _units(clusters, n, 2 * counted), len(seeds), replicates)
        ],
        axis=1,
    )
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = (_quantile(draws[-1], tail) for tail in tails)
    difference = Estimate(float(value[-1]), min(low, float(value[-1])), max(high, float(value[-1])))
    onset = float(_onsets(value[:, None], grid)[0])
    starts = [_quantile(_onsets(draws, grid), tail) for tail in tails]
    signs = np.sign(value)[value != 0]
    return Crossing(
        verdict=_verdict(difference, onset),
        labels=onset,
        low=min(starts[0], onset),
        high=max(starts[1], onset),
        first=grid[0],
        last=grid[-1],
        difference=difference,
        seeds=len(seeds),
        changes=int((signs[1:] != signs[:-1]).sum()),
    )


def _grid(a: Line, b: Line) -> tuple[int, ...]:
    """The numbers of labels at which one of the two has a point and the other one has or is given one."""
    spans = [line.labels for line in (a, b) if not line.flat] or [a.labels]
    least, most = max(span[0] for span in spans), min(span[-1] for span in spans)
    return tuple(sorted({labels for span in spans for labels in span if least <= labels <= most}))


def _with_pseudo(line: Line, *, first: bool) -> Line:
    """With two samples more: one that only the first line has right, and one that only the second has."""
    ends = np.array([first, not first])
    right = tuple({seed: np.concatenate([one, ends]) for seed, one in point.items()} for point in line.right)
    return Line(line.labels, right, line.flat)


def _units(clusters: Counts | None, n: int, added: int) -> Counts:
    """(n + added,) what each sample is drawn with: itself or its cluster; those that are added by themselves."""
    codes = np.arange(n) if clusters is None else clusters
    return np.concatenate([codes, codes.max() + 1 + np.arange(added)])


def _weights(rng: np.random.Generator, units: Counts, seeds: int, replicates: int) -> Iterator[tuple[Floats, Floats]]:
    """How often each sample and each seed is drawn: (n, r) and (seeds, r) for some of the replicates at a time."""
    portion, number = max(1, _HELD // len(units)), int(units.max()) + 1
    for start in range(0, replicates, portion):
        rows = min(portion, replicates - start)
        samples = rng.multinomial(number, np.full(number, 1 / number), size=rows).T[units]
        several = rng.multinomial(max(seeds - 1, 1), np.full(seeds, 1 / seeds), size=rows).T
        yield samples.astype(np.float64), several.astype(np.float64)


def _differences(
    lines: Sequence[Line], grid: Sequence[int], seeds: Sequence[int], samples: Floats, weights: Floats
) -> Floats:
    """(g, r): the first line minus the second at each number of labels, for each of r weightings.

    Args:
        lines: the two.
        grid: g numbers of labels.
        seeds: all of both lines.
        samples: (n, r) weights.
        weights: (S, r) of the seeds.
    """
    first, second = (_spread(line, grid) @ _means(line, seeds, samples, weights) for line in lines)
    return np.asarray(first - second)


def _means(line: Line, seeds: Sequence[int], samples: Floats, weights: Floats) -> Floats:
    """(p, r) shares of right answers at a line's points; where no seed of a point was drawn, all of them count."""
    found = []
    for point in line.right:
        known = [at for at, seed in enumerate(seeds) if seed in point]
        shares = np.stack([point[seeds[at]] for at in known]).astype(np.float64) @ samples / samples.sum(axis=0)
        drawn = weights[known]  # (s, r)
        drawn = np.where(drawn.sum(axis=0) > 0, drawn, 1.0)
        found.append((shares * drawn).sum(axis=0) / drawn.sum(axis=0))
    return np.stack(found)


def _spread(line: Line, grid: Sequence[int]) -> Floats:
    """(g, p): how much each of a line's points counts at each number of labels."""
    if len(line.labels) == 1:
        return np.ones((len(grid), 1))
    at, wanted = _logs(line.labels), _logs(grid)
    return np.stack([np.interp(wanted, at, one) for one in np.eye(len(at))], axis=1)


def _logs(labels: Sequence[int]) -> Floats:
    """The logarithms; none at all count as half a label."""
    return np.asarray(np.log(np.maximum(np.asarray(labels, dtype=np.float64), 0.5)))


def _onsets(differences: Floats, grid: Sequence[int]) -> Floats:
    """(g, r) differences -> (r,) labels from which on they stay above 0.

    -inf where they all are, inf where the last is not.
    """
    behind = differences <= 0
    last = len(grid) - 1 - np.argmax(behind[::-1], axis=0)  # of the points that are behind
    found = np.full(differences.shape[1], -math.inf)
    found[behind[-1]] = math.inf
    crossing = behind.any(axis=0) & ~behind[-1]
    at, columns = last[crossing], np.flatnonzero(crossing)
    below, above = differences[at, columns], differences[at + 1, columns]
    logs = _logs(grid)
    found[crossing] = np.exp(logs[at] + (logs[at + 1] - logs[at]) * -below / (above - below))
    return found


def _quantile(values: Floats, tail: float) -> float:
    """The smallest value that so large a share does not exceed; infinite ones are values like any other."""
    return float(np.sort(values)[min(len(values) - 1, max(0, math.ceil(tail * len(values)) - 1))])


def _verdict(difference: Estimate, onset: float) -> Verdict:
    if difference.low <= 0 <= difference.high:
        return "unsettled"
    if difference.high < 0:
        return "never"
    return "from-first" if onset == -math.inf else "crosses"
