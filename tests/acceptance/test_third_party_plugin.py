"""A third party's plugin, from its own wheel beside ours in a fresh environment, has no disadvantage."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.network

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "harness-keyword"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION, OURS = PROJECT["version"], set(PROJECT["entry-points"]["harness"])
RUN = ("run", "-t", "fruit-or-vehicle", "--format", "json")


def call(command: Sequence[object], status: int = 0, **options) -> subprocess.CompletedProcess[str]:
    """Run a program that should end with this status."""
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == status, f"exit status {done.returncode}, not {status}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass
class Environment:
    """A virtual environment; its programs run elsewhere than in the source tree and are told nothing of it."""

    folder: Path

    def __call__(
        self, program: str, *arguments: object, cwd: Path, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        ours = ("HARNESS_", "PYTHON", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        command = [self.folder / "bin" / program, *arguments]
        return call(command, status, cwd=cwd, env=kept | {"HARNESS_CACHE": str(cwd / "cache")})

    def pip(self, *arguments: object) -> None:
        self("python", "-m", "pip", "--quiet", *arguments, cwd=self.folder)


def wheel(source: Path, folder: Path) -> Path:
    """Build a distribution's wheel."""
    call([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source])
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Environment:
    """A fresh environment with our wheel, the plugin's wheel, what these need, and pytest."""
    made = Environment(tmp_path_factory.mktemp("environment"))
    call([sys.executable, "-m", "venv", made.folder])
    wheels = [wheel(source, tmp_path_factory.mktemp("wheel")) for source in (ROOT, EXAMPLE)]
    # Compiling all of pandas and scipy would take longer than installing them.
    made.pip("install", "--no-compile", "--constraint", ROOT / "constraints.txt", *wheels, "pytest")
    return made


@pytest.fixture
def harness(environment, tmp_path):
    """Calls the environment's `harness` in an empty folder."""
    return partial(environment, "harness", cwd=tmp_path)


def trials(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], dict]:
    """The trials of a run by model and strategy."""
    return {(trial["model"], trial["strategy"]): trial for trial in json.loads(done.stdout)["trials"]}


# --- what is there -----------------------------------------------------------------------------------


def test_everything_comes_from_the_wheels_and_no_model_library_is_there(environment, tmp_path):
    script = (
        "import json, sys, importlib.util, harness, harness_keyword, harness_strategies;"
        "print(json.dumps([sys.path, [module.__file__ for module in (harness, harness_keyword, harness_strategies)],"
        " [name for name in ('torch', 'transformers', 'sklearn') if importlib.util.find_spec(name)]]))"
    )
    path, files, heavy = json.loads(environment("python", "-c", script, cwd=tmp_path).stdout)
    assert not [entry for entry in path if Path(entry).is_relative_to(ROOT)]
    assert all(Path(file).is_relative_to(environment.folder / "lib") for file in files), files
    assert heavy == []


def test_the_plugin_is_listed_like_our_own(harness):
    plugins = json.loads(harness("list", "plugins", "--format", "json").stdout)
    assert {plugin["name"] for plugin in plugins} == OURS | {"keyword"}
    assert [plugin for plugin in plugins if plugin["error"]] == []
    (keyword,) = [plugin for plugin in plugins if plugin["name"] == "keyword"]
    assert (keyword["version"], keyword["source"]) == ("0.1.0", "harness-keyword 0.1.0")
    tasks = harness("list", "tasks").stdout
    assert "fruit-or-vehicle" in tasks
    assert "bbc-news" in tasks


def test_it_is_all_that_is_left_when_ours_are_left_out(harness):
    without = [argument for name in sorted(OURS) for argument in ("--without", name)]
    listed = json.loads(harness(*without, "list", "--format", "json").stdout)
    names = {kind: [entry["name"] for entry in entries] for kind, entries in listed.items() if entries}
    assert names == {
        "models": ["keyword"],
        "tasks": ["fruit-or-vehicle"],
        "strategies": ["hinted"],
        "selectors": ["typical"],
    }


def test_its_task_and_its_targets_are_checked(harness):
    report = harness("check", "fruit-or-vehicle", "keyword").stdout
    assert "fruit-or-vehicle: ok" in report
    assert "test: 38 rows (fruit 19, vehicle 19)" in report
    assert "model keyword: harness_keyword.model:Keyword" in report
    assert "warning" not in report


def test_its_own_tests_pass_against_the_wheels(environment, tmp_path):
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    assert " passed" in environment("python", "-m", "pytest", "-q", "-W", "error", "tests", cwd=tmp_path).stdout


# --- what it does ------------------------------------------------------------------------------------


