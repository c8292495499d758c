"""A store's trials against a baseline: only what is worse beyond its tolerance, and surely so, fails.

All tests are one-sided tests of non-inferiority: the hypothesis is that a trial is no worse than the baseline by more
than the tolerance, and a check fails when the interval of the paired difference lies beyond that. The level holds for
all checks of a gate together (Bonferroni), so that noise fails one build in a hundred, however many trials it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.contributions import Contributions, paired_contributions
from harness.interfaces import ComparesPairs
from harness.slowdown import FEWEST_CHUNKS, FEWEST_SAMPLES, Ratio, median_ratio, ratio_of_paces
from harness.weighing import HasTop, Incomparable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.baseline import BaselineTrial
    from harness.differences import Paired
    from harness.interfaces import Metric
    from harness.messages import ChunkTiming
    from harness.records import Estimate, Prediction, TrialResult

Verdict: TypeAlias = Literal["passed", "failed", "not compared"]

NOTICEABLE_MS = 0.1
"""A sample that takes less than so much longer is no regression, whatever the ratio: clocks and caches do that."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a gate looked at.

    Attributes:
        trial: its name.
        what: the metric, `one sample at a time`, `all at once`, or `trial` where it can't be compared at all.
        said: in words.
        before: the baseline's value.
        now: the value of today.
        change: the paired difference, or the ratio of times, with the interval that decided; None where nothing was
            tested.
        tolerance: what was allowed.
    """

    trial: str
    what: str
    verdict: Verdict
    said: str
    before: float | None = None
    now: float | None = None
    change: Estimate | None = None
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How strict a gate is; see `harness.baseline.Baseline`."""

    level: float
    tolerance: Mapping[str, float]
    latency_tolerance: float | None
    allow_missing: bool = False

    def of(self, name: str, metric: Metric) -> float:
        """The tolerance of a metric; the default one is a share of the highest score that there can be."""
        top = metric.top if isinstance(metric, HasTop) else 1.0
        return self.tolerance.get(name, top * self.tolerance.get("default", 0.0))


@dataclass(frozen=True, slots=True)
class Today:
    """A trial of the store: what it scored, said and took; what its samples add to a metric, or why none is known."""

    result: TrialResult
    predictions: Sequence[Prediction]
    timings: Sequence[ChunkTiming]
    added: Callable[[str], Contributions | None] = lambda _: None
    lacking: Callable[[str], str | None] = lambda _: None


def gate(
    trials: Sequence[BaselineTrial],
    today: Mapping[str, Today],
    metrics: Mapping[str, Metric],
    rules: Rules,
) -> tuple[Check, ...]:
    """Check every trial of a baseline.

    Args:
        trials: of the baseline.
        today: name -> the trial of the store that has this name and, if there is one, scored the same rows.
        metrics: name -> metric, of those that are registered.
        rules: how strict to be.
    """
    comparable: list[tuple[BaselineTrial, Today, list[Prediction]]] = []
    checks: list[Check] = []
    for trial in trials:
        found = today.get(trial.name)
        before = trial.predictions()
        refused = _refused(trial, before, found, rules)
        if refused is not None:
            checks.append(refused)
        elif found is not None:
            comparable.append((trial, found, before))
    tests = sum(len(trial.metrics) + (trial.p50_ms is not None) + bool(trial.chunks) for trial, *_ in comparable)
    level = 1 - 2 * (1 - rules.level) / max(tests, 1)  # of a two-sided interval of which one side decides
    for trial, found, before in comparable:
        checks += _scores(trial, found, before, metrics, rules, level)
        checks += _times(trial, found, before, rules, level)
    return tuple(checks)


def _refused(trial: BaselineTrial, before: Sequence[Prediction], found: Today | None, rules: Rules) -> Check | None:
    """Why a trial can't be compared at all; None where it can."""
    if found is None:
        verdict: Verdict = "not compared" if rules.allow_missing else "failed"
        return Check(trial.name, "trial", verdict, "it is not in the store")
    if found.result.status != "finished":
        reason = f": {found.result.reason}" if found.result.reason else ""
        return Check(trial.name, "trial", "failed", f"it is {found.result.status}{reason}")
    asked = [(one.sample_id, one.target) for one in found.predictions]
    if [(one.sample_id, one.target) for one in before] != asked:
        said = f"it scored other rows than the baseline ({len(asked):,} and {len(before):,}): write the baseline anew"
        return Check(trial.name, "trial", "failed", said)
    return None


