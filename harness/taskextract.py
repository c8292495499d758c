"""`extract` of a task file: one pattern, or `steps`, each checked against the step that it names."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.components import build, settings
from harness.errors import ConfigError, ParameterError, nearest
from harness.extraction import NUMBER, STEPS, WHOLE
from harness.records import Component, ExtractSpec, Step
from harness.taskspec import NUMERIC

if TYPE_CHECKING:
    from harness.taskspec import Kind
    from harness.yamlfile import Located


class ExtractSection(BaseModel):
    """How the answer is found in generated text; see `harness.records.ExtractSpec`.

    Attributes:
        steps: each the name of a step, or its name with its options.
    """

    model_config = ConfigDict(extra="forbid")

    pattern: str | None = None
    take: Literal["first", "last"] | None = None
    type: Literal["text", "number"] | None = None
    steps: Annotated[list[str | dict[str, Any]], Field(min_length=1)] | None = None

    def spec(self, kind: Kind) -> ExtractSpec:
        """As strategies and metrics see it.

        Args:
            kind: of the task; the answers of some are numbers, of maths the last one. So are those of a pipeline that
                ends in one, unless it is told otherwise.
        """
        told = self.model_dump(exclude_none=True, exclude={"steps"})
        numeric: dict[str, Any] = {"type": "number"}
        if kind in NUMERIC:
            told |= numeric
        if self.steps is not None:
            steps = tuple(read_step(step) for step in self.steps)
            ends = numeric if kind == "maths" or steps[-1].name == "number" else {}
            return ExtractSpec(**ends | told, steps=steps)
        if kind == "maths":
            told = {"take": "last"} | numeric | told
        if kind == "code":
            told = {"pattern": WHOLE} | told
        if told.get("type") == "number":
            told = {"pattern": NUMBER} | told
        return ExtractSpec(**told)


def check_extract(section: ExtractSection, located: Located) -> None:
    """See that the pattern, or every step with its options, can be used.

    Raises:
        ConfigError, ParameterError: with file, line and key.
    """
    if section.steps is None:
        try:
            re.compile(section.pattern or "")
        except re.error as error:
            where = located.where("extract", "pattern")
            raise ConfigError(f"is no regular expression: {error}", where=where) from error
        return
    for key in ("pattern", "take"):
        if getattr(section, key) is not None:
            hint = "write it as a step, regex: {pattern: ..., take: ...}"
            raise ConfigError("steps take the place of this key", where=located.where("extract", key), hint=hint)
    for number, step in enumerate(section.steps):
        read_step(step, located.where("extract", "steps", number))


def read_step(written: str | dict[str, Any], where: str | None = None) -> Step:
    """A step as a task file writes it, with all its options.

    Args:
        written: `number`, `after: "Answer:"` or `regex: {pattern: ..., take: last}`.
        where: file, line and key, for messages.

    Raises:
        ConfigError: when no step has this name, or there are two.
        ParameterError: for an option that it does not have, lacks, or has a wrong value.
    """
    if isinstance(written, dict) and len(written) != 1:
        raise ConfigError(f"is {len(written)} steps in one", where=where, hint="begin each step with a dash of its own")
    name, told = (written, {}) if isinstance(written, str) else next(iter(written.items()))
    if name not in STEPS:
        raise ConfigError(f"there is no step {name!r}", where=where, hint=nearest(name, STEPS))
    first = next(iter(inspect.signature(STEPS[name]).parameters), None)
    if not isinstance(told, dict):
        if first is None:
            raise ParameterError(f"step {name!r} takes no option", where=where, hint=f"write - {name}")
        told = {first: told}
    component = Component(name, None, told)
    options = settings(STEPS[name], component, kind="step", where=where)
    try:
        build(STEPS[name], component, kind="step", where=where)
    except ConfigError as error:
        error.where = error.where or where
        raise
    return Step(name, options)
