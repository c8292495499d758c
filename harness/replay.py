"""A stored trial, run again: what has changed since it was made, and whether it comes out the same."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalogue import Catalogue
from harness.errors import HarnessError, UsageError
from harness.machine import here
from harness.manifest import RESCORED, revision
from harness.origin import experiment_of
from harness.planning import plan
from harness.runner import run_experiment
from harness.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.messages import Job
    from harness.records import Estimate, Experiment, Prediction, Trial, TrialResult
    from harness.runner import Watcher

TOLERANCE = 1e-4
"""Scores that differ by no more are equal: batches and threads change the last digits of a log-likelihood."""

ABSENT = ""
"""The value of a field that is not there."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a trial's manifest or provenance that is another one than when the trial was made."""

    field: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric that came out differently; None where it is not there."""

    metric: str
    before: float | None
    now: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A trial that is to be run again.

    Attributes:
        result: as it is stored.
        experiment: the grid of this one trial.
        changes: what has changed since, as far as that can be told without running it.
    """

    result: TrialResult
    experiment: Experiment
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of running a trial again.

    Attributes:
        key: the trial's.
        status: of the trial run again.
        reason: why it failed, where it did.
        changes: all that has changed, what only running showed too.
        metrics: how many were compared.
        differences: those that came out differently.
        predictions: how many were compared.
        differing: sample ids whose prediction, text, status or scores came out differently, or that one side lacks.
        largest: the largest difference of a score, within the tolerance or not.
    """

    key: str
    status: str
    reason: str
    changes: tuple[Change, ...]
    metrics: int
    differences: tuple[Difference, ...]
    predictions: int
    differing: tuple[str, ...]
    largest: float

    @property
    def reproduced(self) -> bool:
        """Whether every metric and every prediction came out the same, whatever has changed."""
        return not self.differences and not self.differing


def prepare(store: Store, key: str, catalogue: Catalogue) -> Plan:
    """Plan a stored trial again, and compare what it is made of.

    Args:
        store: where it is stored.
        key: its whole key.
        catalogue: makes the parts.

    Raises:
        UsageError: when it has no results that could be reproduced.
        HarnessError: when its parts are not there any more, or are wrong now.
    """
    (result,) = store.results(keys=[key])
    if result.status not in {"finished", "partial"}:
        raise UsageError(f"trial {key[:12]} is {result.status}: it has no results to reproduce")
    trial, folder = result.trial, store.folder(key)
    experiment = experiment_of(trial, store, name=f"replay of {key[:12]}")
    try:
        (job,) = plan(experiment, catalogue)
    except HarnessError as error:
        if folder and folder != str(Path.cwd()):
            error.hint = error.hint or f"it was run in {folder}: relative paths begin there"
        raise
    if job.trial.refusal:
        raise UsageError(f"trial {key[:12]} can't be run any more: {job.trial.refusal}")
    return Plan(result, experiment, tuple(_changes(result, job, catalogue)))


def replay(prepared: Plan, store: Store, catalogue: Catalogue, *, watcher: Watcher | None = None) -> Replay:
    """Run a prepared trial from nothing, in a store and a folder of its own, and compare what comes out.

    Args:
        prepared: by `prepare`.
        store: where the trial is stored; nothing is written there.
        catalogue: makes the parts.
        watcher: is told of progress.

    Raises:
        HarnessError, KeyboardInterrupt: as `harness.runner.run_experiment`.
    """
    before = prepared.result
    with tempfile.TemporaryDirectory(prefix="harness-replay-") as name:
        folder = Path(name)
        afresh = Catalogue(catalogue.plugins, catalogue.assets, catalogue.tasks_path, made=folder)
        with Store(str(folder / "replay.db")) as fresh:
            (now,) = run_experiment(prepared.experiment, afresh, fresh, watcher=watcher)
            predicted = store.predictions(before.trial.key), fresh.predictions(now.trial.key)
            distances = dict(_distances(*predicted))
    then, found = _estimates(before), _estimates(now)
    return Replay(
        key=before.trial.key,
        status=now.status,
        reason=now.reason,
        changes=(*prepared.changes, *_surroundings(prepared, now)),
        metrics=len(then),
        differences=tuple(
            Difference(metric, _value(then.get(metric)), _value(found.get(metric)))
            for metric in {**then, **found}
            if not _alike(then.get(metric), found.get(metric))
        ),
        predictions=len(predicted[0]),
        differing=tuple(sample for sample, distance in distances.items() if not distance <= TOLERANCE),
        largest=max((distance for distance in distances.values() if math.isfinite(distance)), default=0.0),
    )


# --- what has changed ------------------------------------------------------------------------------------


def _changes(result: TrialResult, job: Job, catalogue: Catalogue) -> Iterator[Change]:
    """Fields of the manifest, then versions of what stands beside it, then the key where nothing else explains it."""
    now = {**job.manifest, **revision(catalogue.task(job.task).path)}
    if result.manifest:
        found = list(_compared(result.manifest, now, [name for name in {**result.manifest, **now} if name != RESCORED]))
    else:  # stored before there were manifests
        known = _known(result.trial)
        found = list(_compared(known, now, known))
    found += _compared(result.provenance, _versions(result.provenance), _versions(result.provenance))
    if not found and job.trial.key != result.trial.key:
        found.append(Change("key", result.trial.key, job.trial.key))
    yield from found


def _known(trial: Trial) -> dict[str, str]:
    """What a trial itself tells of what it was made of."""
    return {"scored rows": trial.samples, **{f"plugin {name}": version for name, version in trial.plugins.items()}}


def _versions(provenance: Mapping[str, str]) -> dict[str, str]:
    """The machine as it is, and the installed versions of libraries that provenance names by their distributions."""
    found = {name: value for name, value in here().items() if name in provenance}
    for name, value in provenance.items():
        if name not in found and value[:1].isdigit():
            try:
                found[name] = version(name)
            except (PackageNotFoundError, ValueError):  # a number of another kind
                continue
    return found


def _surroundings(prepared: Plan, now: TrialResult) -> Iterator[Change]:
    """What only running shows: device, dtype, threads ..."""
    told = {change.field for change in prepared.changes}
    before = prepared.result.provenance
    fields = [name for name in {**before, **now.provenance} if name not in told]
    return _compared(before, now.provenance, fields) if now.provenance else iter(())


def _compared(before: Mapping[str, str], now: Mapping[str, str], fields: Iterable[str]) -> Iterator[Change]:
    for name in fields:
        one, other = before.get(name, ABSENT), now.get(name, ABSENT)
        if one != other:
            yield Change(name, one, other)


# --- what came out -----------------------------------------------------------------------------------------


def _estimates(result: TrialResult) -> dict[str, Estimate]:
    """All metrics, those of contexts too."""
    within = {
        f"{name} in {context}": estimate
        for context, score in result.contexts.items()
        for name, estimate in score.metrics.items()
    }
    return {**result.metrics, **within}


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _alike(before: Estimate | None, now: Estimate | None) -> bool:
    """Whether two scores and their intervals are equal."""
    if before is None or now is None:
        return before is now
    pairs = zip(dataclasses.astuple(before), dataclasses.astuple(now), strict=True)
    return all(_distance(one, other) <= TOLERANCE for one, other in pairs)


def _distances(before: Sequence[Prediction], now: Sequence[Prediction]) -> Iterator[tuple[str, float]]:
    """Sample -> the largest difference of its scores; infinite where the answer is another one."""
    answered = {one.sample_id: one for one in now}
    for one in before:
        other = answered.pop(one.sample_id, None)
        yield one.sample_id, math.inf if other is None else _apart(one, other)
    yield from ((sample, math.inf) for sample in answered)


def _apart(one: Prediction, other: Prediction) -> float:
    said = [(it.target, it.prediction, it.status, it.text, len(it.scores)) for it in (one, other)]
    if said[0] != said[1]:
        return math.inf
    return max(map(_distance, one.scores, other.scores), default=0.0)


def _distance(one: float, other: float) -> float:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    apart = abs(one - other)
    return math.inf if math.isnan(apart) else apart
