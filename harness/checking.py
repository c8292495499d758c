"""Checks of a task with its data: every template on every row, and what is odd about rows, labels and splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from harness.bridging import asks_itself
from harness.errors import DataError, TemplateError
from harness.records import SPLITS
from harness.sampling import duplicate_key
from harness.taskfile import FileTask
from harness.templates import (
    render_answer,
    render_choices,
    render_input,
    render_instruction,
    render_query,
    render_rationale,
    shown_fields,
)
from harness.values import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.interfaces import Task
    from harness.records import Condition, Sample, Split, TaskSpec


def check_task(task: Task) -> list[str]:
    """Load all rows of a task and render every template on each.

    Returns:
        Lines for people: what each split holds, and what is odd (`warning: ...`) without being wrong.

    Raises:
        HarnessError: what is wrong, with file, line and key.
    """
    splits = {split: rows for split in SPLITS if (rows := task.samples(split))}
    if not splits:
        raise DataError(f"task {task.spec.name!r} has no rows")
    for rows in splits.values():
        render_all(task, rows)
        _render_candidates(task, rows)
    own = asks_itself(task)
    if own is not None:
        asked = own.asking(None, 0)
        for sample in splits["test"]:
            asked.requests(sample)
        return [*_contents(task.spec, splits), *(f"note: {note}" for note in asked.notes)]
    findings = [
        *_contents(task.spec, splits),
        *(f"warning: {text}" for spec in (task.spec, *_asked_otherwise(task.spec)) for text in _spacing(spec, splits)),
        *(f"warning: {text}" for text in _labels(task.spec, splits)),
        *(f"warning: {text}" for text in _contexts(task.spec, splits)),
        *(f"warning: {text}" for text in _choices(splits)),
        *(f"warning: {text}" for text in _duplicates(task.spec, splits)),
    ]
    if "train" not in splits:
        findings.append("note: there is no train split, so nothing can be adapted to examples")
    return findings


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


def _asked_otherwise(spec: TaskSpec) -> Iterator[TaskSpec]:
    """The task with each candidate of template or labels in the place of its own."""
    for text in spec.candidates.templates:
        yield replace(spec, prompt=replace(spec.prompt, template=text))
    for labels in spec.candidates.labels:
        yield replace(spec, labels={label: labels[label] for label in spec.labels})


# --- what is odd ---------------------------------------------------------------------------------


def _contents(spec: TaskSpec, splits: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    for split, rows in splits.items():
        counts = Counter(label for row in rows for label in labels_of(spec, row))
        labels = ", ".join(f"{label} {counts[label]}" for label in spec.labels)
        yield f"{split}: {len(rows)} rows" + (f" ({labels})" if labels else "")


def _spacing(spec: TaskSpec, splits: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    """The answer follows the query directly: exactly one of the two should bring the white space between them."""
    if spec.reads or spec.code is not None:  # a program's white space is its own
        return
    rows = next(iter(splits.values()))
    query = render_query(spec, rows[0])
    answers = dict(spec.labels) if spec.labelled else {rows[0].target: render_answer(spec, rows[0])}
    for name, said in answers.items():
        if query[-1:].isspace() and said[:1].isspace():
            yield f"white space at the end of the template and at the start of the answer {said!r} ({name})"
        elif not query[-1:].isspace() and not said[:1].isspace():
            yield f"no white space between the template and the answer {said!r} ({name})"


def _labels(spec: TaskSpec, splits: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    found = {split: {label for row in rows for label in labels_of(spec, row)} for split, rows in splits.items()}
    for label in spec.labels:
        lacking = [split for split in splits if label not in found[split]]
        if lacking:
            yield f"label {label!r} occurs in no row" + (
                f" of {', '.join(lacking)}" if len(lacking) < len(splits) else ""
            )


def _contexts(spec: TaskSpec, splits: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    if not spec.has_context:
        return
    found = Counter(row.context for rows in splits.values() for row in rows)
    if found[None]:
        yield f"{found.pop(None)} rows have no context"
    if spec.contexts:
        yield from (
            f"context {name!r} is not described" for name in found if name is not None and name not in spec.contexts
        )
    yield from (f"context {name!r} occurs in no row" for name in spec.contexts if name not in found)


def _choices(splits: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    for split, rows in splits.items():
        alike = sum(len(set(row.choices)) < len(row.choices) for row in rows)
        if alike:
            yield f"{alike} rows of {split} have choices that are alike: no model can tell them apart"


def _duplicates(spec: TaskSpec, splits: Mapping[Split, Sequence[Sample]]) -> Iterator[str]:
    shown = shown_fields(spec)
    targets: dict[Split, dict[str, set[str]]] = {}
    for split, rows in splits.items():
        known = targets.setdefault(split, {})
        for row in rows:
            known.setdefault(duplicate_key(row, shown), set()).add(row.target)
        if len(known) < len(rows):
            yield f"{len(rows) - len(known)} rows of {split} repeat others of it"
        opposed = sum(len(found) > 1 for found in known.values())
        if opposed:
            yield f"{opposed} inputs of {split} stand there with different targets"
    for one, other in combinations(splits, 2):
        shared = targets[one].keys() & targets[other].keys()
        if shared:
            yield f"{len(shared)} inputs stand both in {one} and in {other}"
