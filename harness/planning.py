"""An experiment -> its trials, each with a content-addressed key; pairs that can't work carry the reason."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from harness.bridging import MeasuresItself, asks_itself
from harness.bridging import refusal as refusal_of
from harness.components import parameters_of
from harness.declared import baselines, reads, used_models, used_parts
from harness.errors import ConfigError, HarnessError, PluginError
from harness.manifest import manifest
from harness.messages import Job
from harness.records import Candidates, Component, Trial
from harness.sandboxes import ASK
from harness.sizes import crossed, curve_of
from harness.taskdata import digest
from harness.templates import alike

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from harness.catalogue import Catalogue
    from harness.composition import Changed
    from harness.interfaces import Model, Strategy
    from harness.records import Experiment, TaskSpec
    from harness.taskdata import TaskData

KEY_SCHEMA = 3
"""Raised when keys come to mean something else, so that nothing old is taken for new."""

BASELINES = (
    ("majority", "finetune"),
    ("stratified", "finetune"),
    ("random", "zero-shot"),
    ("tfidf-lr", "finetune"),
)
"""Models, each with its strategy, that a leaderboard is not to be read without; those that are registered are added."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the grid: components as people wrote them, and the parts made of them."""

    model: tuple[Component, Model]
    task: tuple[Component, TaskData]
    strategy: tuple[Component, Strategy]
    seed: int


def plan(experiment: Experiment, catalogue: Catalogue) -> tuple[Job, ...]:
    """One job a trial; names, parameters, task files and templates are all checked before anything is loaded.

    Raises:
        UnknownNameError, ParameterError, ConfigError: for what people wrote.
    """
    task_components = [task for component in experiment.tasks for task in catalogue.expand(component)]
    models = [(component, catalogue.model(component)) for component in experiment.models]
    strategies = [(component, catalogue.strategy(component)) for component in experiment.strategies]
    tasks = [(component, catalogue.task(component)) for component in task_components]
    for parts, kind in ((models, "model"), (tasks, "task"), (strategies, "strategy"), (experiment.seeds, "seed")):
        if not parts:
            raise ConfigError(
                f"the experiment names no {kind}", hint=f"give one with --{kind}" if kind != "seed" else None
            )
    _check_names(tasks)
    for _, data in tasks:
        check_rows(data, experiment, catalogue)
    sized = {str(component): _sized(strategies, data, experiment, catalogue) for component, data in tasks}
    planner = Planner(experiment, catalogue)
    cells = [
        Cell(model, task, strategy, seed)
        for model in models
        for task in tasks
        for strategy in sized[str(task[0])]
        for seed in experiment.seeds
    ]
    jobs = [planner.job(cell) for cell in cells]
    if experiment.baselines:
        jobs += planner.added(tasks, {component.name for component, _ in models})
    return tuple({job.trial.key: job for job in jobs}.values())


def _sized(
    strategies: Sequence[tuple[Component, Strategy]], data: TaskData, experiment: Experiment, catalogue: Catalogue
) -> list[tuple[Component, Strategy]]:
    """The strategies of a task: those that learn from a number of rows once for each size of the experiment."""
    return [
        (one, strategy if one is component else catalogue.strategy(one))
        for component, strategy in strategies
        for one in crossed(component, strategy, data, experiment)
    ]


def _check_names(tasks: Sequence[tuple[Component, TaskData]]) -> None:
    """A table is headed by its task's name: two tasks that share one could not be told apart."""
    known: dict[str, str] = {}
    for component, data in tasks:
        other = known.setdefault(data.spec.name, str(component))
        if other != str(component):
            raise ConfigError(
                f"two tasks are called {data.spec.name!r}: {other} and {component}",
                hint="give one of them another `name`",
            )


def check_rows(data: TaskData, experiment: Experiment, catalogue: Catalogue) -> None:
    """Metrics exist, rows exist, and every template renders on every row that will be scored.

    Raises:
        UnknownNameError, ConfigError: naming the task, the row and the template.
    """
    spec = data.spec
    check_labels(data)
    catalogue.metrics_of(data)
    n = data.scored_facts(experiment.split, experiment.limit).n
    if experiment.limit is not None and experiment.limit > n:
        log.info(
            "%s: split %s has %d rows, all are scored (the limit is %d)",
            spec.name,
            experiment.split,
            n,
            experiment.limit,
        )


def check_labels(data: TaskData) -> None:
    """Labels are all said in another way; a task's file has been checked for that, a task that code makes has not.

    Raises:
        ConfigError: naming the two.
    """
    if found := alike(data.spec.labels):
        raise ConfigError(found[1], where=data.where("labels"))


