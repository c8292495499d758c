"""Configuration: command line over file over environment over defaults; errors name file, line and key."""

import pytest

from harness.config import Choices, settle
from harness.errors import ConfigError, HarnessError, UnknownNameError, UsageError
from harness.records import Component, Exclusion

FILE = """\
name: trial run
models: [toy, fake-counting]
tasks:
  - toy
strategies:
  - few-shot,k=4
  - name: few-shot
    k: 2
    select: first
seeds: [0, 1]
limit: 5
report: {folder: out}
"""


@pytest.fixture
def experiment_file(tmp_path):
    """Write an experiment file and give its path."""

    def write(text: str = FILE):
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return path

    return write


def test_a_file_says_all(experiment_file, catalogue):
    settled = settle(Choices(), experiment_file(), {}, catalogue)
    experiment = settled.experiment
    assert list(map(str, experiment.models)) == ["toy", "fake-counting"]
    assert list(map(str, experiment.strategies)) == ["few-shot,k=4", "few-shot,k=2,select=first"]
    assert (experiment.seeds, experiment.limit, experiment.split) == ((0, 1), 5, "test")
    assert list(map(str, experiment.scenarios)) == ["offline", "single-stream"]
    assert settled.report.formats == ["markdown", "csv", "json", "html"]


def test_a_file_excludes_trials(experiment_file, catalogue):
    path = experiment_file(FILE + "exclude: [{model: toy, reason: too slow}]\n")
    assert settle(Choices(), path, {}, catalogue).experiment.exclude == (Exclusion(model="toy", reason="too slow"),)


def test_the_command_line_wins_over_the_file_over_the_environment(experiment_file, catalogue):
    environ = {"HARNESS_LIMIT": "9", "HARNESS_DEVICE": "cpu", "HARNESS_SEEDS": "7"}
    choices = Choices(models=("toy",), limit=3, latency=False)
    experiment = settle(choices, experiment_file(), environ, catalogue).experiment
    assert list(map(str, experiment.models)) == ["toy"]
    assert experiment.limit == 3
    assert experiment.seeds == (0, 1)
    assert experiment.device == "cpu"
    assert experiment.scenarios == ()


def test_the_environment_wins_over_defaults(catalogue):
    environ = {"HARNESS_MODELS": "toy fake-nan", "HARNESS_TASKS": "toy", "HARNESS_LIMIT": "9", "HARNESS_SEEDS": "3,4"}
    experiment = settle(Choices(), None, environ, catalogue).experiment
    assert experiment.models == (Component("toy"), Component("fake-nan"))
    assert (experiment.limit, experiment.seeds) == (9, (3, 4))
    assert experiment.strategies == (Component("zero-shot"),)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("models: [toy", "modles: [toy", 2, r"unknown key 'modles' \(did you mean models"),
        ("limit: 5", "limit: 0", 11, "limit"),
        ("limit: 5", "limit: many", 11, "limit"),
        ("limit: 5", "limit: 5\nlimit: 6", 12, "'limit' stands twice"),
        (
            "[toy, fake-counting]",
            "[toy, fake-cuonting]",
            2,
            r"unknown model 'fake-cuonting' \(did you mean fake-counting",
        ),
        ("k: 2", "kk: 2", 7, r"'few-shot' has no parameter 'kk' \(did you mean k\?\)"),
        ("k=4", "k=zero", 6, "parameter k='zero'"),
        ("  - toy", "  - tyo", 4, r"unknown task 'tyo'"),
        ("name: few-shot", "strategy: few-shot", 7, "needs a `name`"),
        ("seeds: [0, 1]", "seeds: [0, 1", 11, "not YAML"),
        ("limit: 5", "exclude:\n  - {model: toy}", 12, "reason"),
    ],
)
def test_an_error_names_file_line_and_key(experiment_file, catalogue, old, new, line, said):
    assert old in FILE
    path = experiment_file(FILE.replace(old, new, 1))
    with pytest.raises(HarnessError, match=said) as caught:
        settle(Choices(), path, {}, catalogue)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}:{line}")


def test_without_models_the_option_is_named(catalogue):
    with pytest.raises(UsageError, match=r"there are no models \(name some with --model"):
        settle(Choices(tasks=("toy",)), None, {}, catalogue)


def test_seeds_are_whole_numbers(catalogue):
    with pytest.raises(UsageError, match="seeds 'a,b' are not whole numbers"):
        settle(Choices(models=("toy",), tasks=("toy",), seeds="a,b"), None, {}, catalogue)


def test_task_files_lie_relative_to_the_experiment(experiment_file, catalogue):
    path = experiment_file(FILE.replace("  - toy", "  - ./missing.yaml"))
    with pytest.raises(ConfigError, match=f"there is no task file '{path.parent}/missing.yaml'"):
        settle(Choices(), path, {}, catalogue)


def test_an_unknown_executor_is_told_the_nearest(catalogue):
    with pytest.raises(UnknownNameError, match=r"unknown executor 'lcoal' \(did you mean local"):
        settle(Choices(models=("toy",), tasks=("toy",), executor="lcoal"), None, {}, catalogue)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0-4", (0, 1, 2, 3, 4)),
        ("7", (7,)),
        ("1, 3-4 ,9", (1, 3, 4, 9)),
        ("2-2", (2,)),
        ("0-999", tuple(range(1000))),
    ],
)
def test_seeds_may_be_spans(catalogue, written, meant):
    assert (
        settle(Choices(models=("toy",), tasks=("toy",), seeds=written), None, {}, catalogue).experiment.seeds == meant
    )


@pytest.mark.parametrize("written", ["4-2", "0-10000", "-1-2", "1-", "1-2-3", "0-9999999999999"])
def test_other_spans_are_told(catalogue, written):
    with pytest.raises(UsageError, match=r"are not whole numbers with commas between, like 0,1,2 or 0-4"):
        settle(Choices(models=("toy",), tasks=("toy",), seeds=written), None, {}, catalogue)


def test_sizes_are_ascending_and_each_once_and_the_command_line_goes_first(experiment_file, catalogue):
    path = experiment_file(FILE + "sizes: [16, 4, 4]\nper_label: true\n")
    written = settle(Choices(), path, {}, catalogue).experiment
    assert (written.sizes, written.per_label) == ((4, 16), True)
    told = settle(Choices(sizes="8,2,8", per_label=False), path, {}, catalogue).experiment
    assert (told.sizes, told.per_label) == ((2, 8), False)
    assert settle(Choices(), experiment_file(), {}, catalogue).experiment.sizes == ()
    with pytest.raises(ConfigError, match="greater than or equal to 1"):
        settle(Choices(), experiment_file(FILE + "sizes: [0, 4]\n"), {}, catalogue)