def test_its_model_and_task_run_with_our_strategies_and_once_only(harness):
    command = (*RUN, "-m", "keyword", "-m", "majority", "-s", "zero-shot", "-s", "finetune")
    first = trials(harness(*command))
    refused = first.pop(("majority", "zero-shot"))
    assert refused["status"] == "not-applicable"
    assert refused["reason"] == "the model can't be prompted: it gives no log-likelihoods of answers"
    for trial in first.values():
        assert (trial["status"], trial["n"], trial["coverage"]["answered"]) == ("finished", 38, 38)
        assert set(trial["latency"]) == {"offline", "single-stream"}
    learned, guessed = (first[model, "finetune"]["metrics"]["accuracy"] for model in ("keyword", "majority"))
    assert guessed["value"] == 0.5
    assert learned["low"] > guessed["high"]

    again = trials(harness(*command))
    again.pop(("majority", "zero-shot"))
    assert all(trial.pop("cached") for trial in again.values())
    assert not any(trial.pop("cached") for trial in first.values())
    assert again == first


def test_its_strategy_runs_with_our_model_and_is_compared_with_ours(harness):
    models, strategies = ("-m", "random", "-m", "keyword"), ("-s", "zero-shot", "-s", "hinted")
    found = trials(harness(*RUN, "--no-latency", *models, *strategies))
    ours, theirs = found["random", "zero-shot"], found["random", "hinted"]
    gain = theirs["metrics"]["accuracy"]["value"] - ours["metrics"]["accuracy"]["value"]
    assert theirs["gains"]["accuracy"]["value"] == pytest.approx(gain)
    assert found["keyword", "hinted"]["reason"] == "the model gives no log-likelihoods of answers"


def test_its_prompts_can_be_shown(harness):
    shown = harness("show", "-t", "fruit-or-vehicle", "-s", "hinted").stdout
    assert "Possible answers: fruit, vehicle.\n\nSentence: " in shown


@pytest.mark.parametrize(
    ("component", "said"),
    [
        (("-m", "keyword,tap=3"), "did you mean top?"),
        (("-m", "keyword,top=0"), "top='0' is wrong"),
        (("-m", "keyword,keywords=none.json"), "none.json: can't be read"),
        (("-m", "random", "-s", "hinted,order=random"), "'declared' or 'shuffled'"),
        (("-m", "keywrod"), "did you mean keyword?"),
    ],
    ids=["unknown parameter", "value out of range", "missing file", "wrong choice", "misspelt name"],
)
def test_what_people_write_for_it_is_checked_like_for_ours(harness, component, said):
    done = harness(*RUN, "-s", "zero-shot", *component, status=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_its_version_is_stamped_into_results(environment, tmp_path):
    script = (
        "import harness;"
        "(result,) = harness.run('keyword', 'fruit-or-vehicle', scenarios=());"
        "print(result.status, dict(result.trial.plugins))"
    )
    said = environment("python", "-c", script, cwd=tmp_path).stdout
    assert said.split(maxsplit=1) == ["finished", f"{{'keyword': '0.1.0', 'strategies': '{VERSION}'}}\n"]


# --- a broken neighbour ------------------------------------------------------------------------------

BROKEN = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "harness-broken"
version = "6.6.6"

[project.entry-points.harness]
broken = "harness_broken"
"""


@pytest.fixture
def broken_neighbour(environment, tmp_path_factory):
    """A distribution whose plugin raises when it is imported, installed for one test."""
    source = tmp_path_factory.mktemp("broken")
    (source / "pyproject.toml").write_text(BROKEN)
    (source / "harness_broken").mkdir()
    (source / "harness_broken" / "__init__.py").write_text("raise RuntimeError('broken on purpose')\n")
    environment.pip("install", "--no-deps", wheel(source, tmp_path_factory.mktemp("wheel")))
    yield
    environment.pip("uninstall", "--yes", "harness-broken")


@pytest.mark.usefixtures("broken_neighbour")
def test_a_plugin_that_raises_at_import_is_shown_with_its_traceback_and_harms_nothing_else(harness):
    listed = harness("list", "plugins").stdout
    assert "harness-broken 6.6.6  BROKEN" in listed
    assert "Traceback (most recent call last)" in listed
    assert "RuntimeError: broken on purpose" in listed
    plugins = json.loads(harness("list", "plugins", "--format", "json").stdout)
    assert [plugin["name"] for plugin in plugins if plugin["error"]] == ["broken"]

    done = harness(*RUN, "--no-latency", "-m", "keyword", "-s", "finetune")
    assert trials(done)["keyword", "finetune"]["status"] == "finished"
    assert "plugin broken (harness-broken 6.6.6) is broken and left out" in done.stderr
    assert "broken on purpose" in harness("--strict", "list", "plugins", status=2).stderr
    assert "broken" not in harness("--without", "broken", "list", "plugins").stdout
