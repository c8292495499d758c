"""`harness report`: stored trials -> reports."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cli.session import Session
    from harness.leaderboard import Leaderboard

log = logging.getLogger(__name__)


@click.command("report")
@options.filters
@options.store
@click.option(
    "--format",
    "forms",
    default="table",
    show_default=True,
    metavar="NAME,...",
    help="Report formats, with commas between.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write files there instead of printing.",
)
@click.option("--title", default="", help="Heading of the report.")
@click.pass_obj
def command(  # noqa: PLR0913 - an option each
    session: Session,
    *,
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    strategies: tuple[str, ...],
    store: str | None,
    forms: str,
    output: Path | None,
    title: str,
) -> None:
    """Report the newest result of each (model, task, strategy, seed) in the store; -m, -t and -s choose by glob."""
    from harness.leaderboard import build

    names = [name.strip() for name in forms.split(",") if name.strip()]
    for name in names:
        session.plugins.registry("reporter").get(name)
    with session.store(store, must_exist=True) as opened:
        results = opened.results(models=models, tasks=tasks, strategies=strategies)
        board = build(results, opened.predictions, title=title)
    if output is not None:
        write(session, board, names, output)
        return
    if len(names) != 1:
        raise UsageError("several formats need a folder", hint="add -o DIR")
    report = session.catalogue.reporter(names[0]).render(board)
    click.echo((report.text or b"".join(report.files.values()).decode()).rstrip("\n"))


def write(session: Session, board: Leaderboard, formats: Sequence[str], folder: Path) -> None:
    """Write a leaderboard's files.

    Raises:
        HarnessError: when the folder can't be written.
    """
    for name in formats:
        for file, content in session.catalogue.reporter(name).render(board).files.items():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(content)
            except OSError as error:
                raise HarnessError(f"can't write the report: {error.strerror}", where=str(folder / file)) from error
            log.info("wrote %s", folder / file)
