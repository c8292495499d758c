"""Ranked rows with what tests say of them: against the best row, of every pair, and against the majority's answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from harness.pairing import RIGHT_ANSWERS
from harness.ranking import holm, rank_intervals
from harness.samplesize import samples_to_settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.board import Row
    from harness.pairing import Pairing, Versus

MAJORITY = "majority"
"""The model that always gives the answer that training rows have most often."""

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Tested:
    """Rows with their tests; the rest is as in `harness.board.Table`."""

    rows: list[Row]
    discordance: float | None = None
    settling: int | None = None
    majority: float | None = None


def tested(rows: Sequence[Row], by: str, pairing: Pairing, *, loss: bool) -> Tested:
    """Test rows, of which those with a rank stand first, the best before the others.

    Args:
        rows: finished ones.
        by: the metric that ranks and that tests are of.
        pairing: knows which samples each trial has right, and what they add to other metrics.
        loss: whether less of it is better.
    """
    number = sum(row.rank is not None for row in rows)
    pairs = {
        (i, j): found
        for i, j in combinations(range(number), 2)
        if (found := _versus(rows[i], rows[j], by, pairing)) is not None
    }
    after = _with_ranks(_against_best(rows, pairs), number, pairs, loss=loss)
    best = pairs.get((0, 1))
    settling = None
    if best is not None and best.p_value >= SIGNIFICANT:
        settling = samples_to_settle(best.difference, best.discordance)
    after, majority = _against_majority(after, pairing)
    return Tested(after, best.discordance if best else None, settling, majority)


def _versus(a: Row, b: Row, by: str, pairing: Pairing) -> Versus | None:
    """Over the seeds that both rows have."""
    common = [seed for seed in b.seeds if seed in a.seeds]
    if not common:
        return None
    first, second = ([row.keys[row.seeds.index(seed)] for seed in common] for row in (a, b))
    return pairing.versus_by(by, first, second)


def _against_best(rows: Sequence[Row], pairs: dict[tuple[int, int], Versus]) -> list[Row]:
    """Rows with their p-value against the first one, corrected for the number of rows."""
    paired = {j: found.p_value for (i, j), found in pairs.items() if i == 0}
    adjusted = dict(zip(paired, holm(list(paired.values())), strict=True))
    return [
        dataclasses.replace(row, p_value=adjusted[index], tied_with_best=adjusted[index] >= SIGNIFICANT)
        if index in adjusted
        else row
        for index, row in enumerate(rows)
    ]


def _with_ranks(rows: Sequence[Row], number: int, pairs: dict[tuple[int, int], Versus], *, loss: bool) -> list[Row]:
    """The first rows with the ranks that they may have; the one that they have is always among these."""
    better = -1 if loss else 1
    tests = {pair: (better * found.difference, found.p_value) for pair, found in pairs.items()}
    intervals = rank_intervals(tests, number) if tests else []
    ranked = [
        dataclasses.replace(row, ranks=(min(low, row.rank or low), max(high, row.rank or high)))
        for row, (low, high) in zip(rows, intervals, strict=False)
    ]
    return [*ranked, *rows[len(ranked) :]]


def _against_majority(rows: Sequence[Row], pairing: Pairing) -> tuple[list[Row], float | None]:
    """Ranked rows with their one-sided p-value against the majority's answer, and the share that this has right."""
    ranked = [row for row in rows if row.rank is not None and any(name in row.metrics for name in RIGHT_ANSWERS)]
    model = next((row for row in ranked if row.model == MAJORITY), None)
    tests: dict[str, float] = {}
    for row in ranked:
        if row is not model:
            found = pairing.over_commonest(row.keys)
            if model is not None:
                found = pairing.versus(row.keys, model.keys[:1] * len(row.keys))
            if found is not None:
                tests[row.keys[0]] = found.p_better
    share = None
    if ranked:
        share = pairing.commonest(ranked[0].keys[0]) if model is None else _share_right(model)
    return [dataclasses.replace(row, p_majority=tests.get(row.keys[0])) for row in rows], share


def _share_right(row: Row) -> float:
    return next(row.metrics[name].value for name in RIGHT_ANSWERS if name in row.metrics)
