"""leaderboard.md: tables as GitHub renders them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.interfaces import Report
from harness_reporters import cells, curvecells, suitecells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.board import ContextTable, Curves, SuiteTable, Table
    from harness.leaderboard import Leaderboard

SPECIAL = re.compile(
    r"""[\\`*|$&>]                            # code, emphasis, cells, formulas, entities, quotations
    | \](?=[(\[:])                           # links
    | <(?=[A-Za-z/!?])                       # tags
    | (?<![^\W_])_ | _(?![^\W_])             # emphasis by underscores at a word's edge
    | ~(?=\S) | (?<!\S)\#                    # strokes and headings
    """,
    re.VERBOSE,
)
"""What Markdown would take for more than the character; intervals and names with underscores stay as they are."""


class Markdown:
    """A board as one Markdown document."""

    def render(self, board: Leaderboard) -> Report:
        """Render it."""
        blocks = [f"# {escaped(board.title).strip() or 'Leaderboard'}"]
        blocks += [block for table in board.tables for block in _table(table)]
        if not board.tables:
            blocks.append("There are no trials yet.")
        blocks += [block for suite in board.suites for block in _suite(suite)]
        if board.footnotes:
            blocks += ["## How to read this", pipes(["term", "meaning"], board.footnotes)]
        if board.environment:
            blocks += ["## Machine", pipes(["what", "found"], board.environment)]
        text = "\n\n".join(blocks) + "\n"
        return Report({"leaderboard.md": text.encode()}, text)


def _table(table: Table) -> Iterator[str]:
    yield f"## {escaped(cells.heading(table))}"
    yield escaped(cells.headline(table))
    if warning := cells.warning(table):
        yield f"**Warning:** {escaped(warning)}"
    columns = cells.columns(table)
    rows = [[column.text(row) for column in columns] for row in cells.scored(table)]
    if rows:
        yield pipes([column.heading for column in columns], rows, [column.numeric for column in columns])
    if table.contexts is not None:
        yield from _contexts(table.contexts)
    if table.curves is not None:
        yield from curve_blocks(table.curves)
    if unranked := cells.unranked(table):
        yield pipes(["model", "strategies", "not ranked"], unranked)
    notes = [(note, ", ".join(map(cells.label, rows))) for note, rows in cells.notes(table).items()]
    if notes:
        yield pipes(["note", "on"], notes)


def _suite(suite: SuiteTable) -> Iterator[str]:
    yield f"## {escaped(suitecells.heading(suite))}"
    headings, rows, numeric = suitecells.grid(suite)
    if rows:
        yield pipes(headings, rows, numeric)
    if suite.notes:
        yield "\n".join(f"- {escaped(note)}" for note in suitecells.notes(suite))


def _contexts(contexts: ContextTable) -> Iterator[str]:
    headings, rows = cells.context_cells(contexts)
    yield f"**{escaped(cells.visible(contexts.metric))} in each context**"
    yield pipes(headings, rows, [False, False, *(True for _ in contexts.sizes), False, True])


def curve_blocks(curves: Curves) -> Iterator[str]:
    """Curves x numbers of labels, who beats whom from where on, and what is to be said."""
    headings, rows = curvecells.grid(curves)
    yield f"**{escaped(curvecells.heading(curves))}**"
    if rows:
        yield pipes(headings, rows, [False, False, *(True for _ in headings[2:])])
    said = [*curvecells.sentences(curves), *(f"Note: {note}" for note in curves.notes)]
    if said:
        yield "\n".join(f"- {escaped(one)}" for one in said)


def pipes(headings: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> str:
    """A table."""
    return tabulate(
        [[escaped(cell) for cell in row] for row in rows],
        [escaped(heading) for heading in headings],
        tablefmt="pipe",
        colalign=["right" if right else "left" for right in numeric or [False] * len(headings)],
        disable_numparse=True,
    )


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return SPECIAL.sub(r"\\\g<0>", cells.visible(text))
