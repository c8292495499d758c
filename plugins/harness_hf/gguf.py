"""GGUF -> safetensors, tokenizer and configuration, once: de-quantised to float32 by transformers."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING

import torch
import transformers

from harness.errors import ModelError
from harness_hf.loading import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)


def convert(file: Path, into: Path) -> None:
    """Write what a GGUF file holds as a folder that `from_pretrained` loads fast.

    Raises:
        ModelError: when transformers can't read it, or it is no causal language model.
    """
    log.info("converting %s to safetensors, once", file.name)
    with quiet(), _no_bars():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                file.parent, gguf_file=file.name, local_files_only=True
            )
            model = transformers.AutoModelForCausalLM.from_pretrained(
                file.parent, gguf_file=file.name, dtype=torch.float32, local_files_only=True, **_dense()
            )
        except Exception as error:  # whatever a damaged file makes the reader raise
            raise ModelError(f"the GGUF file can't be read: {error}", where=str(file)) from error
        model.config.architectures = [type(model).__name__]
        model.save_pretrained(into)
        tokenizer.save_pretrained(into)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep bars off a standard error that is no terminal: the converter draws them whatever transformers is told."""
    if sys.stderr.isatty():
        yield
    else:
        with redirect_stderr(io.StringIO()):
            yield


def _dense() -> dict[str, object]:
    """The argument that unpacks all weights; versions of transformers without packed weights always do."""
    dense = getattr(transformers, "GgufConfig", None)
    return {} if dense is None else {"quantization_config": dense(dequantize=True)}
