"""What the columns of a data set hold: texts, numbers, lists, few or many different values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.extraction import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.records import Split

MOST_VALUES = 1_000
"""Different values of a column that are counted: more are too many for labels."""

NAMES = ("id", "idx", "index", "uid", "qid", "guid", "sample_id", "id_string")
"""What columns are called that hold names of rows."""

KEPT = 200
"""Rows that are kept to look at values side by side."""


@dataclass(slots=True)
class Column:
    """What a column holds.

    Attributes:
        rows: that have it.
        missing: of these, how many hold nothing (null, or an empty text).
        kinds: how often it holds which kind of value: text, number, true-or-false, list, mapping.
        values: how often it holds which text, number or truth; cut at `MOST_VALUES`, see `many`.
        many: whether there are more different values than that.
        numbers: how many of its values can be read as a number.
        whole: how many of these are whole numbers.
        words: of its texts, all in all.
        longest: words of the longest text, in lists too.
        lines: whether any text has several lines.
        empty: how many of its lists are empty.
        listed: how often its lists hold which text; cut like `values`.
    """

    rows: int = 0
    missing: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    many: bool = False
    numbers: int = 0
    whole: int = 0
    words: int = 0
    longest: int = 0
    lines: bool = False
    empty: int = 0
    listed: Counter[str] = field(default_factory=Counter)

    def add(self, value: object) -> None:
        """Count a value."""
        self.rows += 1
        if value is None or value == "" or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
            self.missing += 1
            return
        kind = _kind(value)
        self.kinds[kind] += 1
        if kind in {"list", "mapping"}:
            self._add_inner(value)
            return
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if text in self.values or len(self.values) < MOST_VALUES:
            self.values[text] += 1
        else:
            self.many = True
        number = canonical(text, "number") if kind != "true-or-false" else None
        self.numbers += number is not None
        self.whole += number is not None and "." not in number
        self.words += self._measure(text)

    def _add_inner(self, value: Any) -> None:  # noqa: ANN401 - whatever the data holds
        """The texts of a list, or of the list that a mapping has as `text` (SQuAD's answers)."""
        inner = value.get("text") if isinstance(value, dict) else value
        if isinstance(inner, list | tuple):
            self.empty += not inner
            for text in inner:
                told = text.get("text") if isinstance(text, dict) else text
                if isinstance(told, str):
                    self._measure(told)
                    if told in self.listed or len(self.listed) < MOST_VALUES:
                        self.listed[told] += 1

    def _measure(self, text: str) -> int:
        count = len(text.split())
        self.longest = max(self.longest, count)
        self.lines = self.lines or "\n" in text.strip()
        return count

    @property
    def filled(self) -> int:
        """Rows in which it holds something."""
        return self.rows - self.missing

    def all(self, *kinds: str) -> bool:
        """Whether it holds nothing but these kinds of values."""
        return self.filled > 0 and sum(self.kinds[kind] for kind in kinds) == self.filled

    @property
    def numeric(self) -> bool:
        """Whether every value can be read as a number."""
        return self.filled > 0 and self.numbers == self.filled

    @property
    def different(self) -> int:
        """How many different values it holds; at least so many where there are `many`."""
        return len(self.values)

    @property
    def mean_words(self) -> float:
        """Words of a value, on average."""
        return self.words / self.filled if self.filled else 0.0

    @property
    def few(self) -> bool:
        """Whether its values are few enough to be labels: two or more, on average twice each, no long texts."""
        short = self.longest <= 8 and self.all("text", "number", "true-or-false")
        return short and not self.many and self.different >= 2 and 2 * self.different <= self.filled

    @property
    def prose(self) -> bool:
        """Whether it holds texts that somebody may be asked about."""
        return self.all("text") and not self.numeric and (self.mean_words >= 2 or self.longest >= 4)


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a data set, and some of its rows.

    Attributes:
        columns: name -> what it holds, in the order in which the data has them.
        rows: how many there are, of all splits.
        kept: the first of them.
        names: columns called as names of rows are, that hold another text in each row of a split.
    """

    columns: Mapping[str, Column]
    rows: int
    kept: tuple[Mapping[str, Any], ...]
    names: tuple[str, ...] = ()

    def every(self, column: str) -> list[Any]:
        """The values of a column in the rows that are kept."""
        return [row.get(column) for row in self.kept]


def look(rows: Iterable[tuple[Split | None, Mapping[str, Any]]]) -> Table:
    """Go through the rows of all splits, one by one, and count what their columns hold."""
    columns: dict[str, Column] = {}
    kept: list[Mapping[str, Any]] = []
    seen: dict[str, set[int]] = {}
    count = 0
    for split, row in rows:
        for name, value in row.items():
            columns.setdefault(name, Column()).add(value)
            if name.lower() in NAMES:
                seen.setdefault(name, set()).add(hash((split, str(value))))
        if len(kept) < KEPT:
            kept.append(row)
        count += 1
    names = [name for name, found in seen.items() if len(found) == count == columns[name].filled]
    return Table(columns, count, tuple(kept), tuple(names))


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true-or-false"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list | tuple):
        return "list"
    return "mapping" if isinstance(value, dict) else "text"
