"""What trials asked, kept in the cache: making it again reads the rows of a task and adapts anew, for each report.

A file a trial, named by its key: what has the same key has asked the same. Lists of texts stand once, on a line before
the first sample that has them: demonstrations are the same for hundreds of samples.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import uuid
import zlib
from typing import TYPE_CHECKING, Any, get_args

from harness.interfaces import Asked
from harness.records import Prompt, Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

FORM = 1
"""Raised when files come to look otherwise."""

KINDS: dict[str, type[Request]] = {kind.__name__: kind for kind in get_args(Request)}

LISTED: dict[type[Any], frozenset[str]] = {
    record: frozenset(field.name for field in dataclasses.fields(record) if str(field.type).startswith("tuple"))
    for record in (Prompt, *KINDS.values())
}
"""Record -> its fields that are tuples of texts, and stand in the file as the numbers of lists."""


def place(folder: Path, key: str) -> Path:
    """Where it is kept what the trial with this key asked."""
    return folder / "asked" / f"{FORM}-{key}.jsonl.gz"


def keep(path: Path, asked: Asked) -> None:
    """Write it, whole or not at all.

    Raises:
        OSError: when it can't be written.
        HarnessError: from making the requests.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with gzip.open(part, "wt", compresslevel=4, encoding="utf-8", errors="surrogatepass") as file:
            _write(file, asked)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def kept(path: Path) -> Asked | None:
    """What is kept there; None where nothing is, or nothing that can be read."""
    with contextlib.suppress(OSError, EOFError, ValueError, zlib.error), _opened(path) as file:
        head = json.loads(file.readline())
        for _ in file:  # to the end, where gzip's checksum is
            pass
        return Asked(_Lines(path), tuple(head["labels"]), tuple(head["notes"]))
    return None


def _opened(path: Path) -> TextIO:
    return gzip.open(path, "rt", encoding="utf-8", errors="surrogatepass")


class _Lines:
    """The samples of a file with their requests, read anew by each who goes through them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[tuple[str, tuple[Request, ...]]]:
        lists: list[tuple[Any, ...]] = []
        with _opened(self._path) as file:
            next(file)
            for line in file:
                told = json.loads(line)
                if isinstance(told[0], list):
                    lists.append(tuple(tuple(one) if isinstance(one, list) else one for one in told[0]))
                else:
                    sample, *requests = told
                    yield sample, tuple(_request(kind, values, lists) for kind, values in requests)


def _write(file: TextIO, asked: Asked) -> None:
    lists: dict[tuple[Any, ...], int] = {}

    def number(texts: tuple[Any, ...]) -> int:
        if texts not in lists:
            lists[texts] = len(lists)
            file.write(json.dumps([texts]) + "\n")
        return lists[texts]

    def plain(record: Any) -> dict[str, Any]:  # noqa: ANN401 - a request or a prompt
        values = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
        return {
            name: plain(value) if isinstance(value, Prompt) else number(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    file.write(json.dumps({"labels": asked.labels, "notes": asked.notes}) + "\n")
    for sample, requests in asked.samples:
        line = [sample, *([type(request).__name__, plain(request)] for request in requests)]
        file.write(json.dumps(line) + "\n")


def _request(kind: str, values: dict[str, Any], lists: list[tuple[Any, ...]]) -> Request:
    return KINDS[kind](**_meant(KINDS[kind], values, lists))


def _meant(record: type[Any], values: dict[str, Any], lists: list[tuple[Any, ...]]) -> dict[str, Any]:
    """The values with texts in the place of lists' numbers; which are lists the records' declarations say."""
    if "prompt" in values:
        values["prompt"] = Prompt(**_meant(Prompt, values["prompt"], lists))
    return {name: lists[value] if name in LISTED[record] else value for name, value in values.items()}
