"""Learning curves by themselves: text for the terminal, and files: Markdown, CSV, JSON and a picture of each task."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

from rich.text import Text

from harness.export import curves_json
from harness.interfaces import Report
from harness_reporters import cells, markdown, terminal
from harness_reporters.csvfile import cell
from harness_reporters.curvechart import picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from harness.board import Leaderboard, Table

COLUMNS = ("model", "strategy", "task", "labels", "seed", "metric", "value", "low", "high")
"""Of curves.csv. A row without a seed has the mean over seeds, with the interval of both errors."""

NOTHING = "There are no learning curves: no strategy has run with several sizes."


class Curves:
    """The learning curves of a board: `curves.md`, `curves.csv`, `curves.json`, `curves-TASK.svg`."""

    def render(self, board: Leaderboard) -> Report:
        """Render them."""
        found = json.dumps(curves_json(board.tables), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        files = {
            "curves.md": _markdown(board).encode("utf-8", "replace"),
            "curves.csv": _csv(board).encode("utf-8", "replace"),
            "curves.json": found.encode("utf-8", "backslashreplace"),
        }
        for number, table in enumerate(board.tables, 1):
            shown = picture(table)
            if shown is not None:
                name = f"curves-{re.sub(r'[^A-Za-z0-9_-]+', '-', table.task).strip('-') or 'task'}"
                taken = f"{name}.svg" in files
                files[f"{name}-{number}.svg" if taken else f"{name}.svg"] = shown.encode("utf-8", "replace")
        return Report(files, _text(board))


def _text(board: Leaderboard) -> str:
    width = shutil.get_terminal_size((terminal.WIDE, 24)).columns
    return terminal.as_text(_blocks(board, width), width=width, colours=terminal.coloured(sys.stdout))


def _blocks(board: Leaderboard, width: int) -> Iterator[RenderableType]:
    if board.title:
        yield Text(cells.visible(board.title) + "\n", "bold")
    for table in board.tables:
        yield Text(cells.heading(table), "bold")
        yield from [Text(NOTHING)] if table.curves is None else terminal.curve_blocks(table.curves, width)
        for model, strategies, why in _refused(board, table):
            yield Text(f"not applicable: {model} · {strategies}: {why}", "dim")
        yield Text("")
    if any(table.curves for table in board.tables):
        yield Text("labels: training and validation rows; ± spread over seeds; [low, high] 95% interval", "dim")


def _markdown(board: Leaderboard) -> str:
    blocks = [f"# {markdown.escaped(board.title).strip() or 'Learning curves'}"]
    for table in board.tables:
        blocks.append(f"## {markdown.escaped(cells.heading(table))}")
        blocks += [NOTHING] if table.curves is None else markdown.curve_blocks(table.curves)
        if refused := _refused(board, table):
            blocks.append(markdown.pipes(["model", "strategies", "not applicable"], refused))
    meant = [(term, meaning) for term, meaning in board.footnotes if term in {"curve", "from how many labels on"}]
    if meant:
        blocks += ["## How to read this", markdown.pipes(["term", "meaning"], meant)]
    return "\n\n".join(blocks) + "\n"


def _refused(board: Leaderboard, table: Table) -> list[tuple[str, str, str]]:
    """The pairs that can't work: model, strategies without their sizes, why."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for trial in (result.trial for result in board.results if result.status == "not-applicable"):
        if (str(trial.task), trial.split, trial.samples) == (table.task, table.split, table.samples):
            strategies = found.setdefault((cells.visible(str(trial.model)), cells.visible(trial.refusal)), {})
            strategies[cells.visible(trial.curve or str(trial.strategy))] = None
    return [(model, "; ".join(strategies), why) for (model, why), strategies in found.items()]


def _csv(board: Leaderboard) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(row[name]) for name in COLUMNS] for table in board.tables for row in _rows(table))
    return file.getvalue()


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    """Point by point the mean over seeds, then each seed."""
    if table.curves is None:
        return
    for curve in table.curves.curves:
        for point in curve.points:
            named = {"model": curve.model, "strategy": curve.strategy, "task": table.task, "labels": point.labels}
            for seed, score in [(None, point.score), *zip(point.seeds, point.scores, strict=True)]:
                bounds = {"value": score.value, "low": score.low, "high": score.high}
                yield {**named, "seed": seed, "metric": table.curves.metric, **bounds}
