"""Rows of CoNLL's column format: a word a line, blank lines between sentences (Tjong Kim Sang & De Meulder 2003)."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

DOCUMENT = "-DOCSTART-"


def sentences(
    lines: Iterable[tuple[int, str]], columns: Sequence[str], error: Callable[[str, int], Exception]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The sentences, each with the number of its first line and a list for each column.

    Columns are separated by tabs where the file has any in its first line of words, else by white space. Left out are
    lines that mark documents, and comments: those that begin with # and have another number of columns.

    Args:
        lines: each with its number.
        columns: their names; else `tokens` is the first, `tags` the last, and `column2` and so on lie between.
        error: makes what is raised, of a message and the number of a line.
    """
    names, separator = tuple(columns), ""
    for blank, group in groupby(lines, key=lambda line: not line[1].strip()):
        first, words = 0, list[list[str]]()
        for number, line in () if blank else group:
            known = separator or ("\t" if "\t" in line else " ")
            cells = line.rstrip("\r\n").split("\t") if known == "\t" else line.split()
            if cells[0] == DOCUMENT or _is_comment(line, len(cells), len(names)):
                continue
            names, separator = names or _names(len(cells)), known
            if len(cells) != len(names):
                raise error(f"has {len(cells)} columns, not {len(names)}", number)
            first = first or number
            words.append(cells)
        if words:
            yield first, dict(zip(names, map(list, zip(*words, strict=True)), strict=True))


def _is_comment(line: str, cells: int, columns: int) -> bool:
    """Whether it is none of a word that begins with #."""
    return line.startswith("#") and (cells != columns if columns else line.startswith("# ") and "\t" not in line)


def _names(number: int) -> tuple[str, ...]:
    if number == 1:
        return ("tokens",)
    return ("tokens", *(f"column{at}" for at in range(2, number)), "tags")
