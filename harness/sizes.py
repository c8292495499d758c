"""Strategies crossed with numbers of labelled rows: `linear-probe` and 8, 16 -> `linear-probe,train_size=8` ..."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.interfaces import Sizes

if TYPE_CHECKING:
    from harness.interfaces import Strategy
    from harness.records import Component, Experiment, Split
    from harness.taskdata import TaskData

log = logging.getLogger(__name__)


def crossed(component: Component, strategy: Strategy, data: TaskData, experiment: Experiment) -> tuple[Component, ...]:
    """The strategy once for each of the experiment's sizes; itself where it learns from no number of rows.

    Sizes beyond the rows that there are all mean these rows: of them only the smallest is kept, and it is said.

    Raises:
        UsageError: when the strategy is written with a size, or takes none of the kind that is asked for.
    """
    sizes = declared(strategy)
    if sizes is None or not experiment.sizes:
        return (component,)
    written = [name for name in (sizes.rows, sizes.per_label) if name in component.params]
    if written:
        raise UsageError(
            f"{component} has its own {written[0]}, which the sizes are to be put in for", hint="leave it out"
        )
    parameter, times = _parameter(component, sizes, data, per_label=experiment.per_label)
    most = _most(data, experiment.split, each=parameter == sizes.per_label)
    asked = [size * times for size in sorted(set(experiment.sizes))]
    kept = [size for at, size in enumerate(asked) if at == 0 or most == 0 or asked[at - 1] < most]
    if kept[-1] > most > 0:
        log.info("%s on %s: %s=%d takes all rows there are", component.name, data.spec.name, parameter, kept[-1])
    return tuple(dataclasses.replace(component, params={**component.params, parameter: size}) for size in kept)


def declared(strategy: Strategy) -> Sizes | None:
    """The parameters of a strategy that say how many labelled rows it learns from; None where it has none."""
    sizes: Sizes | None = getattr(strategy, "sizes", None)
    return None if sizes == Sizes() else sizes


def curve_of(component: Component, strategy: Strategy) -> str:
    """The name that a strategy has in common with those that differ from it in their size alone; empty without one.

    So many rows of each label are another draw than so many in all, so they make another curve.
    """
    sizes = declared(strategy)
    if sizes is None:
        return ""
    rest = {name: value for name, value in component.params.items() if name not in (sizes.rows, sizes.per_label)}
    name = str(dataclasses.replace(component, params=rest))
    return f"{name} ({sizes.per_label})" if sizes.per_label in component.params else name


def _parameter(component: Component, sizes: Sizes, data: TaskData, *, per_label: bool) -> tuple[str, int]:
    """The parameter that takes a size, and by what the size is multiplied."""
    if not per_label:
        if sizes.rows:
            return sizes.rows, 1
        raise UsageError(
            f"{component} takes a number of rows of each label ({sizes.per_label}) alone", hint="add --per-label"
        )
    labels = len(data.spec.labels) if data.spec.labelled else 0
    if not labels:
        raise UsageError(
            f"task {data.spec.name!r} has no labels: there are no rows of each", hint="leave --per-label out"
        )
    return (sizes.per_label, 1) if sizes.per_label else (sizes.rows, labels)


def _most(data: TaskData, scored: Split, *, each: bool) -> int:
    """How many training rows there are, or of the most frequent label; from so many on, every draw is all of them."""
    return data.most_of_a_label(scored) if each else data.pool_facts("train", scored).n
