"""`hf://`: models and data sets of the Hugging Face hub, in the hub's own cache, which other programs share."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import unquote

from harness.errors import AssetError, OfflineError
from harness.globs import is_glob, starred

_PIECE = re.compile(
    r"(?P<kind>datasets/)?(?P<repository>(?!datasets/)[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/@]+))?(?:/(?P<path>.*))?",
    re.DOTALL,
)


class Hub:
    """Files of the hub; the user's token, endpoint and other `HF_*` settings apply."""

    keeps = True

    def split(self, rest: str) -> tuple[str, tuple[str, ...]]:
        """The piece is repository, revision, and path or glob: no more than that is fetched."""
        piece, *steps = rest.split("!/")
        path = _match(piece)["path"]
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
        match = _match(piece)
        revision = match["revision"]
        try:
            snapshot = Path(
                snapshot_download(
                    match["repository"],
                    repo_type="dataset" if match["kind"] else "model",
                    revision=unquote(revision) if revision else None,
                    allow_patterns=_patterns((match["path"] or "").strip("/")),
                    local_files_only=offline,
                )
            )
        except Exception as error:
            raise _explained(error, piece) from error
        if not snapshot.is_dir():  # nothing was fetched, since nothing matched
            raise AssetError(f"hf://{piece}: there is no such path in the repository")
        return snapshot


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
