"""leaderboard.csv: a row for each model and strategy, full precision, units in the columns' names."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import TYPE_CHECKING, TypeAlias

from harness.interfaces import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.board import Row, Table
    from harness.leaderboard import Leaderboard
    from harness.records import Estimate

    Cell: TypeAlias = str | float | bool | None

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula."""


class Csv:
    """All tables of a board as one file; an empty cell means that there is no such number."""

    def render(self, board: Leaderboard) -> Report:
        """Render it."""
        rows = [dict(_cells(table, row)) for table in board.tables for row in table.rows]
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, _header(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
        text = file.getvalue()
        return Report({"leaderboard.csv": text.encode("utf-8", "replace")}, text)


def _header(rows: list[dict[str, Cell]]) -> list[str]:
    """All columns: what stands before the scores, the scores of all tables, what stands after them."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    after = ["worst_context", *names[names.index("worst_context") + 1 :]] if rows else []
    ...
