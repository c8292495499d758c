"""Two stored trials on the same samples: differences with tests, overall and in each context, and what was flipped."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.bridging import MeasuresItself
from harness.contributions import contributions, paired_contributions, single_scores
from harness.errors import AssetError, HarnessError, ModelError, UsageError
from harness.interfaces import ComparesPairs, WeighsSamples
from harness.metricparts import ReadsSamples, with_rows
from harness.origin import task_of
from harness.packed import Selected
from harness.pairing import RIGHT_ANSWERS, Pairing
from harness.ranking import holm
from harness.records import Outcome, PromptSpec, TaskSpec
from harness.requests import TEXTS, as_one
from harness.samplesize import minimum_detectable_difference, samples_to_settle
from harness.selecting import trial_name
from harness.values import read_labels
from harness.weighing import Incomparable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.catalogue import Catalogue
    from harness.interfaces import Evidence, Metric
    from harness.pairing import Versus
    from harness.records import Estimate, Prediction, Request, Trial, TrialResult
    from harness.store import Store
    from harness.taskdata import TaskData

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""As in `harness.contributions`: here somebody waits for these two trials alone."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How two trials differ by one metric, over all samples or those of one context.

    Attributes:
        context: None over all samples.
        n: how many samples.
        difference: the first one's score minus the second one's; None where nothing tells how sure that is.
        p_value: two-sided; of contexts, corrected for their number by Holm's method.
        loss: whether less is better.
    """

    metric: str
    n: int
    a: Estimate | None
    b: Estimate | None
    difference: Estimate | None
    p_value: float | None
    loss: bool = False
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Flip:
    """A sample that one of the two has right and the other wrong; `prompts` is empty where they can't be told."""

    a: Prediction
    b: Prediction
    prompts_a: tuple[str, ...] = ()
    prompts_b: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `harness compare` shows.

    Attributes:
        n: samples that both answered.
        by: the metric that ranks.
        metrics: over all samples, in the task's order.
        contexts: the same within each context.
        both: samples that both have right; likewise `only_a`, `only_b` and `neither`.
        better_a: on how many samples the first one does better by the metric that ranks; None where none can tell.
        better_b: likewise of the second one.
        flips_a: some of the samples that the first one does better on: those on which it does so by most, or, where
            right answers rank or nothing else can be told, the first that only it has right.
        flips_b: the same of the second one.
        settling: about how many samples would settle which is better by the metric that ranks, where these don't.
        detectable: the smallest difference in that metric that so many samples can tell from chance.
        notes: what could not be told.
    """

    a: Trial
    b: Trial
    n: int
    by: str
    metrics: tuple[Difference, ...]
    contexts: tuple[Difference, ...]
    both: int
    only_a: int
    only_b: int
    neither: int
    better_a: int | None
    better_b: int | None
    flips_a: tuple[Flip, ...]
    flips_b: tuple[Flip, ...]
    settling: int | None
    detectable: float | None
    notes: tuple[str, ...]


def compare(
    a: TrialResult, b: TrialResult, evidence: Evidence, metrics: Mapping[str, Metric], spec: TaskSpec, *, flips: int = 3
) -> Comparison:
    """Compare two trials sample by sample.

    Args:
        a: the first.
        b: the second.
        evidence: what both said, and had been asked.
        metrics: name -> metric. One that is no `ComparesPairs` is tested by what samples add to it, over all samples.
        spec: of the task.
        flips: how many flipped samples are shown of each direction.

    Raises:
        UsageError: when the two did not answer the same samples, with what differs.
    """
    first, second = _paired(a, b, evidence)
    spec = _fitting(spec, first)
    names = [name for name in a.metrics if name in b.metrics and name in metrics]
    untold: dict[str, str] = {}
    overall = [_overall(name, metrics[name], (a, b), (first, second), spec, untold) for name in names]
    metrics = {name: metrics[name] for name in names if name not in untold}
    notes = dict.fromkeys(f"{name} is not compared: {why}" for name, why in untold.items())
    right = [(one.correct, other.correct) for one, other in zip(first, second, strict=True)]
    only_a = [place for place, (one, other) in enumerate(right) if one and not other]
    only_b = [place for place, (one, other) in enumerate(right) if other and not one]
    prompts = _Prompts(evidence, notes)
    by = names[0] if names else ""
    ahead = (only_a, only_b) if by in RIGHT_ANSWERS else _ahead(metrics.get(by), first, second, spec)
    flipped_a, flipped_b = ahead or (only_a, only_b)
    found = _versus(by, metrics, {a.trial.key: first, b.trial.key: second}, spec)
    unsettled = found is not None and found.p_value >= 0.05
    return Comparison(
        a=a.trial,
        b=b.trial,
        n=len(first),
        by=by,
        metrics=tuple(overall),
        contexts=tuple(_within(first, second, metrics, spec)),
        both=sum(one and other for one, other in right),
        only_a=len(only_a),
        only_b=len(only_b),
        neither=sum(not one and not other for one, other in right),
        better_a=len(ahead[0]) if ahead else None,
        better_b=len(ahead[1]) if ahead else None,
        flips_a=tuple(prompts.flip(a.trial, b.trial, first[place], second[place]) for place in flipped_a[:flips]),
        flips_b=tuple(prompts.flip(a.trial, b.trial, first[place], second[place]) for place in flipped_b[:flips]),
        settling=samples_to_settle(found.difference, found.discordance) if found and unsettled else None,
        detectable=minimum_detectable_difference(len(first), found.discordance) if found else None,
        notes=tuple(notes),
    )


def metrics_of(result: TrialResult, store: Store, catalogue: Catalogue) -> Mapping[str, Metric]:
    """The metrics that a trial has and somebody can make today: the task's own, or registered ones."""
    task = result.trial.task
    named = catalogue.known_metrics(result.metrics)
    if len(named) < len(result.metrics) and task.reference is not None:
        own = catalogue.task(task).task
        if isinstance(own, MeasuresItself):
            return own.metrics(())
    metrics = catalogue.metrics(named)
    reading = [name for name, metric in metrics.items() if isinstance(metric, ReadsSamples)]
    data = _task(result.trial, store, catalogue) if reading else None
    return metrics if data is None else metrics | {name: with_rows(metrics[name], data) for name in reading}


