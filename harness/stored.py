"""Rows of the results database -> records."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import sqlalchemy as sa

from harness.messages import ChunkTiming
from harness.packed import Packed, Places
from harness.records import (
    CleanScore,
    Component,
    ContextScore,
    Costs,
    Coverage,
    Estimate,
    Exclusion,
    Experiment,
    LabelBudget,
    Outcome,
    Prediction,
    Trial,
    TrialResult,
    TrialStatus,
    Usage,
)
from harness.schema import latencies, predictions, run_trials, runs, timings, trials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection, Row

    AnyRow: TypeAlias = Row[*tuple[Any, ...]]

T = TypeVar("T")

BATCH = 500
"""How many values stand in one IN (...): every database takes as many."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is stored of a trial: places of answered (not failed) samples, timed chunks, measured scenarios."""

    status: TrialStatus
    done: Places
    timings: tuple[ChunkTiming, ...]
    scenarios: frozenset[str]


@dataclass(frozen=True, slots=True)
class StoreState:
    """What a store has now: `version` changes whenever a report would; `running`: key -> samples answered so far."""

    version: str
    running: Mapping[str, int]


def read_progress(connection: Connection, trial: int) -> Progress:
    """What is stored of the trial with this number."""
    of_trial = predictions.c.trial == trial
    answered = sa.select(predictions.c.position).where(of_trial, predictions.c.status != "failed")
    timed = sa.select(timings).where(timings.c.trial == trial).order_by(timings.c.chunk)
    measured = sa.select(latencies.c.scenario).where(latencies.c.trial == trial)
    return Progress(
        status=connection.execute(sa.select(trials.c.status).where(trials.c.id == trial)).scalar_one(),
        done=Places(connection.execute(answered.order_by(predictions.c.position)).scalars()),
        timings=tuple(ChunkTiming(*row[1:]) for row in connection.execute(timed)),
        scenarios=frozenset(connection.execute(measured).scalars()),
    )


def read_predictions(connection: Connection, key: str) -> Sequence[Prediction]:
    """A trial's predictions, in the data's order."""
    columns = (column for column in predictions.c if column.name not in ("trial", "position"))
    query = sa.select(*columns).join(trials).where(trials.c.key == key).order_by(predictions.c.position)
    return Packed(map(tuple, connection.execute(query)), _prediction)


def read_outcomes(connection: Connection, key: str) -> Iterator[Outcome]:
    """What became of the samples that a trial has answered, in the data's order."""
    c = predictions.c
    query = sa.select(c.sample_id, c.target, c.prediction, c.cluster_name, c.judged).join(trials)
    query = query.where(trials.c.key == key, c.status != "failed").order_by(c.position)
    for sample, target, prediction, cluster, judged in connection.execute(query):
        yield Outcome(sample, prediction == target if judged is None else bool(judged), target, cluster)


def known(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[int, TrialStatus]]:
    """Key -> number and status, of the trials that are stored."""
    query = sa.select(trials.c.key, trials.c.id, trials.c.status)
    rows = (row for batch in batches(list(keys)) for row in connection.execute(query.where(trials.c.key.in_(batch))))
    return {row.key: (row.id, row.status) for row in rows}


def links(connection: Connection, run: int | None, keys: Sequence[str] | None) -> list[AnyRow]:
    """Each trial (of a run, of these keys) once, as the newest run named it.

    Without run and keys: and each name once, for the trial that had it last.
    """
    c = run_trials.c
    query = sa.select(c.id, c.trial, c.model, c.task, c.strategy, c.seed, c.split, c.sample_limit)
    query = query.order_by(c.run.desc(), c.id)
    if run is not None:
        query = query.where(c.run == run)
    wanted = None if keys is None else {number for number, _ in known(connection, keys).values()}
    chosen, seen = [], set()
    for link in connection.execute(query):
        name = tuple(link)[2:] if run is None and keys is None else link.trial
        if (wanted is None or link.trial in wanted) and link.trial not in seen and name not in seen:
            chosen.append(link)
            seen |= {link.trial, name}
    return chosen


