"""YAML files that people write: read safely, with the position of every key, and checked against a pydantic model.

YAML 1.2, one document, plain data only. Mapping keys are kept as they are written (`yes`, `1`, `True` stay text), and
repeated keys, aliases and tags are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.errors import ConfigError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

Keys: TypeAlias = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Located:
    """The plain data of a file, and the line of everything in it.

    Attributes:
        lines: path of keys -> line, counted from 1; the path of the whole is `()`.
    """

    path: Path
    data: Any
    lines: Mapping[Keys, int]

    def where(self, *keys: str | int) -> str:
        """`file:line: a.b[0].c`; for a key that is not there, the line of what should hold it."""
        line = next(self.lines[keys[:end]] for end in range(len(keys), -1, -1) if keys[:end] in self.lines)
        place = f"{self.path}:{line}"
        return f"{place}: {dotted(keys)}" if keys else place


def dotted(keys: Keys) -> str:
    """`a.b[0].c` for `("a", "b", 0, "c")`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")


def read_yaml(path: Path) -> Located:
    """Read a file that holds one mapping.

    Raises:
        ConfigError: with file and line: it can't be read, is malformed, repeats a key, or has aliases or tags.
    """
    try:
        node = YAML(typ="safe", pure=True).compose(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 (byte {error.start})", where=str(path)) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        hint = "indent with spaces, not tabs" if "'\\t'" in str(error.problem) else None
        raise ConfigError(f"is not YAML: {error.problem or error.context}", where=place, hint=hint) from error
    except (YAMLError, RecursionError) as error:
        raise ConfigError(f"is not YAML: {str(error).splitlines()[0]}", where=str(path)) from error
    if not isinstance(node, MappingNode):
        raise ConfigError("holds no mapping (key: value)", where=f"{path}:1")
    return _Reading(path).read(node)


class _Reading:
    """One pass over a file's nodes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Keys, int] = {}
        self.seen: set[int] = set()

    def read(self, node: Node) -> Located:
        self.lines[()] = 1
        return Located(self.path, self.value(node, ()), self.lines)

    def value(self, node: Node, keys: Keys) -> Any:  # noqa: ANN401 - plain data
        if id(node) in self.seen:
            raise self.error("aliases (*name) are not supported", keys, hint="write the value out")
        self.seen.add(id(node))
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return self.mapping(node, keys)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.item(child, (*keys, index)) for index, child in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            try:
                return _scalar(node.tag, node.value)
            except ValueError as error:
                raise self.error(str(error), keys) from None
        raise self.error(f"tag {node.tag} is not supported", keys)

    def mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode) or key_node.tag == f"{_TAG}merge":
                raise ConfigError(
                    "merge keys and keys that are lists or mappings are not supported", where=f"{self.path}:{line}"
                )
            inside = (*keys, key)
            if key in found:
                first = self.lines[inside]
                raise ConfigError(
                    f"key {key!r} stands twice (first in line {first})", where=f"{self.path}:{line}: {dotted(inside)}"
                )
            self.lines[inside] = line
            found[key] = self.value(value_node, inside)
        return found

    def item(self, node: Node, keys: Keys) -> Any:  # noqa: ANN401 - plain data
        self.lines[keys] = node.start_mark.line + 1
        return self.value(node, keys)

    def error(self, message: str, keys: Keys, *, hint: str | None = None) -> ConfigError:
        return ConfigError(message, where=Located(self.path, None, self.lines).where(*keys), hint=hint)


def _scalar(tag: str | None, text: str) -> Any:  # noqa: ANN401 - plain data
    kind = (tag or "").removeprefix(_TAG)
    if kind in {"str", "timestamp", "value"}:
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    digits = text.replace("_", "").lower()
    if kind == "int":
        base = {"0x": 16, "0o": 8, "0b": 2}.get(digits.lstrip("+-")[:2], 10)
        return int(digits, base)
    if kind == "float":
        return float(digits.replace(".inf", "inf").replace(".nan", "nan"))
    raise ValueError(f"{text!r} (tag {tag}) is not supported")


# --- checking against a model --------------------------------------------------------------------


def validate(located: Located, model: type[M]) -> M:
    """Check the data against a model, strictly: no value is converted to another type.

    Raises:
        ConfigError: for the first fault, with the other ones as its `others`; unknown keys come before others, since a
            misspelt key is a missing one too.
    """
    try:
        # Through JSON, whose strict mode takes a list for a tuple and a string for a path, as YAML means them.
        return model.model_validate_json(json.dumps(located.data), strict=True)
    except ValidationError as error:
        first, *others = _faults(located, model, error)
        first.others = tuple(others)
        raise first from None


def _faults(located: Located, model: type[BaseModel], error: ValidationError) -> Iterator[ConfigError]:
    """All unknown keys, then a fault of each key of the file; what is missing is told where no key is unknown."""
    problems = error.errors(include_url=False, include_input=False)
    unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    for problem in unknown:
        *inside, key = keys = _keys_of(located.data, problem["loc"])
        known = [name for owner in _models_at(model, tuple(inside)) for name in _names(owner)]
        yield ConfigError(f"unknown key {key!r}", where=located.where(*keys), hint=nearest(str(key), known))
    left = [
        problem for problem in problems if problem["type"] not in ({"extra_forbidden", "missing"} if unknown else ())
    ]
    for top in dict.fromkeys(problem["loc"][:1] for problem in left):
        yield _nearest_fault(located, [problem for problem in left if problem["loc"][:1] == top])


def _nearest_fault(located: Located, problems: Sequence[ErrorDetails]) -> ConfigError:
    """Of the problems of one key: a value that fits no member of a union has one for each.

    Those nearest to what was written say most.
    """
    rivals = [(_keys_of(located.data, found["loc"]), found) for found in problems]
    keys, problem = max(rivals, key=lambda rival: len(rival[0]))
    if problem["type"] == "missing":
        keys = (*keys, str(problem["loc"][-1]))
        return ConfigError(f"key {keys[-1]!r} is missing", where=located.where(*keys))
    said = {found["msg"]: found["type"] for at, found in rivals if at == keys}
    message = " or ".join(text.removeprefix("Input ").removeprefix("Value error, ") for text in said)
    hint = "put it in quotes if it is text" if "string_type" in said.values() else None
    return ConfigError(message, where=located.where(*keys), hint=hint)


def _keys_of(data: object, loc: tuple[str | int, ...]) -> Keys:
    """The keys within `loc`: pydantic also puts names of union members and validators there."""
    keys: Keys = ()
    for part in loc:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]  # type: ignore[index] # a key that is there
            keys = (*keys, part)
    return keys


def _models_at(model: type[BaseModel], keys: Keys) -> Iterator[type[BaseModel]]:
    """The models that the value behind these keys may be."""
    if not keys:
        yield model
        return
    fields = {name: info for field, info in model.model_fields.items() for name in (field, info.alias)}
    if keys[0] in fields:
        rest = keys[1:]
        for inner in _models_in(fields[keys[0]].annotation):
            while rest and (isinstance(rest[0], int) or rest[0] not in _names(inner)):
                rest = rest[1:]
            yield from _models_at(inner, rest)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models within a type: `list[A] | B | None` has A and B."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _names(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]
