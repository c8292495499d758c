"""What is odd about a task's rows: labels, targets, choices, contexts, clusters, texts, repetitions and splits."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from harness.findings import Finding
from harness.sampling import duplicate_key
from harness.templates import render_query, shown_fields
from harness.values import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.examined import Examined
    from harness.records import Split

FEWEST = 10
"""Rows from which it is no chance that all have the same answer."""

LOPSIDED = 0.95
"""The share of rows with the right choice in one place from which the place gives it away."""

LONG = 20_000
"""Characters of a question that few models' windows hold whole: about 5,000 tokens of English."""


def odd_rows(given: Examined) -> Iterator[Finding]:
    """All that this module knows to look for."""
    for look in (_splits, _labels, _same_answers, _contexts, _clusters, _choices, _empty, _long, _repeated):
        yield from look(given)


def _splits(given: Examined) -> Iterator[Finding]:
    if "test" not in given.splits:
        advice = "name rows for it, or say --split at each run"
        yield given.warning("there is no test split, which is the one that is scored", "data", "files", advice=advice)


def _labels(given: Examined) -> Iterator[Finding]:
    found = {
        split: {label for row in rows for label in labels_of(given.spec, row)} for split, rows in given.splits.items()
    }
    for label in given.spec.labels:
        lacking = [split for split in given.splits if label not in found[split]]
        if lacking:
            everywhere = len(lacking) == len(given.splits)
            yield given.warning(
                f"label {label!r} occurs in no row" + ("" if everywhere else f" of {', '.join(lacking)}"),
                *("labels", label),
                advice="leave it out, or look at the target's column" if everywhere else "give each split rows of it",
            )


def _same_answers(given: Examined) -> Iterator[Finding]:
    """All rows of a split with one answer, or nearly all with the right choice in one place."""
    if given.spec.reads or given.spec.kind == "external":
        return
    of_choices = given.spec.chooses
    for split, rows in given.splits.items():
        (target, times), *_ = Counter(row.target for row in rows).most_common(1)
        if len(rows) < (2 if given.spec.labels else FEWEST):
            continue
        if of_choices and times >= LOPSIDED * len(rows):
            how_many = "every row" if times == len(rows) else f"{times} of {len(rows)} rows"
            message = f"the right choice is number {target} in {how_many} of {split}: its place gives it away"
            advice = "see whether this is the right column; if so, shuffle the choices"
        elif times == len(rows):
            message = f"every row of {split} has the target {target!r}: " + (
                "nothing can be learned from it" if split == "train" else "what always says so is right"
            )
            advice = "see whether this is the right column, and whether rows are sorted by it"
        else:
            continue
        yield given.warning(message, *("data", "fields", "target"), advice=advice)


def _contexts(given: Examined) -> Iterator[Finding]:
    spec = given.spec
    if not spec.has_context:
        return
    at = ("data", "context")
    found = Counter(row.context for rows in given.splits.values() for row in rows)
    if found[None]:
        advice = "fill the column in, or leave these rows out by data.where"
        yield given.warning(f"{found[None]} rows have no context", *at, advice=advice)
    named = {name: times for name, times in found.items() if name is not None}
    if len(named) == 1 and sum(named.values()) > 1:
        yield given.warning(f"all rows have the context {next(iter(named))!r}", *at, advice="leave data.context out")
    for name in named if spec.contexts else ():
        if name not in spec.contexts:
            yield given.warning(f"context {name!r} is not described", "contexts", advice=f"add {name}: what it is")
    for name in spec.contexts:
        if name not in named:
            message = f"context {name!r} occurs in no row"
            yield given.warning(message, "contexts", name, advice="leave it out, or look at the column")


def _clusters(given: Examined) -> Iterator[Finding]:
    """One cluster has no interval; rows without a cluster are alone in it."""
    for split, rows in given.splits.items():
        found = Counter(row.cluster for row in rows)
        if split != "train" and len(rows) > 1 and None not in found and len(found) == 1:
            message = f"all rows of {split} are one cluster: its scores have no interval"
            yield given.warning(message, "data", "cluster", advice="name a column that tells sources or passages apart")


