"""Between the store, the baseline file and the gate: what `harness gate` does."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from harness.baseline import (
    LATENCY_TOLERANCE,
    LEVEL,
    SCHEMA,
    TOLERANCE,
    Baseline,
    baseline_trial,
    read_baseline,
    write_baseline,
)
from harness.comparing import specification
from harness.contributed import StoredContributions
from harness.errors import ConfigError, UsageError
from harness.gating import Rules, Today, gate
from harness.selecting import trial_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.catalogue import Catalogue
    from harness.gating import Check
    from harness.records import TrialResult
    from harness.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody told of how strict a gate is; None leaves it to the baseline file.

    Attributes:
        tolerance: metric, or `default` -> by how much it may be worse; goes before the file's, metric by metric.
        latency: False leaves times alone.
    """

    level: float | None = None
    tolerance: Mapping[str, float] = field(default_factory=dict)
    latency_tolerance: float | None = None
    latency: bool = True
    allow_missing: bool = False

    def latency_or(self, given: float | None) -> float | None:
        """By what share a sample may take longer; None where times don't matter."""
        if not self.latency:
            return None
        return given if self.latency_tolerance is None else self.latency_tolerance


def tolerances(written: Sequence[str]) -> dict[str, float]:
    """`accuracy=0.02`, or `0.02` for all metrics -> metric or `default` -> number.

    Raises:
        UsageError: for what is no number, or below 0.
    """
    found: dict[str, float] = {}
    for text in written:
        name, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not value >= 0 or math.isinf(value):
            raise UsageError(
                f"--tolerance {text}: {number!r} is no tolerance", hint="write accuracy=0.02, or 0.02 for all"
            )
        found[name.strip() or "default"] = value
    return found


def write_from_store(
    path: Path, store: Store, catalogue: Catalogue, filters: Mapping[str, Sequence[str]], told: Told
) -> int:
    """Write a baseline of the store's finished trials; their number.

    Args:
        path: of the file.
        store: holds the trials; of several of one name the newest counts.
        catalogue: knows their tasks.
        filters: `models`, `tasks`, `strategies`: globs.
        told: what the file shall say of how strict a gate is.

    Raises:
        UsageError: when there is no finished trial.
        HarnessError: when the file can't be written.
    """
    results = [
        one
        for one in _newest(
            store.results(models=filters["models"], tasks=filters["tasks"], strategies=filters["strategies"])
        ).values()
        if one.status == "finished"
    ]
    if not results:
        raise UsageError("no finished trial matches", hint="harness report shows what there is")
    added = StoredContributions(store, catalogue)
    trials = [
        baseline_trial(
            result,
            store.predictions(result.trial.key),
            store.progress(result.trial.key).timings,
            specification(result.trial, store, catalogue),
            metrics=catalogue.metrics(catalogue.known_metrics(result.metrics)),
            added=partial(added, result.trial.key),
        )
        for result in results
    ]
    baseline = Baseline(
        schema=SCHEMA,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        harness=version("adapt-harness"),
        level=told.level or LEVEL,
        tolerance={"default": TOLERANCE} | dict(told.tolerance),
        latency_tolerance=told.latency_or(LATENCY_TOLERANCE),
        trials=trials,
    )
    write_baseline(baseline, path)
    return len(trials)


def check_store(
    path: Path, store: Store, catalogue: Catalogue, filters: Mapping[str, Sequence[str]], told: Told
) -> tuple[Check, ...]:
    """Check the store's trials against a baseline file.

    Args:
        path: of the file.
        store: holds today's trials; of several of one name the newest that scored the baseline's rows counts.
        catalogue: makes the metrics.
        filters: `models`, `tasks`, `strategies`: globs; of the baseline only what they match is looked at.
        told: goes before what the file says.

    Raises:
        ConfigError: when the file is no baseline, or names no trial that matches.
    """
    baseline = read_baseline(path)
    globs = {"model": filters["models"], "task": filters["tasks"], "strategy": filters["strategies"]}
    trials = [
        one
        for one in baseline.trials
        if all(
            not given or any(fnmatchcase(getattr(one, part), glob) for glob in given) for part, given in globs.items()
        )
    ]
    if not trials:
        raise ConfigError("names no trial that matches", where=str(path))
    wanted = {one.name: one.samples for one in trials}
    found = _newest(store.results(), wanted)
    unknown = sorted(found.keys() - {one.name for one in baseline.trials})
    if unknown:
        log.info("not in the baseline: %s", ", ".join(unknown))
    added = StoredContributions(store, catalogue)
    today = {
        name: Today(
            found[name], store.predictions(key), store.progress(key).timings, partial(added, key), added.lacking
        )
        for name in wanted
        if name in found and (key := found[name].trial.key)
    }
    names = dict.fromkeys(catalogue.known_metrics(name for one in trials for name in one.metrics))
    rules = Rules(
        level=told.level or baseline.level,
        tolerance=baseline.tolerance | dict(told.tolerance),
        latency_tolerance=told.latency_or(baseline.latency_tolerance),
        allow_missing=told.allow_missing,
    )
    return gate(trials, today, catalogue.metrics(list(names)), rules)


def _newest(results: Sequence[TrialResult], samples: Mapping[str, str] | None = None) -> dict[str, TrialResult]:
    """Name -> its trial. Of trials on different rows one on the wanted rows counts, or the newest."""
    wanted = samples or {}
    found: dict[str, TrialResult] = {}
    for result in reversed(results):
        name = trial_name(result)
        fits = result.trial.samples == wanted.get(name)
        if name not in found or (fits and found[name].trial.samples != wanted.get(name)):
            found[name] = result
    return dict(reversed(found.items()))
