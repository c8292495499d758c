"""Rows made of rows: one for each item of a list (`explode`), one of several that belong together (`pivot`).

Both are called and work as in pandas.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import DataError, nearest
from harness.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)


class PivotSection(BaseModel):
    """Which rows are put together, and how.

    Attributes:
        index: the columns whose values those rows share.
        columns: the column whose values become the names of new columns.
        values: the column whose values stand there.
    """

    model_config = ConfigDict(extra="forbid")

    index: str | Annotated[list[str], Field(min_length=1)]
    columns: str
    values: str


def exploded(rows: Iterable[Row], column: str) -> Iterator[Row]:
    """A row for each item of a column that holds lists, the item in the list's place; what else there is is repeated.

    Raises:
        DataError: naming the row that has no such column, or no list there.
    """
    for row in rows:
        items = _cell(row, column)
        if not isinstance(items, list | tuple):
            raise DataError(f"column {column!r} is no list", where=row.place)
        name = f"{row.name}:{row.number}" if row.number else row.name
        for number, item in enumerate(items, start=1):
            yield Row({**row.values, column: item}, name, number, f"{row.place}, item {number}")


def pivoted(rows: Iterable[Row], how: PivotSection, *, source: str) -> Iterator[Row]:
    """One row of all that share the values of `how.index`, in the order of the first of each.

    Rows that lack a column that others have are left out, and the log says how many.

    Args:
        rows: all are read before the first is given.
        how: see there.
        source: what the rows are, for the log.

    Raises:
        DataError: naming a row that lacks a column, or whose value another one has given already.
    """
    index = [how.index] if isinstance(how.index, str) else how.index
    places: dict[tuple[str, ...], str] = {}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    names: dict[str, None] = {}
    for row in rows:
        shared = {column: _cell(row, column) for column in index}
        key, name = tuple(map(str, shared.values())), str(_cell(row, how.columns))
        values = found.setdefault(key, shared)
        places.setdefault(key, row.place)
        if name in values:
            hint = "let data.pivot.index name more columns"
            raise DataError(f"{name} of {', '.join(key)} is there already", where=row.place, hint=hint)
        names[name] = None
        values[name] = _cell(row, how.values)
    whole = {key: values for key, values in found.items() if names.keys() <= values.keys()}
    if len(whole) < len(found):
        lacking = len(found) - len(whole)
        log.warning("%d of %d rows of %s lack one of %s: left out", lacking, len(found), source, ", ".join(names))
    for key, values in whole.items():
        yield Row(values, "-".join(key), 0, places[key])


def _cell(row: Row, column: str) -> Any:  # noqa: ANN401 - whatever the data holds
    if column not in row.values:
        raise DataError(f"there is no column {column!r}", where=row.place, hint=nearest(column, row.values))
    return row.values[column]
