"""The map of the program: every hook, grouped by phase. A plugin implements those it needs and nothing else.

A plugin is a module (or any object) named by an entry point of group `harness`:

    [project.entry-points.harness]
    echo = "harness_echo"

    from harness import hookimpl

    @hookimpl
    def register_models(register):
        register("echo", "harness_echo.model:Echo", summary="answers with the question")

Registering imports nothing: the target's module is imported when the name is first used. Arguments are passed by
keyword
and only those without defaults are passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.records import Experiment, TrialResult

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")


class Register(Protocol):
    """What a `register_*` hook is given."""

    def __call__(self, name: str, target: str, *, summary: str = "") -> None:
        """Add a name.

        Args:
            name: letters, digits, `-`, `_` and `.`; unique among all plugins of that kind.
            target: `package.module:Object`; a task may also be `package:path/in/package/task.yaml`.
            summary: one line for `harness list`.
        """


# --- registration: called once per kind, on the first look-up of that kind -------------------------


@hookspec
def register_models(register: Register) -> None:
    """Add models. A target is called with a reference and parameters and gives a `harness.Model`."""


@hookspec
def register_tasks(register: Register) -> None:
    """Add tasks. A target is a task file inside the package, or called with parameters to give a `harness.Task`."""


@hookspec
def register_suites(register: Register) -> None:
    """Add suites, groups of tasks. A target is a suite file inside the package: `package:path/suite.yaml`."""


@hookspec
def register_strategies(register: Register) -> None:
    """Add strategies. A target is called with parameters and gives a `harness.Strategy`."""


@hookspec
def register_selectors(register: Register) -> None:
    """Add selectors of demonstrations. A target is called without arguments and gives a `harness.Selector`."""


@hookspec
def register_orders(register: Register) -> None:
    """Add orders of demonstrations. A target is called without arguments and gives a `harness.Order`."""


@hookspec
def register_scorers(register: Register) -> None:
    """Add ways to score choices. A target is called without arguments and gives a `harness.Scorer`."""


@hookspec
def register_calibrators(register: Register) -> None:
    """Add calibrators of scores. A target is called without arguments and gives a `harness.Calibrator`."""


@hookspec
def register_metrics(register: Register) -> None:
    """Add metrics. A target is called without arguments and gives a `harness.Metric`."""


@hookspec
def register_executors(register: Register) -> None:
    """Add executors. A target is called with parameters and gives a `harness.Executor`."""


@hookspec
def register_scenarios(register: Register) -> None:
    """Add latency scenarios. A target is called with parameters and gives a `harness.Scenario`."""


@hookspec
def register_reporters(register: Register) -> None:
    """Add report formats. A target is called without arguments and gives a `harness.Reporter`."""


@hookspec
def register_commands(register: Register) -> None:
    """Add subcommands of `harness`. A target is a `click.Command`."""


@hookspec
def register_sources(register: Register) -> None:
    """Add schemes of asset addresses. A target is called without arguments and gives a `harness.Source`."""


@hookspec
def register_sandboxes(register: Register) -> None:
    """Add sandboxes for programs that models write. A target is called without arguments: a `harness.Sandbox`."""


# --- a run: called in the driver process, never in workers ------------------------------------------


@hookspec
def run_started(run: Experiment) -> None:
    """A run has been planned and is about to start. Errors are logged and change nothing."""


@hookspec
def run_finished(run: Experiment, result: tuple[TrialResult, ...]) -> None:
    """A run is over, also after failures and interruptions: `result` says how each trial ended. Errors are logged."""


# --- inspection: called by `harness doctor` ---------------------------------------------------------


@hookspec
def diagnose() -> Iterable[tuple[str, str]]:  # type: ignore[empty-body]
    """Tell what this plugin finds on the machine (devices, versions, caches) as pairs of subject and finding."""
