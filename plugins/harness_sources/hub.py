"""`hf://`: models and data sets of the Hugging Face hub, in the hub's own cache, which other programs share."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import unquote

from harness.errors import AssetError, OfflineError
from harness.globs import below, is_glob, starred
from harness_sources import layout
from harness_sources.layout import Part

_PIECE = re.compile(
    r"(?P<kind>datasets/)?(?P<repository>(?!datasets/)[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/@]+))?(?:/(?P<path>.*))?",
    re.DOTALL,
)


class Hub:
    """Files of the hub; the user's token, endpoint and other `HF_*` settings apply."""

    keeps = True

    def split(self, rest: str) -> tuple[str, tuple[str, ...]]:
        """The piece is repository, revision, and path, glob or part: no more than that is fetched."""
        piece, *steps = rest.split("!/")
        part, address = _part(piece)
        path = _match(address)["path"]
        if part and (path or not address.startswith("datasets/")):
            hint = "a configuration or split is of a whole data set: hf://datasets/ORG/NAME?config=NAME&split=NAME"
            raise AssetError(f"hf://{piece} is no address", hint=hint)
        return piece, ((path, *steps) if path else tuple(steps))

    def fetch(self, piece: str, folder: Path, *, sha256: str | None, offline: bool) -> Path:  # noqa: ARG002 - the hub's cache is used
        """The folder of the repository's files in the hub's cache.

        Raises:
            AssetError: when there is no such repository, revision or path, or it may not be read.
            OfflineError: when it is not in the hub's cache and can't be fetched.
        """
        try:
            from huggingface_hub import snapshot_download, utils  # an optional extra, and slow to import
        except ImportError as error:
            raise AssetError(f"hf://{piece} needs huggingface_hub", hint="pip install 'adapt-harness[hf]'") from error
        if not sys.stderr.isatty():
            utils.disable_progress_bars()  # type: ignore[attr-defined]  # public, yet not in their __all__
        part, address = _part(piece)
        match = _match(address)
        revision = match["revision"]

        def fetched(patterns: list[str] | None) -> Path:
            try:
                return Path(
                    snapshot_download(
                        match["repository"],
                        repo_type="dataset" if match["kind"] else "model",
                        revision=unquote(revision) if revision else None,
                        allow_patterns=patterns,
                        local_files_only=offline,
                    )
                )
            except Exception as error:
                raise _explained(error, piece) from error

        if part:
            readme = layout.head_of(fetched(["README.md"]))
            globs = layout.patterns(readme, part, f"hf://{address}")
            snapshot = fetched(layout.to_fetch(globs, part))
            if part.split == "train" and globs is None and not any(layout.means(one, part) for one in _names(snapshot)):
                snapshot = fetched(None)  # no name tells a split: all is to train on
        else:
            snapshot = fetched(_patterns((match["path"] or "").strip("/")))
        if not snapshot.is_dir():  # nothing was fetched, since nothing matched
            raise AssetError(f"hf://{piece}: there is no such path in the repository")
        return snapshot

    def chosen(self, piece: str, folder: Path) -> list[str] | None:
        """The files of a configuration or split, see `harness_sources.layout`; None for all that was fetched.

        Raises:
            AssetError: when there are none.
        """
        part, address = _part(piece)
        if part is None:
            return None
        where = f"hf://{address}"
        globs = layout.patterns(layout.head_of(folder), part, where)
        return layout.chosen(list(below(folder, "")), globs, part, where)


def _part(piece: str) -> tuple[Part | None, str]:
    """The configuration and split that an address asks for behind its `?`, and the address without them."""
    address, asked, query = piece.partition("?")
    if not asked:
        return None, piece
    pairs = [pair.partition("=") for pair in query.split("&")]
    found = {key: unquote(value) for key, _, value in pairs if value}
    if len(found) < len(pairs) or set(found) - {"config", "split"}:
        raise AssetError(f"hf://{piece} is no address", hint="write hf://datasets/ORG/NAME?config=NAME&split=NAME")
    return Part(found.get("config"), found.get("split")), address


def _names(snapshot: Path) -> list[str]:
    return list(below(snapshot, "")) if snapshot.is_dir() else []


def _match(piece: str) -> re.Match[str]:
    match = _PIECE.fullmatch(piece)
    if match is None:
        hint = "write hf://ORG/NAME/path or hf://datasets/ORG/NAME@REVISION/path"
        raise AssetError(f"hf://{piece} is no address", hint=hint)
    return match


def _patterns(path: str) -> list[str] | None:
    """Patterns of the hub's kind, in which `*` goes through `/`, for at least what is asked for; None is everything."""
    if not path:
        return None
    loose = re.sub(r"[\[?]", r"[\g<0>]", starred(path).replace("**/", "*"))
    return [loose] if is_glob(path) else [loose, f"{loose}/*"]


def _explained(error: Exception, piece: str) -> AssetError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return AssetError(f"hf://{piece} is gated", hint="accept its terms on its page on the hub, then: hf auth login")
    if isinstance(error, errors.RepositoryNotFoundError):
        return AssetError(f"hf://{piece}: there is no such repository", hint="if it is private: hf auth login")
    if isinstance(error, errors.RevisionNotFoundError):
        return AssetError(f"hf://{piece}: there is no such revision")
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        hint = (
            "fetch it once while the hub can be reached, without HARNESS_OFFLINE and HF_HUB_OFFLINE: harness fetch NAME"
        )
        return OfflineError(f"hf://{piece} is not in the hub's cache, and the hub can't be reached", hint=hint)
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return AssetError(f"hf://{piece} can't be fetched: {reason}")
