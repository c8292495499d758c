"""`harness run`: plan, run what is not finished, print the leaderboard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from harness.cli.session import Session


@click.command("run")
@click.argument("experiment", type=click.Path(path_type=Path, dir_okay=False), required=False)
@options.grid
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME",
    help="Latency scenario; may be repeated. [default: offline and single-stream]",
)
@click.option("--no-latency", "latency", flag_value=False, default=True, help="Measure no latency.")
@click.option(
    "--baselines/--no-baselines",
    default=None,
    help="Add the majority's answer, guesses and TF-IDF. [default: where the experiment file asks for a report]",
)
@click.option(
    "--run-code",
    is_flag=True,
    default=None,
    help="Run programs that models write, in a sandbox, where a task's answers are programs. [default: no]",
)
@options.form("table", "markdown", "csv", "json", default="table")
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
    **chosen: Any,  # noqa: ANN401 - the fields of Choices
) -> int:
    """Run models x tasks x strategies x seeds and print the leaderboard.

    What the store holds already is not run again; an interrupted run goes on where it stopped.
    """
    from harness.allocator import keep_memory
    from harness.cli.progress import run_watched
    from harness.collector import spare_modules
    from harness.config import Choices, settle
    from harness.evidence import StoredEvidence
    from harness.reporting import leaderboard_of, write_files
    from harness.suites import is_suite

    keep_memory()
    spare_modules()
    with plugins_at_work():
        settled = settle(Choices(**chosen), experiment, os.environ, session.catalogue)
        # A format that nobody registered is told now, not after an hour's run.
        printed = session.catalogue.reporter(form)
        written = [session.catalogue.reporter(name) for name in settled.report.formats] if settled.report else []
        with session.store(store) as opened:
            results = run_watched(settled.experiment, session.catalogue, opened, rerun=rerun, quiet=session.quiet)
            suites = [session.catalogue.suite(task) for task in settled.experiment.tasks if is_suite(task)]
            title = settled.experiment.name
            board = leaderboard_of(results, opened, session.catalogue, title=title, suites=suites)
            if settled.report:
                write_files(board, written, Path(settled.report.folder), StoredEvidence(opened, session.catalogue))
    click.echo(printed.render(board).text.rstrip("\n"))
    return 1 if any(result.status in {"failed", "partial"} for result in results) else 0
