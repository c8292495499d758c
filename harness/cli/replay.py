"""`harness replay`: run a stored trial again, and say whether it comes out the same."""

from __future__ import annotations

import dataclasses
import json
from math import isfinite
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cli.session import Session
    from harness.replay import Change, Replay

SHOWN = 5
"""Samples that are named of those that differ."""


@click.command("replay")
@click.argument("trial", metavar="TRIAL")
@options.store
@options.form("text", "json", default="text")
@options.tasks_path
@click.pass_obj
def command(session: Session, /, *, trial: str, store: str | None, form: str) -> int:
    """Run the trial whose key begins with TRIAL again, from nothing, and compare every metric and every prediction.

    What has changed since is named first: data, templates, weights, versions. The exit status is 0 where nothing has
    changed and all comes out the same, else 1.
    """
    from harness.allocator import keep_memory
    from harness.cli.progress import Progress
    from harness.replay import prepare, replay

    keep_memory()
    with session.store(store, must_exist=True) as opened:
        with plugins_at_work():
            prepared = prepare(opened, opened.resolve(trial), session.catalogue)
        if form == "text":
            click.echo("\n".join(_changes(prepared.changes)))
        with plugins_at_work(), Progress(quiet=session.quiet) as watcher:
            found = replay(prepared, opened, session.catalogue, watcher=watcher)
    if form == "json":
        told = {**dataclasses.asdict(found), "reproduced": found.reproduced}
        for one in told["differences"]:  # JSON has no NaN
            one |= {side: None for side in ("before", "now") if one[side] is not None and not isfinite(one[side])}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        late = found.changes[len(prepared.changes) :]
        click.echo("\n".join([*(_changes(late) if late else []), *_outcome(found)]))
    return 0 if found.reproduced and not found.changes else 1


def _changes(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return ["nothing that it is made of has changed"]
    return [f"changed: {one.field}: {one.before or 'nothing'} -> {one.now or 'nothing'}" for one in changes]


def _outcome(found: Replay) -> list[str]:
    close = f" (scores differ by {found.largest:.1g} at most)" if found.largest > 0 else ""
    if found.reproduced:
        same = f"{found.metrics} metrics and {found.predictions:,} predictions are the same"
        return [f"reproduced: {same}{close}"]
    lines = [f"differs: it is {found.status} now{f': {found.reason}' if found.reason else ''}"]
    lines += [f"  {one.metric}: {_number(one.before)} -> {_number(one.now)}" for one in found.differences]
    if found.differing:
        named = ", ".join(found.differing[:SHOWN]) + (", ..." if len(found.differing) > SHOWN else "")
        lines.append(f"  {len(found.differing):,} of {found.predictions:,} predictions: {named}")
    return lines


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
