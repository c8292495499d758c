"""leaderboard.csv: a row for each model and strategy, at full precision, with units in the columns' names."""

from __future__ import annotations

import csv
import dataclasses
import io
from math import isfinite
from typing import TYPE_CHECKING, Any

from harness.board import Row, Table
from harness.interfaces import Report
from harness.records import LabelBudget
from harness_reporters import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.leaderboard import Leaderboard
    from harness.records import Estimate

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula: it gets an apostrophe before it."""


NO_ROW = Row(None, "", "", (), (), 0, "planned")
NO_TABLE = Table("", "", "", 0, (), frozenset(), ())
"""What the header is made of, so that an empty board has one too."""


class Csv:
    """All tables of a board in one file; an empty cell means that there is no such number."""

    def render(self, board: Leaderboard) -> Report:
        """Render it."""
        metrics = dict.fromkeys(name for table in board.tables for name in table.metrics)
        scenarios = dict.fromkeys(name for table in board.tables for name in cells.further_scenarios(table))
        gains = max((len(row.gains) for table in board.tables for row in table.rows), default=1)
        rows = [
            _before(table, row) | _scores(row, metrics) | _after(row, gains) | _latency(row, scenarios)
            for table in board.tables
            for row in table.rows
        ]
        file = io.StringIO(newline="")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            _before(NO_TABLE, NO_ROW) | _scores(NO_ROW, metrics) | _after(NO_ROW, gains) | _latency(NO_ROW, scenarios)
        )
        writer.writerows([cell(value) for value in row.values()] for row in rows)
        text = file.getvalue()
        return Report({"leaderboard.csv": text.encode("utf-8", "replace")}, text)


def _before(table: Table, row: Row) -> dict[str, Any]:
    return {
        "task": table.task,
        "split": table.split,
        "n": row.n,
        "rank": row.rank,
        "rank_low": row.ranks[0] if row.ranks else None,
        "rank_high": row.ranks[1] if row.ranks else None,
        "model": row.model,
        "strategy": row.strategy,
        "seeds": " ".join(map(str, row.seeds)),
        "status": row.status,
        "reason": row.reason,
        "control": row.control,
        "baseline": row.added,
        "tied_with_best": row.tied_with_best,
        "p_value": row.p_value,
        "p_majority": row.p_majority,
    }


def _scores(row: Row, metrics: Mapping[str, None]) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for name in metrics:
        scores |= _bounds(name, row.metrics.get(name)) | {f"{name}_seed_sd": row.seed_sd.get(name)}
    return scores


def _gains(row: Row, count: int) -> dict[str, Any]:
    """Over the first baseline as `gain_over`, `gain` ...; over the second as `gain_2_over`, `gain_2` ..."""
    cells: dict[str, Any] = {}
    for place in range(max(count, 1)):
        name = f"gain_{place + 1}" if place else "gain"
        gain = row.gains[place] if place < len(row.gains) else None
        cells |= {f"{name}_over": gain.over if gain else None} | _bounds(name, gain.difference if gain else None)
    return cells


def _after(row: Row, gains: int) -> dict[str, Any]:
    return {
        **_bounds("clean", row.clean),
        "clean_n": row.clean_n,
        "worst_context": row.worst.context if row.worst else None,
        **_bounds("worst_context_score", row.worst.score if row.worst else None),
        **_gains(row, gains),
        **dataclasses.asdict(dataclasses.replace(row.speed, thin=frozenset())),
        "thin": " ".join(sorted(row.speed.thin)),
        **dataclasses.asdict(row.costs),
        **dataclasses.asdict(row.coverage),
        **_budget(row.budget),
        "cached": row.cached,
        "notes": "; ".join(row.notes),
        "trials": " ".join(row.keys),
    }


def _latency(row: Row, scenarios: Iterable[str]) -> dict[str, float | None]:
    """Scenarios beyond `single-stream` and `offline`, and these with other parameters: `server,rate=2 p99_ms` ..."""
    of_each = ("p50_ms", "p95_ms", "p99_ms", "within_limit")
    return {f"{name} {of}": row.latency.get(name, {}).get(of) for name in scenarios for of in of_each}


def _budget(budget: LabelBudget | None) -> dict[str, Any]:
    names = {"train": "labels_train", "validation": "labels_validation"}
    return {names.get(one.name, one.name): getattr(budget, one.name, None) for one in dataclasses.fields(LabelBudget)}


def _bounds(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def cell(value: object) -> object:
    """A value as it is written: no formula, nothing that is not finite."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not isfinite(value):
        return None
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
