"""lm-evaluation-harness's tasks, groups and tags by their names: `lm-eval:arc_easy` (extra `lm-eval`)."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the collection; which tasks are behind it is looked up when one is asked for."""
    register(
        "lm-eval",
        "harness_lm_eval.collection:TASKS",
        summary="any task, group or tag of lm-eval: lm-eval:arc_easy (`harness list tasks --in lm-eval`)",
    )