def read_results(connection: Connection, chosen: Sequence[int], *, of_run: bool) -> Iterator[TrialResult]:
    """The trials of links, in the links' order; whether a run found them finished is told only `of_run`."""
    columns = [
        column for column in trials.c if column.name not in ("id", "key", "traceback", "scored_by", "audited_by")
    ]
    query = sa.select(run_trials.c.trial, run_trials.c.cached, run_trials.c.description, *columns).join(trials)
    measured = sa.select(latencies).order_by(latencies.c.scenario)
    for batch in batches(sorted(chosen)):
        rows = list(connection.execute(query.where(run_trials.c.id.in_(batch)).order_by(run_trials.c.id)))
        latency: dict[int, dict[str, Mapping[str, float | None]]] = {row.trial: {} for row in rows}
        for row in connection.execute(measured.where(latencies.c.trial.in_(latency))):
            latency[row.trial][row.scenario] = {name: _number(value) for name, value in row.measured.items()}
        yield from (_result(row, latency[row.trial], cached=of_run and row.cached) for row in rows)


def read_experiment(connection: Connection, trial: int) -> Experiment:
    """The experiment of the newest run that lists the trial with this number."""
    query = sa.select(runs.c.experiment).join(run_trials, run_trials.c.run == runs.c.id)
    query = query.where(run_trials.c.trial == trial).order_by(runs.c.id.desc()).limit(1)
    told = connection.execute(query).scalar_one()
    several = ("models", "tasks", "strategies", "scenarios")
    parts = {name: tuple(Component(**one) for one in told[name]) for name in several}
    left_out = tuple(Exclusion(**one) for one in told.get("exclude", ()))
    numbers = {name: tuple(told.get(name, ())) for name in ("seeds", "sizes")}
    return Experiment(**(told | parts | numbers | {"executor": Component(**told["executor"]), "exclude": left_out}))


def read_state(connection: Connection) -> StoreState:
    """What a store has now."""
    counted = sa.select(predictions.c.trial, sa.func.count().label("n")).group_by(predictions.c.trial).subquery()
    answered = sa.func.coalesce(counted.c.n, 0)
    query = sa.select(trials.c.key, trials.c.status, trials.c.scored_by, answered).outerjoin(counted)
    measured = connection.execute(sa.select(sa.func.count()).select_from(latencies)).scalar_one()
    listed = connection.execute(sa.select(sa.func.max(run_trials.c.id))).scalar()
    found = [tuple(row) for row in connection.execute(query.order_by(trials.c.id))]
    version = hashlib.sha256(repr((found, measured, listed)).encode()).hexdigest()[:16]
    return StoreState(version, {key: n for key, status, _, n in found if status == "running"})


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut into pieces that fit one IN (...)."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _result(row: AnyRow, latency: Mapping[str, Mapping[str, float | None]], *, cached: bool) -> TrialResult:
    contexts: Mapping[str, Mapping[str, Any]] = row.contexts or {}
    return TrialResult(
        trial=_trial(row.description),
        status=row.status,
        reason=row.reason,
        coverage=Coverage(**(row.coverage or {})),
        metrics=_estimates(row.metrics or {}),
        contexts={name: ContextScore(score["n"], _estimates(score["metrics"])) for name, score in contexts.items()},
        latency=latency,
        costs=Costs(**{one.name: getattr(row, one.name) for one in dataclasses.fields(Costs)}),
        budget=None if row.budget is None else LabelBudget(**row.budget),
        notes=tuple(row.notes or ()),
        provenance=row.provenance or {},
        details=row.details or {},
        cached=cached,
        manifest=row.manifest or {},
        clean=None if row.clean is None else _clean(row.clean),
    )


def _clean(stored: Mapping[str, Any]) -> CleanScore:
    return CleanScore(stored["n"], _estimates(stored["metrics"]), stored["left_out"])


def _trial(description: Mapping[str, Any]) -> Trial:
    told = dict(description)
    components = {name: Component(**told[name]) for name in ("model", "task", "strategy", "source") if told.get(name)}
    before = told.pop("baseline", None)  # in schema 2 there was one, without its name
    told["losses"] = tuple(told.get("losses", ()))
    return Trial(**({"baselines": {"its baseline": before} if before else {}} | told | components))


def _estimates(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, Estimate]:
    bounds = ("value", "low", "high")
    return {name: Estimate(*(float(estimate[bound]) for bound in bounds)) for name, estimate in stored.items()}


def _number(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, str) else value


def _prediction(values: tuple[Any, ...]) -> Prediction:
    """Of the columns of `predictions` but trial and position, in their order."""
    sample_id, target, prediction, status, scores, text, context, *usage, latency_ms, reason, cluster = values[:-2]
    measured, judged = values[-2:]
    numbers, used = tuple(map(float, scores)), Usage(*usage)
    found = Prediction(sample_id, target, prediction, status, numbers, text, context, used, latency_ms, reason, cluster)
    if measured is None and judged is None:
        return found
    return dataclasses.replace(found, measured=measured or {}, judged=None if judged is None else bool(judged))