def _choices(given: Examined) -> Iterator[Finding]:
    at = ("data", "fields", "choices")
    for split, rows in given.splits.items():
        alike = [row.id for row in rows if len(set(row.choices)) < len(row.choices)]
        if alike:
            message = f"{_rows(alike)} of {split} have choices that are alike: no model can tell them apart"
            yield given.warning(message, *at, advice="see whether choices lost what tells them apart")
        empty = [row.id for row in rows if any(not choice.strip() for choice in row.choices)]
        if empty:
            yield given.warning(f"{_rows(empty)} of {split} have an empty choice", *at, advice="leave such choices out")


def _empty(given: Examined) -> Iterator[Finding]:
    """Texts that say nothing in fields that a question shows."""
    shown = shown_fields(given.spec)
    for split, rows in given.splits.items():
        empty: dict[str, list[str]] = {}
        for row in rows:
            for name, value in row.fields.items():
                if name in shown and (value == "" or str(value).isspace()):
                    empty.setdefault(name, []).append(row.id)
        for name, ids in empty.items():
            at = ("data", "fields", name)
            if len(ids) == len(rows):
                advice = "see whether this is the right column"
                yield given.error(f"field {name!r} is empty in every row of {split}", *at, advice=advice)
            else:
                advice = f"leave such rows out by data.where, or see that {name} is the right column"
                yield given.warning(f"field {name!r} is empty in {_rows(ids)} of {split}", *at, advice=advice)


def _long(given: Examined) -> Iterator[Finding]:
    if given.spec.reads:  # it is read in windows
        return
    for split, rows in given.splits.items():
        lengths = ((len(render_query(given.spec, row)), row.id) for row in rows)
        long = [(length, id_) for length, id_ in lengths if length > LONG]
        if long:
            most, longest = max(long)
            message = (
                f"{len(long)} questions of {split} have more than {LONG:,} characters, {longest} has {most:,}: "
                "most models cut them"
            )
            advice = "shorten them in the template: {{ text | words(600) }}"
            yield given.warning(message, "prompt", "template", advice=advice)


def _repeated(given: Examined) -> Iterator[Finding]:
    shown = shown_fields(given.spec)
    first: dict[Split, dict[str, str]] = {}
    for split, rows in given.splits.items():
        known = first.setdefault(split, {})
        targets: dict[str, str] = {}
        again: list[str] = []
        opposed: dict[str, str] = {}
        for row in rows:
            key = duplicate_key(row, shown)
            if key in known:
                again.append(row.id)
            known.setdefault(key, row.id)
            if targets.setdefault(key, row.target) != row.target:
                opposed[key] = row.id
        at = given.files_of(split)
        if again:
            yield _odd(
                f"{_rows(again)} of {split} repeat others of it",
                at,
                "leave them out, or name what they share in data.cluster",
            )
        if opposed:
            message = f"{len(opposed)} inputs of {split} (such as {_some(opposed)}) stand there with different targets"
            yield _odd(message, at, "no answer can be right for all of them: see which target is meant")
    for one, other in combinations(given.splits, 2):
        shared = [f"{first[one][key]} = {first[other][key]}" for key in first[one] if key in first[other]]
        if shared:
            message = f"{len(shared)} inputs (such as {shared[0]}) stand both in {one} and in {other}"
            yield _odd(message, given.files_of(other), "no strategy is given those, but a model may have seen them")


def _odd(message: str, where: str | None, advice: str) -> Finding:
    return Finding("warning", message, where, advice)


def _rows(ids: list[str]) -> str:
    return f"{len(ids)} rows (such as {ids[0]})"


def _some(opposed: dict[str, str]) -> str:
    return next(iter(opposed.values()))
