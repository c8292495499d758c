"""BIG-bench's JSON tasks by path or name: `big-bench:FOLDER` (extra `big-bench` for BLEU and ROUGE)."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the collection; files are read when a task is asked for."""
    register(
        "big-bench",
        "harness_big_bench.collection:TASKS",
        summary="BIG-bench's JSON tasks: big-bench:PATH of a task.json or a folder with one or many, or a name",
    )
