"""The parts that this package brings, found without a catalogue: for strategies that code makes by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import UnknownNameError
from harness_strategies.calibration import CALIBRATORS
from harness_strategies.ordering import ORDERS
from harness_strategies.scorers import SCORERS
from harness_strategies.selection import SELECTORS

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS: Mapping[str, Mapping[str, Any]] = {
    "selector": SELECTORS,
    "order": ORDERS,
    "scorer": SCORERS,
    "calibrator": CALIBRATORS,
}


class BuiltIn:
    """A `harness.promptparts.FindsParts` that knows of this package alone."""

    def part(self, kind: str, name: str) -> Any:  # noqa: ANN401 - as the Protocol
        """The part of a name.

        Raises:
            UnknownNameError: with the nearest names.
        """
        if name not in PARTS[kind]:
            raise UnknownNameError(kind, name, PARTS[kind])
        return PARTS[kind][name]


OWN = BuiltIn()
