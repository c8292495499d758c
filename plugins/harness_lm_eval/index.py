"""Which tasks, groups and tags there are in folders of lm-eval's YAML: read once, then kept in the cache.

What is kept belongs to the names, sizes and times of all files of a folder: to compare these takes a fraction of a
second, to read lm-eval's own 14,000 files takes twenty.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import uuid
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness import ConfigError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CODE_VERSION = 1
"""Raised when what is kept changes its form."""

IGNORED = frozenset({"__pycache__", ".ipynb_checkpoints"})

Kind: TypeAlias = Literal["task", "python task", "group", "tag"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """What a name stands for.

    Attributes:
        kind: of it.
        path: its YAML file; a tag has none.
        output: a task's output type.
        members: a tag's tasks; of a group without an aggregate of its own the tasks, groups and tags in it, where these
            are plain names.
    """

    kind: Kind
    path: str = ""
    output: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that can't be read, where in it, and why."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Index:
    """Name -> what it stands for, and the files that can't be read."""

    names: Mapping[str, Listed]
    broken: tuple[Broken, ...] = ()


def own_tasks() -> Path:
    """The folder of lm-eval's own tasks, without importing it.

    Raises:
        PluginError: when lm-eval is not installed.
    """
    found = importlib.util.find_spec("lm_eval")
    if found is None or not found.submodule_search_locations:
        raise PluginError("lm-eval is not installed", hint="pip install 'adapt-harness[lm-eval]'")
    return Path(next(iter(found.submodule_search_locations))) / "tasks"


def find(folders: Sequence[Path], cache: Path) -> Index:
    """What there is in lm-eval itself and in further folders, whose names go before.

    Args:
        folders: of the user.
        cache: where indices are kept.

    Raises:
        PluginError: when lm-eval is not installed.
    """
    names: dict[str, Listed] = {}
    broken: list[Broken] = []
    own = own_tasks()
    names |= _own(own, cache).names
    for folder in folders:
        index = _of_folder(folder, cache)
        names |= index.names
        broken += index.broken
    return Index(names, tuple(broken))


@lru_cache(maxsize=1)
def _own(folder: Path, cache: Path) -> Index:
    """lm-eval's own, looked at once a process: an installed package stays as it is."""
    return _of_folder(folder, cache)


def _of_folder(folder: Path, cache: Path) -> Index:
    stamp = _stamp(folder)
    file = cache / "lm-eval" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.json"
    kept = _read(file, stamp)
    if kept is None:
        log.info("reading the tasks in %s, once", folder)
        kept = _build(folder)
        _write(file, stamp, kept)
    return kept


def _stamp(folder: Path) -> str:
    """A digest of all files that can matter, as far as their names, sizes and times tell."""
    found = hashlib.sha256(f"{CODE_VERSION} {version('lm_eval')}".encode())
    for path, entry in sorted(_files(str(folder))):
        about = entry.stat()
        found.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Files whose names end in yaml: those with a dot before it are tasks, others are included by them."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name not in IGNORED:
                    yield from _files(entry.path)
            elif entry.name.endswith(("yaml", "yml")):
                yield entry.path, entry


def _read(file: Path, stamp: str) -> Index | None:
    try:
        kept = json.loads(file.read_bytes())
        if kept["stamp"] != stamp:
            return None
        names = {name: Listed(*one[:3], tuple(one[3])) for name, one in kept["names"].items()}
        return Index(names, tuple(Broken(**one) for one in kept["broken"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.debug("%s can't be read and is made again: %s", file, error)
        return None


def _write(file: Path, stamp: str, index: Index) -> None:
    names = {name: [one.kind, one.path, one.output, one.members] for name, one in index.names.items()}
    part = file.with_name(f".{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"stamp": stamp, "names": names, "broken": list(map(asdict, index.broken))}))
        part.replace(file)
    except OSError as error:
        log.debug("%s can't be kept: %s", file, error)
        part.unlink(missing_ok=True)


# --- reading YAML ------------------------------------------------------------------------------------


def _build(folder: Path) -> Index:
    names: dict[str, Listed] = {}
    tags: dict[str, set[str]] = {}
    broken: list[Broken] = []
    for path, _ in sorted(_files(str(folder))):
        if not path.endswith(".yaml"):
            continue
        try:
            config = read_yaml(Path(path))
        except ConfigError as error:
            broken.append(Broken(error.where or path, error.message))
            continue
        name, listed = _listed(config, path)
        if name and name not in names:
            names[name] = listed
            if listed.kind != "group":
                for tag in _several(config.get("tag")):
                    tags.setdefault(tag, set()).add(name)
    for tag, members in tags.items():
        names.setdefault(tag, Listed("tag", members=tuple(sorted(members))))
    return Index(names, tuple(broken))


def read_yaml(path: Path, *, functions: bool = False) -> dict[str, Any]:
    """A file with all that it includes.

    Args:
        path: of the file.
        functions: whether what stands behind `!function` is imported.

    Raises:
        ConfigError: naming file and line.
    """
    import yaml
    from lm_eval.tasks._yaml_loader import load_yaml

    try:
        return load_yaml(path, resolve_func=functions)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        # A file that is included may be the one at fault: its name is in the mark where the loader knew it.
        file = str(path) if mark is None or mark.name.startswith("<") else mark.name
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"no YAML: {error.problem or error}", where=f"{file}{line}") from error
    except Exception as error:
        raise ConfigError(f"{type(error).__name__}: {error}", where=str(path)) from error


def _listed(config: Mapping[str, Any], path: str) -> tuple[str, Listed]:
    """A file's name and what it stands for; a file that only others include has no name."""
    if "class" in config and isinstance(config.get("task"), str):
        return config["task"], Listed("python task", path)
    if isinstance(config.get("group"), str):
        return config["group"], Listed("group", path, members=_plain_members(config))
    if isinstance(config.get("task"), str):
        return config["task"], Listed("task", path, str(config.get("output_type", "generate_until")))
    return "", Listed("task", path)


def _plain_members(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in a group that adds nothing to them: no aggregate, no settings, no members defined on the spot."""
    structure = {"group", "group_alias", "task", "metadata", "tag", "aggregate_metric_list"}
    if config.get("aggregate_metric_list") or set(config) - structure:
        return ()
    members = _several(config.get("task"))
    return tuple(members) if all(isinstance(one, str) for one in members) else ()


def _several(value: Any) -> list[Any]:  # noqa: ANN401 - whatever YAML holds
    return list(value) if isinstance(value, list) else [] if value is None else [value]
