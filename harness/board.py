"""What a report shows: tables of ranked rows. Data alone; `harness.leaderboard` makes it, reporters render it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.records import Costs, Coverage, Estimate, LabelBudget, TrialResult, TrialStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.crossings import Crossing

TIED = "="
"""Marks a row that can't be told from the best one."""

THIN = "~"
"""Marks a percentile that rests on too few samples."""


@dataclass(frozen=True, slots=True)
class Worst:
    """The context in which a row does worst."""

    context: str
    score: Estimate


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better a row is than one of its baselines by the table's first metric, paired on the same samples."""

    over: str
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Speed:
    """Latency of single samples (`single-stream`), throughput and cost with all at once (`offline`).

    Attributes:
        thin: the percentiles that rest on too few samples.
        p50_ms_low: with the others that end so the bounds of the percentiles' 95% intervals.
        ttft_p50_ms: time to first token, the median.
        tpot_p50_ms: time per output token behind the first, the median.
        device_peak_mb: of a GPU's memory.
        cpu_s: seconds of all processors, for a sample.
        energy_j: of the machine, for a sample.
        usd_per_1000: price of a thousand samples.
    """

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    thin: frozenset[str] = frozenset()
    samples_per_s: float | None = None
    tokens_per_s: float | None = None
    peak_mb: float | None = None
    p50_ms_low: float | None = None
    p50_ms_high: float | None = None
    p95_ms_low: float | None = None
    p95_ms_high: float | None = None
    p99_ms_low: float | None = None
    p99_ms_high: float | None = None
    ttft_p50_ms: float | None = None
    tpot_p50_ms: float | None = None
    device_peak_mb: float | None = None
    cpu_s: float | None = None
    energy_j: float | None = None
    usd_per_1000: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A model with a strategy, over its seeds.

    Attributes:
        rank: by the table's first metric, 1 is best, equal values share one; None for what is not finished.
        ranks: the best and the worst rank that it may have, by tests of all pairs of ranked rows
            (`harness.ranking.rank_intervals`); None where nothing was compared.
        keys: the trials' keys, seed by seed.
        n: how many samples each seed was to answer.
        coverage: counts over all seeds.
        metrics: means over seeds; an interval's bounds are the means of the seeds' bounds.
        seed_sd: metric -> standard deviation over seeds, where there are several.
        p_value: of the hypothesis that the best row is no better by the table's first metric (`Pairing.versus_by`,
            Holm over the table).
        tied_with_best: whether that hypothesis stands (p >= 0.05); False for the best row itself.
        p_majority: of the hypothesis that the majority answers no fewer samples right, one-sided (`Table.majority`);
            None where there are no right answers to count, and for the majority itself.
        gains: over each of its baselines that is known, the most important one first.
        control: whether it is one that others are measured by; it has no rank.
        speed: by `single-stream` and `offline`; where one was measured with several sets of parameters, without any.
        added: whether it is a baseline that the harness added, for others to be compared with.
        clean: the first metric without samples that nearly repeat rows which could be adapted on; None where nobody has
            looked for these, or there are none.
        clean_n: how many samples are left.
        latency: scenario with its parameters -> quantity -> mean over the seeds for which it is known.
        costs: means over seeds.
        budget: the labels that it was given, the most of its seeds; None where that is not known.
        cached: whether nothing of it was run by the run that is shown.
    """

    rank: int | None
    model: str
    strategy: str
    seeds: tuple[int, ...]
    keys: tuple[str, ...]
    n: int
    status: TrialStatus
    reason: str = ""
    coverage: Coverage = field(default_factory=Coverage)
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    seed_sd: Mapping[str, float] = field(default_factory=dict)
    worst: Worst | None = None
    gains: tuple[Gain, ...] = ()
    control: bool = False
    p_value: float | None = None
    tied_with_best: bool = False
    speed: Speed = Speed()
    costs: Costs = field(default_factory=Costs)
    budget: LabelBudget | None = None
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    cached: bool = False
    latency: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    added: bool = False
    clean: Estimate | None = None
    clean_n: int | None = None
    ranks: tuple[int, int] | None = None
    p_majority: float | None = None

    @property
    def not_above_majority(self) -> bool:
        """Whether nothing tells it from always giving the majority's answer (p >= 0.05)."""
        return self.p_majority is not None and self.p_majority >= 0.05


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A finished row's score in each context, the worst of them, and the best minus the worst."""

    model: str
    strategy: str
    scores: Mapping[str, Estimate]
    worst: str
    spread: float


