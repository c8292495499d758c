"""Forwards side by side on a CPU: each in a thread of its own with few threads inside, instead of one with all of them.

Inside one forward all threads wait for the slowest at each of hundreds of operations; side by side they wait once.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")


def each(items: Sequence[Item], work: Callable[[Item], None], workers: int) -> None:
    """Call `work` with every item, by so many threads that share the cores that this one has.

    The first error ends all of it and is raised here; an interruption waits for the items at work.
    """
    workers = min(workers, len(items))
    if workers > 1:
        _Crew(items, work, workers).run()
        return
    for item in items:
        work(item)


class _Crew(Generic[Item]):
    """Threads that take items from a queue."""

    def __init__(self, items: Sequence[Item], work: Callable[[Item], None], workers: int) -> None:
        self._waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
        for item in items:
            self._waiting.put(item)
        self._work = work
        self._cores = torch.get_num_threads()
        self._inside = max(1, self._cores // workers)
        self._over = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._serve, name=f"forward-{at}") for at in range(workers)]

    def run(self) -> None:
        try:
            for thread in self._threads:
                thread.start()
            for thread in self._threads:
                thread.join()
        finally:
            self._over.set()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join()
            torch.set_num_threads(self._cores)  # torch keeps what the threads have set for the whole process
        if self._errors:
            raise self._errors[0]

    @torch.inference_mode()
    def _serve(self) -> None:
        torch.set_num_threads(self._inside)
        while not self._over.is_set():
            try:
                self._work(self._waiting.get_nowait())
            except queue.Empty:
                return
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                self._errors.append(error)
                self._over.set()
