"""`npm://`: files inside packages of the npm registry, fetched without npm; nothing is installed or run."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import shutil
import urllib.request
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from harness.errors import AssetError, OfflineError, nearest
from harness_sources.npmrc import registry_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse
    from pathlib import Path

log = logging.getLogger(__name__)

_ADDRESS = re.compile(
    r"(?P<name>(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][A-Za-z0-9._~-]*)@(?P<version>\d[\w.+-]*)(?P<path>/.*)?",
    re.DOTALL,
)
_SHORT = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
"""Asks for a package's versions without their readmes."""
_TIMEOUT_S = 60


class NodeRegistry:
    """Packages of the registry that the user's npm is set to (`npm config get registry`), proxies as Python has them.

    Tokens for private registries are not sent.
    """

    keeps = False

    def split(self, rest: str) -> tuple[str, tuple[str, ...]]:
        """The piece is `NAME@VERSION`; the path in it begins with the archive's own folder, mostly `package`."""
        head, *steps = rest.split("!/")
        match = _ADDRESS.fullmatch(head)
        if match is None:
            hint = "write npm://NAME@VERSION/package/path, or npm://@SCOPE/NAME@VERSION/package/path"
            raise AssetError(f"npm://{rest} is no address", hint=hint)
        piece = f"{match['name']}@{match['version']}"
        return piece, tuple(steps) if match["path"] is None else (match["path"][1:], *steps)

    def fetch(self, piece: str, folder: Path, *, sha256: str | None, offline: bool) -> Path:  # noqa: ARG002 - the core verifies, and does not call then
        """Download a package's archive, and compare it with the digest that the registry names, if it names one.

        Raises:
            AssetError: when there is no such package or version, or the registry does not give it.
            OfflineError: when the registry can't be reached.
        """
        name, _, version = piece.rpartition("@")
        registry = registry_of(name)
        with _opened(f"{registry}/{quote(name, safe='@')}", piece, registry) as response:
            content = response.read()
        try:
            versions: dict[str, Any] = json.loads(content)["versions"]
            dists = {one: told["dist"] for one, told in versions.items()}
            given = {one: (str(dist["tarball"]), dist.get("integrity") or "") for one, dist in dists.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AssetError(f"npm://{piece}: {registry} is no npm registry", hint=_SETTING) from error
        if version not in given:
            hint = nearest(version, given)
            raise AssetError(f"npm://{piece}: the registry has no such version", hint=hint)
        address, integrity = given[version]
        target = folder / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
        with _opened(address, piece, registry) as response, target.open("wb") as file:
            shutil.copyfileobj(response, file)
        _check(target, integrity, piece)
        return target


_SETTING = "npm config get registry shows yours"


@contextmanager
def _opened(address: str, piece: str, registry: str) -> Iterator[HTTPResponse]:
    """What lies at an address, while it is read."""
    if urlsplit(address).scheme not in {"http", "https"}:
        raise AssetError(f"npm://{piece}: {address!r} is no address of the web", hint=_SETTING)
    log.debug("asking %s", address)
    request = urllib.request.Request(address, headers={"Accept": _SHORT})  # noqa: S310 - the scheme has been looked at
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 - likewise
            yield response
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        _explain(error, piece, registry)


def _explain(error: Exception, piece: str, registry: str) -> NoReturn:
    """What went wrong, in one line."""
    if isinstance(error, HTTPError):
        if error.code == 404:
            raise AssetError(f"npm://{piece}: the registry has no such package", hint="is the name right?") from error
        message = f"npm://{piece}: {registry} answered {error.code} {error.reason}"
        raise AssetError(message, hint=f"{_SETTING}; tokens are not sent") from error
    reason = error.reason if isinstance(error, URLError) else error
    raise OfflineError(
        f"npm://{piece} is not in the cache, and {registry} can't be reached: {reason}",
        hint=f"with a connection to a registry ({_SETTING}), fetch it once: harness fetch NAME",
    ) from error


def _check(archive: Path, integrity: str, piece: str) -> None:
    """Compare with the registry's digest (`sha512-` and Base64), which also finds a download that broke off."""
    for told in integrity.split():
        kind, _, digest = told.partition("-")
        if kind != "sha512":
            continue
        with archive.open("rb") as file:
            found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
        if found != digest:
            raise AssetError(f"npm://{piece}: what came is not what the registry names", hint="try again")
