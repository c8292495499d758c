"""Progress of a run on standard error: a bar on a terminal, a line a trial elsewhere."""

from __future__ import annotations

import logging
import sys
from time import monotonic
from typing import TYPE_CHECKING, Self

from harness.messages import ChunkScored, TrialEnded, TrialStarted
from harness.runner import describe, run_experiment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from harness.catalogue import Catalogue
    from harness.messages import Job, Message
    from harness.records import Experiment, TrialResult
    from harness.store import Store

log = logging.getLogger(__name__)


class Progress:
    """A `harness.runner.Watcher`: counts samples, names the trial at work, logs each trial's end."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._bar: Bar | None = None
        self._line: TaskID | None = None
        self._jobs: dict[str, Job] = {}
        self._ended = 0
        self._since = monotonic()
        self._show = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def planned(self, jobs: Sequence[Job], todo: Sequence[Job]) -> None:
        """Say how much there is to do."""
        refused = sum(bool(job.trial.refusal) for job in jobs)
        done = len(jobs) - refused - len(todo)
        log.info("%d trials: %d to run, %d finished before, %d not applicable", len(jobs), len(todo), done, refused)
        self._jobs = {job.trial.key: job for job in todo}
        if self._show and todo:
            self._bar, self._line = _start_bar(sum(job.trial.n - len(job.done) for job in todo))

    def heard(self, message: Message) -> None:
        """Move on."""
        job = self._jobs[message.key]
        if isinstance(message, TrialStarted):
            self._describe(describe(job))
        elif isinstance(message, ChunkScored):
            if self._bar is not None and self._line is not None:
                self._bar.advance(self._line, len(message.predictions))
        elif isinstance(message, TrialEnded):
            self._ended += 1
            seconds = monotonic() - self._since
            log.info(
                "[%d/%d] %s: %s in %.1f s",
                self._ended,
                len(self._jobs),
                describe(job),
                "failed" if message.failed else "done",
                seconds,
            )
            self._since = monotonic()

    def _describe(self, text: str) -> None:
        if self._bar is not None and self._line is not None:
            self._bar.update(self._line, description=text)


def run_watched(
    experiment: Experiment, catalogue: Catalogue, store: Store, *, rerun: bool, quiet: bool
) -> tuple[TrialResult, ...]:
    """Run an experiment and show how far it is."""
    with Progress(quiet=quiet) as watcher:
        return run_experiment(experiment, catalogue, store, rerun=rerun, watcher=watcher)


def _start_bar(total: int) -> tuple[Bar, TaskID]:
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    # Logs go through the same console, or they would tear the bar.
    logging.getLogger().handlers[:] = [RichHandler(console=console, show_time=False, show_level=False, show_path=False)]
    line = bar.add_task("starting", total=total)
    bar.start()
    return bar, line
