"""The results database: written as results come in, in transactions, so that whatever stops a run leaves what was done.

A trial is stored once under its content-addressed key, whichever runs ask for it; a run lists its trials. Samples are
stored chunk by chunk with the chunk's timing; a sample that is answered again replaces its row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa

from harness import storing
from harness.database import open_database, shown, store_errors
from harness.errors import StoreError, UsageError
from harness.messages import ChunkScored, LatencyMeasured, TrialEnded, TrialStarted
from harness.schema import latencies, predictions, run_trials, runs, timings, trials
from harness.stored import (
    Progress,
    StoreState,
    batches,
    known,
    links,
    read_experiment,
    read_outcomes,
    read_predictions,
    read_progress,
    read_results,
    read_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from harness.messages import Message
    from harness.records import (
        CleanScore,
        ContextScore,
        Coverage,
        Estimate,
        Experiment,
        Outcome,
        Prediction,
        Trial,
        TrialResult,
        TrialStatus,
    )

T = TypeVar("T")

HINT = "harness report --format json shows keys"


class Store:
    """The results database at a SQLAlchemy URL or a file's path (SQLite). Every write is one transaction.

    Raises:
        StoreError: from every method, in one line, with what to do.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_database(url)
        self._writing = self._engine.execution_options(writes=True)
        self._name = shown(self._engine.url)
        self._numbers: dict[str, int] = {}  # of trials, by key

    def close(self) -> None:
        """Close the connections."""
        with store_errors(self._name):
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- runs --------------------------------------------------------------------------------------

    def begin_run(self, experiment: Experiment, environment: Mapping[str, str]) -> int:
        """Note that a run starts and on what machine; the run's number."""
        row = {"name": experiment.name, "experiment": experiment, "environment": environment}
        insert = runs.insert().values(status="running", started=_now(), **row)
        return self._write(lambda connection: int(connection.execute(insert.returning(runs.c.id)).scalar_one()))

    def end_run(self, run: int, status: str) -> None:
        """Note how a run ended: `finished`, `failed` or `interrupted`."""
        update = runs.update().where(runs.c.id == run).values(status=status, ended=_now())
        self._write(lambda connection: connection.execute(update))

    def environment(self, run: int | None = None) -> dict[str, str]:
        """The machine that a run (the newest, unless told) ran on; empty where there was none."""
        query = sa.select(runs.c.environment).order_by(runs.c.id.desc()).limit(1)
        if run is not None:
            query = query.where(runs.c.id == run)
        return dict(self._read(lambda connection: connection.execute(query).scalar()) or {})

    def folder(self, key: str) -> str | None:
        """The folder in which a trial was planned last, where paths that it names begin; None where it isn't known."""
        planned = run_trials.join(trials).join(runs)
        query = sa.select(runs.c.environment).select_from(planned).where(trials.c.key == key)
        newest = query.order_by(runs.c.id.desc()).limit(1)
        environment = self._read(lambda connection: connection.execute(newest).scalar()) or {}
        found: str | None = environment.get("folder")
        return found

    def plan(self, run: int, trials: Sequence[Trial], *, rerun: bool = False) -> None:
        """List a run's trials; known ones keep all that is stored of them, unless they are to be run again."""
        self._write(lambda connection: _plan(connection, run, {trial.key: trial for trial in trials}, rerun=rerun))

    # --- trials ------------------------------------------------------------------------------------

    def progress(self, key: str) -> Progress:
        """What is stored of a trial."""
        return self._read(lambda connection: read_progress(connection, self._number(connection, key)))

    def apply(self, message: Message) -> None:
        """Store what a worker tells."""

        def write(connection: Connection) -> None:
            trial = self._number(connection, message.key)
            # Writers of one trial wait for one another (SQLite's writers always do, and ignore this).
            connection.execute(sa.select(trials.c.id).where(trials.c.id == trial).with_for_update())
            match message:
                case TrialStarted():
                    storing.start(connection, trial, message)
                case ChunkScored():
                    storing.score(connection, trial, message)
                case LatencyMeasured():
                    storing.measure(connection, trial, message)
                case TrialEnded(failed=True):
                    said = {"reason": storing.text(message.reason), "traceback": storing.text(message.traceback)}
                    connection.execute(trials.update().where(trials.c.id == trial).values(status="failed", **said))
                case TrialEnded():
                    pass  # finished or partial: that is known when its metrics are, see `finish`

        self._write(write)

    def derive(self, source: str, key: str, told: Mapping[str, Any]) -> None:
        """Give a planned trial what the one that it is made of took; see `harness.storing.derive`.

        Args:
            source: key of the trial that was run.
            key: of the one that is made of its texts.
            told: columns that differ.
        """
        self._write(
            lambda connection: storing.derive(
                connection, self._number(connection, source), self._number(connection, key), told
            )
        )

    def finish(  # noqa: PLR0913 - a trial's scores, all by keyword
        self,
        key: str,
        *,
        status: TrialStatus,
        reason: str,
        coverage: Coverage,
        metrics: Mapping[str, Estimate],
        contexts: Mapping[str, ContextScore],
        scored_by: str,
    ) -> None:
        """Store a trial's scores; `scored_by` is a digest of the metrics that made them, names and versions."""
        scores = {"coverage": coverage, "metrics": metrics, "contexts": contexts, "scored_by": scored_by}
        values = {"status": status, "reason": storing.text(reason), **scores, "clean": None, "audited_by": None}

        def write(connection: Connection) -> None:
            connection.execute(trials.update().where(trials.c.id == self._number(connection, key)).values(values))

        self._write(write)

    def scored_by(self, key: str) -> str | None:
        """The digest that `finish` stored; None for a trial without scores."""
        query = sa.select(trials.c.scored_by).where(trials.c.key == key)
        return self._read(lambda connection: connection.execute(query).scalar())

    def audited_by(self, key: str) -> str | None:
        """The mark that `audit` stored; empty for a trial that has scores and no mark, None for one without scores."""
        query = sa.select(trials.c.audited_by).where(trials.c.key == key, trials.c.scored_by.is_not(None))
        row = self._read(lambda connection: connection.execute(query).first())
        return None if row is None else row[0] or ""

    def audit(self, key: str, mark: str, clean: CleanScore) -> None:
        """Store a trial's scores without samples that repeat other rows; `mark` says what they were made of."""
        update = trials.update().where(trials.c.key == key).values(clean=clean, audited_by=mark)
        self._write(lambda connection: connection.execute(update))

    # --- results -----------------------------------------------------------------------------------

    def results(
        self,
        *,
        run: int | None = None,
        keys: Sequence[str] | None = None,
        models: Sequence[str] = (),
        tasks: Sequence[str] = (),
        strategies: Sequence[str] = (),
    ) -> list[TrialResult]:
        """Trials with what is known of them, in the order in which they were planned.

        Args:
            run: those of one run; `cached` says which of them it found finished (without a run, none are).
            keys: only these.
            models: globs over the components as people wrote them; empty for all.
            tasks: see `models`.
            strategies: see `models`.

        Without run and keys: the newest for each model, task, strategy, seed, split and limit.
        """
        globs = {"model": models, "task": tasks, "strategy": strategies}

        def read(connection: Connection) -> list[TrialResult]:
            chosen = [
                link.id
                for link in links(connection, run, keys)
                if all(_matches(getattr(link, part), patterns) for part, patterns in globs.items())
            ]
            return list(read_results(connection, chosen, of_run=run is not None))

        return self._read(read)

    def predictions(self, key: str) -> Sequence[Prediction]:
        """What a trial said of its samples, in the data's order; empty for one that said nothing or isn't there.

        They are held packed (`harness.packed`): whoever goes through them holds one block at a time.
        """
        return self._read(lambda connection: read_predictions(connection, key))

    def outcomes(self, key: str) -> Iterator[Outcome]:
        """What became of the samples that a trial has answered, in the data's order."""
        with store_errors(self._name), self._engine.begin() as connection:
            yield from read_outcomes(connection, key)

    def experiment(self, key: str) -> Experiment:
        """The experiment of the newest run that asked for a trial.

        Raises:
            StoreError: when no run did.
        """
        return self._read(lambda connection: read_experiment(connection, self._number(connection, key)))

    def state(self) -> StoreState:
        """What there is now, cheap enough to be asked for every second."""
        return self._read(read_state)

    def resolve(self, prefix: str) -> str:
        """The key of the trial that begins so.

        Raises:
            UsageError: for fewer than 6 characters, for none, and for several.
        """
        if len(prefix) < 6:
            raise UsageError(f"{prefix!r} is too short for a trial", hint=f"give 6 or more characters; {HINT}")
        query = sa.select(trials.c.key).where(trials.c.key.startswith(prefix, autoescape=True)).limit(3)
        found = self._read(lambda connection: list(connection.execute(query).scalars()))
        if not found:
            raise UsageError(f"no trial in {self._name} begins with {prefix!r}", hint=HINT)
        if len(found) > 1:
            raise UsageError(f"several trials begin with {prefix!r}", hint="give more of " + " or ".join(found))
        return str(found[0])

    # --- transactions ------------------------------------------------------------------------------

    def _read(self, work: Callable[[Connection], T]) -> T:
        with store_errors(self._name), self._engine.begin() as connection:
            return work(connection)

    def _write(self, work: Callable[[Connection], T]) -> T:
        with store_errors(self._name):
            try:
                with self._writing.begin() as connection:
                    return work(connection)
            except sa.exc.IntegrityError:
                # Where writers don't wait for one another (not SQLite), two may insert one row; now it can be seen.
                with self._writing.begin() as connection:
                    return work(connection)

    def _number(self, connection: Connection, key: str) -> int:
        if key not in self._numbers:
            found = known(connection, [key])
            if key not in found:
                raise StoreError(f"{self._name} has no trial {key[:12]}", hint="it has to be planned first")
            self._numbers[key] = found[key][0]
        return self._numbers[key]


