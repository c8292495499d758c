"""Stored trials -> tables with ranks, intervals and tests.

Trials stand in one table when they answered the same rows of a task: only those can be compared. A row of a table is a
model with a strategy, over its seeds.
"""

from __future__ import annotations

import dataclasses
from math import inf, isnan
from statistics import fmean, stdev
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.board import ContextRow, ContextTable, Gain, Leaderboard, Row, Speed, Table, Worst
from harness.budgets import differing, largest
from harness.curves import curves_of
from harness.footnotes import SUITE_MEANING, explain
from harness.pairing import Pairing
from harness.records import Costs, Coverage, Estimate, Outcome, TrialResult, TrialStatus
from harness.samplesize import minimum_detectable_difference
from harness.significance import tested
from harness.suitetables import suite_table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from harness.pairing import Contributed
    from harness.suites import Suite

__all__ = ["LOSSES", "Leaderboard", "build"]

LOSSES = frozenset({"cross_entropy"})
"""Metrics of which less is better, where nobody says otherwise."""

UNRANKED: tuple[TrialStatus, ...] = ("partial", "failed", "running", "planned", "not-applicable")
"""In the order in which they stand below the ranked rows."""

CONTROL = "a control: others are measured by it"
"""Why it is not ranked."""

Seeds = list[TrialResult]
"""One row's trials, one a seed."""


def build(  # noqa: PLR0913 - all but the first two by keyword
    results: Sequence[TrialResult],
    outcomes: Callable[[str], Iterable[Outcome]],
    *,
    title: str = "",
    losses: Collection[str] = LOSSES,
    suites: Sequence[Suite] = (),
    tops: Mapping[str, float] = MappingProxyType({}),
    contributed: Contributed | None = None,
) -> Leaderboard:
    """Average, rank and compare trials.

    Args:
        results: the trials, in the order in which equals shall stand.
        outcomes: key -> the samples that a trial answered, in the data's order; empty where nothing is known. Asked for
            finished trials and baselines.
        title: the report's.
        losses: metrics of which less is better.
        suites: those whose means are shown as well.
        tops: metric -> its highest value, of those that have one other than 1.
        contributed: what samples add to metrics that are no share of right answers; without it rows are not compared by
            these.
    """
    pairing = Pairing(outcomes, contributed)
    gained = _gained(results, pairing)
    groups: dict[tuple[str, str, str], list[TrialResult]] = {}
    for result in gained:
        trial = result.trial
        groups.setdefault((str(trial.task), trial.split, trial.samples), []).append(result)
    tables = tuple(_table(group, pairing, frozenset(losses)) for group in groups.values())
    kinds = {str(result.trial.task): result.manifest["kind"] for result in gained if "kind" in result.manifest}
    averaged = tuple(suite_table(suite, tables, kinds=kinds, tops=tops) for suite in suites)
    footnotes = (*explain(tables), *(SUITE_MEANING for _ in averaged[:1]))
    return Leaderboard(title, tables, _environment(gained), footnotes, gained, averaged)


def _gained(results: Sequence[TrialResult], pairing: Pairing) -> tuple[TrialResult, ...]:
    """The trials with their gains; a baseline that is shown has the name under which it is shown."""
    shown = {result.trial.key: str(result.trial.strategy) for result in results}

    def with_gains(result: TrialResult) -> TrialResult:
        over = result.trial.baselines
        gains = {shown.get(over[name], name): gain for name, gain in pairing.gains(result).items()}
        # `gains` is over the first baseline alone: without that it is empty, whatever is known of the others.
        first = next((shown.get(key, name) for name, key in over.items()), "")
        return dataclasses.replace(result, gains=gains.get(first, {}), gains_over=gains)

    return tuple(map(with_gains, results))


def _environment(results: Iterable[TrialResult]) -> tuple[tuple[str, str], ...]:
    """Where and with what the trials ran; where they differ, all that was found."""
    found: dict[str, dict[str, None]] = {}
    plugins: dict[str, None] = {}
    for result in results:
        for subject, finding in result.provenance.items():
            found.setdefault(subject, {})[finding] = None
        if result.provenance:
            plugins |= dict.fromkeys(f"{name} {version}" for name, version in result.trial.plugins.items())
    if plugins:
        found["plugins"] = dict.fromkeys(sorted(plugins))
    return tuple((subject, ", ".join(findings)) for subject, findings in found.items())


# --- tables ------------------------------------------------------------------------------------------


