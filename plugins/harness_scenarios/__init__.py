"""The latency scenarios that come with the harness: `offline` and `single-stream`."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_scenarios(register: Register) -> None:
    """Add the scenarios."""
    register("offline", "harness_scenarios.offline:Offline", summary="throughput: all samples at once")
    register(
        "single-stream",
        "harness_scenarios.single_stream:SingleStream",
        summary="latency: one sample at a time, the next when the last is done",
    )
