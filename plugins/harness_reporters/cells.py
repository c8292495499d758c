"""Rows of a leaderboard as text: which columns there are, what matters most, and how numbers are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from math import floor, isfinite
from typing import TYPE_CHECKING

from harness.board import THIN, TIED
from harness.budgets import caveat, labels
from harness.pairing import RIGHT_ANSWERS
from harness.records import LabelBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.board import ContextTable, Gain, Row, Table
    from harness.records import Estimate

NONE = "—"

METRIC_WEIGHTS = ((100, 100), (78, 38), (56, 30))
"""Of a table's first metrics: how much they matter, and how much their intervals do."""

OTHERS = {
    "rank",
    "ranks",
    "model",
    "strategy",
    "seeds",
    "answered",
    "gain",
    "further gains",
    "p",
    "worst context",
    "labels",
    "cached",
}
"""Headings that a metric's name could be."""

PERCENTILES = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, a row's text, and how much it matters: where there is little room, 0 goes first.

    `brief` gives a narrower text, where there is one; it takes the text's place at the turn of `brief_weight`.
    """

    heading: str
    text: Callable[[Row], str]
    weight: int
    brief: Callable[[Row], str] | None = None
    brief_weight: int = 100
    numeric: bool = True


def columns(table: Table) -> list[Column]:
    """The columns that say something of at least one row, in reading order; weight 100 marks the indispensable."""
    named = [
        Column("rank", rank, 100),
        Column("model", lambda row: visible(row.model), 100, lambda row: folded(row.model), 32, numeric=False),
        Column("strategy", lambda row: visible(row.strategy), 100, lambda row: folded(row.strategy), 32, numeric=False),
        Column("seeds", lambda row: str(len(row.seeds)) if len(row.seeds) > 1 else NONE, 22),
    ]
    metrics = [
        Column(titled(name), partial(metric, name=name), weight, partial(metric_alone, name=name), brief_weight)
        for name, (weight, brief_weight) in zip(table.metrics, chain(METRIC_WEIGHTS, repeat((34, 20))), strict=False)
    ]
    complete = all(coverage(row) == "100%" for row in scored(table))
    compared = [
        Column("answered", coverage, 46 if complete else 72, answered, 36),
        Column("gain", gain, 70, gain_alone, 34),
        Column("further gains", further_gains, 26, numeric=False),
        Column("ranks", ranks, 42),
        Column("p", lambda row: p_value(row.p_value), 40),
        *(Column(f"clean {titled(name)}", clean, 71, clean_alone, 33) for name in table.metrics[:1]),
        Column("worst context", worst, 55, numeric=False),
    ]
    measured = [
        *(
            Column(f"{q} ms", partial(percentile, q=q), weight, partial(percentile_alone, q=q), weight - 60)
            for q, weight in zip(PERCENTILES, (80, 35, 28), strict=True)
        ),
        Column("TTFT ms", lambda row: quantity(row.speed.ttft_p50_ms), 33),
        Column("TPOT ms", lambda row: quantity(row.speed.tpot_p50_ms), 23),
        *_further_scenarios(table),
        Column("samples/s", lambda row: quantity(row.speed.samples_per_s), 45),
        Column("tokens/s", lambda row: quantity(row.speed.tokens_per_s), 18),
        Column("peak MB", lambda row: quantity(row.speed.peak_mb), 24),
        Column("GPU MB", lambda row: quantity(row.speed.device_peak_mb), 25),
        Column("CPU s", lambda row: quantity(row.speed.cpu_s), 16),
        Column("energy J", lambda row: quantity(row.speed.energy_j), 15),
        Column("$ per 1,000", lambda row: quantity(row.speed.usd_per_1000), 44),
        Column("train s", lambda row: quantity(row.costs.train_s), 50),
        *(_adapting() if any(row.costs.model_calls for row in scored(table)) else []),
        Column("load s", lambda row: quantity(row.costs.load_s), 12),
        *([Column("labels", budget, 21)] if any(row.budget not in (None, LabelBudget()) for row in table.rows) else []),
        Column("cached", lambda row: "yes" if row.cached else NONE, 8, numeric=False),
    ]
    told = [*named, *metrics, *compared, *measured]
    return [column for column in told if any(column.text(row) != NONE for row in scored(table))]


def _adapting() -> list[Column]:
    """What adapting took, for a table in which a strategy asks models meanwhile."""
    return [
        Column("adapt s", lambda row: quantity(row.costs.adapt_s), 48),
        Column("model calls", lambda row: count(row.costs.model_calls), 44),
    ]


def titled(name: str) -> str:
    """A metric's heading: its name, unless that is another column's."""
    return f"{name} (score)" if name in OTHERS else visible(name)


def scored(table: Table) -> list[Row]:
    """The rows that have numbers to show: ranked ones and partial ones."""
    return [row for row in table.rows if row.metrics]


def unranked(table: Table) -> list[tuple[str, str, str]]:
    """The rows without a rank: model, its strategies for which the same holds, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        if row.rank is None:
            state = row.status.replace("-", " ")
            why = f"{state}: {visible(row.reason)}" if row.reason else state
            found.setdefault((visible(row.model), why), []).append(visible(row.strategy))
    return [(model, "; ".join(strategies), why) for (model, why), strategies in found.items()]


