"""What a reporter offers and is given; reached through `harness.interfaces` too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.board import Leaderboard
    from harness.differences import Paired
    from harness.records import Prediction, Request, Trial


@dataclass(frozen=True, slots=True)
class Report:
    """Rendered files: name -> content. `text` is what goes to standard output when no folder is given."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    text: str = ""


class Reporter(Protocol):
    """A leaderboard -> files or text. One that shows single answers as well is a `ShowsEvidence` too."""

    def render(self, board: Leaderboard) -> Report:
        """Render it; no files are written here."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trial asked of each sample.

    Attributes:
        samples: id and requests of each that it scores, in the data's order; may be gone through several times.
        labels: of a classification, in the order that scores have.
        notes: of the strategy, made again without its model; what could not be made so is told in them.
    """

    samples: Iterable[tuple[str, Sequence[Request]]]
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Evidence(Protocol):
    """What stands behind a leaderboard, trial by trial, so that nobody has to hold all of it."""

    def predictions(self, key: str) -> Sequence[Prediction]:
        """What a trial said of its samples so far, in the data's order; empty for one that is not known."""

    def asked(self, trial: Trial) -> Asked:
        """What a trial asked.

        Raises:
            HarnessError: saying why that can't be told.
        """


@runtime_checkable
class MeasuresTrials(Protocol):
    """Evidence that tells what metrics say of single samples and of two trials as well."""

    def alone(self, key: str, metric: str) -> Sequence[float | None] | None:
        """The metric of each of a trial's samples by itself, in the order of its predictions; None for failed ones.

        None where the metric can't be told of single samples, or there are too many.
        """

    def paired(self, a: str, b: str, metric: str) -> Paired | None:
        """How two finished trials differ; None unless they answered the same samples and the metric can be compared."""


@runtime_checkable
class ShowsEvidence(Protocol):
    """A reporter that shows single answers too: where there is evidence, it is asked for this instead of `render`."""

    def render_with(self, board: Leaderboard, evidence: Evidence) -> Report:
        """Render the leaderboard with what stands behind it; no files are written here."""
