"""The baseline file of `harness gate`: what trials scored, and what they said of each sample, so that tests are paired.

It is JSON (which is YAML too), small enough to be committed: answers are packed, a few bytes a sample.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.contributions import Contributions, samples_of
from harness.errors import ConfigError, HarnessError
from harness.interfaces import ComparesPairs
from harness.records import Prediction, PromptSpec, TaskSpec
from harness.yamlfile import Located, read_yaml, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.interfaces import Metric
    from harness.messages import ChunkTiming
    from harness.records import Kind, TrialResult

SCHEMA = 1
"""Raised when the file's content comes to mean something else."""

MACHINE = ("machine", "device", "dtype", "threads")
"""Of a trial's provenance: where these differ, times say nothing."""

LEVEL = 0.99
TOLERANCE = 0.01
LATENCY_TOLERANCE = 0.25


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BaselineTrial(_Section):
    """One trial.

    Attributes:
        samples: digest of the rows that it scored.
        labels: of its task, in their order.
        metrics: name -> value.
        machine: what of its provenance times depend on.
        p50_ms: median time of one sample at a time, to be read by people.
        chunks: samples and seconds of each timed chunk.
        answers: packed; see `predictions`.
        contributions: metric -> what each sample adds to it, packed, of metrics that need more than the answers:
            those of texts, say, which are not in the file.
    """

    model: str
    strategy: str
    task: str
    seed: int
    split: str
    key: str
    samples: str
    n: int
    kind: str
    labels: list[str] = []
    metrics: dict[str, float]
    machine: dict[str, str] = {}
    p50_ms: float | None = None
    chunks: list[tuple[int, float]] = []
    answers: str
    contributions: dict[str, str] = {}

    @property
    def name(self) -> str:
        """`MODEL/STRATEGY/TASK/SEED`."""
        return f"{self.model}/{self.strategy}/{self.task}/{self.seed}"

    def spec(self) -> TaskSpec:
        """As much of its task as metrics of answers need."""
        return TaskSpec(self.task, cast("Kind", self.kind), PromptSpec(""), dict.fromkeys(self.labels, ""))

    def predictions(self) -> list[Prediction]:
        """What it said.

        Raises:
            ConfigError: when the file is damaged.
        """
        with self._sound():
            rows = json.loads(zlib.decompress(base64.b64decode(self.answers, validate=True)))
            return [
                Prediction(id_, target, said, scores=tuple(scores), cluster=cluster, latency_ms=ms)
                for id_, target, said, scores, cluster, ms in rows
            ]

    def added(self, metric: str, predictions: Sequence[Prediction]) -> Contributions | None:
        """What its samples add to a metric, where that is kept; `predictions` are its own.

        Raises:
            ConfigError: when the file is damaged.
        """
        if metric not in self.contributions:
            return None
        with self._sound():
            values = json.loads(zlib.decompress(base64.b64decode(self.contributions[metric], validate=True)))
            return Contributions(samples_of(predictions)[0], len(predictions), np.array(values, dtype=np.float64))

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, zlib.error) as error:
            raise ConfigError(
                f"the answers of {self.name} are damaged: {error}", hint="write the baseline anew"
            ) from None


class Baseline(_Section):
    """The file.

    Attributes:
        level: how sure a gate has to be, over all that it looks at, before it fails.
        tolerance: metric, or `default` -> by how much it may be worse.
        latency_tolerance: by what share a sample may take longer; None where times don't matter.
    """

    schema_version: int = Field(alias="schema")
    written: str
    harness: str
    level: float = Field(default=LEVEL, gt=0.5, lt=1)
    tolerance: dict[str, float] = {"default": TOLERANCE}
    latency_tolerance: float | None = LATENCY_TOLERANCE
    trials: list[BaselineTrial]


def baseline_trial(
    result: TrialResult,
    predictions: Sequence[Prediction],
    timings: Sequence[ChunkTiming],
    spec: TaskSpec,
    *,
    metrics: Mapping[str, Metric],
    added: Callable[[str], Contributions | None],
) -> BaselineTrial:
    """What stands in the file of a finished trial.

    Args:
        result: the trial.
        predictions: all that it said.
        timings: of its chunks.
        spec: of its task.
        metrics: name -> metric, of those that are registered.
        added: what its samples add to a metric.
    """
    trial = result.trial
    times = [one.latency_ms for one in predictions if one.latency_ms is not None]
    made = BaselineTrial(
        model=str(trial.model),
        strategy=str(trial.strategy),
        task=str(trial.task),
        seed=trial.seed,
        split=trial.split,
        key=trial.key,
        samples=trial.samples,
        n=trial.n,
        kind=spec.kind,
        labels=list(spec.labels),
        metrics={name: one.value for name, one in result.metrics.items() if math.isfinite(one.value)},
        machine={name: result.provenance[name] for name in MACHINE if name in result.provenance},
        p50_ms=sorted(times)[len(times) // 2] if times else None,
        chunks=[(one.samples, one.seconds) for one in timings],
        answers=_packed([_row(one) for one in predictions if one.status != "failed"]),
    )
    answered, kept = [one for one in predictions if one.status != "failed"], made.predictions()
    found = {
        name: added(name)
        for name, metric in metrics.items()
        if name in made.metrics and not _is_enough(metric, answered, kept, made.spec())
    }
    packed = {name: _packed([_digits(value, 9) for value in one.values]) for name, one in found.items() if one}
    return made.model_copy(update={"contributions": packed})


def _is_enough(metric: Metric, said: Sequence[Prediction], kept: Sequence[Prediction], spec: TaskSpec) -> bool:
    """Whether trials can be compared by a metric with what is kept of their answers."""
    paired = metric.compare(said, kept, spec) if isinstance(metric, ComparesPairs) and said else None
    return paired is not None and abs(paired.difference.value) < 1e-6


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write the file.

    Raises:
        HarnessError: when it can't be written.
    """
    content = json.dumps(baseline.model_dump(by_alias=True), indent=1, ensure_ascii=False)
    try:
        path.write_text(content + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise HarnessError(f"can't write the baseline: {error.strerror or error}", where=str(path)) from error


def read_baseline(path: Path) -> Baseline:
    """Read and check the file.

    Raises:
        ConfigError: naming what is wrong with it.
    """
    baseline = validate(read_yaml(path) if path.suffix in {".yaml", ".yml"} else _json(path), Baseline)
    if baseline.schema_version != SCHEMA:
        message = f"has schema {baseline.schema_version}, this harness knows schema {SCHEMA}"
        raise ConfigError(message, where=str(path), hint="write the baseline anew")
    return baseline


def _json(path: Path) -> Located:
    try:
        return Located(path, json.loads(path.read_text(encoding="utf-8")), {(): 1})
    except OSError as error:
        hint = "harness gate --write makes one"
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path), hint=hint) from error
    except (ValueError, RecursionError) as error:
        place = f"{path}:{getattr(error, 'lineno', 1)}"
        raise ConfigError(f"is not JSON: {error}", where=place) from error


def _packed(rows: Sequence[Any]) -> str:
    content = json.dumps(rows, ensure_ascii=True, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _row(one: Prediction) -> list[Any]:
    return [one.sample_id, one.target, one.prediction, _rounded(one.scores), one.cluster, _digits(one.latency_ms, 5)]


def _rounded(scores: Sequence[float]) -> list[float]:
    """To 9 digits, as float32 has; Python's JSON writes and reads infinities."""
    return [_digits(score, 9) or 0.0 for score in scores]


def _digits(value: float | None, digits: int) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
