"""Where a model's files lie: a folder, the hub, a GGUF file, a Python package. None of this imports torch."""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import ModelError, OfflineError, UsageError
from harness_hf.identity import DigestMemo, fingerprint, folder_digests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.assets import Assets

CONVERTER = 1
"""Part of the name of a converted GGUF; raised when the conversion changes, so that old ones are not used."""

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
HUB_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")


class Checkpoint(Protocol):
    """A model on disk or on its way there."""

    def folder(self) -> Path:
        """The folder that transformers can load, fetched and converted where needed."""

    def identity(self) -> Mapping[str, Any]:
        """What tells it from others, wherever it lies. May fetch."""


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder as `save_pretrained` writes it. With `code`, its Python files may be run and belong to its identity."""

    path: Path
    memo: DigestMemo
    code: bool = False

    def folder(self) -> Path:
        """The folder itself.

        Raises:
            ModelError: when it has no safetensors.
        """
        if not any(self.path.glob("*.safetensors")):
            pickled = sorted(file.name for file in self.path.glob("*.bin"))
            found = (
                f"only pickled weights ({pickled[0]}), which can run code when they are read"
                if pickled
                else "no weights"
            )
            raise ModelError(
                f"there are no *.safetensors in the model's folder, {found}",
                where=str(self.path),
                hint="save it again with transformers: model.save_pretrained(folder)",
            )
        return self.path

    def identity(self) -> Mapping[str, Any]:
        """The digests of its files."""
        return folder_digests(self.folder(), self.memo, code=self.code)


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository of the Hugging Face hub, kept in the hub's own cache, which other tools share."""

    name: str
    revision: str | None
    assets: Assets
    memo: DigestMemo
    code: bool = False

    def folder(self) -> Path:
        """The downloaded snapshot.

        Raises:
            UsageError, OfflineError, ModelError
        """
        from huggingface_hub import snapshot_download

        patterns = [*HUB_FILES, "*.py"] if self.code else list(HUB_FILES)
        with _hub_errors(self.name):
            path = snapshot_download(
                self.name, revision=self.revision, allow_patterns=patterns, local_files_only=self.assets.offline
            )
        return LocalFolder(Path(path), self.memo, self.code).folder()

    def config(self) -> Path:
        """Its `config.json` alone."""
        from huggingface_hub import hf_hub_download

        with _hub_errors(self.name):
            path = hf_hub_download(
                self.name, "config.json", revision=self.revision, local_files_only=self.assets.offline
            )
        return Path(path)

    def identity(self) -> Mapping[str, Any]:
        """The digests of its files: two revisions with the same files are one model."""
        return folder_digests(self.folder(), self.memo, code=self.code)


@dataclass(frozen=True, slots=True)
class PackagedFolder:
    """A checkpoint's folder inside a package, told by the digest of the download."""

    address: str
    sha256: str
    assets: Assets

    def folder(self) -> Path:
        """The unpacked folder."""
        return self.assets.path(self.address, sha256=self.sha256)

    def identity(self) -> Mapping[str, Any]:
        """Known without fetching."""
        return {"download": self.sha256, "address": self.address}


@dataclass(frozen=True, slots=True)
class Gguf:
    """A GGUF file, by path or (with the digest of its download) by address; de-quantised to float32 once."""

    file: Path | None
    assets: Assets
    memo: DigestMemo
    address: str = ""
    sha256: str = ""

    def folder(self) -> Path:
        """The converted folder, made on first use."""
        return self.assets.made("gguf", fingerprint(self.identity()), self._convert)

    def identity(self) -> Mapping[str, Any]:
        """The file's digest, or that of the download it comes in, and how it is converted."""
        if self.file is None:
            return {"download": self.sha256, "address": self.address, "converter": CONVERTER}
        return {"gguf": self.memo.sha256(self.file), "converter": CONVERTER}

    def _convert(self, into: Path) -> None:
        from harness_hf.gguf import convert

        convert(self.file or self.assets.path(self.address, sha256=self.sha256), into)


@dataclass(frozen=True, slots=True)
class PretrainedFolder:
    """What further pre-training made, in a folder that is named by the digest of all that it follows from."""

    path: Path

    def folder(self) -> Path:
        """The folder itself."""
        return self.path

    def identity(self) -> Mapping[str, Any]:
        """Known without looking at the files, which hold the seconds that training took, too."""
        return {"pretrained": self.path.name}


def memo_of(assets: Assets) -> DigestMemo:
    """The digests that are remembered in the cache."""
    return DigestMemo(assets.root / "hf-digests.json")


def find(reference: str, revision: str | None, assets: Assets, *, code: bool) -> LocalFolder | HubRepository:
    """The checkpoint behind a reference: a folder where there is one, else a name on the hub.

    Raises:
        UsageError: when it is neither.
    """
    memo = memo_of(assets)
    path = Path(reference).expanduser()
    if path.is_dir():
        if revision is not None:
            raise UsageError(f"revision={revision} means nothing for the folder {reference!r}", hint="leave it out")
        return LocalFolder(path.resolve(), memo, code)
    if path.is_file() or not HUB_NAME.fullmatch(reference) or reference.startswith("."):
        hint = (
            f"write gguf:{reference}"
            if path.suffix == ".gguf"
            else "write a folder that exists, or org/name of the hub"
        )
        raise UsageError(f"{reference!r} is no folder and no name of the hub", hint=hint)
    return HubRepository(reference, revision, assets, memo, code)


def read_config(checkpoint: LocalFolder | HubRepository) -> dict[str, Any]:
    """The checkpoint's `config.json`.

    Raises:
        ModelError: when it is missing or unreadable.
    """
    path = checkpoint.config() if isinstance(checkpoint, HubRepository) else checkpoint.path / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(
            "the model's folder has no config.json",
            where=str(path.parent),
            hint="give a folder that transformers has saved",
        ) from None
    except ValueError as error:
        raise ModelError(f"config.json is not JSON: {error}", where=str(path)) from None
    if not isinstance(config, dict):
        raise ModelError("config.json is not an object", where=str(path))
    return config


@contextmanager
def _hub_errors(name: str) -> Iterator[None]:
    """Turn the hub's errors into ones that say what to do; its bars are for terminals."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()

    try:
        yield
    except LocalEntryNotFoundError as error:
        raise OfflineError(
            f"{name!r} is not in the hub's cache, and the hub can't be reached",
            hint="fetch it once with the hub in reach, without HARNESS_OFFLINE and HF_HUB_OFFLINE; or give a folder",
        ) from error
    except GatedRepoError as error:
        raise ModelError(
            f"{name!r} is gated", hint="accept its terms on its page on the hub, then: hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise UsageError(f"the hub has no model {name!r}", hint="if it is private: hf auth login") from error
    except (RevisionNotFoundError, EntryNotFoundError) as error:
        raise UsageError(
            f"{name!r} has no such revision, or no config.json", hint="look at its page on the hub"
        ) from error
    except OSError as error:
        raise OfflineError(f"{name!r} can't be fetched: {error}", hint="try again, or give a folder") from error
