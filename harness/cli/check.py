"""`harness check`: validate tasks, experiments and plugins before anything is run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import plugins_at_work
from harness.components import parse_component
from harness.errors import ConfigError, HarnessError, ParameterError, UnknownNameError
from harness.findings import Finding, of_error
from harness.plugins import KINDS, PluginChoice, Plugins

if TYPE_CHECKING:
    from harness.cli.session import Session
    from harness.registry import Entry
    from harness.taskdata import TaskData

LOOKED_AT = 2_000
"""Rows of a task, scored ones and others, up to which near repetitions are looked for unasked: it takes a second."""


@click.command("check")
@click.argument("subjects", nargs=-1, required=True, metavar="FILE|NAME...")
@click.option("--overlap", is_flag=True, help="Of tasks: name the rows that nearly repeat a row of another split.")
@click.option("--strict", is_flag=True, help="Warnings are errors too.")
@options.form("text", "json", default="text")
@options.tasks_path
@click.pass_obj
def command(session: Session, *, subjects: tuple[str, ...], overlap: bool, strict: bool, form: str) -> int:
    """Check task files, experiment files, plugin files, or registered tasks and installed plugins by name.

    Every template is rendered on every row. All subjects are checked; the exit status is that of the first that is
    wrong.
    """
    status = 0
    told = []
    for subject in subjects:
        try:
            with plugins_at_work():
                findings = _check(session, subject, overlap=overlap)
        except HarnessError as error:
            findings = list(map(of_error, _all(error)))
            status = status or error.exit_code
        levels = {finding.level for finding in findings}
        wrong = "error" in levels or (strict and "warning" in levels)
        status = status or (ConfigError.exit_code if wrong else 0)
        if form == "text":
            click.echo("\n".join(_lines(subject, findings, wrong=wrong)))
        worst = next((level for level in ("error", "warning") if level in levels), "ok")
        told.append({"subject": subject, "status": worst, "findings": [finding.plain() for finding in findings]})
    if form == "json":
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    return status


def _all(error: HarnessError) -> list[HarnessError]:
    """The error, and what else was wrong where it arose."""
    return [error, *error.others]


def _lines(subject: str, findings: list[Finding], *, wrong: bool) -> list[str]:
    errors = [f"{subject}: {finding}" for finding in findings if finding.level == "error"]
    rest = [f"  {finding}" for finding in findings if finding.level != "error"]
    head = errors or [f"{subject}: warnings, which are errors by --strict" if wrong else f"{subject}: ok"]
    return [*head, *rest]


def _check(session: Session, subject: str, *, overlap: bool) -> list[Finding]:
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


def _check_file(session: Session, path: Path, *, overlap: bool) -> list[Finding]:
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
    return _contents(f"{len(jobs)} trials, {len(jobs) - len(refused)} of which can run", *refused)


def _check_task(session: Session, name: str, *, overlap: bool) -> list[Finding]:
    from harness.auditing import repetitions_found
    from harness.checking import check_task

    data = session.catalogue.task(parse_component(name))
    found = check_task(data.task, session.catalogue.metrics_of(data))
    return [*found, *(_contents(*repetitions_found(data)) if overlap else _nearly_repeated(data))]


def _nearly_repeated(data: TaskData) -> list[Finding]:
    """A warning where test rows nearly repeat others, of a task whose rows are few; those that repeat them are told."""
    if not data.task.samples("test"):
        return []
    found = [one for one in data.repetitions("test", None, most=LOOKED_AT) or () if one.similarity < 1]
    if not found:
        return []
    message = f"{len(found)} rows of test (such as {found[0].sample} ~ {found[0].other}) nearly repeat others"
    return [Finding("warning", message, data.where("data", "files"), "harness check --overlap names them all")]


def _contents(*lines: str) -> list[Finding]:
    return [Finding("content", line) for line in lines]


def _check_plugin(plugins: Plugins, name: str) -> list[Finding]:
    """Everything that the plugin registers can be imported."""
    found = []
    for kind in KINDS:
        for entry in plugins.registry(kind):
            if entry.plugin == name:
                if entry.resource is None:
                    _check_entry(entry)
                found.append(f"{kind} {entry.name}: {entry.target}")
    return _contents(*(found or ["registers nothing"]))


def _check_entry(entry: Entry) -> None:
    """Import what is registered; what can be made without parameters is made, and has to be complete."""
    from harness.catalogue import OFFERS, make
    from harness.records import Component

    entry.load()
    if entry.kind in OFFERS:
        with suppress(ParameterError):  # it needs some
            make(entry, Component(entry.name), where=None, provided={})