def notes(table: Table) -> dict[str, list[Row]]:
    """What is worth saying of rows, and of which."""
    said: dict[str, list[Row]] = {}
    for row in table.rows:
        for note in row.notes:
            said.setdefault(visible(note), []).append(row)
    return said


def heading(table: Table) -> str:
    """The name of a table: its task, split and number of samples."""
    return f"{visible(table.task)} · {table.split} · {table.n:,} samples"


def headline(table: Table) -> str:
    """What a table says, in a sentence or three."""
    ranked = [row for row in table.rows if row.rank is not None]
    if not ranked:
        return "Nothing is ranked."
    best, by = ranked[0], table.metrics[0]
    said = f"Best: {label(best)} with {visible(by)} {estimate(best.metrics[by])}."
    tied = sum(row.tied_with_best for row in ranked)
    if tied:
        said += f" {tied} other{' row' if tied == 1 else ' rows'} can't be told from it ({TIED})."
    if table.detectable is not None:
        said += f" {table.n:,} samples can't tell {_apart(by, table.detectable)} from chance."
    if table.settling is not None:
        said += f" About {table.settling:,} samples would settle whether it is better than {label(ranked[1])}."
    if table.budgets:
        said += f" {caveat(table.budgets)}"
    return said


def _apart(by: str, detectable: float) -> str:
    """Differences that are too small to be told, in words."""
    if by not in RIGHT_ANSWERS:
        return f"scores of {visible(by)} less than {number(detectable)} apart"
    return f"accuracies less than {detectable:.3f} apart" if detectable < 1 else "accuracies"


def warning(table: Table) -> str:
    """Which rows are no better than always giving the same answer; empty where all are."""
    weak = [row for row in table.rows if row.not_above_majority]
    if not weak or table.majority is None:
        return ""
    return f"No better than the majority's answer ({number(table.majority)}): {', '.join(map(label, weak))}."


def label(row: Row) -> str:
    """A row's name in a sentence."""
    return f"{visible(row.model)} · {visible(row.strategy)}"


def context_cells(contexts: ContextTable) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a cross-context table."""
    names = [f"{visible(name)} (n={size:,})" for name, size in contexts.sizes.items()]
    rows = [
        [
            visible(row.model),
            visible(row.strategy),
            *(estimate(row.scores[name]) if name in row.scores else NONE for name in contexts.sizes),
            visible(row.worst),
            number(row.spread),
        ]
        for row in contexts.rows
    ]
    return ["model", "strategy", *names, "worst", "spread"], rows


# --- cells -------------------------------------------------------------------------------------------


def rank(row: Row) -> str:
    """The rank, marked where the row can't be told from the best."""
    if row.control:
        return "control"
    return NONE if row.rank is None else f"{row.rank}{TIED if row.tied_with_best else ''}"


def ranks(row: Row) -> str:
    """The ranks that the row may have: `1-3`."""
    return NONE if row.ranks is None else str(row.ranks[0]) if len(set(row.ranks)) == 1 else "{}-{}".format(*row.ranks)


def metric(row: Row, name: str) -> str:
    """The score with its spread over seeds and its interval."""
    if name not in row.metrics:
        return NONE
    spread = f" ±{number(row.seed_sd[name])}" if name in row.seed_sd else ""
    return f"{number(row.metrics[name].value)}{spread} {interval(row.metrics[name])}"


def metric_alone(row: Row, name: str) -> str:
    """The score by itself."""
    return number(row.metrics[name].value) if name in row.metrics else NONE


def gain(row: Row) -> str:
    """The gain over the baseline with its interval."""
    return _difference(row.gains[0]) if row.gains else NONE


def gain_alone(row: Row) -> str:
    """The gain by itself."""
    return signed(row.gains[0].difference.value) if row.gains else NONE


def further_gains(row: Row) -> str:
    """The gains over other baselines than the first one, and which these are."""
    return "; ".join(f"{_difference(one)} over {visible(one.over)}" for one in row.gains[1:]) or NONE


