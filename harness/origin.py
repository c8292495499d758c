"""Where a stored trial comes from: its task where it lay, and the experiment that plans it again, alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.catalogue import in_folder
from harness.records import Component, Experiment

if TYPE_CHECKING:
    from harness.records import Trial
    from harness.store import Store


def task_of(trial: Trial, store: Store) -> Component:
    """The trial's task where it lay when the trial was run, whatever the current folder is."""
    written, folder = trial.source or trial.task, store.folder(trial.key)
    return written if folder is None else in_folder(written, folder)


def experiment_of(trial: Trial, store: Store, *, name: str = "") -> Experiment:
    """The experiment that has this trial and no other, without scenarios.

    Raises:
        StoreError: when no run asked for the trial.
    """
    asked = store.experiment(trial.key)
    return Experiment(
        models=(trial.model,),
        tasks=(task_of(trial, store),),
        strategies=(trial.strategy,),
        seeds=(trial.seed,),
        split=trial.split,
        limit=trial.limit,
        device=asked.device,
        run_code=asked.run_code,
        name=name,
    )