def _table(results: Sequence[TrialResult], pairing: Pairing, losses: frozenset[str]) -> Table:
    first = results[0].trial
    metrics = _metrics(results)
    seeds_of = {seeds[0].trial.key: seeds for seeds in _by_row(results)}
    rows = [_row(seeds, metrics, losses) for seeds in seeds_of.values()]
    ranked = _ranked([row for row in rows if row.status == "finished"], metrics, losses)
    by = metrics[0] if metrics else ""
    found = tested(ranked, by, pairing, loss=by in losses)
    others = sorted((row for row in rows if row.status != "finished"), key=lambda row: UNRANKED.index(row.status))
    detectable = minimum_detectable_difference(first.n, found.discordance) if found.discordance else None
    return Table(
        task=str(first.task),
        split=first.split,
        samples=first.samples,
        n=first.n,
        metrics=metrics,
        losses=losses & set(metrics),
        rows=(*found.rows, *others),
        contexts=_contexts([seeds_of[row.keys[0]] for row in found.rows], metrics, losses),
        discordance=found.discordance,
        detectable=detectable,
        settling=found.settling,
        majority=found.majority,
        budgets=differing(row.budget for row in ranked if row.rank is not None),
        curves=curves_of(results, pairing, by, loss=by in losses),
    )


def _metrics(results: Iterable[TrialResult]) -> tuple[str, ...]:
    """All metrics in the task's order, which the trial that has most of them shows."""
    fullest_first = sorted(results, key=lambda result: -len(result.metrics))
    return tuple(dict.fromkeys(name for result in fullest_first for name in result.metrics))


def _by_row(results: Iterable[TrialResult]) -> list[Seeds]:
    """Trials that differ in their seeds alone; a seed that is there twice begins another row."""
    rows: dict[tuple[str, str, int], Seeds] = {}
    times: dict[tuple[str, str, int], int] = {}
    for result in results:
        model, strategy, seed = str(result.trial.model), str(result.trial.strategy), result.trial.seed
        times[model, strategy, seed] = time = times.get((model, strategy, seed), 0) + 1
        rows.setdefault((model, strategy, time), []).append(result)
    return list(rows.values())


def _ranked(rows: Iterable[Row], metrics: Sequence[str], losses: frozenset[str]) -> list[Row]:
    """Finished rows, the best first; controls and those without the first metric stand last and have no rank."""
    by = metrics[0] if metrics else ""
    sign = 1 if by in losses else -1
    rows = list(rows)
    scored = [row for row in rows if by in row.metrics and not isnan(row.metrics[by].value)]
    scored.sort(key=lambda row: sign * row.metrics[by].value)
    contenders = [row for row in scored if not row.control]
    values = [row.metrics[by].value for row in contenders]
    ranked = [dataclasses.replace(row, rank=values.index(row.metrics[by].value) + 1) for row in contenders]
    controls = [dataclasses.replace(row, reason=CONTROL) for row in scored if row.control]
    unscored = [row for row in rows if row not in scored]
    return [*ranked, *controls, *(dataclasses.replace(row, reason=f"it has no {by or 'score'}") for row in unscored)]


# --- rows --------------------------------------------------------------------------------------------


def _row(seeds: Seeds, metrics: Sequence[str], losses: frozenset[str]) -> Row:
    first = seeds[0].trial
    status, reason = _status(seeds)
    scores = {name: [seed.metrics[name] for seed in seeds if name in seed.metrics] for name in metrics}
    contexts, latency = _context_scores(seeds, metrics), _latency(seeds)
    clean = _clean(seeds, metrics)
    return Row(
        rank=None,
        model=str(first.model),
        strategy=str(first.strategy),
        seeds=tuple(seed.trial.seed for seed in seeds),
        keys=tuple(seed.trial.key for seed in seeds),
        n=first.n,
        status=status,
        reason=reason,
        coverage=_total([seed.coverage for seed in seeds]),
        metrics={name: _average(estimates) for name, estimates in scores.items() if estimates},
        seed_sd={name: stdev(one.value for one in several) for name, several in scores.items() if len(several) > 1},
        worst=_worst(contexts, metrics, losses) if len(contexts) > 1 else None,
        gains=_gains(seeds),
        control=first.control,
        speed=_speed(latency),
        latency=latency,
        added=first.added,
        clean=clean,
        clean_n=None if clean is None or seeds[0].clean is None else seeds[0].clean.n,
        costs=Costs(*(_mean(getattr(seed.costs, one.name) for seed in seeds) for one in dataclasses.fields(Costs))),
        budget=largest(seed.budget for seed in seeds),
        notes=tuple(dict.fromkeys(note for seed in seeds for note in seed.notes)),
        provenance=dict(_environment(seeds)),
        cached=all(seed.cached for seed in seeds),
    )


def _gains(seeds: Seeds) -> tuple[Gain, ...]:
    """Over each baseline, averaged over the seeds for which it is known."""
    over: dict[str, list[Estimate]] = {}
    for seed in seeds:
        for name, gains in seed.gains_over.items():
            over.setdefault(name, []).extend(gains.values())
    return tuple(Gain(name, _average(gains)) for name, gains in over.items())


