"""Executors: where trials run."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_executors(register: Register) -> None:
    """Add the executors of this package."""
    register("local", "harness_executors.local:LocalExecutor", summary="in this process, model by model")
