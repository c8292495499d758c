"""`file://`, and addresses without a scheme: what lies on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import AssetError, MissingFileError, nearest
from harness.globs import is_glob

if TYPE_CHECKING:
    from pathlib import Path


class Files:
    """Files and folders of this machine; nothing is copied."""

    keeps = True

    def split(self, rest: str) -> tuple[str, tuple[str, ...]]:
        """The piece is the path as far as it is no glob."""
        head, *steps = rest.split("!/")
        if not head.strip():
            raise AssetError(f"{rest!r} names no file", hint="write file:///path, file://relative/path or just a path")
        parts = head.split("/")
        literal = next((count for count, part in enumerate(parts) if is_glob(part)), len(parts))
        if literal == len(parts):
            return head, tuple(steps)
        return "/".join(parts[:literal]) or ("/" if head.startswith("/") else "."), ("/".join(parts[literal:]), *steps)

    def fetch(self, piece: str, folder: Path, *, sha256: str | None, offline: bool) -> Path:  # noqa: ARG002 - nothing is fetched
        """The path itself, if it is there.

        Raises:
            AssetError: when it isn't.
        """
        path = folder / piece
        if not path.exists():
            around = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
            raise MissingFileError(f"there is no file or folder {str(path)!r}", hint=nearest(path.name, around))
        return path
