"""The name `lm-eval` and what may stand behind its colon."""

from __future__ import annotations

import fnmatch
import logging
from pathlib import Path  # noqa: TC003 - the core evaluates the annotations of parameters
from typing import TYPE_CHECKING

from harness import Assets, UsageError
from harness_lm_eval import index
from harness_lm_eval.bridged import BridgedTask
from harness_lm_eval.loading import is_path, load, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = logging.getLogger(__name__)


class LmEvalTasks:
    """lm-eval's tasks, groups and tags, its own and those in folders of tasks; a `harness.TaskCollection`."""

    def __call__(
        self, reference: str, unsafe_code: bool = False, *, assets: Assets, tasks_path: tuple[Path, ...]
    ) -> BridgedTask:
        """Make a task, or a group as one task.

        Args:
            reference: a name of lm-eval's, or a YAML file's path.
            unsafe_code: run tasks that run what a model writes, on this machine and without a sandbox.
            assets: the cache, where the index is.
            tasks_path: further folders of YAML.

        Raises:
            UsageError: for a tag, for a task that runs code unasked, and for one of pictures or sound.
            HarnessError: see `harness_lm_eval.loading.load`.
        """
        found = index.find(tasks_path, assets.root)
        listed = found.names.get(reference)
        if listed is not None and listed.kind == "tag":
            raise UsageError(f"lm-eval:{reference} is a tag of several tasks", hint=f"one is {listed.members[0]}")
        loaded = load(reference, found)
        for name, task in loaded.tasks.items():
            if getattr(task, "UNSAFE_CODE", False) and not unsafe_code:
                hint = f"lm-eval:{reference},unsafe_code=true does it, on this machine and without a sandbox"
                raise UsageError(f"lm-eval task {name!r} runs code that the model writes", hint=hint)
            if getattr(task, "MULTIMODAL", False):
                raise UsageError(f"lm-eval task {name!r} asks about pictures or sound, which no request here holds")
        name = (loaded.group.name if loaded.group else next(iter(loaded.tasks))) if is_path(reference) else reference
        return BridgedTask(name, loaded)

    def members(self, reference: str, assets: Assets, tasks_path: tuple[Path, ...]) -> Sequence[str]:
        """A tag's tasks, a glob's, a group's where it has no aggregate of its own; else the reference itself."""
        if is_path(reference):
            return (reference,)
        found = index.find(tasks_path, assets.root)
        if any(sign in reference for sign in "*?["):
            tasks = [name for name, one in found.names.items() if one.kind in {"task", "python task"}]
            matching = fnmatch.filter(sorted(tasks), reference)
            if not matching:
                raise unknown(reference, found)
            return matching
        if reference not in found.names:
            raise unknown(reference, found)
        return tuple(dict.fromkeys(_spread(reference, found)))

    def listing(self, assets: Assets, tasks_path: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
        """All names: a task's output type, a group, or how many tasks a tag has."""
        found = index.find(tasks_path, assets.root)
        for broken in found.broken:
            log.warning("%s: %s", broken.where, broken.message)
        for name, one in sorted(found.names.items()):
            yield name, f"{one.kind} of {len(one.members)} tasks" if one.kind == "tag" else one.output or one.kind


def _spread(name: str, found: index.Index) -> Iterator[str]:
    """The tasks of a tag, and of a group that only lists them, all the way down."""
    listed = found.names[name]
    if listed.kind == "tag" or (listed.kind == "group" and all(one in found.names for one in listed.members)):
        inner = [one for one in listed.members if one in found.names]
        if inner:
            for one in inner:
                yield from _spread(one, found)
            return
    yield name


TASKS = LmEvalTasks()
