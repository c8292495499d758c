"""`harness fetch`: bring models and data into the local cache and verify them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from harness.cli.session import Session


@click.command("fetch")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.form("table", "json", default="table")
@options.tasks_path
@click.pass_obj
def command(session: Session, *, names: tuple[str, ...], form: str) -> None:
    """Fetch models and tasks, so that later runs need no network; prints where other tools can load them from."""
    from harness.fetching import fetch, named

    with plugins_at_work():
        fetched = [fetch(session.catalogue, one) for name in names for one in named(session.catalogue, name)]
    if form == "json":
        click.echo(
            json.dumps(
                [
                    {"name": item.name, "path": str(item.path), "bytes": item.bytes, "sha256": item.sha256}
                    for item in fetched
                ],
                indent=2,
            )
        )
        return
    for item in fetched:
        click.echo(f"{item.name}  {item.bytes / 1e6:.1f} MB  sha256 {item.sha256[:12]}  {item.path}")
