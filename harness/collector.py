"""Python's garbage collector and large libraries: their hundred thousands of objects are never garbage.

Going through them again and again costs a second of a run's start and another of its end. That they are left out is a
setting of the whole process, like `harness.allocator`'s: programs make it (the command line does), never a library.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_state = {"spares": False}


def spare_modules() -> None:
    """From now on, leave what is there after `large_import` out of collections, for good."""
    _state["spares"] = True


@contextmanager
def large_import() -> Iterator[None]:
    """Import large libraries in the block, and make nothing else there; the collector does not run meanwhile."""
    enabled, before = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
        if _state["spares"] and len(sys.modules) > before:
            gc.freeze()
    finally:
        if enabled:
            gc.enable()


def leave() -> None:
    """Keep the interpreter from going through all objects once more: the process is about to end."""
    gc.freeze()
