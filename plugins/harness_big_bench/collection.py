"""The name `big-bench` and what may stand behind its colon."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness import Assets, ConfigError
from harness_big_bench import places
from harness_big_bench.bridged import BridgedTask
from harness_big_bench.loading import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class BigBenchTasks:
    """BIG-bench's JSON tasks, its own and those in folders; a `harness.TaskCollection`."""

    def __call__(
        self,
        reference: str,
        max_tokens: Annotated[int, Field(ge=1)] | None = None,
        *,
        assets: Assets,
        tasks_path: tuple[Path, ...],
    ) -> BridgedTask:
        """Make a task; its files are read when it is first used.

        Args:
            reference: a task.json or its folder, or a name: in a folder of tasks, or in BIG-bench's package.
            max_tokens: of a generated answer; else as many as the longest target has bytes, from 32 to 256.
            assets: the cache, where BIG-bench's package is.
            tasks_path: folders in which names are looked for.

        Raises:
            ConfigError: for a path that leads to no task.
        """
        return BridgedTask(places.place(reference, assets, tasks_path), max_tokens)

    def members(self, reference: str, assets: Assets, tasks_path: tuple[Path, ...]) -> Sequence[str]:
        """A glob's tasks, those of a folder of tasks; else the reference itself.

        Raises:
            ConfigError: when there are none.
        """
        roots = [None, *tasks_path]
        own = places.package(assets)
        roots += [own] if own else []
        for root in roots:
            path = Path(reference).expanduser() if root is None else root / reference
            found = _below(path)
            if found:
                return [one if root is not own or own is None else str(Path(one).relative_to(own)) for one in found]
        if any(sign in reference for sign in "*?["):
            raise ConfigError(f"big-bench:{reference}: no folder with a {FILE} is called so")
        return (reference,)

    def listing(self, assets: Assets, tasks_path: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
        """The tasks in folders of tasks and, where it is in the cache, in BIG-bench's package."""
        for folder in tasks_path:
            for one in places.below(folder):
                yield str(one.relative_to(folder)), f"in {folder}"
        own = places.package(assets)
        for one in places.below(own) if own else ():
            inner = len(list(one.glob(f"*/{FILE}")))
            yield one.name, f"{inner} subtasks" if inner else "BIG-bench's own"


def _below(path: Path) -> list[str]:
    """The tasks that a glob's path means, or those in a folder that is none itself."""
    if any(sign in str(path) for sign in "*?["):
        matching = [Path(one) for one in sorted(glob.glob(str(path)))]  # noqa: PTH207 - its start may be absolute
        tasks = [one.parent if one.name == FILE else one for one in matching]
        return [str(one) for one in dict.fromkeys(tasks) if (one / FILE).is_file()]
    if path.is_dir() and not (path / FILE).is_file():
        return [str(one) for one in places.below(path)]
    return []


TASKS = BigBenchTasks()
