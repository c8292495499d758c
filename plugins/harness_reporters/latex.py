"""leaderboard.tex: tables for papers, in booktabs' form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.interfaces import Report
from harness_reporters import cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.board import Table
    from harness.leaderboard import Leaderboard

WEIGHTY = 45
"""Columns that matter less than this would make a table wider than a page."""

COMMANDS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "|": "$|$",
        "[": "{[}",  # behind the end of a row it would be an option
        "±": r"$\pm$",
        "—": "---",
        "·": r"$\cdot$",
        "≥": r"$\geq$",
    }
)
"""What LaTeX would take for more than the character, and signs that not every engine has."""


class Latex:
    """The tables of a board, to be taken in with LaTeX's input; they need the package booktabs."""

    def render(self, board: Leaderboard) -> Report:
        """Render them."""
        blocks = ["% Needs \\usepackage{booktabs}. Made by: harness report --format latex"]
        blocks += [block for number, table in enumerate(board.tables, 1) for block in _tables(table, number)]
        if not board.tables:
            blocks.append("% There are no trials yet.")
        text = "\n\n".join(blocks) + "\n"
        return Report({"leaderboard.tex": text.encode("utf-8", "replace")}, text)


def _tables(table: Table, number: int) -> Iterator[str]:
    rows = cells.scored(table)
    if rows:
        columns = [column for column in cells.columns(table) if column.weight >= WEIGHTY]
        yield _tabular(
            [column.heading for column in columns],
            [[column.text(row) for column in columns] for row in rows],
            "".join("r" if column.numeric else "l" for column in columns),
            " ".join(filter(None, [f"{cells.heading(table)}.", cells.headline(table), cells.warning(table)])),
            f"tab:leaderboard-{number}",
        )
    if table.contexts is not None:
        headings, lines = cells.context_cells(table.contexts)
        form = f"ll{'r' * len(table.contexts.sizes)}lr"
        caption = f"{cells.heading(table)}: {cells.visible(table.contexts.metric)} in each context."
        yield _tabular(headings, lines, form, caption, f"tab:contexts-{number}")


def _tabular(headings: Sequence[str], rows: Sequence[Sequence[str]], form: str, caption: str, label: str) -> str:
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        f"\\caption{{{_escape(caption)}}}",
        f"\\label{{{label}}}",
        f"\\begin{{tabular}}{{{form}}}",
        r"\toprule",
        _line(headings),
        r"\midrule",
        *map(_line, rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _line(texts: Sequence[str]) -> str:
    return " & ".join(map(_escape, texts)) + r" \\"


def _escape(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return cells.visible(text).translate(COMMANDS)
