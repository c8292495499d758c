"""The core's own cost: `make bench`. A model that answers at once, so that what is measured is ours."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.plugins import Plugins
from harness.records import Component, Experiment, PromptSpec, Sample, TaskSpec
from harness.runner import run_experiment
from harness.store import Store
from harness.taskdata import TaskData
from harness.testing import ToyModel

ROWS = 5_000


class ManyRows:
    """A task of short rows."""

    spec = TaskSpec("many", "classification", PromptSpec("{{ text }}:", input="{{ text }}"), {"a": " a", "b": " b"})

    def samples(self, split: str) -> list[Sample]:
        """Rows for the test split alone."""
        rows = ROWS if split == "test" else 0
        return [Sample(str(n), {"text": f"text number {n}"}, "ab"[n % 2]) for n in range(rows)]


class InstantCatalogue(Catalogue):
    """Gives the toy model and the many rows, whatever is asked for."""

    def model(self, component: Component, *, where: str | None = None) -> ToyModel:
        """The toy model."""
        return ToyModel()

    def task(self, component: Component, *, where: str | None = None) -> TaskData:
        """The many rows."""
        return self._tasks.setdefault("many", TaskData(ManyRows()))

    def versions(self, model: Component, task: Component, strategy: Component) -> dict[str, str]:
        """None takes part."""
        return {}


@pytest.fixture
def experiment() -> Experiment:
    """One zero-shot trial without latency."""
    return Experiment((Component("toy"),), (Component("many"),), (Component("zero-shot"),))


def fresh(folder: Path) -> InstantCatalogue:
    plugins = Plugins()
    return InstantCatalogue(plugins, Assets(plugins.registry("source"), root=folder / "cache"))


def test_core_cost_of_5000_samples(benchmark, tmp_path, experiment):
    """Budget: 0.3 CPU-ms a sample, that is 1.5 s for these."""

    def setup():
        store = tmp_path / f"{len(list(tmp_path.glob('*.db')))}.db"
        return (store,), {}

    def run(path):
        with Store(str(path)) as store:
            (result,) = run_experiment(experiment, fresh(tmp_path), store)
        assert result.coverage.answered == ROWS

    benchmark.pedantic(run, setup=setup, rounds=3)


def test_warm_rerun_of_5000_samples(benchmark, tmp_path, experiment):
    """Budget: 2 s for a finished experiment."""
    with Store(str(tmp_path / "warm.db")) as store:
        run_experiment(experiment, fresh(tmp_path), store)
        benchmark(lambda: run_experiment(experiment, fresh(tmp_path), store))


@pytest.mark.parametrize("arguments", [["--help"], ["list", "tasks"]], ids=" ".join)
def test_start_up(benchmark, arguments):
    """Budget: 0.35 CPU-s."""
    command = [str(Path(sys.executable).with_name("harness")), *arguments]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=5)
