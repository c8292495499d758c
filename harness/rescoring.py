"""New metrics, or answers found in another way, for stored trials: no model is asked what it has answered already.

Where the task finds answers in texts as it did, a trial's scores are made anew and its key stays. Where its `extract`
has changed, the trial that a run would now plan is made of the stored texts, under that trial's own key; the stored one
stays as it is. A run that plans it later finds it finished.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.auditing import audit
from harness.bridging import MeasuresItself, asks_itself
from harness.errors import HarnessError
from harness.manifest import RESCORED, of_task
from harness.messages import ChunkScored, Job
from harness.origin import experiment_of, task_of
from harness.planning import plan
from harness.preview import adapted_dry
from harness.records import Generate, Generated
from harness.runner import environment, finish, score_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.catalogue import Catalogue
    from harness.interfaces import Adapted
    from harness.records import Component, Experiment, Prediction, Sample, Trial, TrialResult
    from harness.store import Store
    from harness.taskdata import TaskData

Done: TypeAlias = Literal["metrics", "extraction", "refused"]

TOGETHER = 1000
"""Predictions that are decided and stored at once."""

BESIDE = frozenset({"metrics", "task revision", "limit"})
"""Fields of a manifest, beside the digests of files, that are in no key."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rescored:
    """What became of a stored trial.

    Attributes:
        before: as it was stored.
        done: `metrics`: its scores were made anew; `extraction`: another trial was made of its texts; or `refused`.
        after: with the scores of now; None where it was refused.
        reason: why it was.
        changed: how many answers are others than before.
        lacking: names of metrics that these answers have no value of.
    """

    before: TrialResult
    done: Done
    after: TrialResult | None = None
    reason: str = ""
    changed: int = 0
    lacking: tuple[str, ...] = ()


class _RefusedError(Exception):
    """A trial can't be rescored; the reason in words for the table."""


def rescore(
    results: Sequence[TrialResult],
    store: Store,
    catalogue: Catalogue,
    *,
    asked: Sequence[str] = (),
    task: Component | None = None,
) -> tuple[Rescored, ...]:
    """Score stored trials anew; those that can't be are refused, each with its reason.

    Args:
        results: the trials.
        store: where they are, and what is made is stored.
        catalogue: makes tasks and metrics.
        asked: names of metrics beside those of the task.
        task: a task file to read in the place of the trials' own; it has to define the same task.

    Raises:
        UnknownNameError, ParameterError, ConfigError: for metrics that don't exist, or a task file that is wrong.
    """
    catalogue.metrics(asked)
    if task is not None:
        catalogue.task(task)
    found = []
    for result in results:
        try:
            found.append(_rescored(result, store, catalogue, asked, task))
        except _RefusedError as refusal:
            found.append(Rescored(result, "refused", reason=str(refusal)))
        except HarnessError as error:
            found.append(Rescored(result, "refused", reason=" ".join(str(error).split())))
    return tuple(found)


def _rescored(
    result: TrialResult, store: Store, catalogue: Catalogue, asked: Sequence[str], task: Component | None
) -> Rescored:
    if result.status not in {"finished", "partial"}:
        raise _RefusedError(f"it is {result.status}: there are no answers to score")
    component = task_of(result.trial, store) if task is None else task
    spec = catalogue.task(component).spec
    if task is not None and spec.name != result.trial.task.name:
        raise _RefusedError(f"the task file defines {spec.name}, not {result.trial.task}")
    if spec.generates and result.manifest.get("extract") != of_task(spec)["extract"]:
        return _found_anew(result, component, store, catalogue, asked)
    try:
        score_trial(result.trial, component, catalogue, store, asked)
    except HarnessError:
        raise
    except Exception as error:
        log.debug("where:", exc_info=error)
        raise _RefusedError(f"a metric failed: {type(error).__name__}: {error}") from error
    return _done(result, "metrics", result.trial, component, store=store, catalogue=catalogue, asked=asked)


def _done(  # noqa: PLR0913 - all that is known by now
    before: TrialResult,
    done: Done,
    trial: Trial,
    task: Component,
    *,
    store: Store,
    catalogue: Catalogue,
    asked: Sequence[str],
) -> Rescored:
    """The trial as it is stored now; where there was a score without repeated samples there is one again."""
    if before.clean is not None:
        audit([Job(trial, task, "auto")], catalogue, store, always=True)
    (after,) = store.results(keys=[trial.key])
    names = catalogue.metrics_of(catalogue.task(task), asked=asked)
    return Rescored(before, done, after, lacking=tuple(name for name in names if name not in after.metrics))


# --- answers found in another way ------------------------------------------------------------------------