def _plan(connection: Connection, run: int, planned: Mapping[str, Trial], *, rerun: bool) -> None:
    before = known(connection, planned)
    new = [
        {"key": key, "status": "not-applicable" if trial.refusal else "planned", "reason": trial.refusal}
        for key, trial in planned.items()
        if key not in before
    ]
    if new:
        connection.execute(trials.insert(), new)
    if rerun:
        _empty(connection, [number for number, status in before.values() if status != "not-applicable"])
    numbers = {key: number for key, (number, _) in known(connection, planned).items()}
    for batch in batches(list(numbers.values())):
        connection.execute(run_trials.delete().where(run_trials.c.run == run, run_trials.c.trial.in_(batch)))
    found_finished = {key for key, (_, status) in before.items() if status == "finished" and not rerun}
    rows = [
        {
            "run": run,
            "trial": numbers[key],
            "cached": key in found_finished,
            "model": str(trial.model),
            "task": str(trial.task),
            "strategy": str(trial.strategy),
            "seed": trial.seed,
            "split": trial.split,
            "sample_limit": trial.limit,
            "description": trial,
        }
        for key, trial in planned.items()
    ]
    if rows:
        connection.execute(run_trials.insert(), rows)


def _empty(connection: Connection, numbers: Sequence[int]) -> None:
    """Forget all that is known of trials."""
    kept = {"id", "key", "status", "reason", "traceback"}
    nothing: dict[str, Any] = {column.name: None for column in trials.c if column.name not in kept}
    for batch in batches(numbers):
        for table in (predictions, timings, latencies):
            connection.execute(table.delete().where(table.c.trial.in_(batch)))
        blank = nothing | {"status": "planned", "reason": "", "traceback": ""}
        connection.execute(trials.update().where(trials.c.id.in_(batch)).values(blank))


def _matches(text: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
