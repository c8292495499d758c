"""`harness view`: the store's report in a browser, kept up to date while runs go on."""

from __future__ import annotations

import logging
import webbrowser
from functools import partial
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.catalogue import Catalogue
    from harness.cli.session import Session
    from harness.records import TrialResult
    from harness.serving import LiveReport
    from harness.store import Store

log = logging.getLogger(__name__)


@click.command("view")
@options.filters
@options.store
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="[default: a free one]")
@click.option("--no-browser", "browser", flag_value=False, default=True, help="Open no browser.")
@click.option("--title", default="", help="Heading of the report.")
@options.tasks_path
@click.pass_obj
def command(  # noqa: PLR0913 - an option each
    session: Session,
    *,
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    strategies: tuple[str, ...],
    store: str | None,
    port: int,
    browser: bool,
    title: str,
) -> None:
    """Show the report in a browser, live while a run goes on, until Ctrl-C; -m, -t and -s choose by glob.

    Only this machine can reach it, and only by the address that is printed: it ends in a token.
    """
    from harness.serving import ReportServer

    with session.store(store, must_exist=True) as opened:
        results = partial(opened.results, models=models, tasks=tasks, strategies=strategies)
        report = _report(session.catalogue, opened, results, title)
        with ReportServer(report, port) as server:
            click.echo(server.address)
            log.info("Ctrl-C ends it")
            if browser:
                webbrowser.open(server.address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                log.info("ended")


def _report(catalogue: Catalogue, store: Store, results: Callable[[], Sequence[TrialResult]], title: str) -> LiveReport:
    from harness.evidence import StoredEvidence
    from harness.reporting import leaderboard_of, rendered
    from harness.serving import LiveReport

    def render(version: str) -> bytes:
        board = leaderboard_of(results(), store, catalogue, title=title)
        evidence = StoredEvidence(store, catalogue)  # what it remembers is of this moment
        (page,) = rendered(board, catalogue.reporter(f"html,live={version}"), evidence).files.values()
        return page

    return LiveReport(store, render)