def specification(trial: Trial, store: Store, catalogue: Catalogue) -> TaskSpec:
    """The trial's task as it is defined now; where it can't be found, one without labels, with a warning."""
    data = _task(trial, store, catalogue)
    if data is not None:
        return data.spec
    log.warning("task %s is not found: metrics that need its labels or rows are not compared", trial.task)
    return _nameless(trial.task.name)


def _task(trial: Trial, store: Store, catalogue: Catalogue) -> TaskData | None:
    component = task_of(trial, store)
    try:
        data = catalogue.task(component)
    except HarnessError as error:
        log.debug("%s: %s", component, error)
        return None
    return data if data.spec.name in (trial.task.name, f"{trial.task.name}:{trial.task.reference}") else None


# --- the same samples ------------------------------------------------------------------------------------


def _paired(a: TrialResult, b: TrialResult, evidence: Evidence) -> tuple[Sequence[Prediction], Sequence[Prediction]]:
    """What both said of the samples, in one order."""
    if a.trial.key == b.trial.key:
        raise UsageError(f"both are the same trial, {trial_name(a)}")
    for part in ("task", "split"):
        mine, its = getattr(a.trial, part), getattr(b.trial, part)
        if str(mine) != str(its):
            raise UsageError(f"the two have different samples: {part} {mine} and {part} {its}")
    answered = [(_answered(evidence.predictions(result.trial.key)), result) for result in (a, b)]
    for predictions, result in answered:
        if not predictions:
            said = f" ({result.status}{f': {result.reason}' if result.reason else ''})"
            raise UsageError(f"{trial_name(result)} has answered nothing{said}")
    first, second = (predictions for predictions, _ in answered)
    _check_samples(first, second, a, b)
    return first, second


