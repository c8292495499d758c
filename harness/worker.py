"""What does jobs where it runs: makes the parts from plain data, keeps one model loaded, turns errors into messages."""

from __future__ import annotations

import logging
import traceback
from time import perf_counter
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.interfaces import Setting
from harness.latency import give_back_memory
from harness.messages import TrialEnded
from harness.trial import Parts, run_trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.catalogue import Catalogue
    from harness.interfaces import Engine, Model
    from harness.messages import Job, Message

log = logging.getLogger(__name__)


class TrialWorker:
    """Runs jobs one after the other; jobs of the same model in a row load it once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._model: tuple[str, Model] | None = None
        self._engine: tuple[Engine, float] | None = None

    def run(self, job: Job) -> Iterator[Message]:
        """The job's messages as they happen; whatever goes wrong ends the trial, not the run."""
        give_back_memory()
        try:
            yield from run_trial(job, self._parts(job))
        except HarnessError as error:
            yield TrialEnded(job.trial.key, failed=True, reason=str(error), traceback=traceback.format_exc())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the trial fails with its traceback, the others go on
            yield TrialEnded(
                job.trial.key, failed=True, reason=f"{type(error).__name__}: {error}", traceback=traceback.format_exc()
            )

    def release(self) -> None:
        """Let go of the loaded model."""
        self._model = None
        self._engine = None
        give_back_memory()

    def _parts(self, job: Job) -> Parts:
        name = str(job.trial.model)
        if self._model is None or self._model[0] != name:
            self.release()
            self._model = (name, self._catalogue.model(job.trial.model))
        model = self._model[1]

        def engine(wanted: Model) -> Engine:
            return self._load(model, job.device)[0] if wanted is model else wanted.load(job.device)

        return Parts(
            model=model,
            data=self._catalogue.task(job.task),
            strategy=self._catalogue.strategy(job.trial.strategy),
            scenarios={str(scenario): self._catalogue.scenario(scenario) for scenario in job.scenarios},
            setting=Setting(
                job.trial.seed,
                job.device,
                self._catalogue.made,
                job.trial.plugins,
                load=engine,
                find=self._catalogue.model,
            ),
            load=lambda: self._load(model, job.device),
        )

    def _load(self, model: Model, device: str) -> tuple[Engine, float]:
        if self._engine is None:
            started = perf_counter()
            self._engine = (model.load(device), perf_counter() - started)
        return self._engine
