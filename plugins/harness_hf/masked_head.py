"""Whether a checkpoint has a masked-language-model head, told without its weights: from names alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NO_HEAD = "the checkpoint has no masked-LM head: its fillings would be random"

WITH_HEAD = ("ForMaskedLM", "ForPreTraining")
"""Ends of `architectures` with the head; `BertForPreTraining` has that for next sentences beside it."""

HEADS = (
    "cls.predictions.",  # bert and most of its kin
    "lm_head.",  # roberta, xlm-roberta, mpnet, esm
    "vocab_transform.",  # distilbert
    "head.",  # modernbert
    "predictions.",  # albert
    "generator_predictions.",  # electra, convbert
    "lm_predictions.",  # deberta
    "pred_layer.",  # xlm, flaubert
)
"""How the weights of such heads are called. Those that are tied to the embeddings need not be in the file."""

LARGEST_HEADER = 100_000_000
"""Bytes; what the safetensors library takes at most."""


def architectures_with_head(config: Mapping[str, Any]) -> bool:
    """Whether `config.json` names an architecture that has the head."""
    return any(str(name).endswith(WITH_HEAD) for name in config.get("architectures") or [])


def has_head(folder: Path) -> bool:
    """Whether the weights of such a head stand in the folder's safetensors.

    Raises:
        ModelError: when a file is damaged.
    """
    return any(name.startswith(HEADS) for name in tensor_names(folder))


def tensor_names(folder: Path) -> Iterable[str]:
    """The names of all tensors: from the index where there is one, else from the files' headers.

    Raises:
        ModelError: when a file is damaged.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            return list(json.loads(index.read_text("utf-8"))["weight_map"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError("is no index of safetensors", where=str(index)) from error
    return [name for file in sorted(folder.glob("*.safetensors")) for name in _header(file) if name != "__metadata__"]


def _header(file: Path) -> Mapping[str, Any]:
    """The header of a safetensors file: eight bytes with its length (little-endian), then JSON."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > min(LARGEST_HEADER, file.stat().st_size):
                raise ValueError("the header is longer than the file")  # noqa: TRY301 - one reason among several
            header: Mapping[str, Any] = json.loads(stream.read(length))
            return dict(header)
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"is no safetensors file: {error}", where=str(file), hint="fetch or save the checkpoint again"
        ) from error
