"""What `harness doctor` learns of torch and transformers on this machine; works where they are not installed."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "gguf", "huggingface-hub")
INSTALL = "not installed; pip install 'adapt-harness[hf]'"
INSTALL_PEFT = "not installed: no lora, no soft prompts; pip install 'adapt-harness[peft]'"


def findings() -> Iterator[tuple[str, str]]:
    """Pairs of subject and finding."""
    for library in LIBRARIES:
        yield library, version(library) or INSTALL
    yield "peft", version("peft") or INSTALL_PEFT
    if version("torch"):
        yield from _devices()


def version(library: str) -> str | None:
    """The installed version, or None."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[tuple[str, str]]:
    import torch

    from harness_hf.devices import cpu_has_bfloat16, pick_device

    yield "device (auto)", str(pick_device("auto"))
    yield "threads", str(torch.get_num_threads())
    yield (
        "CPU",
        f"{torch.backends.cpu.get_cpu_capability()}, bfloat16 {'native' if cpu_has_bfloat16() else 'emulated (slow)'}",
    )
    for index in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(index).total_memory
        yield f"cuda:{index}", f"{torch.cuda.get_device_name(index)}, {memory / 2**30:.1f} GiB"
