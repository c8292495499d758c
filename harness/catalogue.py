"""Registered names -> objects: where models, tasks, strategies and the others are made from what people write."""

from __future__ import annotations

import fnmatch
import importlib.util
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bridging import MeasuresItself, TaskCollection
from harness.components import build, parse_component, settings
from harness.composition import Strategies
from harness.errors import ConfigError, HarnessError, PluginError, UnknownNameError
from harness.facts import Memory
from harness.interfaces import Executor, Metric, Model, Reporter, Requires, Scenario, Source, Strategy, Task
from harness.promptparts import Calibrator, Order, Scorer, Selector
from harness.records import Component
from harness.sandboxes import Sandbox
from harness.suites import is_suite, read_suite
from harness.taskdata import TaskData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.assets import Assets
    from harness.plugins import Plugins
    from harness.records import Prediction
    from harness.registry import Entry
    from harness.suites import Suite


OFFERS: Mapping[str, type] = {
    "model": Model,
    "task": Task,
    "strategy": Strategy,
    "selector": Selector,
    "order": Order,
    "scorer": Scorer,
    "calibrator": Calibrator,
    "metric": Metric,
    "executor": Executor,
    "scenario": Scenario,
    "reporter": Reporter,
    "source": Source,
    "sandbox": Sandbox,
}
"""Kind -> what each part of it has to offer."""

PROVIDED = frozenset({"assets", "parts", "strategies", "tasks_path"})
"""Parameters that targets are given and people can't set; the third is for strategies alone, the last for tasks."""


