"""Options that several commands have, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable


def _set_tasks_path(ctx: click.Context, _: click.Parameter, folders: tuple[Path, ...]) -> None:
    if folders:
        ctx.obj.tasks_path = folders


tasks_path = click.option(
    "--tasks-path",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="HARNESS_TASKS_PATH",
    expose_value=False,
    callback=_set_tasks_path,
    help="Look for tasks in this folder too; may be repeated. [default: HARNESS_TASKS_PATH]",
)
store = click.option(
    "--store",
    metavar="URL",
    help="Results database: a file's path or a SQLAlchemy URL. [default: harness.db, or HARNESS_STORE]",
)
models = click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="A registered name or SCHEME:REFERENCE[,key=value...]; may be repeated.",
)
tasks = click.option(
    "-t",
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="A registered name, a glob over names, or a task file; may be repeated.",
)
strategies = click.option(
    "-s", "--strategy", "strategies", multiple=True, metavar="STRATEGY", help="NAME[,key=value...]; may be repeated."
)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that choose trials of the store: globs over the names as they were written."""
    for option in (strategies, tasks, models):
        command = option(command)
    return command


def grid(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a run is made of beside models, tasks and strategies, and where it runs."""
    for option in (
        click.option("--rerun", is_flag=True, help="Start all trials anew, finished ones too."),
        click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps. [default: auto]"),
        click.option("--executor", metavar="NAME", help="Where trials run. [default: local]"),
        store,
        click.option(
            "--split", type=click.Choice(["train", "validation", "test"]), help="The split to score. [default: test]"
        ),
        click.option(
            "--limit", type=click.IntRange(min=1), metavar="N", help="Score a seeded stratified draw of N rows."
        ),
        click.option("--seeds", metavar="0,1,...", help="Seeds (0-4 is 0,1,2,3,4); each is a trial. [default: 0]"),
        filters,
    ):
        command = option(command)
    return command


def form(*names: str, default: str) -> Callable[..., Any]:
    """`--format`, with the forms that a command can print."""
    return click.option(
        "--format", "form", type=click.Choice(names), default=default, show_default=True, help="What to print."
    )
