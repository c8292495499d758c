"""plan -> executor -> store: the only orchestrator."""

from __future__ import annotations

import dataclasses
import logging
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.auditing import audit
from harness.errors import StoreError
from harness.machine import here
from harness.manifest import revision
from harness.messages import TrialEnded
from harness.planning import plan
from harness.scoredby import asked_in
from harness.scoring import coverage, score
from harness.worker import TrialWorker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.catalogue import Catalogue
    from harness.messages import Job, Message
    from harness.records import Component, Coverage, Experiment, Trial, TrialResult, TrialStatus
    from harness.store import Store

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Somebody who follows a run: a progress bar."""

    def planned(self, jobs: Sequence[Job], todo: Sequence[Job]) -> None:
        """All jobs, and those that have something left to do."""

    def heard(self, message: Message) -> None:
        """A message has been stored."""


class Silence:
    """A watcher that shows nothing."""

    def planned(self, jobs: Sequence[Job], todo: Sequence[Job]) -> None:
        """Show nothing."""

    def heard(self, message: Message) -> None:
        """Show nothing."""


def run_experiment(
    experiment: Experiment, catalogue: Catalogue, store: Store, *, rerun: bool = False, watcher: Watcher | None = None
) -> tuple[TrialResult, ...]:
    """Run what is not finished yet, store it as it happens, and give the results of all trials in their planned order.

    Args:
        experiment: the grid.
        catalogue: makes the parts.
        store: holds what earlier runs finished and takes what this one does.
        rerun: start all trials anew.
        watcher: is told of progress.

    Raises:
        HarnessError: for what people wrote, or when the store fails; errors within a trial are its result.
        KeyboardInterrupt: when interrupted; what was done is stored.
    """
    watcher = watcher or Silence()
    todo: list[Job] = []
    jobs = plan(experiment, catalogue)
    trials = [job.trial for job in jobs]
    run = store.begin_run(experiment, environment(catalogue))
    status = "failed"
    catalogue.plugins.notify("run_started", run=experiment)
    try:
        store.plan(run, trials, rerun=rerun)
        todo = [left for job in jobs if (left := remaining(job, experiment, catalogue, store)) is not None]
        watcher.planned(jobs, todo)
        _work(todo, experiment, catalogue, store, watcher)
        audit(jobs, catalogue, store)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        store.end_run(run, status)
        results = _results(trials, {job.trial.key for job in todo}, experiment, store)
        catalogue.plugins.notify("run_finished", run=experiment, result=results)
    return results


def _work(todo: Sequence[Job], experiment: Experiment, catalogue: Catalogue, store: Store, watcher: Watcher) -> None:
    by_key = {job.trial.key: job for job in todo}
    executor = catalogue.executor(experiment.executor)
    for message in executor.execute(todo, partial(TrialWorker, catalogue)):
        store.apply(message)
        if isinstance(message, TrialEnded):
            if message.failed:
                log.warning(
                    "%s failed: %s (--debug shows where)",
                    describe(by_key[message.key]),
                    " ".join(message.reason.split()),
                )
                log.debug("%s", message.traceback)
            else:
                finish(by_key[message.key], catalogue, store)
        watcher.heard(message)


def _results(
    trials: Sequence[Trial], worked: set[str], experiment: Experiment, store: Store
) -> tuple[TrialResult, ...]:
    """The trials' results in their planned order, with the latencies that were asked for.

    Those that nothing was done for are marked as cached.
    """
    asked = {str(scenario) for scenario in experiment.scenarios}
    found = {result.trial.key: result for result in store.results(keys=[trial.key for trial in trials])}
    known = [found[trial.key] for trial in trials if trial.key in found]
    return tuple(
        dataclasses.replace(
            result,
            cached=result.status == "finished" and result.trial.key not in worked,
            latency={name: measured for name, measured in result.latency.items() if name in asked},
        )
        for result in known
    )


def remaining(job: Job, experiment: Experiment, catalogue: Catalogue, store: Store) -> Job | None:
    """The job with what is left of it; None where nothing is. Scores by other metrics than today's are made anew."""
    if job.trial.refusal:
        return None
    progress = store.progress(job.trial.key)
    missing = tuple(scenario for scenario in experiment.scenarios if str(scenario) not in progress.scenarios)
    if progress.status == "finished":
        stored = store.scored_by(job.trial.key)
        if stored != catalogue.metrics_version(job.task, catalogue.known_metrics(asked_in(stored))):
            finish(job, catalogue, store)
    if progress.status == "finished" and not missing:
        return None
    return dataclasses.replace(
        job,
        done=progress.done,
        timings=progress.timings,
        scenarios=missing,
        manifest={**job.manifest, **revision(catalogue.task(job.task).path)},
    )


def finish(job: Job, catalogue: Catalogue, store: Store, asked: Sequence[str] = ()) -> None:
    """Score a trial as `score_trial` does; a metric that fails costs this trial, not the run."""
    try:
        score_trial(job.trial, job.task, catalogue, store, asked)
    except StoreError:
        raise
    except Exception as error:
        reason = f"a metric failed: {type(error).__name__}: {error}"
        log.warning("%s: %s (--debug shows where)", describe(job), reason)
        log.debug("where:", exc_info=error)
        store.apply(TrialEnded(job.trial.key, failed=True, reason=reason, traceback=traceback.format_exc()))


def score_trial(trial: Trial, task: Component, catalogue: Catalogue, store: Store, asked: Sequence[str] = ()) -> None:
    """Score a trial whose samples are all stored.

    Args:
        trial: the trial.
        task: its task, where it lies.
        catalogue: makes the metrics.
        store: where the trial is.
        asked: names of metrics beside the task's and those that the trial has been scored by before.

    Raises:
        Exception: whatever a metric raises.
    """
    data, key = catalogue.task(task), trial.key
    before = catalogue.known_metrics(asked_in(store.scored_by(key)))
    asked = tuple(dict.fromkeys((*before, *asked)))
    predictions = store.predictions(key)
    covered = coverage(predictions)
    metrics, contexts = score(predictions, data.spec, catalogue.metrics_of(data, predictions, asked))
    status, reason = _status(covered, len(predictions), trial.n)
    store.finish(
        key,
        status=status,
        reason=reason,
        coverage=covered,
        metrics=metrics,
        contexts=contexts,
        scored_by=catalogue.metrics_version(task, asked),
    )


def _status(covered: Coverage, stored: int, expected: int) -> tuple[TrialStatus, str]:
    if covered.failed or stored < expected:
        return "partial", f"{covered.failed + expected - stored} of {expected} samples failed"
    return "finished", ""


def environment(catalogue: Catalogue) -> Mapping[str, str]:
    """What stands beside a run: the machine, and the plugins of others."""
    ours = f"adapt-harness {here()['harness']}"
    others = sorted({info.source for info in catalogue.plugins.infos() if not info.error and info.source != ours})
    return here() | ({"other plugins": ", ".join(others)} if others else {}) | {"folder": str(Path.cwd())}


def describe(job: Job) -> str:
    """A trial in words."""
    trial = job.trial
    return f"{trial.model} on {trial.task} by {trial.strategy} (seed {trial.seed})"
