"""Predictions -> scores with intervals, overall and within each context, and how many samples were answered."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING

from harness.packed import Selected
from harness.records import ContextScore, Coverage, Estimate, Prediction, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.interfaces import Metric

HELD = 20_000
"""Predictions of contexts that are objects at the same time: about 12 MB."""


def coverage(predictions: Iterable[Prediction]) -> Coverage:
    """How many samples were answered and how."""
    statuses: Counter[str] = Counter()
    shortened = 0
    for prediction in predictions:
        statuses[prediction.status] += 1
        shortened += prediction.usage.dropped_demonstrations > 0
    return Coverage(**statuses, shortened=shortened)


def score(
    predictions: Sequence[Prediction], spec: TaskSpec, metrics: Mapping[str, Metric]
) -> tuple[Mapping[str, Estimate], Mapping[str, ContextScore]]:
    """Each metric over all samples, and over the samples of each context where any has one.

    Failed samples take no part: coverage counts them. A metric that these predictions have no value of is left out, and
    so are all where nothing was answered. Contexts come in alphabetical order; a sample without one is in none of them.

    Args:
        predictions: what a trial said, at most one a sample.
        spec: the task's.
        metrics: name -> metric.
    """
    answered = array("q")
    contexts: dict[str, array[int]] = {}
    for place, prediction in enumerate(predictions):
        group = contexts.setdefault(prediction.context, array("q")) if prediction.context is not None else None
        if prediction.status != "failed":
            answered.append(place)
            if group is not None:
                group.append(place)
    within = {
        name: ContextScore(len(group), _compute(group, spec, metrics)) for name, group in _groups(predictions, contexts)
    }
    return _compute(Selected(predictions, answered), spec, metrics), within


def _groups(
    predictions: Sequence[Prediction], contexts: Mapping[str, array[int]]
) -> Iterator[tuple[str, Sequence[Prediction]]]:
    """Each context's predictions, in alphabetical order; as many contexts at a time as `HELD` predictions fill.

    To go through all predictions once for every context would take long where there are many contexts.
    """
    together: dict[str, array[int]] = {}
    held = 0
    for name, places in sorted(contexts.items()):
        if held + len(places) > HELD:
            yield from _picked(predictions, together)
            together, held = {}, 0
        together[name] = places
        held += len(places)
    yield from _picked(predictions, together)


def _picked(
    predictions: Sequence[Prediction], contexts: Mapping[str, array[int]]
) -> Iterator[tuple[str, Sequence[Prediction]]]:
    if len(contexts) <= 1:
        yield from ((name, Selected(predictions, places)) for name, places in contexts.items())
        return
    picked: dict[str, list[Prediction]] = {name: [] for name in contexts}
    group_of = {place: picked[name] for name, places in contexts.items() for place in places}
    for place, prediction in enumerate(predictions):
        if place in group_of:
            group_of[place].append(prediction)
    yield from picked.items()


def _compute(
    predictions: Sequence[Prediction], spec: TaskSpec, metrics: Mapping[str, Metric]
) -> Mapping[str, Estimate]:
    if not predictions:
        return {}
    computed = {name: metric.compute(predictions, spec) for name, metric in metrics.items()}
    return {name: estimate for name, estimate in computed.items() if estimate is not None}
