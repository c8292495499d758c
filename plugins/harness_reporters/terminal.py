"""A table for the terminal: as wide as that is; where it is narrow, what matters least is left out."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import sys
from typing import IO, TYPE_CHECKING, TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from harness.board import THIN, TIED
from harness.interfaces import Report
from harness_reporters import cells, curvecells, suitecells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from harness.board import ContextTable, Curves, Row, SuiteTable, Table
    from harness.leaderboard import Leaderboard
    from harness_reporters.cells import Column

Cell = TypeVar("Cell")

WIDE = 160
"""Columns of a file, and of a standard output that is no terminal."""

MARKS = {"±": "spread over seeds", TIED: "ties with the best (p ≥ 0.05)", THIN: "too few samples"}
"""What a terminal explains; the file explains everything."""


class Terminal:
    """A board as text, in colour where standard output is a terminal."""

    def render(self, board: Leaderboard) -> Report:
        """Render it."""
        colours = coloured(sys.stdout)
        width = shutil.get_terminal_size((WIDE, 24)).columns
        text = as_text([*_board(board, width), *_marks(board)], width=width, colours=colours)
        file = as_text([*_board(board, WIDE), _meanings(board)], width=WIDE, colours=False)
        return Report({"leaderboard.txt": file.encode()}, text)


def coloured(stream: IO[str]) -> bool:
    """Whether people see it who have not asked for no colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def as_text(blocks: Iterable[RenderableType], *, width: int, colours: bool) -> str:
    """Blocks in lines of at most that width."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colours,
        color_system="standard" if colours else None,
        highlight=False,
        legacy_windows=False,
    )
    for block in blocks:
        console.print(block)
    return "\n".join(line.rstrip() for line in file.getvalue().strip("\n").splitlines()) + "\n"


def _board(board: Leaderboard, width: int) -> Iterator[RenderableType]:
    if board.title:
        yield Text(cells.visible(board.title) + "\n", "bold")
    if not board.tables:
        yield Text("There are no trials yet.")
    for table in board.tables:
        yield from _table(table, width)
    for suite in board.suites:
        yield from _suite(suite, width)
    if board.environment:
        found = "; ".join(f"{subject} {finding}" for subject, finding in board.environment)
        yield Text(cells.visible(found), "dim")


def _marks(board: Leaderboard) -> Iterator[RenderableType]:
    there = [f"{term} {MARKS[term]}" for term, _ in board.footnotes if term in MARKS]
    if board.footnotes:
        yield Text("; ".join(["[low, high] 95% interval", *there]), "dim")


def _meanings(board: Leaderboard) -> RenderableType:
    grid = Grid.grid(padding=(0, 2))
    for term, meaning in board.footnotes:
        grid.add_row(Text(term), Text(meaning))
    return grid


def _table(table: Table, width: int) -> Iterator[RenderableType]:
    yield Text(cells.heading(table), "bold")
    rows = cells.scored(table)
    if rows:
        columns, left_out = fit(cells.columns(table), rows, width)
        yield _grid(
            [column.heading for column in columns],
            [[column.text(row) for column in columns] for row in rows],
            [column.numeric for column in columns],
            ["bold" if row.rank == 1 else "dim" if row.rank is None else "" for row in rows],
        )
        if left_out:
            yield Text(f"No room for: {', '.join(left_out)}.", "dim")
    yield Text(cells.headline(table) + "\n")
    if warning := cells.warning(table):
        yield Text(f"warning: {warning}\n", "yellow")
    if table.contexts is not None:
        yield from _contexts(table.contexts, width)
    if table.curves is not None:
        yield from curve_blocks(table.curves, width)
    for model, strategies, why in cells.unranked(table):
        yield Text.assemble("not ranked: ", (f"{model} · {strategies}", "bold"), f": {why}")
    for note, noted in cells.notes(table).items():
        yield Text(f"note: {', '.join(map(cells.label, noted))}: {note}", "dim")
    yield Text("")


def _suite(suite: SuiteTable, width: int) -> Iterator[RenderableType]:
    """A grid; where it is too wide several, each with the rows' names and as many of the columns as fit."""
    yield Text(suitecells.heading(suite), "bold")
    headings, rows, numeric = suitecells.grid(suite)
    styles = ["bold" if row.rank == 1 else "" for row in suite.rows]
    if _width([headings, *rows]) > width:
        rows = [[row[0], *map(cells.folded, row[1:3]), *row[3:]] for row in rows]
    rest = list(range(suitecells.NAMED, len(headings)))
    while rows and rest:
        shown = [*range(suitecells.NAMED), rest.pop(0)]
        while rest and _width([_picked(line, [*shown, rest[0]]) for line in (headings, *rows)]) <= width:
            shown.append(rest.pop(0))
        yield _grid(_picked(headings, shown), [_picked(row, shown) for row in rows], _picked(numeric, shown), styles)
        if rest:
            yield Text("")
    for note in suitecells.notes(suite):
        yield Text(f"note: {note}", "dim")
    yield Text("")


