"""Folders that are made once, whole or not at all, by whichever process comes first."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness.errors import AssetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_FULL = {errno.ENOSPC, errno.EDQUOT}


def _always(folder: Path) -> bool:
    return folder.is_dir()


class Cache:
    """Folders `root/kind/digest`.

    A folder is filled under a private name beside its place and renamed when it is complete, while a lock file is held:
    what has the final name is whole, and two processes never make one folder. A killed process loses its lock; what it
    left behind is swept when the next folder of that kind is made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def has(self, kind: str, digest: str) -> Path | None:
        """The folder, if it has been made."""
        folder = self._folder(kind, digest)
        return folder if folder.is_dir() else None

    def made(
        self, kind: str, digest: str, make: Callable[[Path], None], *, sound: Callable[[Path], bool] = _always
    ) -> Path:
        """The folder, made now if it has not been before.

        Args:
            kind: letters, digits, `-` and `_`.
            digest: likewise; it has to cover all that decides the content.
            make: fills the folder that it is given.
            sound: whether a folder made before is still good; one that isn't, or can't be read, is made again.

        Raises:
            AssetError: for any OSError, a full disk above all. What else `make` raises passes through.
        """
        folder = self._folder(kind, digest)
        if _stands(folder, sound):
            return folder
        try:
            with self._locked(kind, digest):
                if not _stands(folder, sound):  # another process may have made it meanwhile
                    self._sweep(kind, digest)
                    self._make(folder, make)
        except OSError as error:
            raise _explained(error, kind, self.root) from error
        return folder

    def _folder(self, kind: str, digest: str) -> Path:
        if not (_NAME.fullmatch(kind) and _NAME.fullmatch(digest)):
            raise ValueError(f"{kind!r} and {digest!r} can't name a folder of the cache")
        return self.root / kind / digest

    def _lock(self, kind: str, digest: str) -> FileLock:
        # Lock files stay: removing one that another process waits for would let both in.
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{kind}-{digest}.lock")

    @contextmanager
    def _locked(self, kind: str, digest: str) -> Iterator[None]:
        lock = self._lock(kind, digest)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("waiting for another process that is making %s/%s", kind, digest)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _make(self, folder: Path, make: Callable[[Path], None]) -> None:
        if folder.exists():
            log.warning("%s is damaged and is made again", folder)
            shutil.rmtree(folder.rename(_private(folder)), ignore_errors=True)
        part = _private(folder)
        part.mkdir()
        try:
            make(part)
            part.rename(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def _sweep(self, kind: str, mine: str) -> None:
        """Remove what dead processes left: private folders whose lock is free, or is ours."""
        (self.root / kind).mkdir(parents=True, exist_ok=True)
        for part in (self.root / kind).glob(".*.*"):
            digest = part.name.split(".")[1]
            if digest == mine:
                shutil.rmtree(part, ignore_errors=True)
                continue
            try:
                with self._lock(kind, digest).acquire(timeout=0):
                    shutil.rmtree(part, ignore_errors=True)
            except Timeout:
                continue


def _stands(folder: Path, sound: Callable[[Path], bool]) -> bool:
    try:
        return folder.is_dir() and sound(folder)
    except (OSError, ValueError, TypeError):  # files are missing, or hold something else
        return False


def _private(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")


def _explained(error: OSError, kind: str, root: Path) -> AssetError:
    move = "set HARNESS_CACHE to a folder elsewhere"
    if error.errno in _FULL:
        return AssetError(f"the disk is full: no room for {kind} in {root}", hint=f"free some space, or {move}")
    return AssetError(f"can't make {kind} in the cache {root}: {error}", hint=f"is it yours to write? {move}")
