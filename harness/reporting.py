"""Stored results -> leaderboard -> files: what the commands and the Python API share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from harness.contributed import StoredContributions
from harness.errors import HarnessError
from harness.interfaces import ShowsEvidence
from harness.leaderboard import build
from harness.weighing import HasTop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.board import Leaderboard
    from harness.catalogue import Catalogue
    from harness.interfaces import Evidence, Report, Reporter
    from harness.records import TrialResult
    from harness.store import Store
    from harness.suites import Suite

log = logging.getLogger(__name__)


def leaderboard_of(
    results: Sequence[TrialResult],
    store: Store,
    catalogue: Catalogue,
    *,
    title: str = "",
    suites: Sequence[Suite] = (),
) -> Leaderboard:
    """Rank and compare results; the registered metrics say which way is up, and how high that goes."""
    names = set(catalogue.known_metrics({name for result in results for name in result.metrics}))
    metrics = catalogue.metrics(sorted(names))
    losses = {name for name, metric in metrics.items() if not metric.higher_is_better}
    losses |= {name for result in results for name in result.trial.losses}
    tops = {name: metric.top for name, metric in metrics.items() if isinstance(metric, HasTop)}
    return build(
        results,
        store.outcomes,
        title=title,
        losses=losses,
        suites=suites,
        tops=tops,
        contributed=StoredContributions(store, catalogue),
    )


def rendered(board: Leaderboard, reporter: Reporter, evidence: Evidence) -> Report:
    """What a reporter makes of a leaderboard, with single answers where it shows them."""
    return reporter.render_with(board, evidence) if isinstance(reporter, ShowsEvidence) else reporter.render(board)


def write_files(board: Leaderboard, reporters: Iterable[Reporter], folder: Path, evidence: Evidence) -> None:
    """Write what reporters make of a leaderboard into a folder.

    Raises:
        HarnessError: when it can't be written.
    """
    for reporter in reporters:
        for name, content in rendered(board, reporter, evidence).files.items():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            except (OSError, ValueError) as error:
                raise HarnessError(
                    f"can't write the report: {getattr(error, 'strerror', error)}", where=str(folder / name)
                ) from error
            log.info("wrote %s", folder / name)
