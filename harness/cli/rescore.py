"""`harness rescore`: new metrics, or a corrected extraction, for stored trials, without asking a model."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options
from harness.cli.output import plugins_at_work
from harness.errors import UsageError
from harness.quoting import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cli.session import Session
    from harness.records import TrialResult
    from harness.rescoring import Rescored


@click.command("rescore")
@options.filters
@options.store
@click.option(
    "--metrics",
    "metrics",
    multiple=True,
    metavar="NAME,...",
    help="Metrics beside the task's, parameters behind their names: bleu,f1,label=spam; may be repeated.",
)
@click.option(
    "--task-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A corrected task file, read in the place of the trials' own.",
)
@options.form("text", "json", default="text")
@options.tasks_path
@click.pass_obj
def command(  # noqa: PLR0913 - an option each
    session: Session,
    *,
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    strategies: tuple[str, ...],
    store: str | None,
    metrics: tuple[str, ...],
    task_file: Path | None,
    form: str,
) -> int:
    """Score stored trials anew, with further metrics or a corrected extraction; -m, -t and -s choose by glob.

    No model is asked what it has answered already. Where the task's `extract` has changed, the answers found now become
    a trial of their own, and the one before stays. The exit status is 0 where every trial was scored, else 1.
    """
    from harness.records import Component
    from harness.rescoring import rescore

    names = tuple(name for text in metrics for name in parts(text))
    task = None if task_file is None else Component(str(task_file.absolute()))
    with session.store(store, must_exist=True) as opened:
        results = opened.results(models=models, tasks=tasks, strategies=strategies)
        if task is not None:
            named = session.catalogue.task(task).spec.name
            results = [result for result in results if result.trial.task.name == named]
        if not results:
            raise UsageError("no stored trial matches", hint="harness report shows what there is")
        with plugins_at_work():
            found = rescore(results, opened, session.catalogue, asked=names, task=task)
    click.echo(json.dumps(list(map(_plain, found)), indent=2, ensure_ascii=False) if form == "json" else _text(found))
    return 1 if any(one.done == "refused" for one in found) else 0


def _text(found: Sequence[Rescored]) -> str:
    """A block a trial: what was done, and each score before and now."""
    return "\n\n".join("\n".join(_lines(one)) for one in found)


def _lines(one: Rescored) -> list[str]:
    trial = one.before.trial
    head = f"{trial.model} on {trial.task} by {trial.strategy} (seed {trial.seed})"
    if one.after is None:
        return [f"{head}: refused: {one.reason}"]
    if one.done == "extraction":
        what = (
            f"{one.changed:,} of {trial.n:,} answers are others; {trial.key[:12]} stays, now {one.after.trial.key[:12]}"
        )
    else:
        what = f"scored anew ({trial.key[:12]})"
    names = dict.fromkeys((*one.after.metrics, *one.before.metrics))
    width = max(map(len, names), default=0)
    scores = [f"  {name:<{width}}  {_score(one.before, name)} -> {_score(one.after, name)}" for name in names]
    lacking = [f"  {name}: these answers have no value of it" for name in one.lacking]
    return [f"{head}: {what}", *scores, *lacking]


def _score(result: TrialResult, name: str) -> str:
    found = result.metrics.get(name)
    return "none" if found is None else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _plain(one: Rescored) -> dict[str, object]:
    trial, after = one.before.trial, one.after
    return {
        "model": str(trial.model),
        "task": str(trial.task),
        "strategy": str(trial.strategy),
        "seed": trial.seed,
        "done": one.done,
        "reason": one.reason,
        "before": trial.key,
        "now": None if after is None else after.trial.key,
        "changed": one.changed,
        "lacking": list(one.lacking),
        "metrics": {
            name: {"before": _value(one.before, name), "now": None if after is None else _value(after, name)}
            for name in dict.fromkeys((*(after.metrics if after else ()), *one.before.metrics))
        },
    }


def _value(result: TrialResult, name: str) -> float | None:
    found = result.metrics.get(name)
    return found.value if found is not None and isfinite(found.value) else None