def _contexts(contexts: ContextTable, width: int) -> Iterator[RenderableType]:
    headings, rows = cells.context_cells(contexts)
    numeric = [False, False, *(True for _ in contexts.sizes), False, True]
    if _width([headings, *rows]) > width:
        rows = [[*map(cells.folded, row[:2]), *row[2:]] for row in rows]
    if _width([headings, *rows]) > width:
        rows = [[*row[:2], *(cell.partition(" [")[0] for cell in row[2:])] for row in rows]
    if _width([headings, *rows]) > width:
        headings, *rows = ([*row[:2], *row[-2:]] for row in [headings, *rows])
        numeric = [False, False, False, True]
    yield Text(f"{cells.visible(contexts.metric)} in each context", "bold")
    yield _grid(headings, rows, numeric, [""] * len(rows))
    yield Text("")


def curve_blocks(curves: Curves, width: int) -> Iterator[RenderableType]:
    """A grid of curves x numbers of labels with as much of each point as there is room for, and the sentences."""
    yield Text(curvecells.heading(curves), "bold")
    for detail in curvecells.DETAILS:
        headings, rows = curvecells.grid(curves, detail)
        rows = [[*row[:2], *(cell.replace(" [", "\n[") for cell in row[2:])] for row in rows]
        if _width([headings, *rows]) <= width:
            break
    else:
        rows = [[*map(cells.folded, row[:2]), *row[2:]] for row in rows]
    if rows:
        yield _grid(headings, rows, [False, False, *(True for _ in headings[2:])], [""] * len(rows))
    for said in curvecells.sentences(curves):
        yield Text(said)
    for note in curves.notes:
        yield Text(f"note: {cells.visible(note)}", "dim")
    yield Text("")


def _grid(
    headings: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool], styles: Sequence[str]
) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading, right in zip(headings, numeric, strict=True):
        grid.add_column(Text(heading), justify="right" if right else "left", overflow="fold", no_wrap=right)
    for row, style in zip(rows, styles, strict=True):
        grid.add_row(*map(Text, row), style=style)
    return grid


# --- fitting -----------------------------------------------------------------------------------------


def fit(columns: Sequence[Column], rows: Sequence[Row], width: int) -> tuple[list[Column], list[str]]:
    """The columns that fit, some of them made narrower, and the headings of those that don't."""
    drops = [(column.weight, column, False) for column in columns if column.weight < 100]
    narrowings = [(column.brief_weight, column, True) for column in columns if column.brief]
    shown = {column.heading: column for column in columns}
    for _, column, narrow in sorted([*drops, *narrowings], key=lambda step: step[0]):
        texts = [[one.heading, *map(one.text, rows)] for one in shown.values()]
        if _width(list(zip(*texts, strict=True))) <= width:
            break
        if not narrow:
            del shown[column.heading]
        elif column.heading in shown and column.brief is not None:
            shown[column.heading] = dataclasses.replace(column, text=column.brief)
    return list(shown.values()), [column.heading for column in columns if column.heading not in shown]


def _picked(line: Sequence[Cell], places: Sequence[int]) -> list[Cell]:
    return [line[at] for at in places]


def _width(lines: Sequence[Sequence[str]]) -> int:
    """How wide a grid of these lines is."""
    widths = [
        max(cell_len(part) for cell in column for part in cell.split("\n")) for column in zip(*lines, strict=True)
    ]
    return sum(widths) + 3 * (len(widths) - 1)
