"""Means over a suite's tasks as text: a row for each model and strategy, a column for all tasks and for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_reporters import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.board import SuiteTable


NAMED = 3
"""The columns of the grid that say which row it is."""


def heading(suite: SuiteTable) -> str:
    """Which suite, and over what the means go."""
    tasks = ", ".join(suite.tasks) or "none of its tasks"
    return cells.visible(f"suite {suite.suite}: mean over {tasks}")


def grid(suite: SuiteTable) -> tuple[list[str], list[list[str]], list[bool]]:
    """Headings, rows, and which columns are numbers."""
    kinds = suite.kinds if len(suite.kinds) > 1 else ()
    rows = []
    for row in suite.rows:
        rank = cells.NONE if row.rank is None else str(row.rank)
        mean = f"{cells.number(row.score.value)} {cells.interval(row.score)}"
        found = [row.kinds.get(kind) for kind in kinds]
        of_kinds = [cells.NONE if one is None else cells.number(one.value) for one in found]
        named = [cells.visible(row.model), cells.visible(row.strategy)]
        rows.append([rank, *named, mean, f"{row.tasks} of {len(suite.tasks)}", *of_kinds])
    headings = ["rank", "model", "strategy", "mean", "tasks", *kinds]
    return headings, rows, [True, False, False, *(True for _ in headings[3:])]


def notes(suite: SuiteTable) -> Sequence[str]:
    """Which tasks are not in the mean."""
    return [cells.visible(note) for note in suite.notes]
