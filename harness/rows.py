"""Files of data -> rows: JSONL, JSON, YAML, CSV, TSV, Parquet, SQuAD's JSON, CoNLL, HTML, texts, lines; gzipped."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import logging
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from harness.conllrows import sentences
from harness.errors import DataError
from harness.htmlrows import paragraphs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Format: TypeAlias = Literal["jsonl", "json", "csv", "tsv", "parquet", "text", "lines", "squad", "yaml", "html", "conll"]
FORMATS: tuple[Format, ...] = get_args(Format)

_SUFFIXES: Mapping[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".txt": "text",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".html": "html",
    ".htm": "html",
    **dict.fromkeys((".conll", ".iob", ".iob2", ".bio"), "conll"),
}
_LONGEST_CELL = 2**31 - 1
_PIECE = 2**20
"""Bytes that are looked at together."""
_BATCH = 1024
"""Rows of a Parquet file that are made together."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        values: its columns; `file` (the stem of its file's name) and `folder` (the name of the folder that holds the
            file) are there too, unless the data has columns of these names.
        name: the file's path within its data set, without suffixes.
        number: the row's line, or its place in a file without lines, counted from 1; 0 where a file is one row.
        place: where a person finds it: `file:line`.
    """

    values: Mapping[str, Any]
    name: str
    number: int
    place: str


def read_rows(
    files: Sequence[tuple[str, Path]],
    *,
    format: Format | None = None,  # noqa: A002 - the key's name in task files
    columns: Sequence[str] = (),
    source: str = "",
) -> Iterator[Row]:
    """Read the rows of files, in the order given, one after the other: none is kept.

    Args:
        files: each file's name within its data set, and its path.
        format: told by the file's suffix where it is not given.
        columns: names of the columns of CSV and TSV files without a header and of CoNLL's, or of the one of `lines`.
        source: what the files are, for the log.

    Raises:
        DataError: naming the file and line that can't be read.
    """
    recoded: list[str] = []
    for name, path in files:
        yield from _read_file(_File(name, path, tuple(columns), recoded), format)
    if recoded:
        log.warning(
            "%d of %d files of %s are not UTF-8: read as Windows-1252", len(recoded), len(files), source or recoded[0]
        )


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    path: Path
    columns: tuple[str, ...]
    recoded: list[str]

    @contextmanager
    def bytes(self) -> Iterator[gzip.GzipFile | io.BufferedReader]:
        """The content, unpacked, to be read."""
        try:
            with gzip.open(self.path) if self.path.suffix == ".gz" else self.path.open("rb") as file:
                yield file
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"can't be read: {error}", where=str(self.path)) from error

    @contextmanager
    def text(self, newline: str) -> Iterator[IO[str]]:
        """The content as text, with its line ends as they are; `newline` is what ends a line.

        Old corpora often mix a few Windows-1252 files into UTF-8 ones.
        """
        with self.bytes() as file:
            start = file.read(_PIECE)
            is_utf8 = _is_utf8(chain([start], iter(partial(file.read, _PIECE), b"")))
        if not is_utf8:
            self.recoded.append(self.name)
        encoding, errors = ("utf-8-sig", "strict") if is_utf8 else ("cp1252", "replace")
        if len(start) < _PIECE:  # that is all of it
            yield io.TextIOWrapper(io.BytesIO(start), encoding, errors, newline)
            return
        with self.bytes() as file:
            yield io.TextIOWrapper(file, encoding, errors, newline)

    def lines(self) -> Iterator[tuple[int, str]]:
        r"""Number and text of each line that is not blank; only \n and \r\n end one: texts hold the other ends."""
        with self.text("\n") as text:
            for number, line in enumerate(text, start=1):
                if line.strip():
                    yield number, line.removesuffix("\n").removesuffix("\r")

    def error(self, message: str, number: int, *, hint: str | None = None) -> DataError:
        return DataError(message, where=f"{self.path}:{number}", hint=hint)


def _is_utf8(pieces: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _read_file(file: _File, format_: Format | None) -> Iterator[Row]:
    path = PurePosixPath(file.name.removesuffix(".gz"))
    if format_ is None:
        format_ = _SUFFIXES.get(path.suffix.lower())
    if format_ is None:
        raise DataError(
            f"the suffix {path.suffix!r} tells no format",
            where=str(file.path),
            hint=f"set data.format to one of {', '.join(FORMATS)}",
        )
    if file.columns and format_ not in {"csv", "tsv", "lines", "conll"}:
        hint = "leave data.columns out"
        raise DataError(f"a {format_} file names its columns itself", where=str(file.path), hint=hint)
    origin = {"file": path.stem, "folder": path.parent.name or file.path.parent.name}
    for number, values in _READERS[format_](file):
        yield Row(
            {**origin, **values},
            str(path.with_suffix("")),
            number,
            f"{file.path}:{number}" if number else str(file.path),
        )


# --- one reader a format: (number, columns) of each row ------------------------------------------


def _jsonl(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in file.lines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise file.error(f"is not JSON: {error}", number) from error
        yield number, _object(file, number, value)


def _json(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.text("") as text, _is_json(file):
        values = json.load(text)
    if not isinstance(values, list):
        raise file.error("is no list of objects", 1)
    for number, value in enumerate(values, start=1):
        yield number, _object(file, number, value)


def _yaml(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    """A list of mappings, or one mapping: then the file is a row."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    with file.text("") as text:
        try:
            content = YAML(typ="safe").load(text)
        except YAMLError as error:
            mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
            problem = error.problem if isinstance(error, MarkedYAMLError) else str(error)
            raise file.error(f"is not YAML: {problem}", mark.line + 1 if mark else 1) from error
    if isinstance(content, dict):
        yield 0, content
        return
    if not isinstance(content, list):
        raise file.error("is no mapping and no list of mappings", 1)
    for number, value in enumerate(content, start=1):
        yield number, _object(file, number, value)


