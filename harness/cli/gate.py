"""`harness gate`: fails a build when a metric fell or a latency rose beyond its tolerance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from harness.cli.session import Session


@click.command("gate")
@click.argument("baseline", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--write", is_flag=True, help="Write BASELINE from the store's finished trials instead of checking it.")
@options.filters
@options.store
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="[METRIC=]NUMBER",
    help="By how much a metric may be worse; may be repeated. [default: the baseline's, 0.01]",
)
@click.option(
    "--latency-tolerance",
    type=click.FloatRange(min=0),
    metavar="SHARE",
    help="By what share a sample may take longer. [default: the baseline's, 0.25]",
)
@click.option("--no-latency", is_flag=True, help="Leave times alone.")
@click.option(
    "--level",
    type=click.FloatRange(min=0.5, max=1, min_open=True, max_open=True),
    metavar="SHARE",
    help="How sure to be, over all checks, before failing. [default: the baseline's, 0.99]",
)
@click.option("--allow-missing", is_flag=True, help="Trials that are not in the store don't fail the gate.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit XML too.")
@click.option("--annotations", is_flag=True, help="Write GitHub's annotations to standard error.")
@options.form("table", "json", default="table")
@options.tasks_path
@click.pass_obj
def command(session: Session, /, **chosen: Any) -> int:  # noqa: ANN401 - an option each
    """Check the store's trials against a baseline file; exit status 1 when one is surely worse than is tolerated.

    Tests are paired, sample by sample, and one-sided: noise fails one build in a hundred (see --level).
    """
    from harness.gatefile import Told, check_store, tolerances, write_from_store
    from harness.gatereport import as_annotations, as_json, as_junit, as_lines

    path: Path = chosen["baseline"]
    told = Told(
        level=chosen["level"],
        tolerance=tolerances(chosen["tolerances"]),
        latency_tolerance=chosen["latency_tolerance"],
        latency=not chosen["no_latency"],
        allow_missing=chosen["allow_missing"],
    )
    filters = {name: chosen[name] for name in ("models", "tasks", "strategies")}
    with plugins_at_work(), session.store(chosen["store"], must_exist=True) as opened:
        if chosen["write"]:
            number = write_from_store(path, opened, session.catalogue, filters, told)
        else:
            checks = check_store(path, opened, session.catalogue, filters, told)
    if chosen["write"]:
        click.echo(f"wrote {number} trials to {path}")
        return 0
    if chosen["junit"] is not None:
        chosen["junit"].write_bytes(as_junit(checks))
    if chosen["annotations"] and (said := as_annotations(checks)):
        click.echo(said, err=True)
    click.echo(as_json(checks) if chosen["form"] == "json" else as_lines(checks))
    return 1 if any(one.verdict == "failed" for one in checks) else 0
