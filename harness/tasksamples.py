"""Rows -> the samples of a task: fields, targets in one form, contexts, choices, and names that are unique."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.answers import canonical
from harness.errors import DataError, nearest
from harness.records import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Split, TaskSpec
    from harness.rows import Row
    from harness.taskschema import DataSection
    from harness.yamlfile import Located

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampleMaker:
    """Makes the samples of one task; `located` says where its file names what."""

    spec: TaskSpec
    data: DataSection
    located: Located

    def samples(self, rows: Sequence[Row], splits: Sequence[Split] = ()) -> list[Sample]:
        """The sample of each row.

        Args:
            rows: all of the task: only together do they tell whether targets are numbers of choices or their texts.
            splits: the split of each row, where the task has files for each split.

        Raises:
            DataError: naming the row.
        """
        choices = [self._choices(row) for row in rows]
        targets, ids = self._targets(rows, choices), self._ids(rows, splits)
        samples = [
            Sample(id_, self._fields(row, listed), target, self._context(row), listed)
            for id_, row, target, listed in zip(ids, rows, targets, choices, strict=True)
        ]
        empty = sum(any(value == "" or str(value).isspace() for value in sample.fields.values()) for sample in samples)
        if empty:
            log.warning("task %s: %d of %d rows have an empty text; they are kept", self.spec.name, empty, len(samples))
        return samples

    def cell(self, row: Row, column: str, *keys: str) -> Any:  # noqa: ANN401 - whatever the data holds
        """The value of a column that `data` names under these keys.

        Raises:
            DataError: when the row has no such column, with the nearest ones.
        """
        try:
            return row.values[column]
        except KeyError:
            hint = nearest(column, row.values)
            raise DataError(
                f"{row.place} has no column {column!r}", where=self.located.where("data", *keys), hint=hint
            ) from None

    def _field(self, row: Row, name: str) -> Any:  # noqa: ANN401 - whatever the data holds
        return self.cell(row, self.data.fields[name], "fields", name)

    def _fields(self, row: Row, choices: tuple[str, ...]) -> dict[str, Any]:
        """What templates can name; a value that is missing is an empty text."""
        values = {name: self._field(row, name) for name in self.data.inputs()}
        return {
            name: choices if name == "choices" and choices else "" if value is None else value
            for name, value in values.items()
        }

    def _context(self, row: Row) -> str | None:
        if self.data.context is None:
            return None
        value = self.cell(row, self.data.context, "context")
        return None if value is None or value == "" else _text(value)

    def _ids(self, rows: Sequence[Row], splits: Sequence[Split]) -> list[str]:
        """Names of the rows: as the data or the place says, with the split before them where splits repeat names."""
        if "id" in self.data.fields:
            ids = [_text(self._field(row, "id")) for row in rows]
        else:
            ids = [f"{row.name}:{row.number}" if row.number else row.name for row in rows]
        if splits and len(set(ids)) < len(ids):
            ids = [f"{split}/{id_}" for split, id_ in zip(splits, ids, strict=True)]
        seen: set[str] = set()
        for id_, row in zip(ids, rows, strict=True):
            if id_ in seen:
                raise DataError(
                    f"id {id_!r} stands twice, again in {row.place}", where=self.located.where("data", "fields", "id")
                )
            if not id_.isprintable():
                raise DataError(f"id {id_!r} holds signs that can't be printed", where=row.place)
            seen.add(id_)
        return ids

    # --- targets -----------------------------------------------------------------------------------

    def _targets(self, rows: Sequence[Row], choices: Sequence[tuple[str, ...]]) -> list[str]:
        values = [self._field(row, "target") for row in rows]
        for row, value in zip(rows, values, strict=True):
            if value is None:
                raise self._wrong(row, "has no target")
        if self.spec.kind == "multiple-choice":
            return self._numbers(rows, values, choices)
        check = self._label if self.spec.kind == "classification" else self._reference
        return [check(row, _text(value)) for row, value in zip(rows, values, strict=True)]

    def _label(self, row: Row, target: str) -> str:
        if target not in self.spec.labels:
            raise self._wrong(
                row, f"label {target!r} is not declared in labels", hint=nearest(target, self.spec.labels)
            )
        return target

    def _reference(self, row: Row, target: str) -> str:
        """The reference answer; a number in the same form as the answers that are compared with it."""
        if self.spec.extract.type == "text":
            return target
        number = canonical(target, "number")
        if number is None:
            raise self._wrong(row, f"target {target!r} is no number", hint="extract.type is number")
        return number

    def _choices(self, row: Row) -> tuple[str, ...]:
        if self.spec.kind != "multiple-choice":
            return ()
        value = self._field(row, "choices")
        if not isinstance(value, list | tuple) or len(value) < 2:
            column = self.data.fields["choices"]
            hint = "data.derive makes one of several columns: choices: '[a, b, c, d]'"
            raise DataError("is no list of two choices or more", where=f"{row.place}: {column}", hint=hint)
        if any(choice is None for choice in value):
            raise DataError("has a choice that is null", where=f"{row.place}: {self.data.fields['choices']}")
        return tuple(map(_text, value))

    def _numbers(self, rows: Sequence[Row], values: Sequence[object], choices: Sequence[tuple[str, ...]]) -> list[str]:
        """The number of each right choice. All targets are texts of choices, or all are their numbers (from 0)."""
        by_text = [_place_of_text(value, listed) for value, listed in zip(values, choices, strict=True)]
        if None not in by_text:
            return list(map(str, by_text))
        by_number = [_place_of_number(value, listed) for value, listed in zip(values, choices, strict=True)]
        if None not in by_number:
            return list(map(str, by_number))
        neither = [index for index in range(len(rows)) if by_text[index] is None and by_number[index] is None]
        if not neither:
            raise self._wrong(
                rows[by_text.index(None)], "the target is a number, but in other rows it is a choice's text"
            )
        index = neither[0]
        message = (
            f"target {values[index]!r} is neither the text of a choice nor its number, 0 to {len(choices[index]) - 1}"
        )
        raise self._wrong(rows[index], message)

    def _wrong(self, row: Row, message: str, *, hint: str | None = None) -> DataError:
        return DataError(message, where=f"{row.place}: {self.data.fields['target']}", hint=hint)


def _text(value: object) -> str:
    """A value as JSON writes it: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place_of_text(value: object, choices: tuple[str, ...]) -> int | None:
    return choices.index(value) if isinstance(value, str) and value in choices else None


def _place_of_number(value: object, choices: tuple[str, ...]) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and int(text) < len(choices) else None
