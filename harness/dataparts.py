"""Where data lies -> the addresses of its splits, told by the names of files and folders."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import DataError, UsageError
from harness.globs import is_glob, select
from harness.records import SPLITS
from harness.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.assets import Assets
    from harness.records import Split
    from harness.rows import Format, Row

SAID: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}
"""Words in the names of files and folders -> the splits that they mean, in the order in which they are preferred."""

_WORD = re.compile(rf"(?<![A-Za-z])({'|'.join(SAID)})(?![A-Za-z])", re.IGNORECASE)
_PACKED = ".gz"


@dataclass(frozen=True, slots=True)
class Parts:
    """Data as a task file names it.

    Attributes:
        files: an address, or one for each split.
        named: split -> its files with their names; the split is None where one address holds all rows.
        format: where the suffix does not tell it.
    """

    files: str | Mapping[Split, str]
    named: Mapping[Split | None, Sequence[tuple[str, Path]]]
    format: Format | None = None

    @property
    def of_texts(self) -> bool:
        """Whether each file is one text."""
        return self.format is None and all(
            _suffix(name) == ".txt" for files in self.named.values() for name, _ in files
        )

    def rows(self) -> Iterator[tuple[Split | None, Row]]:
        """All rows, split by split; raises as `harness.rows.read_rows`."""
        for split, files in self.named.items():
            for row in read_rows(files, format=self.format):
                yield split, row


def parts_of(data: str, assets: Assets, beside: Path) -> Parts:
    """The splits that an address holds.

    A file named after a split (`train.jsonl`) brings those beside it that are named after the others.

    Args:
        data: an address; a path starts from the current folder.
        assets: brings it.
        beside: the folder of the task file, which paths are to start from.

    Raises:
        UsageError: when files of one split can't be named in one address.
        DataError: when there are files of several formats.
        AssetError: when it can't be had.
    """
    found = assets.files(data)
    files = {file.name: file.path for file in found}
    root = _root(data, files)
    if len(files) == 1 and "://" not in data:
        root, files = _siblings(Path(data), next(iter(files.values())))
    told = _splits(files)
    local = "://" not in data
    if not told:
        files = {name: path for name, path in files.items() if not PurePosixPath(name).name.startswith((".", "README"))}
        address = data if len(found) == len(files) else f"{root}/**/*{_suffix(next(iter(files), ''))}"
        named: dict[Split | None, list[tuple[str, Path]]] = {None: list(files.items())}
        return Parts(_beside(address, beside) if local else address, named, _format(files))
    addresses: dict[Split, str] = {}
    for split, names in told.items():
        address = f"{root}/{_pattern(names, files)}"
        addresses[split] = _beside(address, beside) if local else address
    named = {split: [(name, files[name]) for name in told[split]] for split in addresses}
    return Parts(addresses, named, _format({name: files[name] for names in told.values() for name in names}))


def _root(data: str, files: Mapping[str, Path]) -> str:
    """What stands before the names of the files in their addresses."""
    if is_glob(data):
        return data[: data.index("*")].rpartition("/")[0] or "."
    for place in (place for place, sign in enumerate(data) if sign == "/"):
        tail = data[place + 1 :]
        if tail and all(name == tail or name.startswith(f"{tail}/") for name in files):
            return data[:place]
    return data.rstrip("/")


def _siblings(given: Path, path: Path) -> tuple[str, dict[str, Path]]:
    """A file, and those beside it whose names differ in the word for the split alone."""
    folder = str(given.parent)
    match = _WORD.search(path.name)
    if match is None:
        return folder, {path.name: path}
    before, after = path.name[: match.start()], path.name[match.end() :]
    names = [f"{before}{word}{after}" for word in SAID]
    return folder, {path.name: path} | {name: path.parent / name for name in names if (path.parent / name).is_file()}


def _splits(files: Mapping[str, Path]) -> dict[Split, list[str]]:
    """Split -> names of its files; empty where no name tells a split. Of several words the first counts."""
    by_word: dict[str, list[str]] = {}
    for name in files:
        if match := _WORD.search(name):
            by_word.setdefault(match[1].lower(), []).append(name)
    if len(files) == 1 and list(by_word) != ["test"]:  # alone it is cut, whatever it is called
        return {}
    found: dict[Split, list[str]] = {}
    for word, split in SAID.items():
        if word in by_word and split not in found:
            found[split] = by_word[word]
    return {split: found[split] for split in SPLITS if split in found}


def _pattern(names: Sequence[str], files: Mapping[str, Path]) -> str:
    """A path or glob that means these files and no others."""
    if len(names) == 1:
        return names[0]
    match = _WORD.search(names[0])
    head = names[0][: match.end()] if match else ""
    folder = head if names[0][len(head) :].startswith("/") else ""
    suffix = _suffix(names[0])
    for pattern in (folder, f"{folder}/*/*{suffix}", f"{head}*{suffix}", f"{head}*/*{suffix}"):
        if pattern and sorted(select(files, pattern)) == sorted(names):
            return pattern
    raise UsageError(
        f"no one address means the {len(names)} files of a split (such as {names[0]})",
        hint="name one file, or a glob such as data/train-*.parquet",
    )


def _format(files: Mapping[str, Path]) -> Format | None:
    suffixes = {_suffix(name) for name in files}
    if len(suffixes) > 1:
        raise DataError(f"files of several formats: {', '.join(sorted(suffixes))}", hint="name one file, or a glob")
    if suffixes == {".txt"} and len(files) == 1:
        return "lines"
    if suffixes == {".json"} and all(map(_is_squad, files.values())):
        return "squad"
    return None


def _is_squad(path: Path) -> bool:
    """Whether a JSON file begins as SQuAD's do, or holds its keys early."""
    with path.open("rb") as file:
        start = file.read(2**16).lstrip()
    return start[:1] == b"{" and b'"paragraphs"' in start


def _suffix(name: str) -> str:
    return PurePosixPath(name.removesuffix(_PACKED)).suffix.lower()


def _beside(address: str, folder: Path) -> str:
    """A path as it is reached from a folder; an absolute one stays so unless it lies below the folder."""
    path = Path(os.path.normpath(address))
    if path.is_absolute() and not path.is_relative_to(folder.absolute()):
        return str(path)
    return os.path.relpath(path, folder.absolute() if path.is_absolute() else folder)
