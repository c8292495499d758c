"""A task that a file defines: when rows are first asked for they are read, made samples, and cut into splits."""

from __future__ import annotations

import logging
import posixpath
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.answers import canonical
from harness.errors import DataError, HarnessError, TemplateError, nearest
from harness.records import Sample
from harness.rows import read_rows
from harness.sampling import cut, duplicate_key
from harness.taskschema import read_task, specification
from harness.templates import compile_expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.assets import Assets
    from harness.records import Split, TaskSpec
    from harness.rows import Row
    from harness.taskschema import TaskFileSchema
    from harness.yamlfile import Located

log = logging.getLogger(__name__)


def load_task(path: Path, assets: Assets) -> FileTask:
    """Read and check a task file; its data is left alone.

    Raises:
        ConfigError: with file, line and key.
    """
    located, schema = read_task(path)
    return FileTask(located, schema, assets)


class FileTask:
    """A task read from a file; a `harness.interfaces.Task`.

    Attributes:
        spec: all but the rows.
        path: the task file.
    """

    def __init__(self, located: Located, schema: TaskFileSchema, assets: Assets) -> None:
        self.spec: TaskSpec = specification(schema)
        self.path = located.path
        self._located = located
        self._data = schema.data
        self._assets = assets

    def samples(self, split: Split) -> Sequence[Sample]:
        """The rows of a split, in the data's order; empty where the task has no such split.

        Raises:
            DataError: when rows are missing, unreadable or contradict the task, with file and line.
            AssetError: when the data can't be had.
        """
        return self._splits.get(split, ())

    def where(self, *keys: str | int) -> str:
        """`file:line: a.b` of a key of the task file."""
        return self._located.where(*keys)

    # --- rows and splits ---------------------------------------------------------------------------

    @cached_property
    def _splits(self) -> Mapping[Split, Sequence[Sample]]:
        data = self._data
        if isinstance(data.files, str):
            rows = self._rows(data.files, data.sha256 if isinstance(data.sha256, str) else None, ("data", "files"))
            samples = self._samples(rows)
            parts = self._cut(rows, samples)
        else:
            digests = data.sha256 if isinstance(data.sha256, dict) else {}
            given = [
                (split, row)
                for split, address in data.files.items()
                for row in self._rows(address, digests.get(split), ("data", "files", split))
            ]
            samples = self._samples([row for _, row in given], [split for split, _ in given])
            parts = {split: [] for split in data.files}
            for (split, _), sample in zip(given, samples, strict=True):
                parts[split].append(sample)
        for split, found in parts.items():
            if not found:
                keys = ("files", split) if data.splits is None else ("splits", split)
                raise DataError(f"split {split!r} has no rows", where=self.where("data", *keys))
        log.info("task %s: %s", self.spec.name, ", ".join(f"{len(found)} {split}" for split, found in parts.items()))
        return parts

    def _rows(self, address: str, sha256: str | None, keys: tuple[str, ...]) -> list[Row]:
        """The rows of one address, with the derived columns, without those that `where` leaves out."""
        try:
            files = self._assets.files(address, sha256=sha256, base=self.path.parent)
        except HarnessError as error:
            error.where = error.where or self.where(*keys)
            raise
        above = posixpath.commonpath([posixpath.dirname(file.name) for file in files])
        named = [(posixpath.relpath(file.name, above or "."), file.path) for file in files]
        rows = read_rows(named, format=self._data.format, columns=self._data.columns, source=address)
        for column, text in self._data.derive.items():
            values = self._evaluate(text, rows, ("data", "derive", column))
            rows = [replace(row, values={**row.values, column: value}) for row, value in zip(rows, values, strict=True)]
        if self._data.where is None:
            return rows
        kept = self._evaluate(self._data.where, rows, ("data", "where"))
        return [row for row, keep in zip(rows, kept, strict=True) if keep]

    def _evaluate(self, text: str, rows: Sequence[Row], keys: tuple[str, ...]) -> list[Any]:
        expression = compile_expression(text)
        values = []
        for row in rows:
            try:
                values.append(expression(row.values))
            except TemplateError as error:
                raise TemplateError(f"{row.place}: {error.message}", where=self.where(*keys)) from error
        return values

    def _cut(self, rows: Sequence[Row], samples: Sequence[Sample]) -> dict[Split, list[Sample]]:
        data = self._data
        by = data.stratify
        if by is None:
            by = ["target"] if self.spec.kind == "classification" else []
        columns = [data.fields.get(name, name) for name in ([by] if isinstance(by, str) else by)]
        parts = cut(
            list(zip(rows, samples, strict=True)),
            data.splits or {},
            seed=data.seed,
            stratum=lambda pair: tuple(self._cell(pair[0], column, "stratify") for column in columns),
            group=lambda pair: duplicate_key(pair[1]),
        )
        return {split: [samples[index] for index in indices] for split, indices in parts.items()}

    # --- samples -----------------------------------------------------------------------------------

    def _samples(self, rows: Sequence[Row], splits: Sequence[Split] = ()) -> list[Sample]:
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

    def _cell(self, row: Row, column: str, *keys: str) -> Any:  # noqa: ANN401 - whatever the data holds
        """The value of a column that `data` names under these keys."""
        try:
            return row.values[column]
        except KeyError:
            hint = nearest(column, row.values)
            raise DataError(
                f"{row.place} has no column {column!r}", where=self.where("data", *keys), hint=hint
            ) from None

    def _field(self, row: Row, name: str) -> Any:  # noqa: ANN401 - whatever the data holds
        return self._cell(row, self._data.fields[name], "fields", name)

    def _fields(self, row: Row, choices: tuple[str, ...]) -> dict[str, Any]:
        """What templates can name; a value that is missing is an empty text."""
        values = {name: self._field(row, name) for name in self._data.inputs()}
        return {
            name: choices if name == "choices" and choices else "" if value is None else value
            for name, value in values.items()
        }

    def _context(self, row: Row) -> str | None:
        if self._data.context is None:
            return None
        value = self._cell(row, self._data.context, "context")
        return None if value is None or value == "" else _text(value)

    def _ids(self, rows: Sequence[Row], splits: Sequence[Split]) -> list[str]:
        """Names of the rows: as the data or the place says, with the split before them where splits repeat names."""
        if "id" in self._data.fields:
            ids = [_text(self._field(row, "id")) for row in rows]
        else:
            ids = [f"{row.name}:{row.number}" if row.number else row.name for row in rows]
        if splits and len(set(ids)) < len(ids):
            ids = [f"{split}/{id_}" for split, id_ in zip(splits, ids, strict=True)]
        seen: set[str] = set()
        for id_, row in zip(ids, rows, strict=True):
            if id_ in seen:
                raise DataError(
                    f"id {id_!r} stands twice, again in {row.place}", where=self.where("data", "fields", "id")
                )
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
            column = self._data.fields["choices"]
            hint = "data.derive makes one of several columns: choices: '[a, b, c, d]'"
            raise DataError("is no list of two choices or more", where=f"{row.place}: {column}", hint=hint)
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
        return DataError(message, where=f"{row.place}: {self._data.fields['target']}", hint=hint)


def _text(value: object) -> str:
    """A value as JSON writes it: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place_of_text(value: object, choices: tuple[str, ...]) -> int | None:
    return choices.index(value) if isinstance(value, str) and value in choices else None


def _place_of_number(value: object, choices: tuple[str, ...]) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and int(text) < len(choices) else None
