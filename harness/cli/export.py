"""`harness export`: predictions, one row a sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.cli.session import Session


@click.command("export")
@click.option(
    "--trial",
    "keys",
    multiple=True,
    metavar="KEY",
    help="A trial's key or the start of one; may be repeated. [default: all trials chosen]",
)
@options.filters
@options.store
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="FILE.jsonl or FILE.parquet",
)
@click.pass_obj
def command(  # noqa: PLR0913 - an option each
    session: Session,
    *,
    keys: tuple[str, ...],
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    strategies: tuple[str, ...],
    store: str | None,
    output: Path,
) -> None:
    """Write predictions with their scores, texts and token counts."""
    from harness.export import export

    with session.store(store, must_exist=True) as opened:
        chosen = [opened.resolve(key) for key in keys]
        if not chosen:
            found = opened.results(models=models, tasks=tasks, strategies=strategies)
            chosen = [result.trial.key for result in found if result.status in {"finished", "partial"}]
        if not chosen:
            raise UsageError("no stored trial matches", hint="harness report shows what there is")
        export(opened, chosen, output)
