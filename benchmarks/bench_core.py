"""The core's own cost: `make bench`. CPU seconds (user and system, children included), and peak memory of processes.

Models that answer at once, so that what is measured is ours. Each test's docstring has its budget; the numbers that
were measured stand in docs/performance.md.
"""

import json
import os
import resource
import sys
from pathlib import Path

import pytest

HARNESS = str(Path(sys.executable).with_name("harness"))
QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart.yaml"

TASK = """
name: rows-{n}
kind: classification
data:
  files: {{train: train.jsonl, test: {n}.jsonl}}
  fields: {{text: text, target: label}}
labels: {{a: " a", b: " b"}}
prompt: {{template: "Text: {{{{ text }}}}\\nLabel:"}}
metrics: [accuracy, macro_f1, cross_entropy]
licence: none
citation: none
"""

TOY = """
from harness import hookimpl

@hookimpl
def register_models(register):
    register("toy", "harness.testing:ToyModel")
"""

TEN_THOUSAND = """
from harness import hookimpl

@hookimpl
def register_tasks(register):
    for number in range(10_000):
        register(f"made-{number}", f"nowhere:tasks/{number}.yaml", summary=f"task number {number}")
"""


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


pytestmark = pytest.mark.benchmark(timer=cpu_s)


def harness(*arguments: str, **environment: str) -> float:
    """Run the command line in a process of its own; its peak memory in MB."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 1), (os.POSIX_SPAWN_DUP2, nothing, 2)]
    process = os.posix_spawn(HARNESS, [HARNESS, *arguments], os.environ | environment, file_actions=actions)
    _, status, used = os.wait4(process, 0)
    os.close(nothing)
    assert status == 0
    return used.ru_maxrss * 1024 / 1e6


@pytest.fixture
def measured(benchmark, capsys):
    """Measure calls of the command line: `prepare` gives the arguments of each round."""

    def measure(prepare, rounds=3, **environment):
        peaks = []
        benchmark.pedantic(
            lambda *arguments: peaks.append(harness(*arguments, **environment)),
            setup=lambda: (prepare(), {}),
            rounds=rounds,
        )
        benchmark.extra_info["peak_mb"] = max(peaks)
        with capsys.disabled():
            print(f"\n{benchmark.name}: {min(benchmark.stats.stats.data):.2f} CPU-s, {max(peaks):.0f} MB")

    return measure


@pytest.fixture
def rows(tmp_path):
    """A task of n rows in JSON lines of 145 bytes; its file."""

    def make(n):
        for name, count in (("train", 200), (str(n), n)):
            with (tmp_path / f"{name}.jsonl").open("w") as file:
                for number in range(count):
                    text = f"{name} {number} " + "a few words of text, " * 5
                    file.write(json.dumps({"text": text, "label": "ab"[number % 2]}) + "\n")
        (tmp_path / f"{n}.yaml").write_text(TASK.format(n=n))
        (tmp_path / "toy.py").write_text(TOY)
        return str(tmp_path / f"{n}.yaml")

    return make


def new_store(folder):
    return str(folder / f"{len(list(folder.glob('*.db')))}.db")


# --- samples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [10_000, 100_000, 300_000])
def test_samples_of_a_trained_baseline(measured, rows, tmp_path, n):
    """Budget: 0.3 CPU-ms a sample; 300 MB, and no more for 300,000 rows than 1.5 times those of 10,000."""
    run = ("run", "-m", "majority", "-t", rows(n), "-s", "finetune", "--no-latency", "--store")
    measured(lambda: (*run, new_store(tmp_path)), rounds=1)


def test_samples_of_prompts(measured, rows, tmp_path):
    """100,000 prompts to a model that answers at once. Budget: 0.3 CPU-ms a sample, 300 MB."""
    run = ("run", "-m", "toy", "-t", rows(100_000), "-s", "zero-shot", "--no-latency", "--store")
    measured(lambda: ("--plugin", str(tmp_path / "toy.py"), *run, new_store(tmp_path)), rounds=1)


# --- what is finished already ------------------------------------------------------------------------


def test_a_finished_run_of_many_rows(measured, rows, tmp_path):
    """100,000 rows. Budget: 2 CPU-s."""
    run = ("run", "-m", "majority", "-t", rows(100_000), "-s", "finetune", "--no-latency", "--store", "done.db")
    run = (*run[:-1], str(tmp_path / "done.db"))
    harness(*run)
    measured(lambda: run)


def test_a_finished_experiment(measured, tmp_path):
    """The quickstart's tasks and strategies by models that take no time. Budget: 1.8 CPU-s."""
    experiment, (plugin, store) = tmp_path / "quick.yaml", (tmp_path / "toy.py", tmp_path / "done.db")
    plugin.write_text(TOY)
    text = QUICKSTART.read_text().replace("- smollm2-135m", "- toy").replace("- minilm-l6", "- random")
    experiment.write_text(text.replace("reports/quickstart", str(tmp_path / "reports")))
    run = ("--plugin", str(plugin), "run", str(experiment), "--scenario", "offline", "--store", str(store))
    harness(*run)
    measured(lambda: run)


# --- start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "tasks"]], ids=" ".join)
@pytest.mark.parametrize("plugin", ["", TEN_THOUSAND], ids=["installed tasks", "10,000 tasks"])
def test_light_commands(measured, tmp_path, arguments, plugin):
    """Budget: 0.3 CPU-s, with 10,000 registered tasks too."""
    (tmp_path / "made_tasks.py").write_text(plugin)
    measured(lambda: ("--plugin", str(tmp_path / "made_tasks.py"), *arguments), rounds=5)


def test_start_and_end_of_a_run(measured, tmp_path):
    """From nothing to two scored samples and the table, on one thread: imports, weights, end. Budget: 5.5 CPU-s."""
    run = ("run", "-m", "smollm2-135m", "-t", "bbc-news", "-s", "zero-shot", "--limit", "2", "--no-latency", "--store")
    measured(lambda: (*run, new_store(tmp_path)), OMP_NUM_THREADS="1")


# --- statistics ----------------------------------------------------------------------------------------


def test_a_bootstrap_of_macro_f1(benchmark):
    """100,000 replicates of a confusion matrix of 1,000 samples and five labels. Budget: 0.5 CPU-s."""
    import numpy as np

    from harness.statistics import confusion_interval, macro_f1

    shares = np.full((5, 6), 0.2 / 25)
    shares[np.arange(5), np.arange(5)] = 0.8 / 5
    matrix = np.random.default_rng(0).multinomial(1000, shares.ravel() / shares.sum()).reshape(5, 6)
    benchmark.pedantic(confusion_interval, (matrix, macro_f1), {"replicates": 100_000}, rounds=5)


def test_ranks_of_many_rows(benchmark):
    """Tests of all pairs of 40 rows on 10,000 samples. Budget: 1 CPU-s."""
    from itertools import combinations

    import numpy as np

    from harness.pairing import Pairing
    from harness.ranking import rank_intervals
    from harness.records import Outcome

    right = np.random.default_rng(0).random((40, 10_000)) < np.linspace(0.6, 0.9, 40)[:, np.newaxis]
    pairing = Pairing(lambda key: (Outcome(str(n), bool(one), "a") for n, one in enumerate(right[int(key)])))
    for row in range(40):
        pairing.right(str(row))

    def ranks():
        pairs = {(i, j): pairing.versus([str(i)], [str(j)]) for i, j in combinations(range(40), 2)}
        return rank_intervals({pair: (one.difference, one.p_value) for pair, one in pairs.items()}, 40)

    benchmark.pedantic(ranks, rounds=3)