class Catalogue:
    """Makes parts; tasks are kept, since their rows are read once.

    Args:
        plugins: what is registered.
        assets: the cache.
        tasks_path: folders with further tasks: NAME.yaml and NAME/task.yaml, and what plugins look for there.

    Attributes:
        made: the folder for what strategies make and keep; the cache, unless told.
    """

    def __init__(
        self, plugins: Plugins, assets: Assets, tasks_path: Sequence[Path] = (), *, made: Path | None = None
    ) -> None:
        self.plugins = plugins
        self.assets = assets
        self.tasks_path = tuple(tasks_path)
        self.made = assets.root if made is None else made
        self._tasks: dict[str, TaskData] = {}
        self._sandbox: Sandbox | None = None
        self._prompt_parts: dict[tuple[str, str], Any] = {}

    # --- parts -------------------------------------------------------------------------------------

    def model(self, component: Component, *, where: str | None = None) -> Model:
        """Make a model.

        Raises:
            UnknownNameError, ParameterError: for what people wrote.
            PluginError: when its plugin lacks a library.
        """
        model: Model = self._build("model", component, where)
        return model

    def strategy(self, component: Component, *, where: str | None = None) -> Strategy:
        """Make a strategy; raises as `model`, and UsageError when it would stand under itself."""
        return self._strategy(component, where, ())

    def scenario(self, component: Component, *, where: str | None = None) -> Scenario:
        """Make a latency scenario; raises as `model`."""
        scenario: Scenario = self._build("scenario", component, where)
        return scenario

    def executor(self, component: Component, *, where: str | None = None) -> Executor:
        """Make an executor; raises as `model`."""
        executor: Executor = self._build("executor", component, where)
        return executor

    def reporter(self, name: str, *, where: str | None = None) -> Reporter:
        """Make a reporter, with its parameters behind its name if it has any; raises as `model`."""
        reporter: Reporter = self._build("reporter", parse_component(name), where)
        return reporter

    def sandbox(self) -> Sandbox:
        """The first registered sandbox that can be used here, made once.

        Raises:
            PluginError: when there is none, with the reasons.
        """
        if self._sandbox is None:
            reasons = []
            for entry in self.plugins.registry("sandbox"):
                made: Sandbox = make(entry, Component(entry.name), where=None, provided=self._provided)
                refusal = made.refuses()
                if refusal is None:
                    self._sandbox = made
                    return made
                reasons.append(refusal)
            raise PluginError(f"programs can't be run safely here: {'; '.join(reasons) or 'there is no sandbox'}")
        return self._sandbox

    def metrics(self, names: Sequence[str], *, where: str | None = None) -> dict[str, Metric]:
        """Make metrics by name, in the order given; raises as `model`."""
        return {name: self._build("metric", Component(name), where) for name in names}

    def part(self, kind: str, name: str) -> Any:  # noqa: ANN401 - see harness.promptparts
        """The selector, order, scorer or calibrator of a name, made once; raises as `model`."""
        if (kind, name) not in self._prompt_parts:
            self._prompt_parts[kind, name] = self._build(kind, Component(name), None)
        return self._prompt_parts[kind, name]

    def metrics_of(self, data: TaskData, predictions: Sequence[Prediction] = ()) -> Mapping[str, Metric]:
        """A task's metrics: the registered ones that it names, or its own; raises as `model`.

        Args:
            data: the task.
            predictions: to be scored; those of some tasks tell which metrics they have.
        """
        if isinstance(data.task, MeasuresItself):
            return data.task.metrics(predictions)
        found = self.metrics(data.spec.metrics, where=data.where("metrics"))
        for metric in found.values():
            if isinstance(metric, Requires):
                metric.require()
        return found

    def task(self, component: Component, *, where: str | None = None) -> TaskData:
        """The task, made once.

        Raises:
            ConfigError: when its file is wrong.
            UnknownNameError, ParameterError, PluginError: as `model`.
        """
        component = self._placed(component)
        name = str(component)
        if name not in self._tasks:
            self._tasks[name] = self._load_task(component, where)
        return self._tasks[name]

    # --- what stands in keys -------------------------------------------------------------------------

    def settings(self, kind: str, component: Component) -> dict[str, Any]:
        """All parameters that a component has, defaults included."""
        return settings(self._entry(kind, component).load(), component, kind=kind, provided=PROVIDED)

    def versions(
        self,
        models: Sequence[Component],
        task: Component,
        strategies: Sequence[Component],
        uses: Sequence[tuple[str, str]] = (),
    ) -> dict[str, str]:
        """Plugin -> version of those that take part in a trial; a task file of the user's has none.

        Args:
            models: the one that is adapted and those beside it.
            task: what is asked.
            strategies: how it is adapted: the strategy, and those that it changes.
            uses: kind and name of the parts that these are made of.
        """
        entries = [self._entry("model", model) for model in models]
        entries += [self._entry("strategy", strategy) for strategy in strategies]
        entries += [self.plugins.registry(kind).get(name) for kind, name in uses]
        if not is_file(task):
            entries.append(self._entry("task", task))
        return {entry.plugin: entry.version for entry in sorted(entries, key=lambda entry: entry.plugin)}

    def metrics_version(self, component: Component) -> str:
        """Which metrics of a task at which versions: scores made by others are computed again from the predictions."""
        data = self.task(component)
        if isinstance(data.task, MeasuresItself):
            entries = [self._entry("task", component)]
        else:
            entries = [self.plugins.registry("metric").get(name) for name in data.spec.metrics]
        return json.dumps([[entry.name, entry.plugin, entry.version] for entry in entries])

    def suite(self, component: Component, *, where: str | None = None) -> Suite:
        """The suite behind `suite:NAME`, NAME being registered or a suite file's path.

        Raises:
            ConfigError, UnknownNameError, ParameterError: for what people wrote.
            PluginError: when its plugin has no such file.
        """
        settings(_no_parameters, Component(component.name, None, component.params), kind="suite", where=where)
        name = component.reference or ""
        if name.endswith((".yaml", ".yml")):
            return read_suite(Path(name))
        entry = self.plugins.registry("suite").get(name, where=where)
        return read_suite(_inside(entry))

    # --- names ---------------------------------------------------------------------------------------

    def expand(self, component: Component, *, where: str | None = None) -> list[Component]:
        """A task component whose name may be a glob -> the registered tasks that it means.

        So with the reference of a collection of tasks; a name that stands in a folder of tasks becomes its file.
        """
        if is_suite(component):
            return [one for task in self.suite(component, where=where).tasks for one in self.expand(task, where=where)]
        component = self._placed(component)
        if is_file(component) or not any(sign in component.name for sign in "*?["):
            return [component] if component.reference is None else self._members(component, where)
        entries = {entry.name: entry for entry in self.plugins.registry("task")}
        matching = fnmatch.filter(entries, component.name)
        # What a collection holds is named behind its colon.
        found = [name for name in matching if not _is_collection(entries[name])]
        if not found:
            raise UnknownNameError("task", component.name, entries, where=where)
        return [type(component)(name, component.reference, component.params) for name in found]

    def _placed(self, component: Component) -> Component:
        """A name that nobody has registered, but that has a file in a folder of tasks: the file."""
        if is_file(component) or component.name in self.plugins.registry("task") or component.reference is not None:
            return component
        files = (folder / file for folder in self.tasks_path for file in task_files(component.name))
        found = next((file for file in files if file.is_file()), None)
        return component if found is None else Component(str(found), None, component.params)

    def _members(self, component: Component, where: str | None) -> list[Component]:
        entry = self._entry("task", component, where)
        if is_file(component) or not component.reference or not _is_collection(entry):
            return [component]
        collection: TaskCollection = entry.load()
        found = collection.members(component.reference, self.assets, self.tasks_path)
        return [Component(component.name, reference, component.params) for reference in found]

    def _entry(self, kind: str, component: Component, where: str | None = None) -> Entry:
        return self.plugins.registry(kind).get(component.name, where=where)

    def _build(self, kind: str, component: Component, where: str | None) -> Any:  # noqa: ANN401 - callers narrow it
        return make(self._entry(kind, component, where), component, where=where, provided=self._provided)

    @property
    def _provided(self) -> dict[str, Any]:
        return {"assets": self.assets, "parts": self, "tasks_path": self.tasks_path}

    def _strategy(self, component: Component, where: str | None, above: tuple[str, ...]) -> Strategy:
        """A strategy under those `above`; the ones that it changes itself are made by this too."""
        below = Strategies(lambda changed, names: self._strategy(changed, where, names), (*above, component.name))
        provided = {"assets": self.assets, "parts": self, "strategies": below}
        made: Strategy = make(self._entry("strategy", component, where), component, where=where, provided=provided)
        return made

    def _load_task(self, component: Component, where: str | None) -> TaskData:
        entry = None if is_file(component) else self._entry("task", component, where)
        if entry is not None and entry.resource is None:
            return TaskData(self._build("task", component, where))
        settings(_no_parameters, component, kind="task", where=where)
        if entry is None or entry.resource is None:
            return self._read_task(Path(component.name), where)
        return self._read_task(_inside(entry), where)

    def _read_task(self, path: Path, where: str | None) -> TaskData:
        from harness.taskfile import load_task

        if not path.is_file():
            raise ConfigError(f"there is no task file {str(path)!r}", where=where)
        task = load_task(path, self.assets)
        return TaskData(task, Memory(self.assets.root / "facts", task.content))


