"""What work takes beside wall time: seconds of processors, and energy where the machine can tell."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import process_time

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a piece of work took: seconds of all processors together, and joules (None where nothing tells)."""

    cpu_s: float
    energy_j: float | None


class Consumption:
    """Counts from when it was made; `consumed` may be read as often as one likes.

    Processor seconds are those of all threads of this process, and of the processes that it started and that have
    ended. Unlike wall time they hardly move when others use the machine too. Energy is the whole machine's.
    """

    def __init__(self) -> None:
        self._energy = energy_meter()
        self._joules = None if self._energy is None else self._energy.joules()
        self._cpu_s = _cpu_s()

    @property
    def consumed(self) -> Consumed:
        """What it has taken so far."""
        cpu_s = _cpu_s() - self._cpu_s
        if self._energy is None or self._joules is None:
            return Consumed(cpu_s, None)
        return Consumed(cpu_s, self._energy.joules() - self._joules)


def _cpu_s() -> float:
    times = os.times()
    return process_time() + times.children_user + times.children_system


class Rapl:
    """The energy counters of processor packages, with their memory where it is counted in (Intel RAPL; AMD has it too).

    The kernel lets only root read them, unless somebody has changed that; virtual machines have none.

    Attributes:
        zones: folders of packages, see `packages`.
    """

    def __init__(self, zones: tuple[Path, ...]) -> None:
        self._zones = {zone: (int((zone / "max_energy_range_uj").read_text()), _microjoules(zone)) for zone in zones}
        self._joules = 0.0

    def joules(self) -> float:
        """Joules since it was made. A counter that began anew once since the last call is reckoned with."""
        for zone, (size, before) in self._zones.items():
            now = _microjoules(zone)
            self._joules += ((now - before) % (size + 1)) / 1e6
            self._zones[zone] = (size, now)
        return self._joules


def packages(root: Path = POWERCAP) -> tuple[Path, ...]:
    """The folders of the packages whose counters can be read.

    Parts of packages (`intel-rapl:0:0`) are in their packages already, and `psys` is the platform with the packages in
    it.
    """
    found = []
    for zone in sorted(root.glob("intel-rapl:*")):
        if zone.name.count(":") == 1 and os.access(zone / "energy_uj", os.R_OK):
            named = (zone / "name").read_text().strip()
            found += [zone] if named.startswith("package") else []
    return tuple(found)


@lru_cache(maxsize=1)
def energy_meter() -> Rapl | None:
    """The machine's, made once; None where it can't tell."""
    try:
        zones = packages()
        return Rapl(zones) if zones else None
    except (OSError, ValueError):  # a counter that is there and can't be read after all
        return None


def _microjoules(zone: Path) -> int:
    return int((zone / "energy_uj").read_text())
