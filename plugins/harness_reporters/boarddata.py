"""A leaderboard as plain values: what the page's script makes its tables and charts of."""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Any

from harness.board import THIN, TIED
from harness_reporters import cells
from harness_reporters.curvecells import sentences

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from harness.board import Curves, Leaderboard, Row, SuiteTable, Table
    from harness.records import Estimate
    from harness_reporters.cells import Column

BELOW = {
    "p50 ms": {"p95 ms": "p95 {}", "p99 ms": "p99 {}"},
    "samples/s": {"tokens/s": "{} tokens/s"},
    "train s": {"load s": "load {}"},
    "adapt s": {"model calls": "{} model calls"},
}
"""Column -> those that stand below its number in small print, and how."""

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?|[-+]?\.\d+")


def board_data(board: Leaderboard) -> dict[str, Any]:
    """All that a leaderboard shows, single answers excepted."""
    return {
        "title": cells.visible(board.title).strip() or "Leaderboard",
        "tied": TIED,
        "tables": [_table(table) for table in board.tables],
        "suites": [_suite(suite) for suite in board.suites],
        "footnotes": [list(one) for one in board.footnotes],
        "environment": [[cells.visible(subject), cells.visible(finding)] for subject, finding in board.environment],
    }


def _table(table: Table) -> dict[str, Any]:
    columns = {column.heading: column for column in cells.columns(table)}
    below = _below(columns)
    return {
        "task": cells.visible(table.task),
        "split": table.split,
        "n": table.n,
        "heading": cells.heading(table),
        "facts": cells.heading(table).removeprefix(f"{cells.visible(table.task)} · "),
        "headline": cells.headline(table),
        "warning": cells.warning(table),
        "metrics": [cells.visible(name) for name in table.metrics],
        "losses": sorted(map(cells.visible, table.losses)),
        "columns": [{"name": name, "numeric": column.numeric} for name, column in columns.items() if name not in below],
        "rows": [_row(row, columns, below) for row in cells.scored(table)],
        "contexts": None
        if table.contexts is None
        else [[cells.visible(n), s] for n, s in table.contexts.sizes.items()],
        "unranked": [[f"{model} · {strategies}", why] for model, strategies, why in cells.unranked(table)],
        "notes": [[note, ", ".join(map(cells.label, noted))] for note, noted in cells.notes(table).items()],
        "curves": None if table.curves is None else _curves(table.curves),
        "in_contexts": {
            f"{cells.visible(row.model)}\n{cells.visible(row.strategy)}": {
                cells.visible(name): _bounds(score) for name, score in row.scores.items()
            }
            for row in (table.contexts.rows if table.contexts else ())
        },
    }


def _suite(suite: SuiteTable) -> dict[str, Any]:
    """Means over the tasks of a suite."""
    return {
        "suite": cells.visible(suite.suite),
        "tasks": list(map(cells.visible, suite.tasks)),
        "kinds": list(suite.kinds),
        "notes": list(map(cells.visible, suite.notes)),
        "rows": [
            {
                "rank": row.rank,
                "model": cells.visible(row.model),
                "strategy": cells.visible(row.strategy),
                "score": _bounds(row.score),
                "tasks": row.tasks,
                "kinds": {kind: _bounds(score) for kind, score in row.kinds.items()},
            }
            for row in suite.rows
        ],
    }


def _curves(curves: Curves) -> dict[str, Any]:
    """Learning curves: points by number of labels, and in words which beats which from where on."""
    return {
        "metric": cells.visible(curves.metric),
        "lines": [
            {
                "name": f"{cells.visible(curve.model)} · {cells.visible(curve.strategy)}",
                "flat": curve.flat,
                "points": [{"labels": point.labels, "score": _bounds(point.score)} for point in curve.points],
            }
            for curve in curves.curves
        ],
        "said": [*sentences(curves), *map(cells.visible, curves.notes)],
    }


def _below(columns: Collection[str]) -> dict[str, str]:
    """Columns that stand in small print below another that is there, and below which."""
    return {
        below: above for above, several in BELOW.items() if above in columns for below in several if below in columns
    }


def _row(row: Row, columns: Mapping[str, Column], below: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, dict[str, Any]] = {}
    for heading, column in columns.items():
        text = column.text(row)
        if heading not in below:
            shown[heading] = _cell(text, numeric=column.numeric)
        elif text != cells.NONE:
            above = shown[below[heading]]
            above["small"] = "\n".join(filter(None, [above["small"], BELOW[below[heading]][heading].format(text)]))
    return {
        "model": cells.visible(row.model),
        "strategy": cells.visible(row.strategy),
        "rank": row.rank,
        "tied": row.tied_with_best,
        "keys": list(row.keys),
        "seeds": list(row.seeds),
        "cells": list(shown.values()),
        "scores": {cells.visible(name): _bounds(score) for name, score in row.metrics.items()},
        "measures": _measures(row),
        "details": [[cells.visible(term), cells.visible(said)] for term, said in _details(row).items() if said],
    }


def _cell(text: str, *, numeric: bool) -> dict[str, Any]:
    """A number with lines of small print below it, `0.912` and `[0.880, 0.936]`, and what it is sorted by."""
    if not numeric:
        return {"text": text, "small": "", "sort": text}
    lines = text.replace(" ±", "\n±").replace(" [", "\n[") if "[" in text else text.replace(", ", "\n")
    first, _, rest = lines.partition("\n")
    return {"text": first, "small": rest, "sort": _number(first)}


def _number(text: str) -> float | None:
    """The number that a cell shows; `<0.001` stands before it."""
    found = NUMBER.search(text)
    if found is None:
        return None
    value = float(found.group().replace(",", ""))
    return value / 2 if text.startswith("<") else value


def _measures(row: Row) -> dict[str, float]:
    """What a score can be set against: less is better of all of them. Loading is the model's, however it is adapted."""
    speed, costs = row.speed, row.costs
    found = {
        "p50 latency, ms": speed.p50_ms,
        "p95 latency, ms": speed.p95_ms,
        "training, s": costs.train_s,
        "adapting, s": costs.adapt_s if costs.model_calls else None,
        "peak memory, MB": speed.peak_mb,
    }
    return {name: value for name, value in found.items() if value is not None and isfinite(value) and value > 0}


def _details(row: Row) -> dict[str, str]:
    return {
        "seeds": ", ".join(map(str, row.seeds)),
        "gain over": "; ".join(gain.over for gain in row.gains),
        "labels": cells.budget(row) if row.budget else "",
        "thin": f"{', '.join(sorted(row.speed.thin))} ({THIN})" if row.speed.thin else "",
        **row.provenance,
        "trials": " ".join(key[:12] for key in row.keys),
    }


def _bounds(score: Estimate) -> list[float | None]:
    return [value if isfinite(value) else None for value in (score.value, score.low, score.high)]
