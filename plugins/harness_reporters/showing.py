"""How a table's single answers are shown: as right or wrong, by a score of their own, or neither; with texts or not."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from harness.interfaces import MeasuresTrials
from harness.pairing import RIGHT_ANSWERS
from harness.readable import readable
from harness.taskspec import CHOSEN, LABELLED, NUMERIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.board import Table
    from harness.interfaces import Evidence
    from harness.records import TrialResult

BRIEF = 60
"""Characters of a target or an answer that stand in a file without texts: labels, numbers and names have no more."""

BINS = 20
"""Of a histogram."""

UNJUDGED = NUMERIC | {"language-modelling"}
"""Kinds of tasks whose answers are neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class Showing:
    """How the answers of a table are shown.

    Attributes:
        judged: whether they are right or wrong.
        labelled: whether they are labels or choices, with a score each.
        by: the metric that each answer has a value of by itself, the first that has; empty where there is none.
        loss: whether less of it is better.
        texts: whether prompts, inputs and texts are shown.
        kind: of the task; empty where nobody told.
    """

    judged: bool = True
    labelled: bool = True
    by: str = ""
    loss: bool = False
    texts: bool = True
    kind: str = ""

    def brief(self, text: str | None) -> str | None:
        """A target or an answer as people read it, unless it is a text that is not to be shown."""
        if text is None:
            return None
        text = readable(self.kind, text)
        if self.texts or self.labelled or len(text) <= BRIEF:
            return text
        return f"[a text of {len(text):,} characters, left out]"

    def told(self) -> dict[str, Any]:
        """For the page."""
        return {"judged": self.judged, "by": self.by, "loss": self.loss}


def showing(table: Table, results: Mapping[str, TrialResult], evidence: Evidence, *, texts: bool) -> Showing:
    """How a table's answers are shown, by the kind of its task and what its metrics say of single samples."""
    keys = [key for row in table.rows for key in row.keys]
    kind = next((found for key in keys if (found := results[key].manifest.get("kind", ""))), "")
    labelled = kind in LABELLED | CHOSEN or not kind
    if labelled or not table.metrics or table.metrics[0] in RIGHT_ANSWERS:
        return Showing(labelled=labelled, texts=texts, kind=kind)
    finished = next((row.keys[0] for row in table.rows if row.rank is not None), "")
    for name in table.metrics:
        values = {value for value in alone(evidence, finished, name) or () if value is not None}
        if values:
            judged = name == table.metrics[0] and values <= {0.0, 1.0}
            return Showing(judged, labelled, name, name in table.losses, texts, kind)
    return Showing(judged=kind not in UNJUDGED, labelled=False, texts=texts, kind=kind)


def alone(evidence: Evidence, key: str, metric: str) -> Sequence[float | None] | None:
    """A metric of each of a trial's answers by itself, None where it has no such value; None where none has."""
    if not key or not metric or not isinstance(evidence, MeasuresTrials):
        return None
    found = evidence.alone(key, metric)
    return None if found is None else [one if one is not None and isfinite(one) else None for one in found]


def histogram(values: Sequence[float]) -> dict[str, Any] | None:
    """How many values lie in each of some bins of equal width; None where there are none."""
    if not values:
        return None
    low, high = min(values), max(values)
    width = (high - low) / BINS or 1.0
    counts = [0] * BINS
    for value in values:
        counts[min(int((value - low) / width), BINS - 1)] += 1
    return {"low": low, "high": low + BINS * width, "counts": counts}
