"""The Python API: `harness.run(models=..., tasks=..., strategies=...)`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.components import parse_component
from harness.config import DEFAULT_SCENARIOS, DEFAULT_STORE
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Experiment, Prediction, Split, TrialResult
from harness.reporting import leaderboard_of
from harness.runner import run_experiment
from harness.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from harness.board import Leaderboard


def run(  # noqa: PLR0913 - a keyword each, all but three optional
    models: str | Sequence[str],
    tasks: str | Sequence[str],
    strategies: str | Sequence[str] = "zero-shot",
    *,
    store: str = DEFAULT_STORE,
    rerun: bool = False,
    latency: bool = True,
    plugins: Sequence[str] = (),
    **settings: Any,  # noqa: ANN401 - the other fields of Experiment
) -> Results:
    """Run a grid of trials and give its results; what the store holds already is not run again.

    Args:
        models: names as on the command line: `smollm2-135m`, `hf:org/name,dtype=float32`.
        tasks: registered names, globs over them, or paths of task files.
        strategies: `zero-shot`, `few-shot,k=8` ...
        store: a SQLAlchemy URL or a file's path.
        rerun: start all trials anew.
        latency: measure the scenarios `offline` and `single-stream`; others with `scenarios=`.
        plugins: plugin files to load beside the installed plugins.
        **settings: `seeds`, `split`, `limit`, `device`, `scenarios`, `executor`, `name` of `harness.Experiment`.

    Raises:
        HarnessError: for what was asked wrongly; a trial that fails is a result with that status.

    Example:
        >>> results = harness.run(models="majority", tasks="bbc-news", strategies="finetune")  # doctest: +SKIP
        >>> results.to_pandas()[["model", "strategy", "accuracy"]]  # doctest: +SKIP
    """
    if latency:
        settings.setdefault("scenarios", DEFAULT_SCENARIOS)
    settings |= {name: _components(settings[name]) for name in ("scenarios",) if name in settings}
    experiment = Experiment(_components(models), _components(tasks), _components(strategies), **settings)
    loaded = Plugins(PluginChoice(files=tuple(plugins)))
    catalogue = Catalogue(loaded, Assets(loaded.registry("source")))
    with Store(store) as opened:
        results = run_experiment(experiment, catalogue, opened, rerun=rerun)
        return Results(store, results, leaderboard_of(results, opened, catalogue, title=experiment.name))


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
        """What a trial said of each sample, in the data's order."""
        with Store(self.store) as store:
            return store.predictions(key)

    def to_pandas(self) -> pd.DataFrame:
        """One row a trial: names, status, `n`, metrics with `_low` and `_high`, latencies, training seconds."""
        import pandas as pd

        return pd.DataFrame([_row(result) for result in self.trials])


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
    for measured in result.latency.values():
        row |= dict(measured)
    return row | dataclasses.asdict(result.costs) | {"cached": result.cached}


def _components(names: str | Sequence[str | Component]) -> tuple[Component, ...]:
    listed = [names] if isinstance(names, str) else names
    return tuple(name if isinstance(name, Component) else parse_component(name) for name in listed)


__all__ = ["Results", "Split", "run"]
