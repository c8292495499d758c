"""Fingerprints: what a model is, told from the bytes of its files and the settings that change an answer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja"})
"""Weights, configuration, tokenizer and chat template; README and the like say nothing to a model."""


def fingerprint(parts: Mapping[str, Any]) -> str:
    """SHA-256 over the parts as canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def folder_digests(folder: Path, memo: DigestMemo, *, code: bool = False) -> dict[str, str]:
    """Name -> SHA-256 of each file of a checkpoint that can change an answer, with `code` its Python files too."""
    suffixes = SUFFIXES | {".py"} if code else SUFFIXES
    return {
        path.name: memo.sha256(path) for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in suffixes
    }


class DigestMemo:
    """SHA-256 of files, remembered in a small JSON file by path, size, time of change and inode."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def sha256(self, path: Path) -> str:
        """The digest of a file, computed when the file is not the one that is remembered."""
        real = path.resolve()
        state = real.stat()
        stamp = [state.st_size, state.st_mtime_ns, state.st_ino]
        known = self._read().get(str(real))
        if known is not None and known[:-1] == stamp:
            return str(known[-1])
        with real.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        self._write({**self._read(), str(real): [*stamp, found]})
        return found

    def _read(self) -> dict[str, list[Any]]:
        """What is remembered; nothing where the file is missing or not ours, since all of it can be computed again."""
        try:
            read = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return (
            {path: entry for path, entry in read.items() if isinstance(entry, list)} if isinstance(read, dict) else {}
        )

    def _write(self, entries: Mapping[str, list[Any]]) -> None:
        """Replace the file atomically; a cache that can't be written costs time, not the run."""
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(entries, stream)
            Path(temporary).replace(self._file)
