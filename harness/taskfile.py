"""A task that a file defines: when rows are first asked for they are read, made samples, and cut into splits."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import posixpath
import sys
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, HarnessError, TemplateError
from harness.packed import Packed, Selected
from harness.reshaping import exploded, pivoted
from harness.rows import Row, read_rows
from harness.sampling import cut, duplicate_key
from harness.tasksamples import SampleMaker
from harness.taskschema import read_task, specification
from harness.templates import compile_expression, shown_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.assets import AssetFile, Assets
    from harness.records import Sample, Split, TaskSpec
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

    def content(self) -> str:
        """A digest of what its rows follow from, beside the code that makes them: the task file, and the data's bytes.

        Raises:
            AssetError: when the data can't be had.
            DataError: when it can't be read.
        """
        found = hashlib.sha256(json.dumps(self._located.data, default=str).encode("utf-8", "surrogatepass"))
        for file in self._digests:
            found.update(json.dumps(file).encode())
        return found.hexdigest()

    def files(self) -> dict[str, str]:
        """SHA-256 of the bytes of its data, by split; `data` where one source holds all splits. Raises as `content`."""
        found: dict[str, list[list[str | None]]] = {}
        for split, name, _, digest in self._digests:
            found.setdefault(f"data {split}" if split else "data", []).append([name, digest])
        return {
            part: str(files[0][1]) if len(files) == 1 else hashlib.sha256(json.dumps(files).encode()).hexdigest()
            for part, files in found.items()
        }

    @cached_property
    def _digests(self) -> list[list[str | None]]:
        """Split, name, path and SHA-256 of each file of the data."""
        files = self._data.files
        given: list[tuple[Split | None, str]] = [(None, files)] if isinstance(files, str) else list(files.items())
        return [
            [split, file.name, str(file.path), _sha256(file.path)]
            for split, address in given
            for file in self._fetched(address, split)
        ]

    def where(self, *keys: str | int) -> str:
        """`file:line: a.b` of a key of the task file."""
        return self._located.where(*keys)

    def cut_by(self, split: Split) -> tuple[str, str]:
        """The keys below `data` that say which rows a split has."""
        return ("files", split) if self._data.splits is None else ("splits", split)

    # --- rows and splits ---------------------------------------------------------------------------

    @cached_property
    def _splits(self) -> Mapping[Split, Sequence[Sample]]:
        data = self._data
        if isinstance(data.files, str):
            rows = _packed(self._rows(data.files, None))
            samples = self._maker.samples(rows)
            parts: dict[Split, Sequence[Sample]] = {
                split: Selected(samples, places) for split, places in self._cut(rows, samples).items()
            }
        else:
            ends: dict[Split, int] = {}
            rows = _packed(self._rows_of_splits(data.files, ends))
            samples = self._maker.samples(rows, ends)
            starts = [0, *ends.values()]
            parts = {split: samples[start:end] for start, (split, end) in zip(starts, ends.items(), strict=False)}
        for split, found in parts.items():
            if not found:
                raise DataError(f"split {split!r} has no rows", where=self.where("data", *self.cut_by(split)))
        log.info("task %s: %s", self.spec.name, ", ".join(f"{len(found)} {split}" for split, found in parts.items()))
        return parts

    def _rows_of_splits(self, files: Mapping[Split, str], ends: dict[Split, int]) -> Iterator[Row]:
        """The rows of all splits, one split after the other; `ends` is told how many there are up to each one's end."""
        total = 0
        for split, address in files.items():
            for row in self._rows(address, split):
                total += 1
                yield row
            ends[split] = total

    def _fetched(self, address: str, split: Split | None) -> list[AssetFile]:
        """The files of one address, that of a split or of the one source of all."""
        digest = self._data.sha256
        try:
            sha256 = digest if not isinstance(digest, dict) else digest.get(split) if split else None
            return self._assets.files(address, sha256=sha256, base=self.path.parent)
        except HarnessError as error:
            error.where = error.where or self.where("data", "files", *([split] if split else []))
            raise

    def _rows(self, address: str, split: Split | None) -> Iterator[Row]:
        """The rows of one address, with the derived columns, without those that `where` leaves out, put together."""
        rows = self._kept(address, split)
        return rows if self._data.pivot is None else pivoted(rows, self._data.pivot, source=address)

    def _kept(self, address: str, split: Split | None) -> Iterator[Row]:
        files = self._fetched(address, split)
        above = posixpath.commonpath([posixpath.dirname(file.name) for file in files])
        named = [(posixpath.relpath(file.name, above or "."), file.path) for file in files]
        derived = [(column, compile_expression(text)) for column, text in self._data.derive.items()]
        kept = None if self._data.where is None else compile_expression(self._data.where)
        rows = read_rows(named, format=self._data.format, columns=self._data.columns, source=address)
        for row in rows if self._data.explode is None else exploded(rows, self._data.explode):
            values = dict(row.values)
            for column, expression in derived:
                values[column] = self._evaluated(expression, values, row, "derive", column)
            if kept is None or self._evaluated(kept, values, row, "where"):
                yield replace(row, values=values) if derived else row

    def _evaluated(
        self, expression: Callable[[Mapping[str, Any]], Any], values: Mapping[str, Any], row: Row, *keys: str
    ) -> Any:  # noqa: ANN401 - whatever the expression gives
        try:
            return expression(values)
        except TemplateError as error:
            raise TemplateError(f"{row.place}: {error.message}", where=self.where("data", *keys)) from error

    def _cut(self, rows: Sequence[Row], samples: Sequence[Sample]) -> dict[Split, list[int]]:
        """The places of each split's samples."""
        data = self._data
        by = data.stratify
        if by is None:
            by = ["target"] if self.spec.labelled else []
        shown = shown_fields(self.spec)
        columns = [data.fields.get(name, name) for name in ([by] if isinstance(by, str) else by)]
        strata = [
            sys.intern(str(tuple(self._maker.cell(row, column, "stratify") for column in columns))) for row in rows
        ]
        groups = [duplicate_key(sample, shown) for sample in samples]
        return cut(
            range(len(samples)),
            data.splits or {},
            seed=data.seed,
            stratum=strata.__getitem__,
            group=groups.__getitem__,
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"can't be read: {error}", where=str(path)) from error


def _packed(rows: Iterable[Row]) -> Packed[Row]:
    plain = ((dict(row.values), row.name, row.number, row.place) for row in rows)
    return Packed(plain, lambda values: Row(*values))
