"""A task that a file defines: when rows are first asked for they are read, made samples, and cut into splits."""

from __future__ import annotations

import logging
import os
import posixpath
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, HarnessError, TemplateError
from harness.rows import read_rows
from harness.sampling import cut, duplicate_key
from harness.tasksamples import SampleMaker
from harness.taskschema import read_task, specification
from harness.templates import compile_expression, shown_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.assets import AssetFile, Assets
    from harness.records import Sample, Split, TaskSpec
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
        self._maker = SampleMaker(self.spec, schema.data, located)

    def samples(self, split: Split) -> Sequence[Sample]:
        """The rows of a split, in the data's order; empty where the task has no such split.

        Raises:
            DataError: when rows are missing, unreadable or contradict the task, with file and line.
            AssetError: when the data can't be had.
        """
        return self._splits.get(split, ())

    def fetch(self) -> Path:
        """Bring and verify the data; the file, or the folder that holds all files.

        Raises:
            AssetError, OfflineError: when the data can't be had.
        """
        given = self._data.files
        if isinstance(given, str):
            found = self._fetched(given, None)
        else:
            found = [file for split, address in given.items() for file in self._fetched(address, split)]
        paths = [file.path for file in found]
        return paths[0] if len(paths) == 1 else Path(os.path.commonpath([path.parent for path in paths]))

    def where(self, *keys: str | int) -> str:
        """`file:line: a.b` of a key of the task file."""
        return self._located.where(*keys)

    # --- rows and splits ---------------------------------------------------------------------------

    @cached_property
    def _splits(self) -> Mapping[Split, Sequence[Sample]]:
        data = self._data
        if isinstance(data.files, str):
            rows = self._rows(data.files, None)
            samples = self._maker.samples(rows)
            parts = self._cut(rows, samples)
        else:
            given = [(split, row) for split, address in data.files.items() for row in self._rows(address, split)]
            samples = self._maker.samples([row for _, row in given], [split for split, _ in given])
            parts = {split: [] for split in data.files}
            for (split, _), sample in zip(given, samples, strict=True):
                parts[split].append(sample)
        for split, found in parts.items():
            if not found:
                keys = ("files", split) if data.splits is None else ("splits", split)
                raise DataError(f"split {split!r} has no rows", where=self.where("data", *keys))
        log.info("task %s: %s", self.spec.name, ", ".join(f"{len(found)} {split}" for split, found in parts.items()))
        return parts

    def _fetched(self, address: str, split: Split | None) -> list[AssetFile]:
        """The files of one address, that of a split or of the one source of all."""
        digest = self._data.sha256
        try:
            sha256 = digest if not isinstance(digest, dict) else digest.get(split) if split else None
            return self._assets.files(address, sha256=sha256, base=self.path.parent)
        except HarnessError as error:
            error.where = error.where or self.where("data", "files", *([split] if split else []))
            raise

    def _rows(self, address: str, split: Split | None) -> list[Row]:
        """The rows of one address, with the derived columns, without those that `where` leaves out."""
        files = self._fetched(address, split)
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
        shown = shown_fields(self.spec)
        columns = [data.fields.get(name, name) for name in ([by] if isinstance(by, str) else by)]
        parts = cut(
            list(zip(rows, samples, strict=True)),
            data.splits or {},
            seed=data.seed,
            stratum=lambda pair: tuple(self._maker.cell(pair[0], column, "stratify") for column in columns),
            group=lambda pair: duplicate_key(pair[1], shown),
        )
        return {split: [samples[index] for index in indices] for split, indices in parts.items()}
