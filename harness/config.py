"""Experiment files, the command line and the environment -> an `Experiment`, with errors that name file, line and key.

Precedence: command line over file over `HARNESS_*` environment over defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from harness.components import parse_component
from harness.errors import ConfigError, HarnessError, UsageError
from harness.records import SPLITS, Component, Exclusion, Experiment, Split
from harness.yamlfile import Located, read_yaml, validate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.catalogue import Catalogue

Written: TypeAlias = str | dict[str, Any]
"""A component in a file: `few-shot,k=8`, or a mapping with `name` and its parameters."""

DEFAULT_STORE = "harness.db"
DEFAULT_STRATEGIES = ("zero-shot",)
DEFAULT_SCENARIOS = ("offline", "single-stream")

SAID = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
"""What a variable of the environment may say."""

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
SPAN = re.compile(r"(\d+)\s*-\s*(\d+)")
LONGEST_SPAN = 10_000
"""More seeds than that are a slip of the pen."""

LARGEST_SEED = 2**32 - 1
"""Libraries take no larger one."""

LARGEST_LIMIT = 2**31 - 1
"""Databases take no larger one."""


class ReportSection(BaseModel):
    """What to write when the run is over; `folder` is relative to the current folder."""

    model_config = ConfigDict(extra="forbid")

    folder: str
    formats: Annotated[list[str], Field(min_length=1)] = ["markdown", "csv", "json", "html"]


class ExcludeSection(BaseModel):
    """Trials to leave out: those that match all the globs that are given."""

    model_config = ConfigDict(extra="forbid")

    model: str = "*"
    task: str = "*"
    strategy: str = "*"
    reason: Annotated[str, Field(min_length=1)]


class ExperimentFile(BaseModel):
    """An experiment file."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    models: Annotated[list[Written], Field(min_length=1)] | None = None
    tasks: Annotated[list[Written], Field(min_length=1)] | None = None
    strategies: Annotated[list[Written], Field(min_length=1)] | None = None
    seeds: Annotated[list[int], Field(min_length=1)] | None = None
    split: Split | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    sizes: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] | None = None
    per_label: bool | None = None
    scenarios: list[Written] | None = None
    device: str | None = None
    executor: Written | None = None
    exclude: list[ExcludeSection] = []
    baselines: bool | None = None
    run_code: bool | None = None
    report: ReportSection | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says; None or empty where it says nothing."""

    models: Sequence[str] = ()
    tasks: Sequence[str] = ()
    strategies: Sequence[str] = ()
    seeds: str | None = None
    split: str | None = None
    limit: int | None = None
    sizes: str | None = None
    per_label: bool | None = None
    scenarios: Sequence[str] = ()
    latency: bool = True
    device: str | None = None
    executor: str | None = None
    baselines: bool | None = None
    run_code: bool | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """An experiment with all choices made, and the report that its file asks for."""

    experiment: Experiment
    report: ReportSection | None


def settle(choices: Choices, file: Path | None, environ: Mapping[str, str], catalogue: Catalogue) -> Settled:
    """Bring the sources together and check every name and parameter.

    Raises:
        ConfigError, UsageError: naming file, line and key, or the option.
    """
    located = read_yaml(file) if file else None
    written = validate(located, ExperimentFile) if located else ExperimentFile()
    reader = _Reader(choices, written, located, environ)
    if located is not None and written.report is not None:
        for at, name in enumerate(written.report.formats):
            catalogue.reporter(name, where=located.where("report", "formats", at))
    experiment = Experiment(
        models=reader.components("models", choices.models, catalogue),
        tasks=reader.components("tasks", choices.tasks, catalogue),
        strategies=reader.components("strategies", choices.strategies, catalogue, DEFAULT_STRATEGIES),
        seeds=reader.seeds(),
        split=reader.split(),
        limit=reader.limit(),
        scenarios=reader.components("scenarios", choices.scenarios, catalogue, DEFAULT_SCENARIOS)
        if choices.latency
        else (),
        executor=reader.executor(catalogue),
        device=reader.device(),
        name=written.name or (file.stem if file else ""),
        # Unless told, baselines are added where the run ends in a report that its file asks for.
        baselines=reader.yes("baselines", otherwise=written.report is not None),
        run_code=reader.yes("run_code", otherwise=False),
        exclude=tuple(Exclusion(**section.model_dump()) for section in written.exclude),
        sizes=reader.sizes(),
        per_label=bool(written.per_label if choices.per_label is None else choices.per_label),
    )
    return Settled(experiment, written.report)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one field from whichever source has the say."""

    choices: Choices
    written: ExperimentFile
    located: Located | None
    environ: Mapping[str, str]

    def components(
        self, field: str, said: Sequence[str], catalogue: Catalogue, default: Sequence[str] = ()
    ) -> tuple[Component, ...]:
        """The components of a field, each checked: the name is registered and the parameters are its own."""
        listed, source = self._told(field, list(said) or None)
        if listed is None:
            listed = default
        elif isinstance(listed, str):
            listed = listed.split()  # of the environment: commas belong to parameters
        if not listed and field != "scenarios":
            option = f"--{field.removesuffix('s')}"
            file = None if self.located is None else str(self.located.path)
            hint = f"name some with {option}, or in an experiment file under {field}"
            raise UsageError(f"there are no {field}", where=file, hint=hint)
        found = []
        for index, item in enumerate(listed):
            where = None if said else self._where(field, index) or source
            component = self._component(field, item, where)
            _check(field, component, catalogue, where)
            found.append(component)
        return tuple(found)

    def executor(self, catalogue: Catalogue) -> Component:
        item, where = self._told("executor", self.choices.executor)
        component = self._component("executor", item or "local", where)
        catalogue.executor(component, where=where)
        return component

    def seeds(self) -> tuple[int, ...]:
        told, where = self._told("seeds", self.choices.seeds)
        text = "0" if told is None else told if isinstance(told, str) else ",".join(map(str, told))
        seeds = _numbers(text)
        if seeds is None:
            raise UsageError(
                f"seeds {text!r} are not whole numbers with commas between, like 0,1,2 or 0-4", where=where
            )
        if not all(0 <= seed <= LARGEST_SEED for seed in seeds):
            raise UsageError(f"seeds {text} do not all lie between 0 and {LARGEST_SEED}", where=where)
        return seeds

    def sizes(self) -> tuple[int, ...]:
        """Numbers of labelled rows, ascending, each once."""
        if self.choices.sizes is None:
            return tuple(sorted(set(self.written.sizes or ())))
        sizes = _numbers(self.choices.sizes)
        if sizes is None:
            raise UsageError(f"sizes {self.choices.sizes!r} are not whole numbers with commas between, like 4,8,16")
        if min(sizes) < 1 or max(sizes) > LARGEST_LIMIT:
            hint = "what needs no labels, such as zero-shot, has its line without a size" if min(sizes) < 1 else None
            raise UsageError(f"sizes {self.choices.sizes} do not all lie between 1 and {LARGEST_LIMIT}", hint=hint)
        return tuple(sorted(set(sizes)))

    def limit(self) -> int | None:
        limit, where = self._told("limit", self.choices.limit)
        if isinstance(limit, str) and limit.isdecimal():
            limit = int(limit)
        if limit is None:
            return None
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= LARGEST_LIMIT:
            raise UsageError(f"limit {limit!r} is no whole number from 1 to {LARGEST_LIMIT}", where=where)
        return limit

    def device(self) -> str:
        told, where = self._told("device", self.choices.device)
        text = str(told or "auto")
        if not DEVICE.fullmatch(text):
            raise UsageError(f"device {text!r} is none of auto, cpu, mps, cuda, cuda:1 ...", where=where)
        return text

    def yes(self, field: str, *, otherwise: bool) -> bool:
        """What somebody says for a field that is yes or no."""
        told, where = self._told(field, getattr(self.choices, field))
        if told is None:
            return otherwise
        meant = told if isinstance(told, bool) else SAID.get(str(told).lower())
        if meant is None:
            raise UsageError(f"{field} {told!r} is neither yes nor no", where=where)
        return meant

    def split(self) -> Split:
        told, where = self._told("split", self.choices.split)
        text = told or "test"
        for split in SPLITS:
            if text == split:
                return split
        raise UsageError(f"split {text!r} is none of {', '.join(SPLITS)}", where=where)

    def _told(self, field: str, said: object) -> tuple[Any, str | None]:
        """What the first source says that says anything, and where it does; a variable that is empty says nothing."""
        if said is not None:
            return said, None
        written = getattr(self.written, field)
        if written is not None:
            return written, self._where(field)
        variable = f"HARNESS_{field.upper()}"
        text = self.environ.get(variable, "").strip()
        return (text, variable) if text else (None, None)

    def _where(self, *keys: str | int) -> str | None:
        return self.located.where(*keys) if self.located and keys[0] in self.located.data else None

    def _component(self, field: str, item: Written, where: str | None) -> Component:
        if isinstance(item, str):
            component = parse_component(item, where=where)
        else:
            params = dict(item)
            name = params.pop("name", None)
            if not isinstance(name, str):
                raise ConfigError("a mapping here needs a `name`", where=where)
            head = parse_component(name, where=where)
            component = Component(head.name, head.reference, dict(head.params) | params)
        return self._placed(component) if field == "tasks" else component

    def _placed(self, component: Component) -> Component:
        """A task file named in an experiment file lies relative to that file."""
        from harness.catalogue import in_folder

        if self.located is None or self.choices.tasks:
            return component
        return in_folder(component, self.located.path.parent)


def _numbers(text: str) -> tuple[int, ...] | None:
    """`0,2,4-6` as the numbers that it means; None where it means none."""
    numbers: list[int] = []
    for part in text.split(","):
        span = SPAN.fullmatch(part.strip())
        try:
            first, last = map(int, span.groups()) if span else [int(part)] * 2
        except ValueError:
            return None
        if not first <= last < first + LONGEST_SPAN:
            return None
        numbers += range(first, last + 1)
    return tuple(numbers)


def _check(field: str, component: Component, catalogue: Catalogue, where: str | None) -> None:
    try:
        if field == "tasks":
            for task in catalogue.expand(component, where=where):
                catalogue.task(task, where=where)
        else:
            {"models": catalogue.model, "strategies": catalogue.strategy, "scenarios": catalogue.scenario}[field](
                component, where=where
            )
    except HarnessError as error:
        if error.where is None:
            error.where = where
        raise
