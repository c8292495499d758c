"""Unpack archives that nobody vouches for: nothing lands outside, no link or device is made, the size is bounded."""

from __future__ import annotations

import gzip
import logging
import lzma
import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING

from harness.errors import AssetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_BYTES = 4 * 2**30
MAX_MEMBERS = 1_000_000

_UNIX = 3  # the system of a zip entry whose attributes hold a Unix mode
_LONGEST_LINK = 4096

log = logging.getLogger(__name__)

_TAR_NAME = re.compile(r"\.(tar|tar\.\w+|tgz|tbz2?|txz)$", re.IGNORECASE)
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # an encrypted zip
    NotImplementedError,  # a compression that this Python lacks
    UnicodeError,
    gzip.BadGzipFile,
    FileExistsError,  # one path is a file and a folder
    IsADirectoryError,
    NotADirectoryError,
)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of an archive; `size` is None where only reading tells."""

    name: str
    size: int | None
    open: Callable[[], IO[bytes] | gzip.GzipFile]


@dataclass(frozen=True, slots=True)
class _Link:
    """A link of an archive; `target` counts from the archive's root."""

    name: str
    target: str


def unpack(
    archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES, max_members: int = MAX_MEMBERS
) -> dict[str, int]:
    """Unpack a zip (wheel), tar (plain, gzip, bzip2, xz) or gzip file into an empty folder.

    Only regular files are written. A link to a file of the same archive becomes a copy of it; empty folders, owners and
    modes are left out. A later file replaces an earlier one of the same name.

    Returns:
        Path inside the archive -> size in bytes, of all files.

    Raises:
        AssetError: when it is no archive or a broken one, when it holds a device, or a path or link that leads outside,
            or unpacks to more than the limits.
        OSError: when the disk is full or can't be written.
    """
    sizes: dict[str, int] = {}
    links: dict[str, str] = {}
    room = _Room(max_bytes, archive)
    try:
        for count, member in enumerate(_members(archive), start=1):
            if count > max_members:
                raise AssetError(f"archive {archive.name} holds more than {max_members:,} files")
            name = _safe(member.name, archive)
            if isinstance(member, _Link):
                links[name] = _inside(member, archive)
                continue
            with member.open() as content:
                sizes[name] = _write(content, folder / name, member.size, room)
        for name in links:
            target = _end(name, links)
            if target not in sizes:
                log.warning("archive %s: link %s leads to no file in it and is left out", archive.name, name)
                continue
            with (folder / target).open("rb") as linked:
                sizes[name] = _write(linked, folder / name, sizes[target], room)
    except _BROKEN as error:
        raise AssetError(f"archive {archive.name} is broken: {error}") from error
    return sizes


# --- reading each format --------------------------------------------------------------------------


def _members(archive: Path) -> Iterator[_File | _Link]:
    with archive.open("rb") as file:
        magic = file.read(4)
    if magic in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_members(archive)
    if _TAR_NAME.search(archive.name) or _is_tar(archive):
        return _tar_members(archive)
    if magic[:2] == b"\x1f\x8b":
        name = archive.stem if archive.suffix == ".gz" else archive.name
        return iter([_File(name, None, partial(gzip.open, archive))])
    raise AssetError(
        f"{archive.name} is no archive", hint="zip, whl, tar, tar.gz, tar.bz2, tar.xz and gz can be unpacked"
    )


def _is_tar(file: Path) -> bool:
    try:
        with tarfile.open(file) as archive:
            return archive.next() is not None  # any file that begins with zeros would pass for an empty one
    except tarfile.TarError:
        return False


def _zip_members(archive: Path) -> Iterator[_File | _Link]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
            if info.is_dir():
                _safe(info.filename, archive)
            elif kind == stat.S_IFLNK and info.file_size <= _LONGEST_LINK:
                yield _Link(info.filename, posixpath.join(posixpath.dirname(info.filename), file.read(info).decode()))
            elif kind in (0, stat.S_IFREG):
                yield _File(info.filename, info.file_size, partial(file.open, info))
            else:
                raise _unsafe(archive, f"{info.filename!r} is neither a file, a folder nor a link")


def _tar_members(archive: Path) -> Iterator[_File | _Link]:
    def content(info: tarfile.TarInfo) -> IO[bytes]:
        found = file.extractfile(info)
        if found is None:
            raise tarfile.ReadError(f"{info.name!r} has no content")
        return found

    with tarfile.open(archive) as file:
        for info in file:
            if info.isdir():
                _safe(info.name, archive)
            elif info.issym():
                yield _Link(info.name, posixpath.join(posixpath.dirname(info.name), info.linkname))
            elif info.islnk():
                yield _Link(info.name, info.linkname)
            elif info.isreg():
                yield _File(info.name, info.size, partial(content, info))
            else:
                raise _unsafe(archive, f"{info.name!r} is neither a file, a folder nor a link")


# --- guarding --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Room:
    """How many bytes may still be written."""

    left: int
    archive: Path

    def need(self, count: int) -> None:
        if count > self.left:
            hint = "unpack it yourself and name the folder, if you trust it"
            raise AssetError(f"archive {self.archive.name} unpacks to more bytes than are allowed", hint=hint)

    def take(self, count: int) -> None:
        self.need(count)
        self.left -= count


def _write(content: IO[bytes] | gzip.GzipFile, target: Path, size: int | None, room: _Room) -> int:
    """Copy a member to its place; the bytes written, which are counted since a header can lie."""
    written = 0
    room.need(size or 0)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while chunk := content.read(2**20):
            room.take(len(chunk))
            file.write(chunk)
            written += len(chunk)
    if size is not None and written != size:
        raise EOFError(f"{target.name!r} ends after {written} of {size} bytes")
    return written


def _safe(name: str, archive: Path) -> str:
    """The name in plain form, if it stays below the folder on every system."""
    path = PureWindowsPath(name)  # takes both separators
    if "\0" in name or path.drive or path.root or ".." in path.parts:
        raise _unsafe(archive, f"the path {name!r} leads outside")
    return str(PurePosixPath(name))


def _inside(link: _Link, archive: Path) -> str:
    """The target of a link in plain form, if it stays in the archive."""
    target = posixpath.normpath(link.target)
    if posixpath.isabs(target) or target.split("/")[0] == "..":
        raise _unsafe(archive, f"the link {link.name!r} leads outside, to {target!r}")
    return target


def _end(name: str, links: Mapping[str, str]) -> str | None:
    """Where a chain of links ends; None if it goes round."""
    seen: set[str] = set()
    while name in links:
        if name in seen:
            return None
        seen.add(name)
        name = links[name]
    return name


def _unsafe(archive: Path, what: str) -> AssetError:
    return AssetError(f"archive {archive.name} is unsafe: {what}", hint="don't use it; nothing of it is kept")
