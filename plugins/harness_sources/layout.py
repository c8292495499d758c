"""Which files of a data set's repository are a split of one of its configurations.

As the hub says it: by `configs` at the head of its README.md (`config_name`, `data_files`, `data_dir`, `default`);
where that says nothing, a configuration is a folder, and a split is told by words in the names of files and folders.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.errors import AssetError, nearest
from harness.globs import is_glob, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split -> words that mean it; any other split is meant by its own name."""

NO_DATA = frozenset({"README.md", ".gitattributes", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"})

_HEAD = re.compile(r"---\s*\n(.*?)\n---\s*(?:\n|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """A configuration of a data set, or one of its splits; what is None was not named."""

    config: str | None
    split: str | None


def patterns(readme: str, part: Part, where: str) -> list[str] | None:
    """Globs for the files of a part; None where the README names none.

    Args:
        readme: the text of README.md; empty where there is none.
        part: what is wanted.
        where: the address, for messages.

    Raises:
        AssetError: when there is no such configuration or split, with the nearest ones, or the README makes no sense.
    """
    configs = _configs(readme, where)
    if not configs:
        return None
    if part.config is None:
        chosen = next((one for one in configs if one.get("default")), None)
        named = {str(one.get("config_name", "default")): one for one in configs}
        chosen = chosen or named.get("default") or (configs[0] if len(configs) == 1 else None)
        if chosen is None:
            raise AssetError(f"{where} has several configurations", hint=f"add ?config=: {nearest('', named)}")
    else:
        chosen = _named(
            {str(one.get("config_name", "default")): one for one in configs}, part.config, "configuration", where
        )
    splits = _splits(chosen)
    if not splits:
        return None
    globs = [glob for one in splits.values() for glob in one]
    if part.split is not None:
        globs = _named(splits, part.split, "split", where)
    folder = str(chosen.get("data_dir") or "").strip("/")
    return [f"{folder}/{glob}" if folder else glob for glob in globs]


def chosen(names: Sequence[str], globs: Sequence[str] | None, part: Part, where: str) -> list[str]:
    """The names of the files that are a part.

    Args:
        names: of all files.
        globs: what `patterns` gave.
        part: what is wanted.
        where: the address, for messages.

    Raises:
        AssetError: when there are none.
    """
    data = [name for name in names if name.rpartition("/")[2] not in NO_DATA and not name.startswith(".")]
    if globs is not None:
        found = {name for glob in globs for name in _matching(data, glob.removeprefix("./"))}
    else:
        if part.config is not None:
            data = [name for name in data if name.startswith(f"{part.config}/")]
        found = {name for name in data if part.split is None or means(name, part)}
        if (
            not found
            and part.split == "train"
            and not any(means(name, Part(part.config, one)) for name in data for one in WORDS)
        ):
            found = set(data)  # all that there is
    if not found:
        raise AssetError(f"{where}: no files are that", hint=f"there are {', '.join(data[:8]) or 'none'}")
    return sorted(found)


def to_fetch(globs: Sequence[str] | None, part: Part) -> list[str] | None:
    """Patterns of the hub's kind, in which `*` goes through `/`, for at least the files of a part; None: all files."""
    if globs is not None:
        return [glob.removeprefix("./").replace("**/", "*") for glob in globs]
    folder = f"{part.config}/" if part.config else ""
    if part.split is None:
        return [f"{folder}*"] if folder else None
    return [f"{folder}*{word}*" for word in WORDS.get(part.split, (part.split,))]


def head_of(folder: Path) -> str:
    """The README of a repository's folder; empty where it has none."""
    path = folder / "README.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _configs(readme: str, where: str) -> list[dict[str, Any]]:
    match = _HEAD.match(readme)
    if match is None:
        return []
    try:
        found = YAML(typ="safe", pure=True).load(match[1])
    except YAMLError as error:
        raise AssetError(f"{where}: the head of its README.md is not YAML: {str(error).splitlines()[0]}") from error
    configs = found.get("configs") if isinstance(found, dict) else None
    return [one for one in configs if isinstance(one, dict)] if isinstance(configs, list) else []


def _splits(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Split -> its globs; files without a split are to train on."""
    given = config.get("data_files")
    if isinstance(given, dict):
        pairs = list(given.items())
    else:
        listed = given if isinstance(given, list) else [given] if given else []
        pairs = [
            (one.get("split", "train"), one.get("path")) if isinstance(one, dict) else ("train", one) for one in listed
        ]
    found: dict[str, list[str]] = {}
    for split, globs in pairs:
        found.setdefault(str(split), []).extend(map(str, globs if isinstance(globs, list) else [globs]))
    return found


def _named(known: Mapping[str, Any], name: str, what: str, where: str) -> Any:  # noqa: ANN401 - whichever they are
    if name not in known:
        raise AssetError(f"{where}: there is no {what} {name!r}", hint=nearest(name, known))
    return known[name]


def means(name: str, part: Part) -> bool:
    """Whether a path tells a split: a word of it stands in its inner part by itself."""
    inner = name.removeprefix(f"{part.config}/") if part.config else name
    words = WORDS.get(part.split or "", (part.split or "",))
    return any(re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", inner) for word in words)


def _matching(names: Sequence[str], glob: str) -> list[str]:
    if any(sign in glob for sign in "?["):
        return fnmatch.filter(names, glob)
    return select(names, glob) if is_glob(glob) or glob else list(names)