def _status(seeds: Seeds) -> tuple[TrialStatus, str]:
    """One status for all seeds, the worst of them, and why."""
    order = (*UNRANKED, "finished")
    status = min((seed.status for seed in seeds), key=order.index)
    reasons = {seed.trial.seed: seed.reason for seed in seeds if seed.reason}
    if len(reasons) == len(seeds) and len(set(reasons.values())) == 1:
        return status, seeds[0].reason
    return status, "; ".join(f"seed {seed}: {reason}" for seed, reason in reasons.items())


def _clean(seeds: Seeds, metrics: Sequence[str]) -> Estimate | None:
    """The first metric without repeating samples, averaged over the seeds, where there are such samples."""
    found = [seed.clean for seed in seeds if seed.clean is not None and seed.clean.left_out]
    estimates = [one.metrics[name] for one in found for name in metrics[:1] if name in one.metrics]
    return _average(estimates) if estimates else None


def _latency(seeds: Seeds) -> dict[str, dict[str, float]]:
    """Each scenario's quantities, averaged; of `thin_from` the lowest."""
    found: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        for scenario, measured in seed.latency.items():
            for quantity, value in measured.items():
                if value is not None:
                    found.setdefault(scenario, {}).setdefault(quantity, []).append(value)
    return {
        scenario: {name: min(values) if name == "thin_from" else fmean(values) for name, values in quantities.items()}
        for scenario, quantities in found.items()
    }


def _speed(latency: Mapping[str, Mapping[str, float]]) -> Speed:
    alone, together = _measured(latency, "single-stream"), _measured(latency, "offline")
    samples = together.get("n") or None

    def each(quantity: str) -> float | None:
        return together[quantity] / samples if samples and quantity in together else None

    bounds = {f"p{q}_ms_{side}": alone.get(f"p{q}_ms_{side}") for q in (50, 95, 99) for side in ("low", "high")}
    price = each("price_usd")
    return Speed(
        p50_ms=alone.get("p50_ms"),
        p95_ms=alone.get("p95_ms"),
        p99_ms=alone.get("p99_ms"),
        thin=frozenset(f"p{percentile}_ms" for percentile in (50, 95, 99) if percentile >= alone.get("thin_from", inf)),
        samples_per_s=together.get("samples_per_s"),
        tokens_per_s=together.get("tokens_per_s") or None,  # some models count no tokens
        peak_mb=together.get("peak_mb"),
        **bounds,
        ttft_p50_ms=alone.get("ttft_p50_ms"),
        tpot_p50_ms=alone.get("tpot_p50_ms"),
        device_peak_mb=together.get("device_peak_mb"),
        cpu_s=each("cpu_s"),
        energy_j=each("energy_j"),
        usd_per_1000=None if price is None else 1000 * price,
    )


def _measured(latency: Mapping[str, Mapping[str, float]], name: str) -> Mapping[str, float]:
    """What a scenario measured: without parameters, else with those that come first."""
    variants = sorted(scenario for scenario in latency if scenario.partition(",")[0] == name)
    return latency[variants[0]] if variants else {}


def _total(coverages: Sequence[Coverage]) -> Coverage:
    counts = [dataclasses.asdict(coverage) for coverage in coverages]
    return Coverage(**{name: sum(count[name] for count in counts) for name in counts[0]})


def _average(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(*(fmean(bound) for bound in zip(*map(dataclasses.astuple, estimates), strict=True)))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


# --- contexts ----------------------------------------------------------------------------------------


def _contexts(rows: Sequence[Seeds], metrics: Sequence[str], losses: frozenset[str]) -> ContextTable | None:
    """Rows x contexts, where the task has at least two."""
    lines: list[ContextRow] = []
    sizes: dict[str, int] = {}
    for seeds in rows:
        scores = _context_scores(seeds, metrics)
        if scores:
            sizes |= {name: score.n for name, score in seeds[0].contexts.items()}
            values = [score.value for score in scores.values()]
            trial, worst = seeds[0].trial, _worst(scores, metrics, losses).context
            lines.append(ContextRow(str(trial.model), str(trial.strategy), scores, worst, max(values) - min(values)))
    return ContextTable(metrics[0], sizes, tuple(lines)) if len(sizes) > 1 else None


def _context_scores(seeds: Seeds, metrics: Sequence[str]) -> dict[str, Estimate]:
    """Context -> the first metric, averaged over seeds."""
    scores: dict[str, list[Estimate]] = {}
    for seed in seeds:
        for name, score in seed.contexts.items():
            for metric in metrics[:1]:
                if metric in score.metrics:
                    scores.setdefault(name, []).append(score.metrics[metric])
    return {name: _average(estimates) for name, estimates in scores.items()}


def _worst(scores: Mapping[str, Estimate], metrics: Sequence[str], losses: frozenset[str]) -> Worst:
    sign = -1 if metrics[0] in losses else 1
    context = min(scores, key=lambda name: sign * scores[name].value)
    return Worst(context, scores[context])
