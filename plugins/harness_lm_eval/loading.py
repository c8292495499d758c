"""Names -> lm-eval's own task objects; what goes wrong in that is said in words."""

from __future__ import annotations

import logging
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import AssetError, ConfigError, PluginError, UnknownNameError
from harness_lm_eval.index import Index, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

KINDS = {"task": "TASK", "python task": "PY_TASK", "group": "GROUP", "tag": "TAG"}
"""What `lm_eval.tasks._index.Kind` calls them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """lm-eval's tasks by name, and the group that they are in, if it was a group's name."""

    tasks: Mapping[str, Any]
    group: Any = None


def load(name: str, index: Index) -> Loaded:
    """Make the task or group of a name, or of a YAML file's path; its data set is loaded.

    Raises:
        UnknownNameError: for a name that is not in the index.
        ConfigError: when its YAML is wrong, naming file and line.
        AssetError: when its data set can't be had, naming it.
        PluginError: when lm-eval is of a version that does it in another way.
    """
    try:
        from lm_eval.tasks._factory import TaskFactory
        from lm_eval.tasks._index import Entry, Kind
    except ImportError as error:
        raise PluginError(
            f"this version of lm-eval can't be used: {error}", hint="pip install 'adapt-harness[lm-eval]'"
        ) from error

    def entry_of(known: str) -> Any:  # noqa: ANN401 - lm-eval's
        one = index.names[known]
        return Entry(known, Kind[KINDS[one.kind]], Path(one.path) if one.path else None, tags=set(one.members))

    if not is_path(name) and name not in index.names:
        raise unknown(name, index)
    entry = _file_entry(name, Entry, Kind) if is_path(name) else entry_of(name)
    # Only a group looks for others.
    registry = {known: entry_of(known) for known in index.names} if entry.kind == Kind.GROUP else {}
    try:
        built = TaskFactory().build(entry, overrides=None, registry=registry)
    except Exception as error:
        raise _explained(name, entry.yaml_path, error) from error
    if entry.kind == Kind.GROUP:
        return Loaded({task.task_name: task for task in built.get_all_tasks()}, built)
    return Loaded({built.task_name: built})


def is_path(name: str) -> bool:
    """Whether a reference is a YAML file's path."""
    return name.endswith((".yaml", ".yml"))


def unknown(name: str, index: Index) -> UnknownNameError:
    """The error for a name that is not there, with the files that could not be read and may have had it."""
    error = UnknownNameError("lm-eval task", name, index.names)
    if index.broken:
        unread = "; ".join(f"{one.where}: {one.message}" for one in index.broken[:3])
        error.hint = f"{error.hint}; not read: {unread}"
    return error


def _file_entry(name: str, entry: Any, kind: Any) -> Any:  # noqa: ANN401 - lm-eval's classes
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(f"there is no lm-eval task file {name!r}")
    config = read_yaml(path)
    said = "group" if isinstance(config.get("group"), str) else "task"
    if not isinstance(config.get(said), str):
        raise ConfigError("neither `task` nor `group` names what the file defines", where=str(path))
    of = kind.GROUP if said == "group" else kind.PY_TASK if "class" in config else kind.TASK
    return entry(config[said], of, path.resolve())


# --- what went wrong ---------------------------------------------------------------------------------


def _explained(name: str, path: Path | None, error: Exception) -> Exception:
    """The error in words: a data set that can't be loaded, a YAML file that is wrong, or something else."""
    if path is not None:
        try:
            read_yaml(path)
        except ConfigError as wrong:
            return wrong
    said = " ".join(str(error).split())[:300]
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "download" and "self" in frame.f_locals:
            task = frame.f_locals["self"]
            data = ":".join(str(part) for part in (task.DATASET_PATH, task.DATASET_NAME) if part)
            return AssetError(
                f"lm-eval task {name!r}: its data set {data} can't be loaded: {type(error).__name__}: {said}",
                hint="load it once where the network can be reached, or point dataset_path at local files",
            )
    key = re.search(r"unexpected keyword argument '(\w+)'", said)
    if key and path is not None:
        return ConfigError(f"lm-eval knows no key {key[1]!r}", where=_line_of(path, key[1]))
    where = None if path is None else str(path)
    return ConfigError(f"lm-eval task {name!r} can't be made: {type(error).__name__}: {said}", where=where)


def _line_of(path: Path, key: str) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    number = next((number for number, line in enumerate(lines, 1) if line.startswith(f"{key}:")), None)
    return str(path) if number is None else f"{path}:{number}: {key}"