def _difference(one: Gain) -> str:
    difference = one.difference
    return f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]"


def budget(row: Row) -> str:
    """The labels that it was given."""
    return NONE if row.budget is None else labels(row.budget)


def clean(row: Row) -> str:
    """The first score without samples that repeat others, and of how many samples it is."""
    return NONE if row.clean is None else f"{estimate(row.clean)} n={row.clean_n:,}"


def clean_alone(row: Row) -> str:
    """That score by itself."""
    return NONE if row.clean is None else number(row.clean.value)


def worst(row: Row) -> str:
    """The worst context and its score."""
    return NONE if row.worst is None else f"{visible(row.worst.context)} {number(row.worst.score.value)}"


def percentile(row: Row, q: str) -> str:
    """A latency percentile with its interval, as far as that is bounded."""
    bounds = [getattr(row.speed, f"{q}_ms_{side}") for side in ("low", "high")]
    alone = percentile_alone(row, q)
    return alone if None in bounds else f"{alone} [{', '.join(map(quantity, bounds))}]"


def percentile_alone(row: Row, q: str) -> str:
    """A latency percentile, marked where it rests on too few samples."""
    value: float | None = getattr(row.speed, f"{q}_ms")
    return quantity(value) + (THIN if value is not None and f"{q}_ms" in row.speed.thin else "")


def further_scenarios(table: Table) -> list[str]:
    """Scenarios with latencies of samples that have no columns of their own: loads, and further sets of parameters."""
    names = sorted({name for row in table.rows for name, measured in row.latency.items() if "p99_ms" in measured})
    plain = [name for name in names if name.partition(",")[0] == "single-stream"]
    return [name for name in names if name not in plain[:1]]


def _further_scenarios(table: Table) -> list[Column]:
    found = []
    for name in further_scenarios(table):
        found += [
            Column(f"{visible(name)} {q} ms", partial(_of_scenario, name=name, of=f"{q}_ms"), weight)
            for q, weight in zip(PERCENTILES, (29, 27, 31), strict=True)
        ]
        found.append(Column(f"{visible(name)} in time", partial(_in_time, name=name), 30))
    return found


def _of_scenario(row: Row, name: str, of: str) -> str:
    measured = row.latency.get(name, {})
    thin = of in measured and float(of[1:3]) >= measured.get("thin_from", 100)
    return quantity(measured.get(of)) + (THIN if thin else "")


def _in_time(row: Row, name: str) -> str:
    share = row.latency.get(name, {}).get("within_limit")
    return NONE if share is None else f"{floor(1000 * share) / 10:g}%"


def answered(row: Row) -> str:
    """The share of samples that were answered."""
    share = (row.coverage.answered + row.coverage.truncated) / max(row.n * len(row.seeds), 1)
    return f"{floor(100 * share)}%"


def coverage(row: Row) -> str:
    """The share of samples that were answered, and what happened to others."""
    counts = {
        "empty": row.coverage.empty,
        "unparsed": row.coverage.unparsed,
        "failed": row.coverage.failed,
        "truncated": row.coverage.truncated,
        "shortened": row.coverage.shortened,
    }
    return ", ".join([answered(row), *(f"{count:,} {cause}" for cause, count in counts.items() if count)])


# --- numbers and text --------------------------------------------------------------------------------


def estimate(score: Estimate) -> str:
    """`0.912 [0.880, 0.936]`."""
    return f"{number(score.value)} {interval(score)}"


def interval(score: Estimate) -> str:
    """`[0.880, 0.936]`."""
    return f"[{number(score.low)}, {number(score.high)}]"


def number(value: float) -> str:
    """Three decimals."""
    return f"{value:.3f}" if isfinite(value) else NONE


def signed(value: float) -> str:
    """Three decimals with a sign."""
    return f"{value:+.3f}" if isfinite(value) else NONE


def p_value(value: float | None) -> str:
    """Three decimals; below them it says so."""
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def quantity(value: float | None) -> str:
    """Three significant digits, no exponent."""
    if value is None or not isfinite(value):
        return NONE
    if value >= 100:
        return f"{value:,.0f}"
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def count(value: float | None) -> str:
    """A whole number, or the mean of several."""
    return NONE if value is None else f"{value:,.0f}"


def folded(text: str, width: int = 24) -> str:
    """A long name in several lines, broken after commas."""
    lines = [""]
    for part in re.findall(r"[^,]+,?|,", visible(text)):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def visible(text: str) -> str:
    """Text on one line, without characters that command a terminal or turn the direction of writing."""
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "\ufffd" for letter in text)
