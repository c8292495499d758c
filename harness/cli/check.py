"""`harness check`: validate tasks, experiments and plugins before anything is run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import plugins_at_work
from harness.components import parse_component
from harness.errors import HarnessError, ParameterError, UnknownNameError
from harness.plugins import KINDS, PluginChoice, Plugins

if TYPE_CHECKING:
    from harness.cli.session import Session
    from harness.registry import Entry


@click.command("check")
@click.argument("subjects", nargs=-1, required=True, metavar="FILE|NAME...")
@click.option("--overlap", is_flag=True, help="Of tasks: name the rows that nearly repeat a row of another split.")
@options.tasks_path
@click.pass_obj
def command(session: Session, *, subjects: tuple[str, ...], overlap: bool) -> int:
    """Check task files, experiment files, plugin files, or registered tasks and installed plugins by name.

    Every template is rendered on every row. All subjects are checked; the exit status is that of the first that is
    wrong.
    """
    status = 0
    for subject in subjects:
        try:
            with plugins_at_work():
                findings = _check(session, subject, overlap=overlap)
        except HarnessError as error:
            click.echo(f"{subject}: error: {error}")
            status = status or error.exit_code
        else:
            click.echo("\n".join([f"{subject}: ok", *(f"  {line}" for line in findings)]))
    return status


def _check(session: Session, subject: str, *, overlap: bool) -> list[str]:
    if subject.endswith(".py"):
        files = {str(Path(file).resolve()) for file in (*session.choice.files, subject)}
        return _check_plugin(
            Plugins(PluginChoice(tuple(sorted(files)), session.choice.without, strict=True)), Path(subject).stem
        )
    if subject.endswith((".yaml", ".yml")):
        return _check_file(session, Path(subject), overlap=overlap)
    if parse_component(subject).name in session.plugins.registry("task"):
        return _check_task(session, subject, overlap=overlap)
    names = [info.name for info in session.plugins.infos()]
    if subject in names:
        strict = Plugins(PluginChoice(session.choice.files, session.choice.without, strict=True))
        return _check_plugin(strict, subject)
    raise UnknownNameError(
        "task or plugin", subject, [*names, *(entry.name for entry in session.plugins.registry("task"))]
    )


def _check_file(session: Session, path: Path, *, overlap: bool) -> list[str]:
    from harness.config import Choices, ExperimentFile, settle
    from harness.planning import plan
    from harness.yamlfile import read_yaml

    keys = set(read_yaml(path).data)
    # A task has keys that an experiment can't have; what has neither is checked as an experiment, whose errors name its
    # keys.
    if keys & {"kind", "data", "fields", "labels", "prompt"} or not keys & set(ExperimentFile.model_fields):
        return _check_task(session, str(path), overlap=overlap)
    jobs = plan(settle(Choices(), path, os.environ, session.catalogue).experiment, session.catalogue)
    refused = [
        f"not applicable: {job.trial.model}, {job.trial.task}, {job.trial.strategy}: {job.trial.refusal}"
        for job in jobs
        if job.trial.refusal
    ]
    return [f"{len(jobs)} trials, {len(jobs) - len(refused)} of which can run", *refused]


def _check_task(session: Session, name: str, *, overlap: bool) -> list[str]:
    from harness.auditing import repetitions_found
    from harness.checking import check_task

    data = session.catalogue.task(parse_component(name))
    session.catalogue.metrics_of(data)
    return [*check_task(data.task), *(repetitions_found(data) if overlap else [])]


def _check_plugin(plugins: Plugins, name: str) -> list[str]:
    """Everything that the plugin registers can be imported."""
    found = []
    for kind in KINDS:
        for entry in plugins.registry(kind):
            if entry.plugin == name:
                if entry.resource is None:
                    _check_entry(entry)
                found.append(f"{kind} {entry.name}: {entry.target}")
    return found or ["registers nothing"]


def _check_entry(entry: Entry) -> None:
    """Import what is registered; what can be made without parameters is made, and has to be complete."""
    from harness.catalogue import OFFERS, make
    from harness.records import Component

    entry.load()
    if entry.kind in OFFERS:
        with suppress(ParameterError):  # it needs some
            make(entry, Component(entry.name), where=None, provided={})
