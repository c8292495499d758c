"""The embedded default: trials one after the other in this process, each model loaded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.interfaces import Worker
    from harness.messages import Job, Message


class LocalExecutor:
    """Runs jobs grouped by model; the models stay in the order in which they first appear."""

    def execute(self, jobs: Sequence[Job], worker: Callable[[], Worker]) -> Iterator[Message]:
        """Run all jobs; see `harness.interfaces.Executor`."""
        by_model: dict[str, list[Job]] = {}
        for job in jobs:
            by_model.setdefault(str(job.trial.model), []).append(job)
        runner = worker()
        for same in by_model.values():
            for job in same:
                yield from runner.run(job)
            runner.release()
