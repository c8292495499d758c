"""A sandbox for programs that models write: Linux namespaces, Landlock and resource limits, no privileges needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hookspecs import Register, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def register_sandboxes(register: Register) -> None:
    """Add the sandbox."""
    register(
        "linux",
        "harness_sandbox.linux:LinuxSandbox",
        summary="namespaces and Landlock: no network, no files but Python's library, bounded time and memory",
    )


@hookimpl
def diagnose() -> Iterable[tuple[str, str]]:
    """Say whether programs can be run safely here."""
    from harness_sandbox.linux import LinuxSandbox

    why = LinuxSandbox().refuses()
    yield "programs of models", f"are not run: {why}" if why else "can be run in a sandbox"
