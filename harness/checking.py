"""Checks of a task with its data: every template on every row, and what is odd about rows, labels and splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.bridging import asks_itself
from harness.errors import DataError, TemplateError
from harness.examined import Examined
from harness.findings import Finding
from harness.giveaways import giveaways
from harness.ideal import unreachable
from harness.oddities import odd_rows
from harness.phrasing import odd_phrasing
from harness.records import SPLITS
from harness.taskfile import FileTask
from harness.templates import (
    render_answer,
    render_choices,
    render_input,
    render_instruction,
    render_program,
    render_query,
    render_rationale,
)
from harness.values import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.interfaces import Metric, Task
    from harness.records import Condition, Sample


def check_task(task: Task, metrics: Mapping[str, Metric] = MappingProxyType({})) -> list[Finding]:
    """Load all rows of a task, render every template on each, and look for what is odd.

    Args:
        task: of a file, of a plugin, or one that asks by itself.
        metrics: those that it is scored by; each has to have a value for right answers.

    Returns:
        What each split holds, then what is odd: warnings, and errors where it can't be right.

    Raises:
        HarnessError: what is wrong, with file, line and key.
    """
    splits = {split: rows for split in SPLITS if (rows := task.samples(split))}
    if not splits:
        raise DataError(f"task {task.spec.name!r} has no rows")
    given = Examined(task, splits)
    for rows in splits.values():
        render_all(task, rows)
        _render_candidates(task, rows)
    own = asks_itself(task)
    if own is not None:
        asked = own.asking(None, 0)
        for sample in splits["test"]:
            asked.requests(sample)
        return [*_contents(given), *(Finding("note", note) for note in asked.notes)]
    found = [*_contents(given), *odd_phrasing(given), *odd_rows(given), *giveaways(given), *unreachable(given, metrics)]
    if "train" not in splits:
        found.append(Finding("note", "there is no train split, so nothing can be adapted to examples"))
    return found


def render_all(task: Task, samples: Iterable[Sample]) -> None:
    """Render every template of a task on these samples, with and without their contexts.

    A task that asks by itself has none.

    Raises:
        TemplateError: naming the sample; for a task from a file with the file, line and key of the template.
    """
    if asks_itself(task) is not None:
        return
    conditions: tuple[Condition, ...] = ("none", "label", "description") if task.spec.has_context else ("none",)
    specs = [replace(task.spec, prompt=replace(task.spec.prompt, condition=condition)) for condition in conditions]
    try:
        render_instruction(task.spec)
        for sample in samples:
            render_choices(task.spec, sample)
            render_answer(task.spec, sample)
            render_rationale(task.spec, sample)
            render_program(task.spec, sample, "")
            for spec in specs:
                render_query(spec, sample)
                render_input(spec, sample)
    except TemplateError as error:
        if isinstance(task, FileTask) and error.where:
            error.where = task.where(*error.where.split("."))
        raise


def _render_candidates(task: Task, samples: Iterable[Sample]) -> None:
    """Render every candidate of template and instruction on these samples, as `render_all` does the task's own."""
    prompt, given = task.spec.prompt, task.spec.candidates
    templates = [("template", at, replace(prompt, template=text)) for at, text in enumerate(given.templates)]
    leads = [("instruction", at, replace(prompt, instruction=text)) for at, text in enumerate(given.instructions)]
    for key, at, candidate in (*templates, *leads):
        spec = replace(task.spec, prompt=candidate)
        try:
            render_instruction(spec)
            for sample in samples:
                render_query(spec, sample)
        except TemplateError as error:
            if isinstance(task, FileTask):
                error.where = task.where("prompt", "candidates", key, at)
            raise


def _contents(given: Examined) -> Iterator[Finding]:
    labels = given.spec.labels
    for split, rows in given.splits.items():
        counts = Counter(label for row in rows for label in labels_of(given.spec, row)) if labels else Counter[str]()
        listed = ", ".join(f"{label} {counts[label]}" for label in labels)
        yield Finding("content", f"{split}: {len(rows)} rows" + (f" ({listed})" if listed else ""))
