"""What does jobs where it runs: makes the parts from plain data, keeps one model loaded, turns errors into messages."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from harness.declared import used_models
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
    from harness.records import Component

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Kept:
    """A model by the name that somebody wrote, and its engine with the seconds that loading took, once it is loaded."""

    name: str
    model: Model
    engine: tuple[Engine, float] | None = None

    def load(self, device: str) -> tuple[Engine, float]:
        """Bring it into memory, unless it is there."""
        if self.engine is None:
            started = perf_counter()
            self.engine = (self.model.load(device), perf_counter() - started)
        return self.engine


class TrialWorker:
    """Runs jobs one after the other; jobs of the same model in a row load it once.

    Beside it one other model is kept, such as an encoder that finds demonstrations, as long as jobs in a row name it.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._own: Kept | None = None
        self._beside: Kept | None = None

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
        """Let go of the loaded models."""
        self._own = self._beside = None
        give_back_memory()

    def _parts(self, job: Job) -> Parts:
        strategy = self._catalogue.strategy(job.trial.strategy)
        own = self._made(job.trial.model)
        if self._beside is not None and self._beside.name not in map(str, used_models(strategy)):
            self._beside = None
            give_back_memory()
        asked = []  # the engines of the own model that this job has asked for

        def load() -> tuple[Engine, float]:
            asked.append(own)
            return own.load(job.device)

        def engine(wanted: Model) -> Engine:
            if wanted is own.model:
                return load()[0]
            beside = self._beside
            return beside.load(job.device)[0] if beside and wanted is beside.model else wanted.load(job.device)

        data = self._catalogue.task(job.task)
        return Parts(
            model=own.model,
            data=data,
            strategy=strategy,
            scenarios={str(scenario): self._catalogue.scenario(scenario) for scenario in job.scenarios},
            setting=Setting(
                job.trial.seed,
                job.device,
                self._catalogue.made,
                job.trial.plugins,
                load=engine,
                find=self._found,
            ),
            load=load,
            loaded=lambda: own.engine[1] if asked and own.engine else None,
            sandbox=None if data.spec.code is None else self._catalogue.sandbox(),
        )

    def _made(self, component: Component) -> Kept:
        """The model that is adapted; the one before is let go of first."""
        if self._own is None or self._own.name != str(component):
            self._own = None
            give_back_memory()
            self._own = Kept(str(component), self._catalogue.model(component))
        return self._own

    def _found(self, component: Component) -> Model:
        """A model that a strategy uses beside its own, unless it is that; it takes the place of the last such one."""
        name = str(component)
        if self._own is not None and self._own.name == name:
            return self._own.model
        if self._beside is None or self._beside.name != name:
            self._beside = Kept(name, self._catalogue.model(component))
        return self._beside.model