@dataclass(frozen=True, slots=True)
class ContextTable:
    """Finished rows x contexts by the table's first metric; `sizes` has the number of samples of each context."""

    metric: str
    sizes: Mapping[str, int]
    rows: tuple[ContextRow, ...]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a strategy reaches with so many labelled examples.

    Attributes:
        labels: how many it was given, training and validation rows together.
        strategies: as written; several where they asked for more rows than there are and so had the same ones.
        seeds: those that have a score.
        keys: their trials.
        scores: theirs, with the intervals of sampling.
        score: the mean over seeds; its interval has the errors of sampling and of the seeds.
        seed_sd: standard deviation over seeds, where there are several.
    """

    labels: int
    strategies: tuple[str, ...]
    seeds: tuple[int, ...]
    keys: tuple[str, ...]
    scores: tuple[Estimate, ...]
    score: Estimate
    seed_sd: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """A model with a strategy over numbers of labelled examples, the fewest first.

    A flat one has a single number, such as 0 of a zero-shot prompt, and stands beside the others for comparison.
    """

    model: str
    strategy: str
    points: tuple[CurvePoint, ...]
    flat: bool
    prompts: bool


@dataclass(frozen=True, slots=True)
class Contest:
    """From how many labels on a curve lies above another one, by which metric."""

    curve: Curve
    over: Curve
    crossing: Crossing
    by: str = "accuracy"


@dataclass(frozen=True, slots=True)
class Curves:
    """Learning curves of a table's rows by its first metric, who beats whom from where on, and what is to be said."""

    metric: str
    curves: tuple[Curve, ...]
    contests: tuple[Contest, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Trials that answered the same rows of a task.

    Attributes:
        samples: digest of the rows.
        n: how many rows.
        metrics: the columns; the first ranks.
        losses: those of which less is better.
        rows: ranked ones first.
        discordance: the share of samples on which the two best rows disagree about being right (with several seeds, and
            by other metrics, the mean squared difference of what a sample adds to their scores).
        detectable: the smallest difference in the first metric that such a table can tell from chance (80% power).
        budgets: those of the ranked rows, where they are not all alike (`harness.budgets.differing`).
        settling: about how many samples would tell the two best rows apart, if they differ as much as they seem to
            (80% power); None where they are told apart already, or don't differ at all.
        majority: the share of right answers of the model `majority`; where that is not there, of the commonest target.
        curves: where a strategy has run with several numbers of labelled rows.
    """

    task: str
    split: str
    samples: str
    n: int
    metrics: tuple[str, ...]
    losses: frozenset[str]
    rows: tuple[Row, ...]
    contexts: ContextTable | None = None
    discordance: float | None = None
    detectable: float | None = None
    budgets: tuple[LabelBudget, ...] = ()
    settling: int | None = None
    majority: float | None = None
    curves: Curves | None = None


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """A model with a strategy over the tasks of a suite.

    Attributes:
        rank: by the score; None for a control, and for a row that lacks a task.
        score: the weighted mean over the tasks that it has.
        tasks: how many of the suite's tasks these are.
        kinds: the same within each kind of tasks.
        control: whether it is one that others are measured by.
    """

    rank: int | None
    model: str
    strategy: str
    score: Estimate
    tasks: int
    kinds: Mapping[str, Estimate]
    control: bool = False


@dataclass(frozen=True, slots=True)
class SuiteTable:
    """The rows of a leaderboard averaged over the tasks of a suite.

    Attributes:
        tasks: those that are in the mean.
        kinds: of these tasks.
        rows: ranked ones first.
        notes: which tasks are not in the mean, and why.
    """

    suite: str
    tasks: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: tuple[SuiteRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """What a report shows.

    Attributes:
        environment: subject and finding: machine, devices, versions.
        footnotes: term and what it means, for the columns that are there.
        results: the trials themselves, with their gains.
        suites: means over the tasks of suites, of those that were asked for.
    """

    title: str
    tables: tuple[Table, ...]
    environment: tuple[tuple[str, str], ...]
    footnotes: tuple[tuple[str, str], ...]
    results: tuple[TrialResult, ...]
    suites: tuple[SuiteTable, ...] = ()