# --- scores ----------------------------------------------------------------------------------------------


def _scores(
    trial: BaselineTrial,
    found: Today,
    before: Sequence[Prediction],
    metrics: Mapping[str, Metric],
    rules: Rules,
    level: float,
) -> Iterator[Check]:
    for name, value in trial.metrics.items():
        metric, now = metrics.get(name), found.result.metrics.get(name)
        paired = None if now is None else _paired(name, metric, trial, found, before, level)
        if metric is None or now is None or paired is None:
            why = metric.incomparable if isinstance(metric, Incomparable) else found.lacking(name)
            yield Check(trial.name, name, "not compared", why or "there is no paired test of it", value)
            continue
        tolerance, change = rules.of(name, metric), paired.difference
        worse = change.high < -tolerance if metric.higher_is_better else change.low > tolerance
        said = (
            f"{value:.4f} -> {now.value:.4f}: {change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}], "
            f"tolerance {tolerance:g}"
        )
        yield Check(trial.name, name, "failed" if worse else "passed", said, value, now.value, change, tolerance)


def _paired(
    name: str,
    metric: Metric | None,
    trial: BaselineTrial,
    found: Today,
    before: Sequence[Prediction],
    level: float,
) -> Paired | None:
    """Today's minus the baseline's: by what samples add to the metric, where the baseline has that, or by answers."""
    then = trial.added(name, before)
    if then is not None:
        now = found.added(name)
        return None if now is None else paired_contributions(now, then, level=level)
    return metric.compare(found.predictions, before, trial.spec(), level) if isinstance(metric, ComparesPairs) else None


# --- times -----------------------------------------------------------------------------------------------


def _times(
    trial: BaselineTrial, found: Today, before: Sequence[Prediction], rules: Rules, level: float
) -> Iterator[Check]:
    """One sample at a time, and all at once: whichever the baseline has enough timings of."""
    if rules.latency_tolerance is None:
        return
    elsewhere = [name for name, value in trial.machine.items() if found.result.provenance.get(name, value) != value]
    why = f"times are not compared: {', '.join(elsewhere)} differ from the baseline's" if elsewhere else ""
    if sum(one.latency_ms is not None for one in before) >= FEWEST_SAMPLES:
        pairs = [
            (now.latency_ms, then.latency_ms)
            for now, then in zip(found.predictions, before, strict=True)
            if now.latency_ms and then.latency_ms
        ]
        said = why or _too_few(len(pairs), FEWEST_SAMPLES, "samples")
        ratio = None if said else median_ratio(*zip(*pairs, strict=True), level=level)
        yield _slower(trial.name, "one sample at a time", ratio, said, rules.latency_tolerance)
    if len(trial.chunks) >= FEWEST_CHUNKS:
        chunks = [(one.samples, one.seconds) for one in found.timings]
        said = why or _too_few(len(chunks), FEWEST_CHUNKS, "chunks")
        ratio = None if said else ratio_of_paces(chunks, trial.chunks, level=level)
        yield _slower(trial.name, "all at once", ratio, said, rules.latency_tolerance)


def _too_few(timed: int, fewest: int, what: str) -> str:
    return f"times are not compared: {timed} {what} were timed, it takes {fewest}" if timed < fewest else ""


def _slower(trial: str, what: str, ratio: Ratio | None, why: str, tolerance: float) -> Check:
    if ratio is None:
        return Check(trial, what, "not compared", why)
    times = ratio.times
    worse = times.low > 1 + tolerance and ratio.now_ms - ratio.before_ms > NOTICEABLE_MS
    said = (
        f"{ratio.before_ms:.3g} -> {ratio.now_ms:.3g} ms a sample: {times.value:.2f} times as long "
        f"[{times.low:.2f}, {times.high:.2f}], tolerance {1 + tolerance:g}"
    )
    verdict: Verdict = "failed" if worse else "passed"
    return Check(trial, what, verdict, said, ratio.before_ms, ratio.now_ms, times, tolerance)
