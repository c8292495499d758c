"""Learning curves as an SVG picture: scores over the logarithm of the number of labels, with bands and a key."""

from __future__ import annotations

from importlib.resources import files
from itertools import pairwise
from math import ceil, floor, isfinite, log
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from harness_reporters import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.board import Curve, Table

WIDTH, PLOT, LINE = 760, 340, 18
"""Pixels: how wide the picture is, how high the plot, and a line of the key below it."""
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 48, 40

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7a7a7a")
"""Told apart by colour-blind readers too (Okabe & Ito 2008); the ninth curve begins anew, with another dash."""
DASHES = ("", "7 3", "2 3")


def picture(table: Table) -> str | None:
    """The picture of a table's curves; None where there is no score to draw."""
    if table.curves is None:
        return None
    curves = [curve for curve in table.curves.curves if any(isfinite(point.score.value) for point in curve.points)]
    if all(curve.flat for curve in curves):
        return None
    source = files("harness_reporters").joinpath("curves.svg.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(source).render(_shapes(table, curves), width=WIDTH)


def _shapes(table: Table, curves: Sequence[Curve]) -> dict[str, Any]:
    x, y = _axes(curves)
    bottom = TOP + PLOT
    labels = sorted({point.labels for curve in curves if not curve.flat for point in curve.points})
    drawn = [_drawn(curve, number, x, y) for number, curve in enumerate(curves)]
    return {
        "heading": cells.heading(table),
        "metric": cells.visible(table.curves.metric) if table.curves else "",
        "height": bottom + BOTTOM + LINE * len(curves) + 8,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": bottom,
        "across": [{"x": x.at(log(max(one, 1))), "label": f"{one:,}"} for one in _apart(labels, x)],
        "up": [{"y": y.at(value), "label": f"{value:.{0 if y.step >= 1 else 2}f}"} for value in y.ticks()],
        "curves": [one | {"y": bottom + BOTTOM + LINE * (at + 1)} for at, one in enumerate(drawn)],
    }


class _Axis:
    """Numbers from `low` to `high` -> picture coordinates from `start` to `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high if high > low else low + 1
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 1)

    @property
    def step(self) -> float:
        """A round one, of which at most eleven go into the axis."""
        return next(
            mantissa * 10.0**power
            for power in range(-4, 300)
            for mantissa in (1, 2, 5)
            if (self.high - self.low) <= 11 * mantissa * 10.0**power
        )

    def ticks(self) -> list[float]:
        """At most a dozen numbers, a step apart."""
        step = self.step
        return [step * at for at in range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)]


def _axes(curves: Sequence[Curve]) -> tuple[_Axis, _Axis]:
    points = [point for curve in curves for point in curve.points]
    swept = [point.labels for curve in curves if not curve.flat for point in curve.points]
    bounds = [bound for point in points for bound in (point.score.low, point.score.high, point.score.value)]
    finite = [bound for bound in bounds if isfinite(bound)]
    margin = 0.04 * (log(max(swept)) - log(max(min(swept), 1))) or 0.5
    x = _Axis(log(max(min(swept), 1)) - margin, log(max(*swept, 1)) + margin, LEFT, WIDTH - RIGHT)
    return x, _Axis(floor(20 * min(finite)) / 20, ceil(20 * max(finite)) / 20, TOP + PLOT, TOP)


def _apart(labels: Sequence[int], x: _Axis) -> list[int]:
    """The numbers that can be written under the axis without touching."""
    kept: list[int] = []
    for one in labels:
        if not kept or x.at(log(max(one, 1))) - x.at(log(max(kept[-1], 1))) >= 14 + 7 * len(f"{one:,}"):
            kept.append(one)
    return kept


def _drawn(curve: Curve, number: int, x: _Axis, y: _Axis) -> dict[str, Any]:
    """A curve's line, band and dots; a flat one's line and band go all the way across."""
    points = [point for point in curve.points if isfinite(point.score.value)]
    if curve.flat:
        places = [(edge, points[0]) for edge in (LEFT, WIDTH - RIGHT)]
    else:
        places = [(x.at(log(max(point.labels, 1))), point) for point in points]
    banded = [(at, point) for at, point in places if isfinite(point.score.low) and isfinite(point.score.high)]
    around = [(at, y.at(point.score.low)) for at, point in banded]
    around += [(at, y.at(point.score.high)) for at, point in reversed(banded)]
    name = f"{cells.visible(curve.model)} · {cells.visible(curve.strategy)}"
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    return {
        "name": f"{name} ({points[0].labels:,} labels)" if curve.flat else name,
        "colour": COLOURS[number % len(COLOURS)],
        "dash": dash or ("1 4" if curve.flat else ""),
        "band": " ".join(f"{at},{height}" for at, height in around),
        "segments": [
            {"x1": one, "y1": y.at(before.score.value), "x2": other, "y2": y.at(after.score.value)}
            for (one, before), (other, after) in pairwise(places)
        ],
        "dots": []
        if curve.flat
        else [
            {
                "x": at,
                "y": y.at(point.score.value),
                "title": f"{name}, {point.labels:,} labels: {cells.estimate(point.score)}",
            }
            for at, point in places
        ],
    }
