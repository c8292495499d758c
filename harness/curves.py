"""Trials of one task -> learning curves: scores against the number of labelled examples, and who beats whom from where.

Trials are of one curve when their strategies differ in nothing but the number of rows that they learn from. Where they
stand is told by the labels that they were really given, not by those that were asked for.
"""

from __future__ import annotations

import dataclasses
import math
from itertools import combinations
from statistics import stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.board import Contest, Curve, CurvePoint, Curves
from harness.crossings import Line, cross, over_seeds, pooled
from harness.pairing import RIGHT_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.crossings import Crossing, Floats, Truths
    from harness.pairing import Pairing
    from harness.records import Estimate, TrialResult

Group = dict[str, dict[int, "TrialResult"]]
"""The trials of a curve: strategy as written -> seed -> trial."""

ONE_SEED = "one seed: the intervals have the error of sampling alone, not what other draws of examples would change"


def curves_of(results: Sequence[TrialResult], pairing: Pairing, metric: str, *, loss: bool = False) -> Curves | None:
    """The learning curves of trials that answered the same samples; None where nothing has run with several sizes.

    Args:
        results: the trials, in the order in which curves shall stand; controls are left out.
        pairing: knows which samples each trial has right, and what they add to other metrics.
        metric: the score that is drawn, and that curves are compared by; where nothing tells what samples add to it, by
            right answers.
        loss: whether less of it is better.
    """
    groups = _grouped(results)
    if all(len(group) == 1 for group in groups.values()):
        return None
    notes: list[str] = []
    curves = []
    for (model, name), group in groups.items():
        points = _points(model, group, metric, pairing, notes)
        if points:
            first = next(iter(next(iter(group.values())).values())).trial
            flat = len(group) == 1
            curves.append(Curve(model, str(first.strategy) if flat else name, points, flat, first.prompts))
    if all(curve.flat for curve in curves) and not notes:
        return None
    by = metric if _told(curves, pairing, metric) else RIGHT_ANSWERS[0]
    contests = tuple(_contests(curves, pairing, by, loss=loss))
    if curves and all(len(point.seeds) == 1 for curve in curves for point in curve.points):
        notes.append(ONE_SEED)
    if contests and by != metric:
        notes.append(f"which curve beats which goes by the share of right answers, not by {metric}")
    return Curves(metric, tuple(curves), contests, tuple(notes))


def sentence(contest: Contest) -> str:
    """From how many labels on one beats the other, in a sentence."""
    one, other = (f"{curve.model} · {curve.strategy}" for curve in (contest.curve, contest.over))
    found = contest.crossing
    end = found.difference
    behind = f"{-end.value:.3f} [{-end.high:.3f}, {-end.low:.3f}]"
    behind = f"has {behind} fewer right" if contest.by in RIGHT_ANSWERS else f"is {behind} worse by {contest.by}"
    match found.verdict:
        case "unsettled":
            said = (
                f"{one} against {other} is not settled: with {found.last:,} labels the difference is "
                f"{end.value:+.3f} [{end.low:+.3f}, {end.high:+.3f}], and the interval holds 0"
            )
        case "never" if found.changes:
            said = (
                f"{one} does not stay ahead of {other}: its mean is ahead with fewer labels, but with "
                f"{found.last:,} it {behind}"
            )
        case "never":
            said = f"{one} never beats {other} within the sizes: with {found.last:,} labels it {behind}"
        case "from-first":
            until = "" if found.high < found.first + 0.5 else f", 95% interval up to {_number(found.high, found)}"
            said = f"{one} beats {other} from the first size on ({found.first:,} labels{until})"
        case "crosses":
            said = (
                f"{one} beats {other} from about {_number(found.labels, found)} labels on "
                f"(95% interval {_number(found.low, found)} to {_number(found.high, found)})"
            )
    return said + (f"; the means cross {found.changes} times" if found.changes > 1 else "") + "."


def _number(labels: float, found: Crossing) -> str:
    if labels == -math.inf:
        return f"below {found.first:,}"
    return f"beyond {found.last:,}" if labels == math.inf else f"{round(labels):,}"


# --- trials -> curves --------------------------------------------------------------------------------


def _grouped(results: Iterable[TrialResult]) -> dict[tuple[str, str], Group]:
    """(model, curve) -> its trials; a strategy without a size makes a group of its own."""
    groups: dict[tuple[str, str], Group] = {}
    for result in results:
        trial = result.trial
        if not trial.control:
            group = groups.setdefault((str(trial.model), trial.curve or str(trial.strategy)), {})
            group.setdefault(str(trial.strategy), {}).setdefault(trial.seed, result)
    return groups


def _points(model: str, group: Group, metric: str, pairing: Pairing, notes: list[str]) -> tuple[CurvePoint, ...]:
    """The points of a curve, the fewest labels first; what is missing or there twice goes to the notes."""
    points: dict[int, CurvePoint] = {}
    for strategy, trials in group.items():
        notes += _gaps(f"{model} · {strategy}", trials, metric)
        point = _point(strategy, trials, metric, pairing)
        if point is None:
            continue
        there = points.get(point.labels)
        if there is None:
            points[point.labels] = point
        else:
            both = (*there.strategies, strategy)
            points[point.labels] = dataclasses.replace(there, strategies=both)
            notes.append(f"{model} · {' and '.join(both)}: the same {point.labels:,} labels, shown once")
    return tuple(points[labels] for labels in sorted(points))


