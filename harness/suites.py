"""Suites: named groups of tasks with weights, each a file; `suite:NAME` stands for its tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.components import parse_component
from harness.errors import ConfigError, HarnessError
from harness.records import Component
from harness.yamlfile import read_yaml, validate

SUITE = "suite"
"""What stands before the colon where a suite stands for its tasks."""


class _SuiteTask(BaseModel):
    """A task of a suite and how much it counts."""

    model_config = ConfigDict(extra="forbid")

    task: Annotated[str, Field(min_length=1)]
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


class _SuiteFile(BaseModel):
    """A suite file."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    description: str = ""
    tasks: Annotated[list[str | _SuiteTask], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Suite:
    """A group of tasks.

    Attributes:
        tasks: as written, a task file's path begun where the suite file lies.
        names: what tables call them: a task file's by the name that stands in it.
        weights: how much each counts in the mean of all, in their order.
    """

    name: str
    description: str
    tasks: tuple[Component, ...]
    names: tuple[str, ...]
    weights: tuple[float, ...]


def is_suite(component: Component) -> bool:
    """Whether a task component stands for the tasks of a suite."""
    return component.name == SUITE


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        ConfigError: with file, line and key.
    """
    located = read_yaml(path)
    file = validate(located, _SuiteFile)
    tasks: dict[str, Component] = {}
    names: list[str] = []
    weights: list[float] = []
    for place, one in enumerate(file.tasks):
        where = located.where("tasks", place)
        written, weight = (one, 1.0) if isinstance(one, str) else (one.task, one.weight)
        task = _task(written, path.parent, where)
        if str(task) in tasks:
            raise ConfigError(f"task {written!r} stands twice", where=where, hint="give it a weight instead")
        tasks[str(task)] = task
        names.append(_name(task))
        weights.append(weight)
    return Suite(file.name, file.description, tuple(tasks.values()), tuple(names), tuple(weights))


def _task(written: str, folder: Path, where: str) -> Component:
    try:
        task = parse_component(written)
    except HarnessError as error:
        error.where = where
        raise
    if is_suite(task):
        raise ConfigError("a suite holds tasks, not suites", where=where, hint="name the tasks of that suite")
    if any(sign in task.name for sign in "*?["):
        raise ConfigError("a suite names its tasks one by one", where=where, hint="a glob would make it change")
    if task.name.endswith((".yaml", ".yml")):
        return Component(str(folder / task.name), task.reference, task.params)
    return task


def _name(task: Component) -> str:
    """A task file's name; what is wrong with the file is told when the task is loaded."""
    if not task.name.endswith((".yaml", ".yml")):
        return str(task)
    try:
        return str(read_yaml(Path(task.name)).data.get("name", task))
    except ConfigError:
        return str(task)