class Planner:
    """Makes trials of cells for one experiment."""

    def __init__(self, experiment: Experiment, catalogue: Catalogue) -> None:
        self.experiment = experiment
        self.catalogue = catalogue
        self._fingerprints: dict[str, str] = {}

    def job(self, cell: Cell) -> Job:
        """The cell's trial with what is to be told of it."""
        trial, (component, data) = self.trial(cell), cell.task
        found: dict[str, str] = {}
        if not trial.refusal:
            identity = self._identity(cell, self._fingerprint(*cell.model))
            metrics = self.catalogue.metrics_version(component)
            found = manifest(identity, data, trial, device=self.experiment.device, metrics=metrics)
        return Job(trial, component, self.experiment.device, manifest=found)

    def added(self, tasks: Sequence[tuple[Component, TaskData]], there: Collection[str]) -> list[Job]:
        """The baselines of each task that can work there, but for models that are there already; of the first seed."""
        registered = [self.catalogue.plugins.registry(kind) for kind in ("model", "strategy")]
        jobs = []
        for name, by in BASELINES:
            if name in there or name not in registered[0] or by not in registered[1]:
                continue
            model, strategy = Component(name), Component(by)
            try:
                parts = (model, self.catalogue.model(model)), (strategy, self.catalogue.strategy(strategy))
                found = [self.job(Cell(parts[0], task, parts[1], self.experiment.seeds[0])) for task in tasks]
            except HarnessError as error:  # its library is not installed
                log.info("baseline %s is left out: %s", name, error)
                continue
            jobs += [
                dataclasses.replace(job, trial=dataclasses.replace(job.trial, added=True))
                for job in found
                if not job.trial.refusal
            ]
        return jobs

    def trial(self, cell: Cell) -> Trial:
        """The cell's trial, with its key; a pair that can't work carries the reason."""
        (model_component, model), (task_component, data), (strategy_component, strategy) = (
            cell.model,
            cell.task,
            cell.strategy,
        )
        split, limit = self.experiment.split, self.experiment.limit
        refusal = self._excluded(cell) or self._refusal(model, data, strategy)
        scored = data.scored_facts(split, limit)
        return Trial(
            key=self._key(cell, refusal),
            model=model_component,
            task=task_component if task_component.reference else Component(data.spec.name, None, task_component.params),
            strategy=strategy_component,
            seed=cell.seed,
            split=split,
            limit=limit,
            samples=scored.digest,
            n=scored.n,
            plugins=self._versions(cell),
            baselines={} if refusal else self._baselines(cell),
            control=bool(getattr(strategy, "control", False)),
            refusal=refusal,
            curve=curve_of(strategy_component, strategy),
            prompts=bool(getattr(strategy, "prompts", False)),
            source=task_component,
            losses=_losses(data),
        )

    def _key(self, cell: Cell, refusal: str) -> str:
        model_component, model = cell.model
        scored = cell.task[1].scored_facts(self.experiment.split, self.experiment.limit)
        fingerprint = "" if refusal else self._fingerprint(model_component, model)
        return digest([KEY_SCHEMA, self._identity(cell, fingerprint), scored.digest, self._versions(cell)])

    def _versions(self, cell: Cell) -> dict[str, str]:
        """Those of the plugins that take part: of models, strategies (with those that they change) and their parts."""
        component, strategy = cell.strategy
        models = [cell.model[0], *used_models(strategy)]
        chain = list(_chain(component, strategy))
        uses = [part for _, one in chain for part in used_parts(one)]
        return self.catalogue.versions(models, cell.task[0], [one for one, _ in chain], uses)

    def _identity(self, cell: Cell, fingerprint: str) -> dict[str, Any]:
        """All that can change a trial's result, but the scored rows and the plugins' versions."""
        (model_component, _), (_, data), (strategy_component, strategy) = cell.model, cell.task, cell.strategy
        read, own = reads(strategy), asks_itself(data.task)
        others = [
            self._model(other, self._fingerprint(other, self.catalogue.model(other)) if fingerprint else "")
            for other in used_models(strategy)
        ]
        return {
            "model": self._model(model_component, fingerprint),
            **({"models": others} if others else {}),
            "task": task_identity(data.spec, read),
            "pools": {
                part: data.pool_facts(part, self.experiment.split).digest
                for part in ("train", "validation")
                if part in read
            },
            "strategy": [
                part
                for component, one in _chain(strategy_component, strategy)
                for part in (component.name, self._settings(component, one))
            ],
            "seed": cell.seed,
            "split": self.experiment.split,
            **({} if own is None else {"asks": own.identity()}),
            # `auto` is whichever device there is; one that is named is asked for on purpose, for its times above all.
            **({} if self.experiment.device == "auto" else {"device": self.experiment.device}),
        }

    def _model(self, component: Component, fingerprint: str) -> list[Any]:
        return [component.name, component.reference, self.catalogue.settings("model", component), fingerprint]

    def _fingerprint(self, component: Component, model: Model) -> str:
        """The model's, asked for once: it may have to look at every file, or at the hub."""
        name = str(component)
        if name not in self._fingerprints:
            self._fingerprints[name] = model.fingerprint()
        return self._fingerprints[name]

    def _settings(self, component: Component, strategy: Strategy) -> dict[str, Any]:
        """All parameters with their defaults: a dataclass's fields, or what the target's signature declares.

        Without the strategy that it changes, which has settings of its own.
        """
        if not dataclasses.is_dataclass(strategy) or isinstance(strategy, type):
            return self.catalogue.settings("strategy", component)
        return parameters_of(strategy, without=frozenset({"changed"} if hasattr(strategy, "changed") else ()))

    def _excluded(self, cell: Cell) -> str:
        """Why the experiment leaves the cell out; empty where it does not."""
        names = {"model": str(cell.model[0]), "task": cell.task[1].spec.name, "strategy": str(cell.strategy[0])}
        for exclusion in self.experiment.exclude:
            if all(fnmatchcase(name, getattr(exclusion, part)) for part, name in names.items()):
                return f"left out by the experiment: {exclusion.reason}"
        return ""

    def _refusal(self, model: Model, data: TaskData, strategy: Strategy) -> str:
        read, split = reads(strategy), self.experiment.split
        if split in read:
            return f"it adapts on split {split}, which is being scored"
        if "train" in read and asks_itself(data.task) is None and not data.pool_facts("train", split).n:
            return "the task has no training rows beside those that are scored"
        return refusal_of(data.task, model, strategy) or self._no_code(data)

    def _no_code(self, data: TaskData) -> str:
        """Why programs that are the task's answers can't be run; empty where they can, or there are none."""
        if data.spec.code is None:
            return ""
        if not self.experiment.run_code:
            return ASK
        try:
            self.catalogue.sandbox()
        except PluginError as error:
            return str(error)
        return ""

    def _baselines(self, cell: Cell) -> dict[str, str]:
        """Strategy -> key of its trial on the same model, task and seed, for each baseline whose plugin is there."""
        known = self.catalogue.plugins.registry("strategy")
        found: dict[str, str] = {}
        for baseline in baselines(cell.strategy[1]):
            if baseline.name in known:
                strategy = self.catalogue.strategy(baseline)
                refusal = self._refusal(cell.model[1], cell.task[1], strategy)
                found[str(baseline)] = self._key(dataclasses.replace(cell, strategy=(baseline, strategy)), refusal)
        return found


