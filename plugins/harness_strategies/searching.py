"""A search among ways to ask: candidates are asked about labelled rows, rung by rung, and the best one is found."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError, ModelError
from harness_strategies.halving import schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Adapted, Engine
    from harness.records import Prediction, Sample, TaskSpec
    from harness_strategies.candidates import Candidate
    from harness_strategies.halving import Rung


@dataclass(slots=True)
class Tried:
    """A candidate and what came of asking it.

    Attributes:
        adapted: asks it.
        right: of each row, whether it was answered right.
        gold: of each row, the log-probability of the right answer among all; 0 for what is generated.
        rungs: how many it was asked in.
        dropped: why it could not be asked any more.
    """

    candidate: Candidate
    adapted: Adapted
    right: list[bool] = field(default_factory=list)
    gold: list[float] = field(default_factory=list)
    rungs: int = 0
    dropped: str = ""

    def see(self, rows: Sequence[Sample], engine: Engine) -> None:
        """Ask about further rows; a candidate that can't be asked about one of them is dropped, and says why."""
        try:
            asked = [tuple(self.adapted.requests(row)) for row in rows]
            responses = iter(engine.run([request for requests in asked for request in requests]))
            found = [
                self.adapted.decide(row, [next(responses) for _ in requests])
                for row, requests in zip(rows, asked, strict=True)
            ]
            gold = [_gold(self.candidate.spec, one) for one in found]
        except Exception as error:  # noqa: BLE001 - it costs this candidate, with its reason; where none is left, the trial
            self.dropped = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
            return
        self.right += [one.correct for one in found]
        self.gold += gold
        self.rungs += 1

    def accuracy(self, rows: int | None = None) -> float:
        """The share of the first rows that it answered right; of all that it was asked about unless told."""
        return statistics.fmean(self.right[:rows])

    @property
    def score(self) -> tuple[float, float]:
        """What candidates are compared by: accuracy, then the mean log-probability of the right answer."""
        return self.accuracy(), statistics.fmean(self.gold)

    def told(self, first: int) -> dict[str, Any]:
        """For other programs; `first` is how many rows all candidates were asked about."""
        accuracy, gold = self.score if self.right else (None, None)
        return self.candidate.described | {
            "rung": self.rungs,
            "rows": len(self.right),
            "accuracy": accuracy,
            "log_probability": gold if gold is not None and np.isfinite(gold) else None,
            "first_rung_accuracy": self.accuracy(first) if self.right else None,
            "dropped": self.dropped or None,
        }


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How far the accuracies of candidates lie apart on the same rows; `sd` is their sample standard deviation."""

    candidates: int
    rows: int
    min: float
    median: float
    max: float
    sd: float


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found: the winner, all that was tried in the order of the candidates, and its rungs."""

    winner: Tried
    tried: tuple[Tried, ...]
    rungs: tuple[Rung, ...]

    @property
    def requests(self) -> int:
        """Rows asked about, over all candidates."""
        return sum(len(one.right) for one in self.tried)

    @property
    def rows(self) -> int:
        """Rows that at least one candidate was asked about, in the order in which they stand."""
        return max(len(one.right) for one in self.tried)

    @property
    def sensitivity(self) -> Sensitivity:
        """Over the candidates that answered the first rung."""
        first = self.rungs[0].rows
        found = [one.accuracy(first) for one in self.tried if one.right]
        sd = statistics.stdev(found) if len(found) > 1 else 0.0
        return Sensitivity(len(found), first, min(found), statistics.median(found), max(found), sd)


def search(tried: Sequence[Tried], rows: Sequence[Sample], engine: Engine, budget: int, eta: int) -> Search:
    """Successive halving by accuracy, ties by the mean log-probability of the right answer, then the first.

    Args:
        tried: the candidates, not yet asked; no more than the budget has room for.
        rows: labelled, at least one; rungs take them from the front.
        engine: is asked.
        budget: requests at most, see `harness_strategies.halving`.
        eta: one in so many candidates goes on.

    Raises:
        ModelError: when no candidate is left.
    """
    rungs = schedule(len(tried), len(rows), budget, eta)
    left, seen = list(tried), 0
    for rung in rungs:
        left = _best(left)[: rung.candidates] if seen else left
        for one in left:
            one.see(rows[seen : rung.rows], engine)
        asked, left = left, [one for one in left if not one.dropped]
        if not left:
            raise ModelError(f"none of {len(asked)} candidates could be asked; the first: {asked[0].dropped}")
        seen = rung.rows
    return Search(_best(left)[0], tuple(tried), rungs)


def _best(tried: Sequence[Tried]) -> list[Tried]:
    return sorted(tried, key=lambda one: one.score, reverse=True)  # stable: the first of equals stays first


def _gold(spec: TaskSpec, found: Prediction) -> float:
    """The log-probability of the right answer among all.

    Raises:
        ModelError: when there is no likeliest answer.
    """
    if found.status == "failed":
        raise ModelError(f"sample {found.sample_id!r}: {found.reason}")
    if not found.scores:
        return 0.0
    from scipy.special import log_softmax

    place = list(spec.labels).index(found.target) if spec.labels else int(found.target)
    return float(log_softmax(np.asarray(found.scores, np.float64))[place])
