"""What the samples of stored trials add to a metric, kept in the cache: to count n-grams again takes seconds a report.

A file a trial and metric. Its name covers the trial's key, the versions of the metrics that scored it, and how long its
chunks took, which no two executions of a trial have alike: what is kept is of the answers that the store has.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import uuid
from typing import TYPE_CHECKING

import numpy as np

from harness.bridging import MeasuresItself
from harness.contributions import Contributions, contributions, single_scores
from harness.errors import AssetError, HarnessError, ModelError
from harness.interfaces import WeighsSamples
from harness.metricparts import with_rows
from harness.origin import task_of
from harness.packed import Selected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.catalogue import Catalogue
    from harness.interfaces import Metric
    from harness.records import Coverage, TaskSpec, Trial
    from harness.store import Store

log = logging.getLogger(__name__)

MOST = 5000
"""Samples of which each is scored by itself: the time grows with their square."""

FORM = 1
"""Raised when contributions are computed otherwise."""


class StoredContributions:
    """Key and metric -> what the samples of that trial add to it.

    Args:
        store: holds the trials.
        catalogue: makes tasks and metrics; nothing is fetched for it, and no model is asked.
    """

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._measures: dict[tuple[str, str], tuple[Metric, TaskSpec] | None] = {}
        self._lacking: dict[str, str] = {}

    def __call__(self, key: str, metric: str) -> Contributions | None:
        """None where the trial has no such score, or it can't be made again: a task or a metric has changed."""
        scored_by = self._store.scored_by(key)
        if scored_by is None:
            return None
        path = self._place(key, metric, scored_by)
        known = _read(path)
        if known is not None:
            return known
        made = self._made(key, metric)
        if made is not None:
            _write(path, made)
        return made

    def alone(self, key: str, metric: str) -> list[float | None] | None:
        """The metric of each sample by itself, in the order of predictions, None for failed ones.

        None where the metric weighs no samples, and for more than `MOST` samples.
        """
        results = self._store.results(keys=[key])
        measured = self._measured(results[0].trial, metric) if results and metric in results[0].metrics else None
        if measured is None or not isinstance(measured[0], WeighsSamples) or _answered(results[0].coverage) > MOST:
            return None
        said = self._store.predictions(key)
        places = [place for place, one in enumerate(said) if one.status != "failed"]
        if not 0 < len(places) <= MOST:
            return None
        try:
            with self._from_the_cache(metric):
                score = measured[0].weighted(Selected(said, places), measured[1])
        except (HarnessError, ValueError, KeyError):  # labels that the task no longer has
            return None
        if score is None:
            return None
        found: list[float | None] = [None] * len(said)
        for place, value in zip(places, single_scores(score, len(places)).tolist(), strict=True):
            found[place] = value
        return found

    def lacking(self, metric: str) -> str | None:
        """What a metric has been found to lack for a test; None where it lacked nothing."""
        return self._lacking.get(metric)

    def _place(self, key: str, metric: str, scored_by: str) -> Path:
        seconds = [one.seconds for one in self._store.progress(key).timings]
        about = json.dumps([FORM, key, metric, scored_by, seconds])
        name = hashlib.sha256(about.encode()).hexdigest()
        return self._catalogue.assets.root / "contributions" / f"{name}.npz"

    def _made(self, key: str, name: str) -> Contributions | None:
        results = self._store.results(keys=[key])
        if not results or name not in results[0].metrics:
            return None
        measured = self._measured(results[0].trial, name)
        if measured is None:
            return None
        metric, spec = measured
        said = self._store.predictions(key)
        answered = Selected(said, [place for place, one in enumerate(said) if one.status != "failed"])
        try:
            with self._from_the_cache(name):
                found = contributions(metric, answered, spec)
        except (HarnessError, ValueError, KeyError) as error:  # labels that the task no longer has
            log.debug("%s of %s can't be computed again: %s", name, key[:12], error)
            return None
        stored = results[0].metrics[name].value
        if found is not None and not math.isclose(float(found.values.mean()), stored, rel_tol=1e-6, abs_tol=1e-6):
            log.debug("%s of %s is %r today and was %r: not compared", name, key[:12], found.values.mean(), stored)
            return None
        return found

    @contextlib.contextmanager
    def _from_the_cache(self, name: str) -> Iterator[None]:
        """Within this, nothing is fetched and no model is asked; what a metric lacks for that is said, once."""
        try:
            with self._catalogue.assets.offline_for_now(), self._catalogue.models.only_kept():
                yield
        except (ModelError, AssetError) as error:
            if name not in self._lacking:
                self._lacking[name] = str(error)
                log.warning("no tests by %s: %s", name, error)
            raise

    def _measured(self, trial: Trial, name: str) -> tuple[Metric, TaskSpec] | None:
        """The metric and the task as they are today; remembered, since a table's trials have one task."""
        component = task_of(trial, self._store)
        about = (str(component), name)
        if about not in self._measures:
            try:
                with self._catalogue.assets.offline_for_now():
                    data = self._catalogue.task(component)
                    own = data.task.metrics(()) if isinstance(data.task, MeasuresItself) else {}
                    metric = own[name] if name in own else with_rows(self._catalogue.metrics([name])[name], data)
                    self._measures[about] = (metric, data.spec)
            except HarnessError as error:
                log.info("no tests by %s of task %s: %s", name, trial.task, error)
                self._measures[about] = None
        return self._measures[about]


def _answered(coverage: Coverage) -> int:
    return coverage.answered + coverage.empty + coverage.truncated + coverage.unparsed


def _read(path: Path) -> Contributions | None:
    with contextlib.suppress(OSError, ValueError, KeyError), np.load(path) as kept:
        return Contributions(kept["samples"].tobytes(), int(kept["n"]), kept["values"])
    return None


def _write(path: Path, made: Contributions) -> None:
    """Keep them; where nothing can be written they are made again next time."""
    part = path.with_name(f".{uuid.uuid4().hex}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part, samples=np.frombuffer(made.samples, dtype=np.uint8), n=made.n, values=made.values)
        part.replace(path)
    except OSError as error:
        log.debug("%s can't be kept: %s", path, error)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
