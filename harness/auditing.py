"""Samples that nearly repeat rows which may be adapted on: which they are, and what each score is without them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from harness.declared import reads
from harness.overlap import SIMILAR
from harness.packed import Selected
from harness.records import CleanScore
from harness.scoring import score
from harness.taskdata import ADAPTED, digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.catalogue import Catalogue
    from harness.messages import Job
    from harness.overlap import Repetition
    from harness.records import Split
    from harness.store import Store
    from harness.taskdata import TaskData

AUDITED = 20_000
"""Rows of a task, scored ones and others, up to which a run looks for repetitions by itself: that takes seconds."""

log = logging.getLogger(__name__)


def audit(jobs: Sequence[Job], catalogue: Catalogue, store: Store, *, always: bool = False) -> None:
    """Score trials again without the samples that repeat, or nearly repeat, training or validation rows.

    Of a task of which one strategy adapts on rows, all trials are scored so: they are compared with one another. Those
    that have been scored so before stay as they are.

    Args:
        jobs: of the trials.
        catalogue: makes the parts.
        store: where the trials are.
        always: whether the strategies of these jobs adapt or not.
    """
    of_task: dict[tuple[str, str, int | None], list[Job]] = {}
    for job in jobs:
        if not job.trial.refusal:
            of_task.setdefault((str(job.task), job.trial.split, job.trial.limit), []).append(job)
    for group in of_task.values():
        if always or any(_adapts(job, catalogue) for job in group):
            try:
                _audit(group, catalogue.task(group[0].task), catalogue, store)
            except Exception as error:  # a metric that fails on the samples that are left: the scores stand
                log.warning("%s: there is no score without repeated samples: %s", group[0].trial.task, error)
                log.debug("where:", exc_info=error)


def repetitions_found(data: TaskData) -> list[str]:
    """Lines for people about each split that may be scored: which of its rows repeat rows that may be adapted on."""
    lines = []
    splits: tuple[Split, ...] = ("test", "validation")
    for scored in splits:
        rows = data.task.samples(scored)
        if not rows or not any(data.task.samples(split) for split in ADAPTED if split != scored):
            continue
        found = data.repetitions(scored, None) or ()
        same = sum(one.similarity == 1 for one in found)
        lines.append(
            f"overlap: of {len(rows)} {scored} rows {same} repeat rows that may be adapted on and {len(found) - same} "
            f"nearly do (similarity {SIMILAR} or more)"
        )
        lines += [f"  {one.sample} ~ {one.split} {one.other} ({one.similarity:.2f})" for one in found]
    return lines


def _adapts(job: Job, catalogue: Catalogue) -> bool:
    return bool(reads(catalogue.strategy(job.trial.strategy)) & {"train", "validation"})


def _audit(jobs: Sequence[Job], data: TaskData, catalogue: Catalogue, store: Store) -> None:
    trial = jobs[0].trial
    mark = digest([trial.samples, data.pool_digests(trial.split), catalogue.metrics_version(jobs[0].task)])
    todo = [key for job in jobs if (key := job.trial.key) and store.audited_by(key) not in (None, mark)]
    if not todo:
        return
    found = data.repetitions(trial.split, trial.limit, most=AUDITED)
    if found is None:
        name = data.spec.name
        log.info(
            "%s: more than %d rows, so nobody looked for near duplicates; harness check --overlap does", name, AUDITED
        )
        return
    for key in todo:
        _score(key, found, mark, data, catalogue, store)


def _score(
    key: str, found: Sequence[Repetition], mark: str, data: TaskData, catalogue: Catalogue, store: Store
) -> None:
    predictions = store.predictions(key)
    repeating = {one.sample: one for one in found}
    clean = [place for place, one in enumerate(predictions) if one.sample_id not in repeating]
    left = Selected(predictions, clean)
    metrics, _ = score(left, data.spec, catalogue.metrics_of(data, left))
    left_out = {sample: f"{one.split} {one.other} ({one.similarity:.2f})" for sample, one in repeating.items()}
    store.audit(key, mark, CleanScore(len(clean), metrics, left_out))
