"""Where and with what a trial ran: stands beside its numbers."""

from __future__ import annotations

import platform
from importlib.metadata import version


def here() -> dict[str, str]:
    """Versions of the harness and Python, system and processor type."""
    return {
        "harness": version("adapt-harness"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
