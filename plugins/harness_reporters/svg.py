"""Pictures for papers and slides: score against latency, contexts, learning curves, an SVG file each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.interfaces import Report
from harness_reporters import cells
from harness_reporters.chart import chart
from harness_reporters.curvechart import picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.board import ContextTable, Table
    from harness.leaderboard import Leaderboard

CELL, LINE, LEFT, TOP = 96, 26, 16, 64
"""Of the heat map, in pixels: a cell's width and height, and where its names begin."""

LETTER = 6.6
"""How wide a letter of 12 px is, on average: SVG has no way to ask."""

PALE, STRONG = (255, 255, 255), (134, 165, 232)
"""Colours of the lowest and the highest score; black text can be read on both."""


class Svg:
    """The pictures of a board; black on white, without scripts, fonts or links."""

    def render(self, board: Leaderboard) -> Report:
        """Render them; a task without the numbers for a picture has none."""
        environment = Environment(
            loader=PackageLoader("harness_reporters", "svg"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        files: dict[str, bytes] = {}
        for table, name in _named(board.tables):
            for kind, values in _shapes(table).items():
                text = environment.get_template(f"{kind}.svg.jinja").render(values)
                files[f"{name}-{kind}.svg"] = text.encode("utf-8", "replace")
            curves = picture(table)
            if curves is not None:
                files[f"{name}-curves.svg"] = curves.encode("utf-8", "replace")
        if len(files) == 1:
            return Report(files, next(iter(files.values())).decode())
        return Report(files, f"{len(files)} pictures; -o DIR writes them: {', '.join(files) or 'none'}\n")


def _named(tables: Sequence[Table]) -> Iterator[tuple[Table, str]]:
    """Tables with names for their files."""
    taken: set[str] = set()
    for number, table in enumerate(tables, 1):
        name = re.sub(r"[^\w-]+", "-", table.task).strip("-") or "task"
        name = name if name not in taken else f"{name}-{number}"
        taken.add(name)
        yield table, name


def _shapes(table: Table) -> dict[str, dict[str, Any]]:
    """Kind of picture -> what its template draws, for the kinds that the table has numbers for."""
    found: dict[str, dict[str, Any]] = {}
    shapes = chart(table)
    if shapes is not None:
        by = cells.visible(table.metrics[0])
        found["latency"] = {**shapes, "heading": cells.heading(table), "by": by, "key": _key(table)}
    if table.contexts is not None and table.contexts.rows:
        found["contexts"] = _heats(table, table.contexts)
    return found


def _key(table: Table) -> list[str]:
    """Which number is which row."""
    ranked = [row for row in table.rows if row.rank is not None and row.speed.p50_ms]
    return [f"{row.rank}  {cells.label(row)}" for row in ranked]


def _heats(table: Table, contexts: ContextTable) -> dict[str, Any]:
    values = [score.value for row in contexts.rows for score in row.scores.values()]
    low, span = min(values), (max(values) - min(values)) or 1.0
    names = [f"{cells.visible(row.model)} · {cells.visible(row.strategy)}" for row in contexts.rows]
    across = LEFT + 12 + max(map(len, names)) * LETTER
    lines = []
    for at, (row, name) in enumerate(zip(contexts.rows, names, strict=True)):
        found = [(place, row.scores[one]) for place, one in enumerate(contexts.sizes) if one in row.scores]
        lines.append(
            {
                "name": name,
                "y": TOP + at * LINE,
                "cells": [
                    {
                        "x": across + place * CELL,
                        "text": cells.number(score.value),
                        "fill": _shade((score.value - low) / span),
                    }
                    for place, score in found
                ],
            }
        )
    return {
        "heading": f"{cells.heading(table)}: {cells.visible(contexts.metric)} in each context",
        "width": round(across + len(contexts.sizes) * CELL + LEFT),
        "height": TOP + len(lines) * LINE + 14,
        "cell": CELL,
        "line": LINE,
        "left": LEFT,
        "top": TOP,
        "columns": [
            {"x": across + place * CELL + CELL / 2, "name": cells.visible(name), "size": f"n={size:,}"}
            for place, (name, size) in enumerate(contexts.sizes.items())
        ],
        "lines": lines,
    }


def _shade(share: float) -> str:
    parts = (round(pale + share * (strong - pale)) for pale, strong in zip(PALE, STRONG, strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)
