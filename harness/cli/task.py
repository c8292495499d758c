"""`harness task new`: writes a task file for data by looking at its columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from harness.cli.session import Session


@click.group("task")
def command() -> None:
    """Make task files."""


@command.command("new")
@click.argument("data", metavar="DATA")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to.",
)
@click.option("--kind", metavar="KIND", help="Of the task; guessed unless told.")
@click.option("--target", metavar="COLUMN", help="The column with the answer.")
@click.option("--text", "texts", metavar="COLUMN", multiple=True, help="A column of the question; may be repeated.")
@click.option("--name", metavar="NAME", help="Of the task; made of the data's unless told.")
@click.pass_obj
def new(  # noqa: PLR0913 - the options of one command
    session: Session,
    /,
    *,
    data: str,
    output: Path,
    kind: str | None,
    target: str | None,
    texts: tuple[str, ...],
    name: str | None,
) -> int:
    """Write a task file for DATA: a file, a folder, a glob or an address (hf://, pypi://).

    Kind, fields, labels and splits are guessed from its columns, and comments in the file say why. Rows may be JSONL,
    JSON, CSV, TSV, Parquet, SQuAD's JSON or texts, also in the shapes of OpenAI's evals, Inspect or HELM.
    """
    from harness.drafting import draft
    from harness.errors import UsageError
    from harness.guessing import Wanted

    with plugins_at_work():
        made = draft(data, session.assets, output, Wanted(kind, target, texts), name=name)  # type: ignore[arg-type] # it checks the kind
    path = output / f"{made.name}.yaml"
    output.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(made.text)
    except FileExistsError:
        raise UsageError(f"{str(path)!r} is there already", hint="name another by --name, or remove it") from None
    click.echo(f"{path}: {made.kind}, since {made.because}")
    return _checked(session, path)


def _checked(session: Session, path: Path) -> int:
    """Check what was written, as `harness check` does; its exit status."""
    from harness.checking import check_task
    from harness.components import parse_component
    from harness.errors import ConfigError, HarnessError
    from harness.findings import of_error

    try:
        with plugins_at_work():
            data = session.catalogue.task(parse_component(str(path)))
            findings = check_task(data.task, session.catalogue.metrics_of(data))
    except HarnessError as error:
        findings = [of_error(error)]
    click.echo("\n".join(f"  {finding}" for finding in findings))
    return ConfigError.exit_code if any(finding.level == "error" for finding in findings) else 0
