"""One trial -> its messages: task -> strategy -> model, chunk by chunk; no files, no processes. What a worker calls."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, count
from time import perf_counter
from typing import TYPE_CHECKING

from harness.bridging import adapt
from harness.budgets import stated
from harness.consumption import Consumption
from harness.declared import reads
from harness.errors import HarnessError, ModelError
from harness.interfaces import CountsWork, Priced, UsesDeviceMemory, Work
from harness.latency import PeakMemory, Stopwatch, give_back_memory
from harness.machine import here
from harness.messages import ChunkScored, ChunkTiming, LatencyMeasured, TrialEnded, TrialStarted
from harness.packed import Places, Selected
from harness.records import Costs, Generated, Prediction
from harness.sandboxes import judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.interfaces import Adapted, Engine, Model, Price, Scenario, Setting, Strategy
    from harness.messages import Job, Message
    from harness.records import Response, Sample, Split
    from harness.sandboxes import Sandbox
    from harness.taskdata import GuardedView, TaskData

CHUNK = 64
"""Samples answered and stored together. Chunks are cut by position: a resumed trial batches as an undisturbed one."""

ADAPTED_ON: frozenset[Split] = frozenset({"train", "validation"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects of one trial, made by the worker.

    Attributes:
        load: gives the model's own engine and the seconds that loading it took, now or for a trial before.
        loaded: these seconds, where anything in this trial has asked for that engine.
        sandbox: runs programs, for a task whose answers are some.
    """

    model: Model
    data: TaskData
    strategy: Strategy
    scenarios: Mapping[str, Scenario]
    setting: Setting
    load: Callable[[], tuple[Engine, float]]
    loaded: Callable[[], float | None] = lambda: None
    sandbox: Sandbox | None = None


def run_trial(job: Job, parts: Parts) -> Iterator[Message]:
    """Do what is left of a trial: answer the samples that are not done, then measure the scenarios that are missing.

    An error in one sample costs that sample; where no sample of a first chunk succeeds, the trial ends there.

    Raises:
        Exception: whatever adapting or loading raised.
    """
    live = LiveTrial(job, parts)
    timings = list(job.timings)
    answered = bytearray(len(live.samples))  # a byte a sample: whether it has an answer
    for position in job.done:
        answered[position] = True
    for index, chunk in enumerate(live.chunks()):
        if not chunk:
            continue
        cold = not live.in_memory
        yield from live.started()
        if cold and job.scenarios:
            live.warm_up(chunk[0][1])
        scored = live.score(index, chunk)
        yield scored
        if scored.timing is not None:
            timings.append(scored.timing)
        for position, prediction in zip(scored.positions, scored.predictions, strict=True):
            answered[position] = prediction.status != "failed"
        if not any(answered):
            yield TrialEnded(
                job.trial.key, failed=True, reason=f"every sample of a chunk failed: {scored.predictions[0].reason}"
            )
            return
    yield from _measure(job, parts, live, LiveWorkload(live, timings, Places(compress(count(), answered))))
    yield TrialEnded(job.trial.key)


def _measure(job: Job, parts: Parts, live: LiveTrial, workload: LiveWorkload) -> Iterator[Message]:
    """Measure the missing scenarios; one that fails costs no score, and is missing again in the next run."""
    for name, scenario in parts.scenarios.items():
        try:
            values, sample_ms = scenario.measure(workload)
        except Exception as error:
            log.warning("%s on %s: %s was not measured: %s", job.trial.model, job.trial.task, name, error)
            log.debug("where:", exc_info=error)
            continue
        if live.in_memory:
            yield from live.started()
        yield LatencyMeasured(job.trial.key, name, values, sample_ms)


