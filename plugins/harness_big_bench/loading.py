"""A `task.json` with its subtasks -> definitions by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import ConfigError
from harness_big_bench.reading import checked, define, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness_big_bench.definition import Definition

FILE = "task.json"


def load(path: Path, name: str) -> Mapping[str, Definition]:
    """The tasks of a file: itself, under no name, or its subtasks, under theirs.

    A file without examples has subtasks: those that it lists under `subtasks`, or the files in the folders beside it.

    Raises:
        ConfigError: when a file or a key is wrong.
        DataError: when an example is.
    """
    data = read(path)
    if "examples" in data:
        if "subtasks" in data:
            raise ConfigError("a task has examples or subtasks, not both", where=f"{path}: subtasks")
        return {"": define(data, str(path), name)}
    found: dict[str, Definition] = {}
    if "subtasks" in data:
        listed = data["subtasks"]
        if not isinstance(listed, list) or not listed:
            raise ConfigError("a list of tasks is wanted", where=f"{path}: subtasks")
        for number, one in enumerate(listed):
            where = f"{path}: subtasks[{number}]"
            inner = checked(one, where)
            if inner["name"] in found:
                raise ConfigError(f"there are two subtasks {inner['name']!r}", where=f"{where}.name")
            found[inner["name"]] = define(inner, where, inner["name"])
        return found
    files = sorted(path.parent.glob(f"*/{FILE}")) if path.name == FILE else []
    if not files:
        raise ConfigError("there are neither examples nor subtasks", where=f"{path}: examples")
    return {file.parent.name: define(read(file), str(file), file.parent.name) for file in files}
