"""Paths matched by globs: `*` is anything but `/`, `**` any number of folders, `{a,b}` one of the two.

Neither star matches a leading dot.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_CHOICE = re.compile(r"\{([^{}/]*,[^{}/]*)\}")


def is_glob(path: str) -> bool:
    """Whether a path holds a `*` or `{a,b}`."""
    return "*" in path or _CHOICE.search(path) is not None


def starred(path: str) -> str:
    """The path with a `*` for each `{a,b}`: it matches no less."""
    return _CHOICE.sub("*", path)


def select(names: Iterable[str], path: str) -> list[str]:
    """The files that a path or glob means: a file of that name, or all below a folder of that name.

    Args:
        names: paths of files, with `/`.
        path: a path or glob; empty for all files.
    """
    if is_glob(path):
        pattern = _pattern(path)
        return [name for name in names if pattern.fullmatch(name)]
    return [name for name in names if not path or name == path or name.startswith(f"{path}/")]


def below(folder: Path, path: str) -> Iterator[str]:
    """The paths of the files below a folder, no deeper than a path or glob reaches. Linked folders are not entered."""
    limit = path.count("/") if is_glob(path) and "**" not in path else None
    for root, folders, files in os.walk(folder):
        inner = Path(root).relative_to(folder)
        yield from ((inner / name).as_posix() for name in files)
        if limit is not None and len(inner.parts) >= limit:
            folders.clear()


def _pattern(glob: str) -> re.Pattern[str]:
    *folders, last = glob.split("/")
    any_folders = r"(?:(?!\.)[^/]+/)*"
    text = "".join(any_folders if part == "**" else _part(part) + "/" for part in folders)
    return re.compile(text + (any_folders + _part("*") if last == "**" else _part(last)), re.DOTALL)


def _part(glob: str) -> str:
    # `*` alone is at least one character: a path has no empty parts.
    start = r"(?!\.)(?=[^/])" if glob.startswith("*") else ""
    return start + "[^/]*".join(map(_literal, glob.split("*")))


def _literal(text: str) -> str:
    """Text without `*`: every second piece is what stands between braces."""
    pieces = _CHOICE.split(text)
    return "".join(
        f"(?:{'|'.join(map(re.escape, piece.split(',')))})" if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )
