"""`harness report`: stored trials -> reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.errors import UsageError
from harness.quoting import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cli.session import Session
    from harness.suites import Suite


@click.command("report")
@options.filters
@options.store
@click.option(
    "--format", "forms", default="table", show_default=True, metavar="NAME,...", help="Formats, with commas between."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write files there."
)
@click.option("--title", default="", help="Heading of the report.")
@click.option(
    "--suite", "suites", multiple=True, metavar="NAME", help="Add the means over a suite's tasks; may be repeated."
)
@options.tasks_path
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
    suites: tuple[str, ...],
) -> None:
    """Report the newest result of each (model, task, strategy, seed) in the store; -m, -t and -s choose by glob.

    `-t suite:NAME` chooses a suite's tasks, and adds the means over them.
    """
    names = parts(forms)
    if not names:
        raise UsageError("--format names no format", hint="harness list reporters shows them")
    reporters = [session.catalogue.reporter(name) for name in names]
    if len(names) != 1 and output is None:
        raise UsageError("several formats need a folder", hint="add -o DIR")
    from harness.evidence import StoredEvidence
    from harness.records import Component
    from harness.reporting import leaderboard_of, rendered, write_files
    from harness.suites import SUITE

    chosen, own = _of_suites(session, tasks)
    averaged = [*chosen, *(session.catalogue.suite(Component(SUITE, name)) for name in suites)]
    of_tasks = [*own, *(name for suite in chosen for name in suite.names)]
    with session.store(store, must_exist=True) as opened:
        results = opened.results(models=models, tasks=of_tasks, strategies=strategies)
        if not results and (models or tasks or strategies):
            raise UsageError("no stored trial matches", hint="harness report without -m, -t and -s shows what there is")
        board = leaderboard_of(results, opened, session.catalogue, title=title, suites=averaged)
        evidence = StoredEvidence(opened, session.catalogue)
        if output is not None:
            write_files(board, reporters, output, evidence)
            return
        report = rendered(board, reporters[0], evidence)
    click.echo((report.text or b"".join(report.files.values()).decode()).rstrip("\n"))


def _of_suites(session: Session, patterns: Sequence[str]) -> tuple[list[Suite], list[str]]:
    """The suites that are named among patterns of tasks' names, and the other patterns."""
    from harness.records import Component
    from harness.suites import SUITE

    begin = f"{SUITE}:"
    named = [pattern.removeprefix(begin) for pattern in patterns if pattern.startswith(begin)]
    others = [pattern for pattern in patterns if not pattern.startswith(begin)]
    return [session.catalogue.suite(Component(SUITE, name)) for name in named], others
