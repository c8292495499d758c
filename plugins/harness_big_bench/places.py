"""References -> `task.json` files: paths, names in folders of tasks, names of BIG-bench's own package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import AssetError, ConfigError, OfflineError, UnknownNameError
from harness_big_bench.loading import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Assets

PACKAGE = "pypi://bigbench==1.0.0/bigbench-1.0.0/bigbench/benchmark_tasks?sdist"
SHA256 = "1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2"
SIZE = "358 MB"
"""What has to be downloaded for a task by its name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task is.

    Attributes:
        name: how it is called in reports.
        path: its file; None for one of BIG-bench's own package.
        assets: the cache.
    """

    name: str
    path: Path | None
    assets: Assets

    def found(self) -> Path:
        """Its file on this machine.

        Raises:
            AssetError: when BIG-bench's package is not in the cache; it is large, and comes by `harness fetch` alone.
            UnknownNameError: when the package has no such task.
        """
        if self.path is not None:
            return self.path
        folder = package(self.assets)
        if folder is None:
            hint = f"harness fetch big-bench:{self.name} does it, or write a path"
            raise AssetError(f"big-bench:{self.name}: BIG-bench's package ({SIZE}) has to be fetched first", hint=hint)
        return _within(folder, self.name)

    def fetch(self) -> Path:
        """Bring BIG-bench's package, if it is that; the task's file.

        Raises:
            AssetError, OfflineError: when it can't be had.
        """
        return self.path or _within(self.assets.path(PACKAGE, sha256=SHA256), self.name)


def package(assets: Assets) -> Path | None:
    """The folder of BIG-bench's own tasks, if it is in the cache."""
    with assets.offline_for_now():
        try:
            return assets.path(PACKAGE, sha256=SHA256)
        except OfflineError:
            return None


def place(reference: str, assets: Assets, tasks_path: tuple[Path, ...]) -> Place:
    """The task of a path, or of a name.

    Raises:
        ConfigError: for a path that leads to no task.
    """
    for path in (Path(reference).expanduser(), *(folder / reference for folder in tasks_path)):
        file = path / FILE if path.is_dir() else path
        if file.is_file():
            return Place(_called(file), file, assets)
        if path.is_dir():
            raise ConfigError(_no_task(path), where=str(path))
    if reference.startswith((".", "/", "~")) or reference.endswith(".json"):
        raise ConfigError(f"there is no file or folder {reference!r}")
    return Place(reference.strip("/"), None, assets)


def below(folder: Path) -> Iterator[Path]:
    """The folders with a task nearest below a folder; those of subtasks belong to their task."""
    for inner in sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")):
        if (inner / FILE).is_file():
            yield inner
        else:
            yield from below(inner)


def _within(folder: Path, name: str) -> Path:
    file = folder / name / FILE
    if file.is_file():
        return file
    if (folder / name).is_dir():
        raise ConfigError(_no_task(folder / name), where=str(folder / name))
    raise UnknownNameError("BIG-bench task", name, [one.name for one in below(folder)])


def _called(file: Path) -> str:
    """A file's name in reports: its folder's, with the one of the task that it is a subtask of."""
    if file.name != FILE:
        return file.stem
    folder = file.absolute().parent
    return f"{folder.parent.name}/{folder.name}" if (folder.parent / FILE).is_file() else folder.name


def _no_task(folder: Path) -> str:
    if (folder / "task.py").is_file():
        return "this task of BIG-bench is a program (task.py), and only JSON tasks run here"
    return f"there is no {FILE} in this folder"
