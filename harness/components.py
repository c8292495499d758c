"""Parts as people write them (`few-shot,k=8`, `hf:org/name,dtype=float32`) -> checked parameters -> objects."""

from __future__ import annotations

import dataclasses
import inspect
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.errors import ParameterError, PluginError, UsageError, nearest
from harness.quoting import pieces, unquoted
from harness.records import Component

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel


_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def parse_component(text: str, *, where: str | None = None) -> Component:
    """Read `NAME[:REFERENCE][,KEY=VALUE...]`; a value that holds a comma is written in double quotes.

    Raises:
        UsageError: when a parameter lacks its `=`, or stands there twice, or its quotes are not closed.
    """
    head, *rest = pieces(text)
    name, colon, reference = head.strip().partition(":")
    if _DRIVE.match(head.strip()):  # a Windows path
        name, colon, reference = head.strip(), "", ""
    if not name:
        raise UsageError(f"{text!r} names nothing", where=where, hint="write NAME, NAME:REFERENCE or NAME,key=value")
    params: dict[str, Any] = {}
    for item in rest:
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"{item!r} in {text!r} is not key=value", where=where)
        if key in params:
            raise UsageError(f"{key!r} stands twice in {text!r}", where=where)
        try:
            params[key] = unquoted(value)
        except ValueError as error:
            hint = 'write "a, b" for a value with a comma, and \\" for a quote in it'
            raise UsageError(f"{error} in {text!r}", where=where, hint=hint) from None
    return Component(name, reference if colon else None, params)


def settings(
    target: Callable[..., Any],
    component: Component,
    *,
    kind: str,
    where: str | None = None,
    provided: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """All parameters of a target: those of the component, checked, and the defaults of the others.

    Args:
        target: a class or function; its signature declares the parameters.
        component: what somebody wrote.
        kind: what the target is, for messages.
        where: file, line and key, for messages.
        provided: names that the core fills in, which nobody else may set.

    Raises:
        ParameterError: for an unknown parameter (with the nearest), a missing one, or a wrong value.
    """
    parameters = _parameters(target, f"{kind} {component.name!r}")
    given = dict(component.params)
    if "reference" in parameters:
        if not component.reference and parameters["reference"].default is inspect.Parameter.empty:
            raise ParameterError(
                f"{kind} {component.name!r} needs a reference", where=where, hint=f"write {component.name}:REFERENCE"
            )
        if component.reference is not None:
            given["reference"] = component.reference
    elif component.reference is not None:
        raise ParameterError(
            f"{kind} {component.name!r} takes no reference, but {component.reference!r} was given", where=where
        )
    open_ended = {name for name, parameter in parameters.items() if parameter.kind is inspect.Parameter.VAR_KEYWORD}
    declared = [name for name in parameters if name not in open_ended | provided]
    extra = [name for name in given if name not in declared]
    if extra and (not open_ended or provided.intersection(extra)):
        hint = nearest(extra[0], [name for name in declared if name != "reference"])
        raise ParameterError(f"{kind} {component.name!r} has no parameter {extra[0]!r}", where=where, hint=hint)
    checked = _check(
        parameters,
        declared,
        {key: value for key, value in given.items() if key in declared},
        f"{kind} {component.name!r}",
        where,
    )
    return checked | {name: given[name] for name in extra}


def build(
    target: Callable[..., Any],
    component: Component,
    *,
    kind: str,
    where: str | None = None,
    provided: Mapping[str, Any] = MappingProxyType({}),
) -> Any:  # noqa: ANN401 - whatever the target makes
    """Call a target with its checked parameters, and with what the core provides under the names that it asks for.

    Args:
        target: see `settings`.
        component: see `settings`.
        kind: see `settings`.
        where: see `settings`.
        provided: name -> object (`assets`); passed where the signature has the name, never a parameter that people set.

    Raises:
        ParameterError: see `settings`.
    """
    wanted = {name: value for name, value in provided.items() if name in inspect.signature(target).parameters}
    return target(**settings(target, component, kind=kind, where=where, provided=frozenset(wanted)), **wanted)


def parameters_of(part: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """The fields of a dataclass as plain data, those of inner ones too.

    Fields that comparisons leave out (`compare=False`) are no parameters: what the core provided is kept in such.

    Args:
        part: the dataclass.
        without: names of further fields that are left out.
    """
    kept = (one for one in dataclasses.fields(part) if one.compare and one.name not in without)
    return {one.name: _plain(getattr(part, one.name)) for one in kept}


def _plain(value: Any) -> Any:  # noqa: ANN401 - as it is, but for dataclasses
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return parameters_of(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, dict) else value


def _parameters(target: Callable[..., Any], owner: str) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target, eval_str=True).parameters
    except NameError as error:
        hint = "its types have to be imported outside TYPE_CHECKING, since parameters are checked against them"
        raise PluginError(f"the parameters of {owner} can't be read: {error}", hint=hint) from error


def _check(
    parameters: Mapping[str, inspect.Parameter],
    declared: list[str],
    given: Mapping[str, Any],
    owner: str,
    where: str | None,
) -> dict[str, Any]:
    from pydantic import ConfigDict, ValidationError, create_model

    def definition(parameter: inspect.Parameter) -> tuple[Any, Any]:
        annotation = Any if parameter.annotation is inspect.Parameter.empty else parameter.annotation
        return annotation, ... if parameter.default is inspect.Parameter.empty else parameter.default

    # Prefixed, since pydantic refuses some names (`model_...`, leading underscores) as fields.
    fields: Any = {f"p_{name}": definition(parameters[name]) for name in declared}
    schema: type[BaseModel] = create_model("Parameters", __config__=ConfigDict(arbitrary_types_allowed=True), **fields)
    try:
        checked = schema(**{f"p_{name}": value for name, value in given.items()})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).removeprefix("p_")
        if first["type"] == "missing":
            raise ParameterError(f"{owner} needs parameter {name!r}", where=where) from None
        raise ParameterError(
            f"{owner}: parameter {name}={given[name]!r} is wrong: {first['msg']}", where=where
        ) from None
    return {name: getattr(checked, f"p_{name}") for name in declared}
