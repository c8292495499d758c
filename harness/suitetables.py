"""Tables of single tasks -> one table of a suite: the mean over its tasks, of all and of each kind.

The mean of a row is the weighted mean of its scores by each task's first metric. Tasks are scored on samples of their
own, so that the errors of their scores are independent and the variance of the mean is the sum of theirs, each by the
square of its weight. It tells how far the mean would move with other samples of the same tasks; other tasks would move
it too, and of these no interval tells.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING

from harness.board import SuiteRow, SuiteTable
from harness.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.board import Row, Table
    from harness.suites import Suite

QUANTILE = 1.959963984540054
"""Of the normal distribution: half the width of a 95% interval in standard errors."""

OTHER = "other"
"""The kind of a task that tells none."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A task of a suite with its table: what it adds to the mean."""

    task: str
    weight: float
    kind: str
    top: float
    table: Table

    def score(self, row: Row) -> Estimate:
        """The row's first metric as a share of the highest that there can be."""
        found = row.metrics[self.table.metrics[0]]
        return Estimate(found.value / self.top, found.low / self.top, found.high / self.top)


def suite_table(
    suite: Suite, tables: Sequence[Table], *, kinds: Mapping[str, str], tops: Mapping[str, float]
) -> SuiteTable:
    """The means of a suite over the tables of its tasks.

    A task whose first metric is a loss, or has no highest value, can't be averaged with others and is left out with a
    note. A row that lacks a task has no rank. Of several tables of a task the one with most samples counts.

    Args:
        suite: its tasks and weights.
        tables: of a leaderboard.
        kinds: task -> kind.
        tops: metric -> its highest value, of those that have one other than 1.
    """
    parts, notes = _parts(suite, tables, kinds, tops)
    of_kind: dict[str, list[_Part]] = {}
    for part in parts:
        of_kind.setdefault(part.kind, []).append(part)
    scored: dict[tuple[str, str], dict[str, Row]] = {}
    for part in parts:
        for row in part.table.rows:
            if _counts(row, part.table):
                scored.setdefault((row.model, row.strategy), {})[part.task] = row
    rows = [
        SuiteRow(
            rank=None,
            model=model,
            strategy=strategy,
            score=_mean(parts, found),
            tasks=len(found),
            kinds={kind: _mean(some, found) for kind, some in of_kind.items() if any(p.task in found for p in some)},
            control=any(row.control for row in found.values()),
        )
        for (model, strategy), found in scored.items()
    ]
    return SuiteTable(suite.name, tuple(part.task for part in parts), tuple(of_kind), _ranked(rows, len(parts)), notes)


def _parts(
    suite: Suite, tables: Sequence[Table], kinds: Mapping[str, str], tops: Mapping[str, float]
) -> tuple[list[_Part], tuple[str, ...]]:
    parts: list[_Part] = []
    notes: list[str] = []
    for task, weight in zip(suite.names, suite.weights, strict=True):
        table = max((one for one in tables if one.task == task), key=lambda one: one.n, default=None)
        if table is None or not table.metrics:
            notes.append(f"{task} has no scores")
            continue
        metric = table.metrics[0]
        top = tops.get(metric, 1.0)
        if metric in table.losses or any(
            abs(row.metrics[metric].value) > top for row in table.rows if metric in row.metrics
        ):
            notes.append(f"{task} is not in the mean: {metric} is no share of a highest value")
            continue
        parts.append(_Part(task, weight, kinds.get(task, OTHER), top, table))
    return parts, tuple(notes)


def _counts(row: Row, table: Table) -> bool:
    found = row.metrics.get(table.metrics[0])
    return row.status == "finished" and found is not None and isfinite(found.value)


def _mean(parts: Iterable[_Part], rows: Mapping[str, Row]) -> Estimate:
    """Over those of the parts that the row has."""
    found = [(part.weight, part.score(rows[part.task])) for part in parts if part.task in rows]
    total = sum(weight for weight, _ in found)
    value = sum(weight * score.value for weight, score in found) / total
    errors = [weight * (score.high - score.low) / 2 / QUANTILE for weight, score in found]
    half = QUANTILE * sqrt(sum(error**2 for error in errors)) / total
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))


def _ranked(rows: Iterable[SuiteRow], tasks: int) -> tuple[SuiteRow, ...]:
    """The best first; those that lack a task, and controls, stand last and have no rank."""
    best_first = sorted(rows, key=lambda row: -row.score.value)
    whole = [row for row in best_first if row.tasks == tasks and not row.control]
    values = [row.score.value for row in whole]
    ranked = [dataclasses.replace(row, rank=values.index(row.score.value) + 1) for row in whole]
    return (*ranked, *(row for row in best_first if row.tasks < tasks or row.control))