class LiveTrial:
    """A trial in a worker; it adapts and loads when the first answer is needed, not before."""

    def __init__(self, job: Job, parts: Parts) -> None:
        self.samples = parts.data.scored(job.trial.split, job.trial.limit)
        self._job = job
        self._parts = parts
        self._load_s: float | None = None
        self._spent_s = 0.0
        self._said = False

    # --- getting ready -----------------------------------------------------------------------------

    @cached_property
    def _view(self) -> GuardedView:
        return self._parts.data.view(self._job.trial.split, reads(self._parts.strategy))

    @cached_property
    def _adapted(self) -> Adapted:
        parts, view = self._parts, self._view
        for split in ADAPTED_ON & view.reads - {view.scored}:
            parts.data.pool(split, view.scored)  # reading rows is no part of what adapting takes
        started = perf_counter()
        adapted = adapt(parts.data.task, parts.strategy, parts.model, view, parts.setting)
        self._spent_s = perf_counter() - started
        parts.setting.meter.running = False
        return adapted

    @cached_property
    def _engine(self) -> Engine:
        if self._adapted.trained is not None:
            return self._adapted.trained.engine
        engine, self._load_s = self._parts.load()
        return engine

    @property
    def in_memory(self) -> bool:
        """Whether anything made it load its engine."""
        return "_engine" in self.__dict__

    @property
    def price(self) -> Price | None:
        """What the model's tokens cost; None for one without a price."""
        return self._parts.model.price if isinstance(self._parts.model, Priced) else None

    def started(self) -> Iterator[Message]:
        """Adapt and load, and say once what that took."""
        if self._said:
            return
        engine, trained = self._engine, self._adapted.trained
        give_back_memory()  # what training and loading left is no part of what answering needs
        excluded = [
            f"{count} {split} rows left out: they repeat scored rows"
            for split, count in self._view.excluded.items()
            if count
        ]
        budget, unstated = stated(self._adapted.budget, self._view)
        learned = () if trained is None else trained.notes
        notes = (*self._adapted.notes, *learned, *unstated, *self._unseen(), *excluded)
        self._said = True
        provenance = here() | dict(engine.provenance) | ({"price": str(self.price)} if self.price else {})
        told = (provenance, budget, self._adapted.details, self._job.manifest)
        yield TrialStarted(self._job.trial.key, self._costs(), notes, *told)

    def _costs(self) -> Costs:
        """What loading, training, and adapting beside these took.

        Training that was kept from an earlier run says what it took then, and nothing is left of the time that it
        takes to read it again.
        """
        meter, trained = self._parts.setting.meter, self._adapted.trained
        train_s = None if trained is None else trained.train_s
        rest = self._spent_s + meter.kept_s - meter.load_s - (train_s or 0.0)
        load_s = self._parts.loaded() if self._load_s is None else self._load_s
        return Costs(load_s, train_s, max(rest, 0.0), meter.requests, meter.tokens)

    def _unseen(self) -> list[str]:
        """What is to be said of contexts that a strategy with training rows has not met."""
        data, trial = self._parts.data, self._job.trial
        if not data.spec.has_context or "train" not in self._view.shown:
            return []
        unseen = data.unseen_contexts(trial.split, trial.limit)
        rows = sum(unseen.values())
        return [f"{rows} scored rows are of contexts without training rows: {', '.join(unseen)}"] if unseen else []

    # --- answering -----------------------------------------------------------------------------------

    def chunks(self) -> Iterator[list[tuple[int, Sample]]]:
        """The samples that are still to be answered with their positions, in chunks cut by position."""
        for start in range(0, len(self.samples), CHUNK):
            chunk = enumerate(self.samples[start : start + CHUNK], start)
            yield [(position, sample) for position, sample in chunk if position not in self._job.done]

    def score(self, index: int, chunk: Sequence[tuple[int, Sample]]) -> ChunkScored:
        """Answer a chunk; where that fails, answer its samples one by one, so that only those at fault are lost."""
        samples = [sample for _, sample in chunk]
        positions = tuple(position for position, _ in chunk)
        before = self._counters()
        self._device_peak()
        try:
            with PeakMemory() as memory:
                consumption, started = Consumption(), perf_counter()
                predictions = self.predict(samples)
                seconds, consumed = perf_counter() - started, consumption.consumed
        except Exception as error:  # noqa: BLE001 - what fails again, alone, is counted with its reason
            log.warning(
                "%s: a chunk failed (%s); its %d samples are tried one by one",
                self._job.trial.model,
                error,
                len(samples),
            )
            return ChunkScored(
                self._job.trial.key, positions, tuple(self._predict_alone(sample) for sample in samples), None
            )
        timing = ChunkTiming(
            index=index,
            samples=len(samples),
            seconds=seconds,
            prompt_tokens=sum(prediction.usage.prompt_tokens for prediction in predictions),
            output_tokens=sum(prediction.usage.output_tokens for prediction in predictions),
            peak_bytes=memory.peak_bytes,
            counters={name: count - before.get(name, 0) for name, count in self._counters().items()},
            cpu_s=consumed.cpu_s,
            energy_j=consumed.energy_j,
            device_peak_bytes=self._device_peak(),
        )
        return ChunkScored(self._job.trial.key, positions, tuple(self._judged(samples, predictions)), timing)

    def _judged(self, samples: Sequence[Sample], predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        """Programs are run when all are written: that is no part of what answering takes."""
        spec, sandbox = self._parts.data.spec, self._parts.sandbox
        return predictions if sandbox is None else judged(spec, samples, predictions, sandbox)

    def _counters(self) -> Mapping[str, int]:
        return dict(self._engine.counters) if isinstance(self._engine, CountsWork) else {}

    def _device_peak(self) -> int | None:
        return self._engine.peak_device_bytes() if isinstance(self._engine, UsesDeviceMemory) else None

    def warm_up(self, sample: Sample) -> None:
        """Answer a sample that nobody times: what an engine only sets up at its first call is part of no throughput.

        It is asked alone, so that it leaves behind nothing that others could share.
        """
        try:
            self.predict([sample])
        except Exception as error:
            log.debug("warming up failed", exc_info=error)

    def predict(self, samples: Sequence[Sample]) -> list[Prediction]:
        """Answer samples, all at once.

        Raises:
            ModelError: when the engine gives another number of responses than it got requests.
        """
        return self.answer(samples)[0]

    def work(self, samples: Sequence[Sample]) -> Work:
        """Answer samples, and tell what that took; raises as `predict`."""
        predictions, responses, prepared_s = self.answer(samples)
        usages = [prediction.usage for prediction in predictions]
        return Work(
            sum(usage.prompt_tokens for usage in usages),
            sum(usage.output_tokens for usage in usages),
            tuple(_first_token_s(of_sample, prepared_s) for of_sample in responses),
        )

    def answer(self, samples: Sequence[Sample]) -> tuple[list[Prediction], list[list[Response]], float]:
        """The predictions, what the engine said of each sample, and the seconds until it was asked."""
        watch = Stopwatch()
        if self._adapted.prepare is not None:
            self._adapted.prepare(samples)
        asked = [tuple(self._adapted.requests(sample)) for sample in samples]
        prepared_s = watch.seconds
        responses = self._engine.run([request for requests in asked for request in requests])
        if len(responses) != sum(map(len, asked)):
            raise ModelError(
                f"{self._job.trial.model} gave {len(responses)} responses to {sum(map(len, asked))} requests"
            )
        rest = iter(responses)
        of_samples = [[next(rest) for _ in requests] for requests in asked]
        decided = [self._adapted.decide(sample, found) for sample, found in zip(samples, of_samples, strict=True)]
        predictions = [self._told(sample, one) for sample, one in zip(samples, decided, strict=True)]
        return predictions, of_samples, prepared_s

    def _told(self, sample: Sample, decided: Prediction) -> Prediction:
        """The prediction with what intervals and metrics have to know of its sample."""
        if self._parts.data.spec.generates:
            references = list(sample.references or (sample.target,))
            decided = dataclasses.replace(decided, measured={**decided.measured, "references": references})
        return decided if sample.cluster is None else dataclasses.replace(decided, cluster=sample.cluster)

    def _predict_alone(self, sample: Sample) -> Prediction:
        try:
            return self._judged([sample], self.predict([sample]))[0]
        except Exception as error:  # noqa: BLE001 - counted and shown as the sample's reason
            reason = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
            failed = Prediction(sample.id, sample.target, None, "failed", context=sample.context, reason=reason)
            return dataclasses.replace(failed, cluster=sample.cluster)


def _first_token_s(responses: Sequence[Response], prepared_s: float) -> float | None:
    """When the first token of a sample's first text was there."""
    first = next((response for response in responses if isinstance(response, Generated)), None)
    return None if first is None or first.first_token_s is None else prepared_s + first.first_token_s


@dataclass(frozen=True, slots=True)
class LiveWorkload:
    """A live trial as scenarios see it; a `harness.interfaces.Workload`."""

    live: LiveTrial
    timings: Sequence[ChunkTiming]
    answered: Places

    @property
    def samples(self) -> Sequence[Sample]:
        """The scored samples, without those that failed."""
        return Selected(self.live.samples, self.answered)

    @property
    def price(self) -> Price | None:
        """What the model's tokens cost."""
        return self.live.price

    def answer(self, samples: Sequence[Sample]) -> Work:
        """Answer samples now."""
        return self.live.work(samples)
