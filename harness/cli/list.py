"""`harness list`: what there is."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from harness.cli.session import Session
    from harness.plugins import Plugins

KINDS = {
    "models": "model",
    "tasks": "task",
    "suites": "suite",
    "strategies": "strategy",
    "selectors": "selector",
    "orders": "order",
    "scorers": "scorer",
    "calibrators": "calibrator",
    "metrics": "metric",
    "scenarios": "scenario",
    "executors": "executor",
    "reporters": "reporter",
    "sources": "source",
    "sandboxes": "sandbox",
}


@click.command("list")
@click.argument("what", type=click.Choice([*KINDS, "plugins"]), required=False)
@click.option("--in", "collection", metavar="NAME", help="Tasks: list those behind this name, such as lm-eval.")
@click.option("--match", metavar="GLOB", help="List only what has such a name.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@options.tasks_path
@click.pass_obj
def command(session: Session, *, what: str | None, collection: str | None, match: str | None, form: str) -> None:
    """List models, tasks, strategies, metrics, ... or plugins (broken ones with their tracebacks)."""
    if what == "plugins":
        click.echo(_plugins_json(session.plugins) if form == "json" else _plugins_text(session.plugins))
        return
    if collection is None:
        listed = {kind: _entries(session.plugins, kind) for kind in ([what] if what else KINDS)}
    elif what == "tasks":
        with plugins_at_work():
            listed = {what: _behind(session, collection)}
    else:
        raise click.UsageError("--in lists tasks: write `harness list tasks --in NAME`")
    if match is not None:
        listed = {kind: [one for one in found if fnmatchcase(one["name"], match)] for kind, found in listed.items()}
    if form == "json":
        click.echo(json.dumps(listed[what] if what else listed, indent=2))
    elif what:
        click.echo(_entries_text(listed[what]))
    else:
        click.echo("\n\n".join(f"{kind}\n{_entries_text(entries, '  ')}" for kind, entries in listed.items()))


def _entries(plugins: Plugins, kind: str) -> list[dict[str, str]]:
    return [
        {
            "name": entry.name,
            "summary": entry.summary,
            "plugin": entry.plugin,
            "version": entry.version,
            "target": entry.target,
        }
        for entry in plugins.registry(KINDS[kind])
    ]


def _behind(session: Session, name: str) -> list[dict[str, str]]:
    """The tasks behind a registered name."""
    from harness.bridging import TaskCollection

    entry = session.plugins.registry("task").get(name)
    collection = None if entry.resource else entry.load()
    if not isinstance(collection, TaskCollection):
        raise click.UsageError(f"{name} is one task, not a collection of tasks")
    common = {"plugin": entry.plugin, "version": entry.version, "target": entry.target}
    found = collection.listing(session.assets, session.tasks_path)
    return [{"name": f"{name}:{reference}", "summary": summary, **common} for reference, summary in found]


def _entries_text(entries: list[dict[str, str]], indent: str = "") -> str:
    if not entries:
        return f"{indent}none: no loaded plugin has any"
    width = max(len(entry["name"]) for entry in entries)
    return "\n".join(f"{indent}{entry['name']:<{width}}  {entry['summary']}".rstrip() for entry in entries)


def _plugins_json(plugins: Plugins) -> str:
    _ask_all(plugins)
    infos = [
        {"name": info.name, "version": info.version, "source": info.source, "error": info.error or None}
        for info in plugins.infos()
    ]
    return json.dumps(infos, indent=2)


def _plugins_text(plugins: Plugins) -> str:
    _ask_all(plugins)
    infos = plugins.infos()
    if not infos:
        return "none: nothing is installed in entry-point group `harness`"
    width = max(len(info.name) for info in infos)
    lines = [f"{info.name:<{width}}  {info.source}{'  BROKEN' if info.error else ''}" for info in infos]
    return "\n".join([*lines, *(f"\n{info.name}:\n{info.error.rstrip()}" for info in infos if info.error)])


def _ask_all(plugins: Plugins) -> None:
    """Let every plugin register everything, so that one that fails in doing so shows as broken."""
    for kind in (*KINDS.values(), "command"):
        plugins.registry(kind)