def _point(strategy: str, trials: dict[int, TrialResult], metric: str, pairing: Pairing) -> CurvePoint | None:
    scored = [(seed, trial, trial.budget) for seed, trial in trials.items() if _score(trial, metric) is not None]
    known = [(seed, trial, budget) for seed, trial, budget in scored if budget is not None]
    if not known:
        return None
    scores = tuple(trial.metrics[metric] for _, trial, _ in known)
    keys = tuple(trial.trial.key for _, trial, _ in known)
    return CurvePoint(
        labels=max(budget.train + budget.validation for _, _, budget in known),
        strategies=(strategy,),
        seeds=tuple(seed for seed, _, _ in known),
        keys=keys,
        scores=scores,
        score=_together(scores, keys, metric, pairing),
        seed_sd=stdev(score.value for score in scores) if len(scores) > 1 else None,
    )


def _score(result: TrialResult, metric: str) -> Estimate | None:
    """The score of a trial that counts: a finished one's, and a number."""
    score = result.metrics.get(metric) if result.status == "finished" else None
    return None if score is None or math.isnan(score.value) else score


def _gaps(name: str, trials: dict[int, TrialResult], metric: str) -> list[str]:
    """Which seeds are missing and why, those with one reason together."""
    why: dict[str, list[int]] = {}
    for seed, result in trials.items():
        if result.status == "not-applicable":  # it stands with those without a rank
            continue
        if result.status != "finished":
            reason = f"{result.status.replace('-', ' ')}: {result.reason}".removesuffix(": ")
            why.setdefault(reason, []).append(seed)
        elif _score(result, metric) is None:
            why.setdefault(f"it has no {metric}", []).append(seed)
        elif result.budget is None:
            why.setdefault("the labels that it was given are not known", []).append(seed)
    return [
        f"{name} has a gap: {reason}"
        if len(seeds) == len(trials)
        else f"{name} lacks seed {', '.join(map(str, seeds))}: {reason}"
        for reason, seeds in why.items()
    ]


def _together(scores: Sequence[Estimate], keys: Sequence[str], metric: str, pairing: Pairing) -> Estimate:
    """The mean over seeds; from the answers themselves where the score is the share of right ones."""
    if len(scores) == 1:
        return scores[0]
    found = [pairing.right(key) for key in keys]
    if metric in RIGHT_ANSWERS and len({one.samples for one in found}) == 1 and len(found[0].right):
        return over_seeds(np.stack([one.right for one in found]), found[0].clusters)
    return pooled(scores)


# --- curves against one another ----------------------------------------------------------------------


def _told(curves: Sequence[Curve], pairing: Pairing, metric: str) -> bool:
    """Whether curves can be compared by a metric."""
    keys = [key for curve in curves for point in curve.points for key in point.keys]
    return metric in RIGHT_ANSWERS or all(pairing.added(key, metric) is not None for key in keys)


def _contests(curves: Sequence[Curve], pairing: Pairing, by: str, *, loss: bool) -> Iterator[Contest]:
    """Curves against those of prompting; without these, all against one another, the one ahead at the end first."""
    lines = {id(curve): _line(curve, pairing, by, loss=loss) for curve in curves}
    for curve, over in _pairs(curves):
        one, other = lines[id(curve)], lines[id(over)]
        if one is None or other is None or _samples(curve, pairing, by) != _samples(over, pairing, by):
            continue
        counted = by in RIGHT_ANSWERS
        clusters = pairing.right(curve.points[0].keys[0]).clusters if counted else None  # what is added has units
        crossing = cross(one, other, clusters)
        behind = crossing is not None and crossing.difference.value < 0 and not over.prompts
        turned = cross(other, one, clusters) if behind else None
        if turned is not None:
            yield Contest(over, curve, turned, by)
        elif crossing is not None:
            yield Contest(curve, over, crossing, by)


def _pairs(curves: Sequence[Curve]) -> list[tuple[Curve, Curve]]:
    swept = [curve for curve in curves if not curve.flat]
    prompting = [curve for curve in curves if curve.prompts]
    if prompting:
        return [(curve, over) for over in prompting for curve in swept if not curve.prompts or over.flat]
    return list(combinations(swept, 2))


def _line(curve: Curve, pairing: Pairing, by: str, *, loss: bool) -> Line | None:
    """The right answers behind a curve, or what samples add to another metric; None where samples are not the same."""
    if len(_samples(curve, pairing, by)) != 1:
        return None
    behind: Any = tuple(
        {seed: _numbers(key, pairing, by, loss=loss) for seed, key in zip(point.seeds, point.keys, strict=True)}
        for point in curve.points
    )
    return Line(tuple(point.labels for point in curve.points), behind, curve.flat)


def _numbers(key: str, pairing: Pairing, by: str, *, loss: bool) -> Truths | Floats:
    """What is told of each sample, more of it being better."""
    added = None if by in RIGHT_ANSWERS else pairing.added(key, by)
    if added is None:
        return pairing.right(key).right
    return -added.values if loss else added.values


def _samples(curve: Curve, pairing: Pairing, by: str) -> set[bytes]:
    """Digests of the samples behind a curve."""
    keys = [key for point in curve.points for key in point.keys]
    found = [pairing.right(key) if by in RIGHT_ANSWERS else pairing.added(key, by) for key in keys]
    return {one.samples for one in found if one is not None}
