"""What travels between the driver and a worker: jobs there, messages back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.packed import Places
from harness.records import LabelBudget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records import Component, Costs, Prediction, Trial


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial has its engine and begins to answer."""

    key: str
    costs: Costs
    notes: tuple[str, ...]
    provenance: Mapping[str, str]
    budget: LabelBudget = field(default_factory=LabelBudget)
    details: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkTiming:
    """How long one chunk of samples took, all at once: seconds, tokens read and written, peak memory in bytes.

    `counters` are those of an engine that counts its work (`harness.interfaces.CountsWork`), for this chunk alone; so
    are processor seconds, joules and the peak of a device's memory, None where nobody can tell.
    """

    index: int
    samples: int
    seconds: float
    prompt_tokens: int
    output_tokens: int
    peak_bytes: int
    counters: Mapping[str, int] = field(default_factory=dict)
    cpu_s: float | None = None
    energy_j: float | None = None
    device_peak_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ChunkScored:
    """Samples that were answered; stored in one transaction.

    `positions` are the predictions' places among the scored samples; `timing` is None for samples that were tried
    again.
    """

    key: str
    positions: tuple[int, ...]
    predictions: tuple[Prediction, ...]
    timing: ChunkTiming | None


@dataclass(frozen=True, slots=True)
class LatencyMeasured:
    """What a scenario measured, and the time of single samples where it timed them alone."""

    key: str
    scenario: str
    values: Mapping[str, float | None]
    sample_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial is over. `reason` and `traceback` say why where it failed."""

    key: str
    failed: bool = False
    reason: str = ""
    traceback: str = ""


Message: TypeAlias = TrialStarted | ChunkScored | LatencyMeasured | TrialEnded


@dataclass(frozen=True, slots=True)
class Job:
    """A trial with what is still to do of it: all that a worker is told.

    Attributes:
        task: where the task is loaded from (the trial's own `task` is its name, whatever file it came from).
        done: places, among the scored samples, of those that have been answered already.
        timings: chunks that were timed already (for the offline scenario).
        scenarios: latency scenarios that are still to be measured.
        manifest: what the trial is made of, field by field (`harness.manifest`).
    """

    trial: Trial
    task: Component
    device: str
    done: Places = field(default_factory=Places)
    timings: tuple[ChunkTiming, ...] = ()
    scenarios: tuple[Component, ...] = ()
    manifest: Mapping[str, str] = field(default_factory=dict)
