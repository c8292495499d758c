"""Standard output carries the result alone: what plugins print while they work goes to standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def plugins_at_work() -> Iterator[None]:
    """Send what is printed in the block, by Python, libraries or child processes, to standard error."""
    sys.stdout.flush()
    try:
        result = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of the two is closed
        result = None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if result is not None:
            os.dup2(result, 1)
            os.close(result)