def _no_parameters() -> None:
    """The signature of a task or a suite that a file defines."""


def _inside(entry: Entry) -> Path:
    """The file inside a package that a target names.

    Raises:
        PluginError: when it names none, or there is no such package.
    """
    said, where = f"{entry.kind} {entry.name!r}", f"plugin {entry.plugin}"
    if entry.resource is None:
        raise PluginError(f"{said}: target {entry.target!r} is not package:path/file.yaml", where=where)
    package, inner = entry.resource
    module = importlib.util.find_spec(package)
    if module is None or module.origin is None:
        raise PluginError(f"{said}: there is no package {package!r}", where=where)
    return Path(module.origin).parent / inner


def _is_collection(entry: Entry) -> bool:
    return entry.resource is None and isinstance(entry.load(), TaskCollection)


def make(entry: Entry, component: Component, *, where: str | None, provided: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the target makes
    """Make the part behind an entry; one that lacks what its kind has to offer is refused.

    Raises:
        ParameterError: see `harness.components.settings`.
        PluginError: when it can't be imported, or naming the first member that it lacks.
    """
    try:
        part = build(entry.load(), component, kind=entry.kind, where=where, provided=provided)
    except HarnessError as error:
        error.where = error.where or where
        raise
    members = (name for name in vars(OFFERS[entry.kind]) if not name.startswith("_"))
    missing = next((name for name in members if not _has(part, name)), None)
    if missing is not None:
        lacking = f"{type(part).__name__} is no {OFFERS[entry.kind].__name__}"
        raise PluginError(
            f"{entry.kind} {entry.name!r} has no {missing!r}: {lacking}",
            where=f"plugin {entry.plugin}, {entry.target}",
            hint="see harness.interfaces",
        )
    return part


def _has(part: Any, name: str) -> bool:  # noqa: ANN401 - whatever a target makes
    """Whether a part has a member; a property is not asked for its value, which may have to be fetched first."""
    return inspect.getattr_static(part, name, None) is not None or hasattr(part, name)


def task_files(name: str) -> tuple[str, str]:
    """Where a task's file may lie in a folder of tasks."""
    return f"{name}.yaml", f"{name}/task.yaml"


def is_file(component: Component) -> bool:
    """Whether a task component names a file."""
    return component.name.endswith((".yaml", ".yml")) or "/" in component.name


def in_folder(component: Component, folder: str | Path) -> Component:
    """A task component as somebody in this folder wrote it: the path of a file, or of a suite's, begins there."""
    if is_suite(component) and component.reference and component.reference.endswith((".yaml", ".yml")):
        return Component(component.name, str(Path(folder) / component.reference), component.params)
    if not is_file(component):
        return component
    return Component(str(Path(folder) / component.name), component.reference, component.params)