def _found_anew(
    result: TrialResult, task: Component, store: Store, catalogue: Catalogue, asked: Sequence[str]
) -> Rescored:
    name = f"rescoring of {result.trial.key[:12]}"
    experiment = dataclasses.replace(experiment_of(result.trial, store, name=name), tasks=(task,))
    (job,) = plan(experiment, catalogue)
    if job.trial.refusal:
        raise _RefusedError(f"it can't be planned any more: {job.trial.refusal}")
    changed = _derived(result, job, experiment, store, catalogue)
    finish(job, catalogue, store, asked)
    found = _done(result, "extraction", job.trial, task, store=store, catalogue=catalogue, asked=asked)
    if found.after is not None and found.after.status == "failed":
        raise _RefusedError(found.after.reason)
    return dataclasses.replace(found, changed=changed)


def _derived(result: TrialResult, job: Job, experiment: Experiment, store: Store, catalogue: Catalogue) -> int:
    """Make the planned trial of the stored texts; how many answers are others."""
    data = catalogue.task(job.task)
    _check_manifest(result, job)
    decide = _decider(result, job, data, catalogue)
    before = store.predictions(result.trial.key)
    places = {sample.id: place for place, sample in enumerate(data.scored(job.trial.split, job.trial.limit))}
    run = store.begin_run(experiment, environment(catalogue))
    status = "failed"
    try:
        store.plan(run, [job.trial])
        if store.progress(job.trial.key).status != "finished":
            store.derive(result.trial.key, job.trial.key, _told(result, job))
            for begin in range(0, len(before), TOGETHER):
                some = tuple(map(decide, before[begin : begin + TOGETHER]))
                store.apply(ChunkScored(job.trial.key, tuple(places[one.sample_id] for one in some), some, None))
        status = "finished"
    finally:
        store.end_run(run, status)
    answers = {one.sample_id: one.prediction for one in store.predictions(job.trial.key)}
    return sum(one.prediction != answers.get(one.sample_id) for one in before)


def _told(result: TrialResult, job: Job) -> dict[str, object]:
    """What the new trial says of where it comes from; nothing of the old one is lost, which stays under its key."""
    key = result.trial.key
    was = {"trial": key, "extract": result.manifest.get("extract", "")}
    return {
        "manifest": {**job.manifest, RESCORED: key},
        "details": {**result.details, "rescored": was},
        "notes": (*result.notes, f"answers were found anew in the texts of trial {key[:12]}: no model was asked"),
    }


def _check_manifest(result: TrialResult, job: Job) -> None:
    """See that the two trials differ in how answers are found, and in nothing else that a key holds."""
    before, now = result.manifest, job.manifest
    if not before:
        raise _RefusedError("it was stored before trials had manifests: what else has changed can't be told")
    names = {name for name in {**before, **now} if before.get(name) != now.get(name)}
    names = {name for name in names - BESIDE - {RESCORED} if not name.startswith("data") and " for " not in name}
    if names != {"extract"}:
        told = ", ".join(sorted(names - {"extract"})) or "something that its manifest does not name"
        raise _RefusedError(f"more than extraction has changed since: {told}; harness run runs it anew")


def _decider(result: TrialResult, job: Job, data: TaskData, catalogue: Catalogue) -> Callable[[Prediction], Prediction]:
    """What gives a stored prediction its answer of now."""
    trial = job.trial
    if asks_itself(data.task) is not None or isinstance(data.task, MeasuresItself):
        raise _RefusedError("its task judges answers by itself")
    if data.spec.code is not None:
        raise _RefusedError("programs found anew have to be run: harness run does that")
    if result.costs.model_calls:
        raise _RefusedError("it asked its model while it adapted: what it chose may depend on how answers are found")
    if result.costs.train_s:
        raise _RefusedError("it was trained: when training stopped may depend on how answers are found")
    model, strategy = catalogue.model(trial.model), catalogue.strategy(trial.strategy)
    adapted = adapted_dry(catalogue, data, strategy, model, split=trial.split, seed=trial.seed)
    rows = {sample.id: sample for sample in data.scored(trial.split, trial.limit)}
    tokens = _token_limit(adapted, next(iter(rows.values())))

    def decide(stored: Prediction) -> Prediction:
        if stored.status == "failed":
            return stored
        return _decided(stored, adapted, rows[stored.sample_id], tokens)

    return decide


def _token_limit(adapted: Adapted, sample: Sample) -> int:
    """How long a text could get; what can't be decided again is refused."""
    match list(adapted.requests(sample)):
        case [Generate(n=1) as request]:
            return request.max_tokens
        case [Generate(n=n)]:
            raise _RefusedError(f"each answer is voted by {n} texts, of which one is stored")
    raise _RefusedError("its answers are no generated texts: there is nothing to find them in")


def _decided(stored: Prediction, adapted: Adapted, sample: Sample, tokens: int) -> Prediction:
    # Of a text without an answer it is not stored why it ended: one that is as long as it could get was cut.
    cut = stored.status == "truncated" or stored.usage.output_tokens >= tokens
    found = adapted.decide(sample, [Generated(stored.text or "", "length" if cut else "stop", stored.usage)])
    return dataclasses.replace(
        stored,
        target=found.target,
        prediction=found.prediction,
        status=found.status,
        reason=found.reason,
        judged=found.judged,
    )
