"""Score against latency as the shapes of an SVG picture: what is gained for the time that it takes."""

from __future__ import annotations

from itertools import count, pairwise, zip_longest
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any

from harness_reporters import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.board import Row, Table

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 28, 44


def chart(table: Table) -> dict[str, Any] | None:
    """Ticks, points and the front of a table's ranked rows; None where there are not two to compare."""
    rows = [row for row in table.rows if row.rank is not None and row.speed.p50_ms]
    values = [row.metrics[table.metrics[0]].value for row in rows]
    if len(rows) < 2 or not all(map(isfinite, values)):
        return None
    decades = [log10(row.speed.p50_ms or 1) for row in rows]
    x = _Axis(floor(min(decades)), ceil(max(decades)), LEFT, WIDTH - RIGHT)
    intervals = [_interval(row, table.metrics[0]) for row in rows]
    bounds = [*values, *(bound for interval in intervals if interval for bound in interval)]
    y = _Axis(floor(10 * min(bounds)) / 10, ceil(10 * max(bounds)) / 10, HEIGHT - BOTTOM, TOP)
    places = [(x.at(decade), y.at(value)) for decade, value in zip(decades, values, strict=True)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "ticks": [*_across(x), *_up(y)],
        "front": " ".join(f"{px},{py}" for px, py in _steps(_front(places, up=table.metrics[0] not in table.losses))),
        "points": [
            {
                "x": px,
                "y": py,
                "low": None if interval is None else y.at(interval[0]),
                "high": None if interval is None else y.at(interval[1]),
                "rank": row.rank,
                "best": row.rank == 1,
                "title": _title(row, table.metrics[0]),
            }
            for row, (px, py), interval in zip(rows, places, intervals, strict=True)
        ],
    }


class _Axis:
    """Numbers from `low` to `high` -> picture coordinates from `start` to `end`."""

    def __init__(self, low: float, high: float, start: int, end: int) -> None:
        self.low = low
        self.high = high if high > low else low + 1
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 1)


def _interval(row: Row, metric: str) -> tuple[float, float] | None:
    """A score's interval, where it has one."""
    score = row.metrics[metric]
    return (score.low, score.high) if isfinite(score.low) and isfinite(score.high) else None


def _title(row: Row, metric: str) -> str:
    return f"{row.rank}. {cells.label(row)}: {cells.metric(row, metric)}, {cells.quantity(row.speed.p50_ms)} ms"


def _across(axis: _Axis) -> list[dict[str, Any]]:
    ticks = []
    for decade in range(int(axis.low), int(axis.high) + 1):
        at = axis.at(decade)
        line = {"x1": at, "x2": at, "y1": TOP, "y2": HEIGHT - BOTTOM}
        ticks.append(line | {"x": at, "y": HEIGHT - BOTTOM + 16, "anchor": "middle", "label": f"{10.0**decade:,g}"})
    return ticks


def _up(axis: _Axis) -> list[dict[str, Any]]:
    span = axis.high - axis.low
    step = next(
        step for power in count(-2) for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if span < 6 * step
    )
    ticks = []
    for index in range(floor(span / step + 1e-9) + 1):
        value = axis.low + index * step
        at = axis.at(value)
        line = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": at, "y2": at}
        label = f"{value:.{0 if step >= 1 else 2}f}"
        ticks.append(line | {"x": LEFT - 8, "y": at + 4, "anchor": "end", "label": label})
    return ticks


def _front(places: Sequence[tuple[float, float]], *, up: bool) -> list[tuple[float, float]]:
    """The points that none other beats in both: from left to right, each better than all before it."""
    front: list[tuple[float, float]] = []
    for place in sorted(places, key=lambda place: (place[0], place[1] if up else -place[1])):
        if not front or (place[1] < front[-1][1] if up else place[1] > front[-1][1]):
            front.append(place)
    return front


def _steps(front: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The front with its corners: up to the next point's latency the one before is the best."""
    corners = [(after[0], before[1]) for before, after in pairwise(front)]
    return [place for pair in zip_longest(front, corners) for place in pair if place is not None]
