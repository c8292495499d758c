"""A plugin for adapt-harness: what it registers. Nothing is imported before its name is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness import Register


@hookimpl
def register_models(register: Register) -> None:
    """Add the model."""
    register("keyword", "harness_keyword.model:Keyword", summary="votes with keywords, given or learned")


@hookimpl
def register_strategies(register: Register) -> None:
    """Add the strategy."""
    register("hinted", "harness_keyword.strategy:Hinted", summary="zero-shot, told which answers are possible")


@hookimpl
def register_selectors(register: Register) -> None:
    """Add the selector."""
    register("typical", "harness_keyword.selector:Typical", summary="rows with the most telling words")


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the task: a file of this package."""
    register("fruit-or-vehicle", "harness_keyword:task/task.yaml", summary="what a short sentence is about")
