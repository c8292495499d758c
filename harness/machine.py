"""Where and with what a trial ran: stands beside its numbers."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from harness.allocator import allocator
from harness.consumption import energy_meter


def here() -> dict[str, str]:
    """Versions of the harness and Python, system, processor, allocator, and what counts energy."""
    return {
        "harness": version("adapt-harness"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "allocator": allocator(),
        "energy": "by RAPL" if energy_meter() else "n/a",
    }


@lru_cache(maxsize=1)
def _processor() -> str:
    """The processor's name; Linux keeps it in a file of its own, where `platform` does not look."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(named, platform.processor()) or "unknown processor"