def _answered(predictions: Sequence[Prediction]) -> Sequence[Prediction]:
    return Selected(predictions, [place for place, one in enumerate(predictions) if one.status != "failed"])


def _check_samples(a: Sequence[Prediction], b: Sequence[Prediction], first: TrialResult, second: TrialResult) -> None:
    ids_a, ids_b = ({one.sample_id: one.target for one in each} for each in (a, b))
    alone = {"A": [id_ for id_ in ids_a if id_ not in ids_b], "B": [id_ for id_ in ids_b if id_ not in ids_a]}
    parts = [f"{len(ids):,} only in {name} ({_some(ids)})" for name, ids in alone.items() if ids]
    targets = [id_ for id_, target in ids_a.items() if ids_b.get(id_, target) != target]
    if targets:
        parts.append(f"{len(targets):,} with other targets ({_some(targets)})")
    if parts:
        hint = "run both on the same rows"
        if first.trial.limit != second.trial.limit:
            hint = f"limit {first.trial.limit} and limit {second.trial.limit}: {hint}"
        elif "partial" in (first.status, second.status):
            hint = "run the partial one again: what failed is tried again"
        raise UsageError(f"the two have answered different samples: {', '.join(parts)}", hint=hint)
    if list(ids_a) != list(ids_b):
        raise UsageError("the two have answered the same samples in different orders", hint="run one of them again")


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (" ..." if len(ids) > 3 else "")


def _fitting(spec: TaskSpec, predictions: Sequence[Prediction]) -> TaskSpec:
    """The specification, unless the targets are none of its labels: then the task has changed since."""
    held: set[str] = set()
    if spec.labelled:
        held = {one.target for one in predictions}
    elif spec.learnt == "labels":
        held = {label for one in predictions for label in read_labels(one.target)}
    unknown = held - set(spec.labels)
    if unknown:
        log.warning(
            "task %s no longer has label %s: metrics that need labels are not compared", spec.name, min(unknown)
        )
        return _nameless(spec.name)
    return spec


def _nameless(task: str) -> TaskSpec:
    return TaskSpec(task, "generation", PromptSpec(""))


# --- differences -----------------------------------------------------------------------------------------


def _overall(
    name: str,
    metric: Metric,
    results: tuple[TrialResult, TrialResult],
    said: tuple[Sequence[Prediction], Sequence[Prediction]],
    spec: TaskSpec,
    untold: dict[str, str],
) -> Difference:
    """Over all samples; of a metric that can't be compared the stored scores, and in `untold` why."""
    try:
        if not isinstance(metric, Incomparable):
            return _difference(name, metric, *said, spec, overall=True)
        untold[name] = metric.incomparable
    except (ModelError, AssetError) as error:  # a model would have to be asked
        untold[name] = str(error)
    a, b = (result.metrics[name] for result in results)
    return Difference(name, len(said[0]), a, b, None, None, loss=not metric.higher_is_better)


def _difference(
    name: str,
    metric: Metric,
    a: Sequence[Prediction],
    b: Sequence[Prediction],
    spec: TaskSpec,
    *,
    overall: bool = False,
) -> Difference:
    """By one metric; one that has to be computed anew for a test is tested over all samples alone."""
    paired = metric.compare(a, b, spec) if isinstance(metric, ComparesPairs) else None
    if paired is None and (overall or isinstance(metric, WeighsSamples)):
        first, second = (contributions(metric, side, spec, patience_s=PATIENCE_S) for side in (a, b))
        paired = paired_contributions(first, second) if first is not None and second is not None else None
    return Difference(
        metric=name,
        n=len(a),
        a=metric.compute(a, spec),
        b=metric.compute(b, spec),
        difference=paired.difference if paired else None,
        p_value=paired.p_value if paired else None,
        loss=not metric.higher_is_better,
    )