def _chain(component: Component, strategy: Strategy) -> Iterator[tuple[Component, Strategy]]:
    """A strategy, the one that it changes, the one that this changes ..."""
    yield component, strategy
    changed: Changed | None = getattr(strategy, "changed", None)
    if changed is not None:
        yield from _chain(changed.component, changed.strategy)


def _losses(data: TaskData) -> tuple[str, ...]:
    """A task's own metrics of which less is better: nobody else knows when the trial is read again."""
    if not isinstance(data.task, MeasuresItself):
        return ()
    return tuple(name for name, metric in data.task.metrics(()).items() if not metric.higher_is_better)


def task_identity(spec: TaskSpec, read: frozenset[str]) -> dict[str, Any]:
    """What of a specification can change a result: names and inputs always, prompts where the strategy reads them."""
    identity: dict[str, Any] = {
        "name": spec.name,
        "kind": spec.kind,
        "labels": list(spec.labels),
        "input": spec.prompt.input,
        "context": [spec.prompt.context, dict(spec.contexts)],
        "generation": dataclasses.asdict(spec.generation),
        "extract": dataclasses.asdict(spec.extract),
    }
    if spec.code is not None:
        identity["code"] = dataclasses.asdict(spec.code)
    if spec.unanswerable:
        identity["unanswerable"] = spec.unanswerable
    if "prompt" in read:
        identity |= {
            "prompt": dataclasses.asdict(spec.prompt),
            "verbalizations": dict(spec.labels),
        }
    if "candidates" in read and spec.candidates != Candidates():
        identity["candidates"] = dataclasses.asdict(spec.candidates)
    return identity
