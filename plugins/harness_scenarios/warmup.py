"""Before the clock counts: samples in an order of which every beginning is representative, and calls that warm up."""

from __future__ import annotations

import math
from itertools import cycle, islice
from typing import TYPE_CHECKING

from harness.latency import Stopwatch
from harness.packed import Selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Workload
    from harness.latency import Clock
    from harness.records import Sample

WARMUP_CALLS = (3, 10)
WARMUP_S = 1.0


def spread(samples: Sequence[Sample]) -> Sequence[Sample]:
    """All samples in a fixed order of which every beginning is spread evenly over the data, however that is sorted.

    By the fractional part of index x golden section: the indices where it is below a bound lie evenly (Kronecker).
    """
    golden = (math.sqrt(5) - 1) / 2
    return Selected(samples, sorted(range(len(samples)), key=lambda index: index * golden % 1))


def warm_up(workload: Workload, samples: Sequence[Sample], clock: Clock) -> int:
    """Answer samples one by one, at least 3, until they took a second, 10 at most; the number of calls."""
    fewest, most = WARMUP_CALLS
    watch = Stopwatch(clock)
    calls = 0
    for sample in islice(cycle(samples), most):
        if calls >= fewest and watch.seconds >= WARMUP_S:
            break
        workload.answer([sample])
        calls += 1
    return calls
