"""The latency scenarios that come with the harness: `offline`, `single-stream` and `server`."""

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
    register(
        "server",
        "harness_scenarios.server:Server",
        summary="latency under load: samples arrive at random, at a given rate, and wait for their turn",
    )
