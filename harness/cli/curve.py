"""`harness curve`: strategies x numbers of labelled examples, and from how many on one beats another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.output import plugins_at_work
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.catalogue import Catalogue
    from harness.cli.session import Session
    from harness.interfaces import Report
    from harness.records import Experiment

REPORTER = "curves"
"""It makes all the files at once."""

PRINTED = {"markdown": "curves.md", "csv": "curves.csv", "json": "curves.json"}
"""Format -> the file of the report that is printed; a table is its text."""


@click.command("curve")
@click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False), required=False)
@options.grid
@click.option("--sizes", metavar="4,8,...", help="Numbers of labelled rows to learn from.")
@click.option("--per-label", is_flag=True, default=None, help="Sizes are rows of each label.")
@options.form("table", *PRINTED, default="table")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the curves there too.",
)
@options.tasks_path
@click.pass_obj
def command(
    session: Session,
    /,
    *,
    experiment: Path | None,
    store: str | None,
    rerun: bool,
    form: str,
    output: Path | None,
    **chosen: Any,  # noqa: ANN401 - the fields of Choices
) -> int:
    """Draw learning curves: run each strategy with each number of labelled examples, and say who wins from where on.

    Strategies without such a number, like zero-shot, are run once. No latency is measured. What the store holds already
    is not run again.
    """
    from harness.allocator import keep_memory
    from harness.cli.progress import run_watched
    from harness.collector import spare_modules
    from harness.config import Choices, settle
    from harness.evidence import StoredEvidence
    from harness.reporting import leaderboard_of, write_files

    keep_memory()
    spare_modules()
    with plugins_at_work():
        settled = settle(Choices(**chosen, latency=False), experiment, os.environ, session.catalogue).experiment
        _check(settled, session.catalogue)
        reporter = session.catalogue.reporter(REPORTER)
        with session.store(store) as opened:
            results = run_watched(settled, session.catalogue, opened, rerun=rerun, quiet=session.quiet)
            board = leaderboard_of(results, opened, session.catalogue, title=settled.name)
            if output is not None:
                write_files(board, [reporter], output, StoredEvidence(opened, session.catalogue))
    click.echo(_printed(reporter.render(board), form).rstrip("\n"))
    return 1 if any(result.status in {"failed", "partial"} for result in results) else 0


def _check(experiment: Experiment, catalogue: Catalogue) -> None:
    """A curve needs sizes, and a strategy that learns from so many rows.

    Raises:
        UsageError: where there is none.
    """
    from harness.sizes import declared

    if len(experiment.sizes) < 2:
        raise UsageError(
            "a curve needs several sizes", hint="give them with --sizes 4,8,16, or under sizes in an experiment file"
        )
    if not any(declared(catalogue.strategy(strategy)) for strategy in experiment.strategies):
        named = ", ".join(map(str, experiment.strategies))
        raise UsageError(
            f"no strategy here learns from a number of labelled rows: {named}",
            hint="add one with -s, such as linear-probe or finetune",
        )


def _printed(report: Report, form: str) -> str:
    return report.text if form == "table" else report.files[PRINTED[form]].decode()