def _within(
    a: Sequence[Prediction], b: Sequence[Prediction], metrics: Mapping[str, Metric], spec: TaskSpec
) -> list[Difference]:
    """Within each context where there are several; p-values corrected for the contexts of one metric."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(a):
        if one.context is not None:
            places.setdefault(one.context, []).append(place)
    if len(places) < 2:
        return []
    found: list[Difference] = []
    for name, metric in metrics.items():
        differences = [
            _difference(name, metric, Selected(a, of_context), Selected(b, of_context), spec)
            for _, of_context in sorted(places.items())
        ]
        found += _corrected(differences, sorted(places))
    return found


def _corrected(differences: Sequence[Difference], contexts: Sequence[str]) -> list[Difference]:
    adjusted = iter(holm([one.p_value for one in differences if one.p_value is not None]))
    return [
        dataclasses.replace(one, context=context, p_value=None if one.p_value is None else next(adjusted))
        for context, one in zip(contexts, differences, strict=True)
    ]


def _versus(
    by: str, metrics: Mapping[str, Metric], said: Mapping[str, Sequence[Prediction]], spec: TaskSpec
) -> Versus | None:
    """How two trials differ by the metric that ranks; None where they don't, or that can't be told.

    `said` has the predictions of the first and of the second, by key.
    """
    pairing = Pairing(
        lambda key: (Outcome(o.sample_id, o.correct, o.target, o.cluster) for o in said[key]),
        lambda key, name: contributions(metrics[name], said[key], spec) if name in metrics else None,
    )
    found = pairing.versus_by(by, *([key] for key in said))
    return found if found is not None and found.discordance else None


def _ahead(
    metric: Metric | None, a: Sequence[Prediction], b: Sequence[Prediction], spec: TaskSpec
) -> tuple[list[int], list[int]] | None:
    """The samples on which each does better by a metric that weighs samples, those with most between them first."""
    scores = [metric.weighted(side, spec) if isinstance(metric, WeighsSamples) else None for side in (a, b)]
    if metric is None or scores[0] is None or scores[1] is None:
        return None
    better = 1 if metric.higher_is_better else -1
    alone = better * (single_scores(scores[0], len(a)) - single_scores(scores[1], len(b)))
    if np.isnan(alone).all():
        return None
    alone = np.nan_to_num(alone, nan=0.0)
    order = np.argsort(-np.abs(alone), kind="stable")
    return [int(place) for place in order if alone[place] > 0], [int(place) for place in order if alone[place] < 0]


# --- flipped samples -------------------------------------------------------------------------------------


class _Prompts:
    """What each of the two was asked of a sample, made again; why that can't be told is noted once."""

    def __init__(self, evidence: Evidence, notes: dict[str, None]) -> None:
        self._evidence = evidence
        self._notes = notes
        self._requests: dict[str, Mapping[str, Sequence[Request]]] = {}

    def flip(self, a: Trial, b: Trial, first: Prediction, second: Prediction) -> Flip:
        """A flipped sample with its prompts."""
        return Flip(first, second, self._asked(a, first.sample_id), self._asked(b, second.sample_id))

    def _asked(self, trial: Trial, sample_id: str) -> tuple[str, ...]:
        if trial.key not in self._requests:
            try:
                self._requests[trial.key] = dict(self._evidence.asked(trial).samples)
            except HarnessError as error:
                self._notes[f"prompts of {trial.model} by {trial.strategy} can't be shown: {error}"] = None
                self._requests[trial.key] = {}
        return tuple(dict.fromkeys(map(_text, self._requests[trial.key].get(sample_id, ()))))


def _text(request: Request) -> str:
    return as_one(request.text) if isinstance(request, TEXTS) else request.prompt.text
