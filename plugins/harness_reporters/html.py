"""leaderboard.html: one file that needs nothing else, no network and no script to be read."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from harness.board import TIED
from harness.interfaces import Report
from harness_reporters import cells
from harness_reporters.chart import chart

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.board import ContextTable, Row, Table
    from harness.leaderboard import Leaderboard
    from harness.records import Estimate

NAMING = ("rank", "model", "strategy", "seeds")
"""Columns that the template writes by itself."""

BELOW = {
    "p50 ms": {"p95 ms": "p95 {}", "p99 ms": "p99 {}"},
    "samples/s": {"tokens/s": "{} tokens/s"},
    "train s": {"load s": "load {}"},
    "adapt s": {"model calls": "{} model calls"},
}
"""Column -> those that stand below its number in small print, and how."""


class Html:
    """A board as one HTML file."""

    def render(self, board: Leaderboard) -> Report:
        """Render it."""
        script = _resource("leaderboard.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        environment = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
        )
        text = environment.from_string(_resource("leaderboard.html.jinja")).render(
            title=cells.visible(board.title).strip() or "Leaderboard",
            tables=[_table(table) for table in board.tables],
            footnotes=board.footnotes,
            environment=[(cells.visible(subject), cells.visible(finding)) for subject, finding in board.environment],
            tied=TIED,
            style=Markup(_resource("leaderboard.css")),  # noqa: S704 - a file of ours
            script=Markup(script),  # noqa: S704 - a file of ours
            script_hash=f"sha256-{digest}",
        )
        return Report({"leaderboard.html": text.encode()}, text)


def _resource(name: str) -> str:
    return files("harness_reporters").joinpath(name).read_text(encoding="utf-8")


def _table(table: Table) -> dict[str, Any]:
    rows = cells.scored(table)
    by = table.metrics[0] if table.metrics else ""
    low, high = _scale([row.metrics[by] for row in rows if by in row.metrics])
    columns = {column.heading: column for column in cells.columns(table)}
    return {
        "task": cells.visible(table.task),
        "heading": cells.heading(table),
        "facts": cells.heading(table).removeprefix(f"{cells.visible(table.task)} · "),
        "headline": cells.headline(table),
        "by": cells.visible(by),
        "scale": {"low": f"{low:g}", "high": f"{high:g}"},
        "columns": [column for heading, column in columns.items() if heading not in {*NAMING, *_below(columns)}],
        "rows": [_row(row, columns, _bar(row.metrics.get(by), low, high)) for row in rows],
        "chart": chart(table),
        "contexts": None if table.contexts is None else _contexts(table.contexts),
        "unranked": [(f"{model} · {strategies}", why) for model, strategies, why in cells.unranked(table)],
        "notes": [(note, ", ".join(map(cells.label, noted))) for note, noted in cells.notes(table).items()],
    }


def _below(columns: Collection[str]) -> dict[str, str]:
    """Columns that stand in small print below another that is there, and below which."""
    return {
        below: above for above, several in BELOW.items() if above in columns for below in several if below in columns
    }


def _row(row: Row, columns: Mapping[str, cells.Column], bar: dict[str, str] | None) -> dict[str, Any]:
    below = _below(columns)
    texts: dict[str, dict[str, Any]] = {}
    for heading, column in columns.items():
        text = column.text(row)
        if heading in below:
            said = "" if text == cells.NONE else BELOW[below[heading]][heading].format(text)
            texts[below[heading]]["rest"] = "\n".join(filter(None, [texts[below[heading]]["rest"], said]))
        elif heading not in NAMING:
            parts = _parts(text) if column.numeric else {"first": text, "rest": ""}
            texts[heading] = parts | {"numeric": column.numeric, "bar": None if texts else bar}
    details = {
        "seeds": ", ".join(map(str, row.seeds)),
        "gain over": "; ".join(gain.over for gain in row.gains),
        "labels": cells.budget(row) if row.budget else "",
        **row.provenance,
        "trials": " ".join(key[:12] for key in row.keys),
    }
    return {
        "rank": cells.rank(row).removesuffix(TIED),
        "tied": row.tied_with_best,
        "kind": "partial" if row.rank is None else "best" if row.rank == 1 else "",
        "model": _breakable(row.model),
        "strategy": _breakable(row.strategy),
        "details": [(cells.visible(term), cells.visible(said)) for term, said in details.items() if said],
        "cells": list(texts.values()),
    }


def _breakable(name: str) -> Markup:
    """A name that breaks after commas."""
    return Markup(",<wbr>").join(cells.visible(name).split(","))


def _parts(text: str) -> dict[str, Any]:
    """A number, and the lines of small print below it: `0.912` and `[0.880, 0.936]`."""
    lines = text.replace(" ±", "\n±").replace(" [", "\n[") if "[" in text else text.replace(", ", "\n")
    first, _, rest = lines.partition("\n")
    return {"first": first, "rest": rest}


def _contexts(contexts: ContextTable) -> dict[str, Any]:
    values = [score.value for row in contexts.rows for score in row.scores.values()]
    low, high = min(values), max(values)
    names = list(contexts.sizes)
    _, texts = cells.context_cells(contexts)
    rows = []
    for row, (_, _, *scores, worst, spread) in zip(contexts.rows, texts, strict=True):
        heats = [(row.scores[name].value - low) / (high - low or 1) if name in row.scores else 0 for name in names]
        parts = [_parts(text) | {"heat": f"{heat:.2f}"} for text, heat in zip(scores, heats, strict=True)]
        named = {"model": _breakable(row.model), "strategy": _breakable(row.strategy)}
        rows.append(named | {"cells": parts, "worst": worst, "spread": spread})
    headings = [{"name": cells.visible(name), "size": f"{size:,}"} for name, size in contexts.sizes.items()]
    return {"headings": headings, "rows": rows}


def _scale(scores: Sequence[Estimate]) -> tuple[float, float]:
    """Where bars begin and end: the tenths around all intervals."""
    bounds = [bound for one in scores for bound in (one.low, one.high) if isfinite(bound)]
    if not bounds:
        return 0.0, 1.0
    low, high = floor(10 * min(bounds)) / 10, ceil(10 * max(bounds)) / 10
    return (low, high) if high > low else (low, low + 0.1)


def _bar(score: Estimate | None, low: float, high: float) -> dict[str, str] | None:
    """Where an interval and its score stand on the scale, in percent."""
    if score is None or not all(map(isfinite, (score.value, score.low, score.high))):
        return None
    at = {"low": score.low, "high": score.high, "value": score.value}
    return {name: f"{100 * (value - low) / (high - low):.1f}" for name, value in at.items()}
