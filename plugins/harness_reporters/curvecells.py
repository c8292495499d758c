"""Learning curves as text: a row for each curve, a column for each number of labels, and what they say in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.curves import sentence
from harness_reporters import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.board import CurvePoint, Curves

Detail: TypeAlias = Literal["interval", "spread", "score"]
"""How much of a point is written, from most to least."""

DETAILS: tuple[Detail, ...] = ("interval", "spread", "score")


def heading(curves: Curves) -> str:
    """What the columns and cells are."""
    return f"{cells.visible(curves.metric) or 'score'} by number of labelled examples"


def grid(curves: Curves, detail: Detail = "interval") -> tuple[list[str], list[list[str]]]:
    """Headings and rows: model, strategy, and the score at each number of labels."""
    labels = sorted({point.labels for curve in curves.curves for point in curve.points})
    rows = []
    for curve in curves.curves:
        at = {point.labels: point for point in curve.points}
        named = [cells.visible(curve.model), cells.visible(curve.strategy)]
        rows.append([*named, *(_cell(at[one], detail) if one in at else cells.NONE for one in labels)])
    return ["model", "strategy", *(f"{one:,}" for one in labels)], rows


def sentences(curves: Curves) -> Sequence[str]:
    """Who beats whom from where on."""
    return [cells.visible(sentence(contest)) for contest in curves.contests]


def _cell(point: CurvePoint, detail: Detail) -> str:
    spread = f" ±{cells.number(point.seed_sd)}" if point.seed_sd is not None and detail != "score" else ""
    bounds = f" {cells.interval(point.score)}" if detail == "interval" else ""
    return f"{cells.number(point.score.value)}{spread}{bounds}"