def _html(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.text("") as text:
        yield from paragraphs(text.read())


def _squad(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    """A question a row (Rajpurkar et al. 2016); `answers` has each text once, none for an unanswerable question."""
    with file.text("") as text, _is_json(file):
        content = json.load(text)
    number = 0
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    number += 1
                    given = [] if question.get("is_impossible") else question["answers"]
                    yield (
                        number,
                        {
                            "id": question["id"],
                            "title": article.get("title", ""),
                            "context": paragraph["context"],
                            "question": question["question"],
                            "answers": list(dict.fromkeys(answer["text"] for answer in given)),
                            "answer_starts": [answer.get("answer_start") for answer in given],
                        },
                    )
    except (KeyError, TypeError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        message = f"is not SQuAD's JSON after {number} questions: {what}"
        hint = "data: [{title, paragraphs: [{context, qas: [{id, question, answers: [{text}]}]}]}]"
        raise file.error(message, 1, hint=hint) from error


@contextmanager
def _is_json(file: _File) -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise file.error(f"is not JSON: {error}", getattr(error, "lineno", 1)) from error


def _object(file: _File, number: int, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise file.error(f"is no object but {json.dumps(value, default=str)[:40]}", number)
    return value


def _csv(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(_LONGEST_CELL)  # documents are longer than its default of 128 KiB
    columns: Sequence[str] = file.columns
    with file.text("") as text:
        reader = csv.reader(text, strict=True)
        try:
            for cells in reader:
                if not cells:
                    continue
                if not columns:
                    columns = _header(file, reader.line_num, cells)
                elif len(cells) != len(columns):
                    raise file.error(f"has {len(cells)} columns, not {len(columns)}", reader.line_num)
                else:
                    yield reader.line_num, dict(zip(columns, cells, strict=True))
        except csv.Error as error:
            raise file.error(f"is not CSV: {error}", reader.line_num) from error


def _tsv(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    """Tabs separate, nothing is quoted, and tabs beyond the last column belong to it."""
    columns: Sequence[str] = file.columns
    for number, line in file.lines():
        if not columns:
            columns = _header(file, number, line.split("\t"))
            continue
        cells = line.split("\t", len(columns) - 1)
        if len(cells) != len(columns):
            raise file.error(f"has {len(cells)} columns, not {len(columns)}", number)
        yield number, dict(zip(columns, cells, strict=True))


def _header(file: _File, number: int, cells: Sequence[str]) -> Sequence[str]:
    repeated = next((cell for cell in cells if list(cells).count(cell) > 1), None)
    if repeated is not None:
        raise file.error(
            f"column {repeated!r} stands twice in the header",
            number,
            hint="name the columns with data.columns if there is no header",
        )
    return cells


def _parquet(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with file.bytes() as content:
            # A gzipped one is unpacked whole: it is read from its end. Threads can outlive the interpreter, which then
            # aborts.
            source = io.BytesIO(content.read()) if isinstance(content, gzip.GzipFile) else content
            with pyarrow.parquet.ParquetFile(source, pre_buffer=False) as table:
                batches = table.iter_batches(_BATCH, use_threads=False)
                yield from enumerate((values for batch in batches for values in batch.to_pylist()), start=1)
    except pyarrow.ArrowException as error:
        raise DataError(f"is not Parquet: {error}", where=str(file.path)) from error


def _conll(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.text("\n") as text:
        yield from sentences(enumerate(text, start=1), file.columns, file.error)


def _text(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.text("") as text:
        content = text.read()
    yield 0, {"text": content}


def _lines(file: _File) -> Iterator[tuple[int, dict[str, Any]]]:
    column, *others = file.columns or ("text",)
    if others:
        raise DataError(
            "a line has one column", where=str(file.path), hint="for several columns set data.format to tsv or csv"
        )
    for number, line in file.lines():
        yield number, {column: line}


_READERS: Mapping[Format, Callable[[_File], Iterator[tuple[int, dict[str, Any]]]]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "tsv": _tsv,
    "parquet": _parquet,
    "text": _text,
    "lines": _lines,
    "squad": _squad,
    "yaml": _yaml,
    "html": _html,
    "conll": _conll,
}
