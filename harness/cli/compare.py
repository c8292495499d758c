"""`harness compare`: two stored trials, sample by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from harness.cli.session import Session


@click.command("compare")
@click.argument("a", metavar="TRIAL_A")
@click.argument("b", metavar="TRIAL_B")
@click.option(
    "--flips",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Show so many of the samples that only one has right, of each direction.",
)
@options.store
@options.form("table", "markdown", "json", default="table")
@options.tasks_path
@click.pass_obj
def command(session: Session, /, *, a: str, b: str, flips: int, store: str | None, form: str) -> None:
    """Is the difference of two trials real? Paired tests over the same samples, and the samples that flipped.

    A trial is MODEL/STRATEGY[/TASK][/SEED] as in the report, or at least 6 characters of its key.
    """
    from harness.comparing import compare, metrics_of, specification
    from harness.comparisontext import as_json, as_markdown, as_text
    from harness.evidence import StoredEvidence
    from harness.selecting import select_pair

    with plugins_at_work(), session.store(store, must_exist=True) as opened:
        first, second = select_pair(opened, a, b)
        catalogue = session.catalogue
        metrics = metrics_of(first, opened, catalogue)
        spec = specification(first.trial, opened, catalogue)
        evidence = StoredEvidence(opened, catalogue)
        with catalogue.assets.offline_for_now(), catalogue.models.only_kept():
            comparison = compare(first, second, evidence, metrics, spec, flips=flips)
    click.echo({"table": as_text, "markdown": as_markdown, "json": as_json}[form](comparison))
