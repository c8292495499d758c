"""The C library's allocator: whether freed memory stays with the process, so that large tensors find it again.

glibc gives large blocks back to the system as soon as they are freed, and each is zeroed page by page when it is asked
for again. It is a setting of the whole process: programs make it (the command line does), never a library.
"""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress

VARIABLE = "HARNESS_ALLOCATOR"
KEEPING = "glibc, keeps freed memory"

# Parameters of mallopt(3), from malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8

_state = {"allocator": "default"}


def keep_memory() -> None:
    """Keep freed memory from now on, where the C library is glibc and `HARNESS_ALLOCATOR` is not `default`."""
    if platform.libc_ver()[0] != "glibc" or os.environ.get(VARIABLE, "").strip().lower() == "default":
        return
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        wanted = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26), (_ARENA_MAX, 1))
        if all(mallopt(name, value) for name, value in wanted):
            _state["allocator"] = KEEPING


def allocator() -> str:
    """Which it is, for what stands beside a result."""
    return _state["allocator"]
