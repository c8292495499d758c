"""Bring a model or a task's data into the local cache, and say where other tools find it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.catalogue import is_file
from harness.components import parse_component
from harness.errors import UnknownNameError, UsageError
from harness.interfaces import Fetchable
from harness.suites import is_suite

if TYPE_CHECKING:
    from pathlib import Path

    from harness.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies in the cache: `sha256` is the file's, or for a folder that of its files' names and digests."""

    name: str
    path: Path
    bytes: int
    sha256: str


def named(catalogue: Catalogue, name: str) -> list[str]:
    """What a name to fetch means: the tasks of a suite, or itself.

    Raises:
        HarnessError: when there is no such suite.
    """
    component = parse_component(name)
    return list(map(str, catalogue.suite(component).tasks)) if is_suite(component) else [name]


def fetch(catalogue: Catalogue, name: str) -> Fetched:
    """Fetch a model or task by name; both verify what they bring.

    Raises:
        UnknownNameError: when there is neither a model nor a task of that name.
        UsageError: when it is made of code and has nothing to fetch.
        AssetError, OfflineError: when it can't be had.
    """
    component = parse_component(name)
    if component.name in catalogue.plugins.registry("model"):
        part: object = catalogue.model(component)
    elif is_file(component) or component.name in catalogue.plugins.registry("task"):
        part = catalogue.task(component).task
    else:
        known = [entry.name for kind in ("model", "task") for entry in catalogue.plugins.registry(kind)]
        raise UnknownNameError("model or task", component.name, known)
    if not isinstance(part, Fetchable):
        raise UsageError(f"{name} has nothing to fetch: it needs no files")
    path = part.fetch()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return Fetched(name, path, sum(file.stat().st_size for file in files), _digest(path, files))


def _digest(path: Path, files: list[Path]) -> str:
    if files == [path]:
        return _sha256(path)
    whole = hashlib.sha256()
    for file in files:
        whole.update(f"{_sha256(file)}  {os.fsdecode(file.relative_to(path))}\n".encode())
    return whole.hexdigest()


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
