"""Hugging Face models: causal language models, encoder-decoders and encoders; folders, the hub, GGUF, packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.hookspecs import Register


@hookimpl
def register_models(register: Register) -> None:
    """Any checkpoint by reference, and two small ones by name."""
    register(
        "hf",
        "harness_hf.models:hf",
        summary="causal or masked LM, encoder-decoder, encoder: hf:./folder or hf:org/name from the hub (safetensors)",
    )
    register(
        "gguf", "harness_hf.models:gguf", summary="causal LM from a GGUF file, converted to safetensors once: gguf:FILE"
    )
    register(
        "smollm2-135m",
        "harness_hf.models:smollm2_135m",
        summary="SmolLM2-135M-Instruct, causal LM, 93 MB download, Apache-2.0",
    )
    register(
        "minilm-l6", "harness_hf.models:minilm_l6", summary="all-MiniLM-L6-v2, encoder, 84 MB download, Apache-2.0"
    )


@hookimpl
def diagnose() -> Iterable[tuple[str, str]]:
    """Versions of the libraries, devices and threads."""
    from harness_hf.diagnosis import findings

    return findings()
