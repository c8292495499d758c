"""The Python API: `harness.run(models=..., tasks=..., strategies=...)`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.config import DEFAULT_SCENARIOS, DEFAULT_STORE, DEFAULT_STRATEGIES, Choices, settle
from harness.errors import UsageError
from harness.plugins import PluginChoice, Plugins
from harness.records import Prediction, Split, TrialResult
from harness.reporting import leaderboard_of
from harness.runner import run_experiment
from harness.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from harness.board import Leaderboard
    from harness.records import Experiment


def run(  # noqa: PLR0913 - a keyword each, all but two optional
    models: str | Sequence[str],
    tasks: str | Path | Sequence[str | Path],
    strategies: str | Sequence[str] = DEFAULT_STRATEGIES,
    *,
    seeds: int | str | Sequence[int] = 0,
    split: Split = "test",
    limit: int | None = None,
    sizes: Sequence[int] = (),
    per_label: bool = False,
    scenarios: str | Sequence[str] = DEFAULT_SCENARIOS,
    device: str = "auto",
    executor: str = "local",
    store: str | Path = DEFAULT_STORE,
    rerun: bool = False,
    plugins: str | Path | Sequence[str | Path] = (),
    tasks_path: str | Path | Sequence[str | Path] = (),
    baselines: bool = False,
    run_code: bool = False,
) -> Results:
    """Run a grid of trials and give its results; what the store holds already is not run again.

    Args:
        models: names as on the command line: `smollm2-135m`, `hf:org/name,dtype=float32`.
        tasks: registered names, globs over them, or paths of task files.
        strategies: `zero-shot`, `few-shot,k=8` ...
        seeds: `0`, `[0, 1, 2]`, `"0,1,2"` or `"0-2"`; each is a trial of its own.
        split: the one to score.
        limit: score a seeded stratified draw of so many rows.
        sizes: numbers of labelled rows, for learning curves; each strategy that learns from so many runs with each.
        per_label: whether these are rows of each label.
        scenarios: latency scenarios; `()` measures none.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        executor: where trials run.
        store: a SQLAlchemy URL or a file's path.
        rerun: start all trials anew.
        plugins: plugin files to load beside the installed plugins.
        tasks_path: folders to look for tasks in beside the registered ones.
        run_code: run programs that models write, in a sandbox, where a task's answers are programs.
        baselines: add the majority's answer, guesses and TF-IDF, where they fit.

    Raises:
        HarnessError: for what was asked wrongly; a trial that fails is a result with that status.
    """
    choices = dataclasses.replace(
        _named(models, tasks, strategies, scenarios),
        seeds=_numbers(seeds),
        split=split,
        limit=limit,
        sizes=_numbers(sizes) or None,
        per_label=per_label,
        device=device,
        executor=executor,
        baselines=baselines,
        run_code=run_code,
    )
    catalogue = _catalogue(_listed("plugins", plugins), _listed("tasks_path", tasks_path))
    return _results(choices, catalogue, str(store), rerun=rerun)


def _named(
    models: str | Sequence[str],
    tasks: str | Path | Sequence[str | Path],
    strategies: str | Sequence[str],
    scenarios: str | Sequence[str],
) -> Choices:
    """What is named, as on the command line."""
    return Choices(
        models=_listed("models", models),
        tasks=_listed("tasks", tasks),
        strategies=_listed("strategies", strategies),
        scenarios=_listed("scenarios", scenarios),
        latency=bool(scenarios),
    )


def _results(choices: Choices, catalogue: Catalogue, store: str, *, rerun: bool) -> Results:
    experiment = settle(choices, None, {}, catalogue).experiment
    with Store(store) as opened:
        results = run_experiment(experiment, catalogue, opened, rerun=rerun)
        return Results(store, results, leaderboard_of(results, opened, catalogue))


@dataclass(frozen=True, slots=True)
class Results(Sequence[TrialResult]):
    """The results of a run, in planned order, and the ranked tables that reports show."""

    store: str
    trials: tuple[TrialResult, ...]
    leaderboard: Leaderboard

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - int or slice, as for any sequence
        return self.trials[index]

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[TrialResult]:
        return iter(self.trials)

    def predictions(self, key: str) -> list[Prediction]:
        """What a trial said of each sample, in the data's order.

        Raises:
            UsageError: when there is no trial whose key begins so.
        """
        with Store(self.store) as store:
            return list(store.predictions(store.resolve(key)))

    def to_pandas(self) -> pd.DataFrame:
        """One row a trial: names, status, `n`, metrics with `_low` and `_high`, latencies (`single-stream p50_ms`)."""
        import pandas as pd

        return pd.DataFrame([_row(result) for result in self.trials])


def _ran(experiment: Experiment, catalogue: Catalogue, store: str, *, rerun: bool) -> Results:
    with Store(store) as opened:
        results = run_experiment(experiment, catalogue, opened, rerun=rerun)
        return Results(store, results, leaderboard_of(results, opened, catalogue))


def _numbers(written: int | str | Sequence[int]) -> str:
    """As on the command line."""
    return str(written) if isinstance(written, int | str) else ",".join(map(str, written))


def _catalogue(files: Sequence[str], folders: Sequence[str]) -> Catalogue:
    """Of the installed plugins, these files, and the tasks in these folders."""
    loaded = Plugins(PluginChoice(files=tuple(files)))
    return Catalogue(loaded, Assets(loaded.registry("source")), tuple(map(Path, folders)))


def _row(result: TrialResult) -> dict[str, Any]:
    trial = result.trial
    row: dict[str, Any] = {
        "key": trial.key,
        "model": str(trial.model),
        "task": str(trial.task),
        "strategy": str(trial.strategy),
        "seed": trial.seed,
        "status": result.status,
        "reason": result.reason,
        "n": trial.n,
    }
    for name, estimate in result.metrics.items():
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    for scenario, measured in result.latency.items():
        row |= {f"{scenario} {quantity}": value for quantity, value in measured.items()}
    return row | dataclasses.asdict(result.costs) | {"cached": result.cached}


def _listed(argument: str, names: object) -> Sequence[str]:
    """One name or path, or several, as texts."""
    several = [names] if isinstance(names, str | Path) else names
    if not isinstance(several, Iterable) or isinstance(several, Mapping):
        raise UsageError(f"{argument}={names!r} is no name and no list of names")
    listed = list(several)
    for name in listed:
        if not isinstance(name, str | Path):
            raise UsageError(
                f"{argument}: {name!r} is no name", hint="write parameters as on the command line: few-shot,k=8"
            )
    return [str(name) for name in listed]
