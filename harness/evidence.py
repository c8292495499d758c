"""What stands behind a leaderboard's numbers: what each trial said of each sample, and what it had asked for it.

Prompts are not stored: eight demonstrations before each of a thousand questions would be nearly all of a store. They
are made again from the task's rows, as `harness show` makes them, and only if the trial, planned anew, has the same
key: then rows, templates, parameters and versions are those that it ran with. The cache keeps them (`harness.asked`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.asked import keep, kept, place
from harness.contributed import StoredContributions
from harness.errors import HarnessError, UsageError
from harness.interfaces import Asked
from harness.origin import experiment_of
from harness.pairing import Pairing
from harness.planning import plan
from harness.preview import adapted_dry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.catalogue import Catalogue
    from harness.differences import Paired
    from harness.interfaces import Adapted
    from harness.messages import Job
    from harness.records import Prediction, Request, Sample, Trial
    from harness.store import Store

log = logging.getLogger(__name__)


class StoredEvidence:
    """The predictions of a store, and what its trials asked; a `harness.Evidence` for one report.

    What it has compared it remembers: a store that changes needs another one.

    Args:
        store: holds the trials.
        catalogue: makes their parts; nothing is fetched for it.
    """

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._contributed = StoredContributions(store, catalogue)
        self._pairing = Pairing(store.outcomes, self._contributed)

    def predictions(self, key: str) -> Sequence[Prediction]:
        """What a trial said of its samples so far, in the data's order."""
        return self._store.predictions(key)

    def asked(self, trial: Trial) -> Asked:
        """What a trial asked of each sample.

        Raises:
            HarnessError: saying why that can't be told.
        """
        path = place(self._catalogue.assets.root, trial.key)
        known = kept(path)
        if known is not None:
            return known
        with self._catalogue.assets.offline_for_now():
            made = self._made(trial)
            try:
                keep(path, made)  # requests are made while they are written
            except OSError as error:
                log.debug("what %s asked is not kept: %s", trial.key[:12], error)
            return kept(path) or dataclasses.replace(made, samples=list(made.samples))

    # --- measured ----------------------------------------------------------------------------------

    def alone(self, key: str, metric: str) -> Sequence[float | None] | None:
        """The metric of each of a trial's samples by itself; None where that can't be told, or there are too many."""
        return self._contributed.alone(key, metric)

    def paired(self, a: str, b: str, metric: str) -> Paired | None:
        """How two finished trials differ, by the test that a leaderboard makes of them."""
        return self._pairing.paired(a, b, metric)

    # --- made again --------------------------------------------------------------------------------

    def _made(self, trial: Trial) -> Asked:
        job = self._planned(trial)
        data = self._catalogue.task(job.task)
        strategy, model = self._catalogue.strategy(trial.strategy), self._catalogue.model(trial.model)
        with _without_model():
            adapted = adapted_dry(self._catalogue, data, strategy, model, split=trial.split, seed=trial.seed)
            rows = data.scored(trial.split, trial.limit)
        return Asked(_Made(rows, adapted), tuple(data.spec.labels), adapted.notes)

    def _planned(self, trial: Trial) -> Job:
        """The trial's job, planned anew."""
        for job in plan(experiment_of(trial, self._store), self._catalogue):
            if job.trial.key == trial.key:
                return job
        raise UsageError("the data, a template, a model or a plugin has changed since it ran")


@dataclass(frozen=True, slots=True)
class _Made:
    """Rows with what is asked of each, made while somebody goes through them.

    Raises:
        HarnessError: while going through them, where a strategy can't do without its model.
    """

    rows: Sequence[Sample]
    adapted: Adapted

    def __iter__(self) -> Iterator[tuple[str, Sequence[Request]]]:
        with _without_model():
            for row in self.rows:
                yield row.id, tuple(self.adapted.requests(row))


@contextlib.contextmanager
def _without_model() -> Iterator[None]:
    """A strategy that can't do without its model costs its prompts, not the report."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        raise HarnessError(f"without its model: {type(error).__name__}: {error}") from error
