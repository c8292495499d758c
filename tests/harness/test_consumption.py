"""What work takes: processor seconds of this process, joules from counters laid out as the kernel lays them out."""

import os
import subprocess
import sys
from time import process_time

import pytest

from harness import consumption
from harness.consumption import Consumption, Rapl, packages


def a_zone(root, name, energy, called="package-0", size=1_000_000):
    zone = root / name
    zone.mkdir()
    (zone / "name").write_text(f"{called}\n")
    (zone / "energy_uj").write_text(f"{energy}\n")
    (zone / "max_energy_range_uj").write_text(f"{size}\n")
    return zone


def test_processor_seconds_are_those_of_this_process():
    before, counted = process_time(), Consumption()
    while process_time() - before < 0.05:
        pass
    assert 0.04 < counted.consumed.cpu_s < process_time() - before + 0.02


def test_processes_that_have_ended_are_counted():
    counted = Consumption()
    work = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", work], check=True)
    assert counted.consumed.cpu_s > 0.25


def test_joules_are_those_of_all_packages(tmp_path):
    first, second = a_zone(tmp_path, "intel-rapl:0", 100), a_zone(tmp_path, "intel-rapl:1", 900_000, "package-1")
    a_zone(tmp_path, "intel-rapl:0:0", 50, "core")
    a_zone(tmp_path, "intel-rapl:2", 50, "psys")
    assert packages(tmp_path) == (first, second)
    meter = Rapl(packages(tmp_path))
    assert meter.joules() == 0
    (first / "energy_uj").write_text("600100")
    assert meter.joules() == pytest.approx(0.6)
    (second / "energy_uj").write_text("99999")  # it began anew behind 1,000,000
    assert meter.joules() == pytest.approx(0.8)


def test_a_machine_without_counters_tells_no_energy(tmp_path, monkeypatch):
    assert packages(tmp_path / "nowhere") == ()
    monkeypatch.setattr(consumption, "energy_meter", lambda: None)
    assert Consumption().consumed.energy_j is None


def test_the_energy_of_a_piece_of_work_is_what_the_counter_gained(tmp_path, monkeypatch):
    zone = a_zone(tmp_path, "intel-rapl:0", 0)
    meter = Rapl((zone,))
    monkeypatch.setattr(consumption, "energy_meter", lambda: meter)
    (zone / "energy_uj").write_text("250000")
    counted = Consumption()
    (zone / "energy_uj").write_text("750000")
    assert counted.consumed.energy_j == pytest.approx(0.5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_counters_that_may_not_be_read_are_none(tmp_path):
    (a_zone(tmp_path, "intel-rapl:0", 100) / "energy_uj").chmod(0)
    assert packages(tmp_path) == ()
