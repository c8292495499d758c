"""A task with what is derived from its rows: the scored draw, the rows to adapt on, digests, the guarded view."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.checking import render_all
from harness.errors import DataError, HarnessError
from harness.facts import Facts, Memory
from harness.overlap import Repetition, repetitions
from harness.records import SPLITS, Candidates
from harness.sampling import draw, texts_without, without
from harness.templates import HEAD, render_input, shown_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from harness.interfaces import Task
    from harness.records import Condition, Sample, Split, TaskSpec

ADAPTED: tuple[Split, ...] = ("train", "validation")
"""The splits that may be adapted on, while another one is scored."""

PARTS = frozenset({"prompt", "candidates", "train", "validation"})
"""What a strategy may declare in `reads`; without a declaration it reads all."""

_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


class TaskData:
    """A task and, computed once each, what planning and trials ask of its rows."""

    def __init__(self, task: Task, memory: Memory | None = None) -> None:
        self.task = task
        self._memory = memory or Memory()
        self._scored: dict[tuple[Split, int | None], Sequence[Sample]] = {}
        self._unseen: dict[tuple[Split, int | None], dict[str, int]] = {}
        self._pools: dict[tuple[Split, Split], tuple[Sequence[Sample], int]] = {}

    @property
    def spec(self) -> TaskSpec:
        """The task's specification."""
        return self.task.spec

    def where(self, *keys: str | int) -> str:
        """Where the task says this: file, line and key for one from a file."""
        place: Callable[..., str] | None = getattr(self.task, "where", None)
        return place(*keys) if place else f"task {self.spec.name}: {'.'.join(map(str, keys))}"

    @property
    def path(self) -> Path | None:
        """The file that defines the task; None for one that code makes."""
        path: Path | None = getattr(self.task, "path", None)
        return path

    def files(self) -> dict[str, str]:
        """The digests of the files that hold its rows; empty for a task that code makes."""
        digests: Callable[[], dict[str, str]] | None = getattr(self.task, "files", None)
        return digests() if digests else {}

    def scored(self, split: Split, limit: int | None) -> Sequence[Sample]:
        """The rows that a trial answers: the split, or a seeded stratified draw of `limit` rows of it.

        The draw has a seed of its own, the same for all trials, so that all are compared on the same rows.

        Raises:
            DataError: when the split has no rows.
        """
        if (split, limit) not in self._scored:
            rows = self.task.samples(split)
            if not rows:
                raise DataError(f"task {self.spec.name!r} has no rows in split {split!r}")
            self._scored[split, limit] = rows if limit is None else draw(rows, limit, _stratum(self.spec), seed=0)
        return self._scored[split, limit]

    def named(self, ids: Sequence[str]) -> dict[str, Sample]:
        """The rows with these ids, of whichever split; what the task does not have is left out."""
        wanted = set(ids)
        found: dict[str, Sample] = {}
        for split in reversed(SPLITS):
            if len(found) < len(wanted):
                found |= {row.id: row for row in self.task.samples(split) if row.id in wanted and row.id not in found}
        return found

    def pool(self, split: Split, scored: Split) -> tuple[Sequence[Sample], int]:
        """The rows of a split that may be adapted on, and how many were left out since they repeat a scored row."""
        if (split, scored) not in self._pools:
            self._pools[split, scored] = without(
                self.task.samples(split), self.task.samples(scored), shown_fields(self.spec)
            )
        return self._pools[split, scored]

    def unseen_contexts(self, split: Split, limit: int | None) -> dict[str, int]:
        """Context -> scored rows that have it, of those contexts that no row to train on has."""
        if (split, limit) not in self._unseen:
            seen = {row.context for row in self.pool("train", split)[0]}
            counts = Counter(row.context for row in self.scored(split, limit) if row.context is not None)
            self._unseen[split, limit] = {name: n for name, n in sorted(counts.items()) if name not in seen}
        return self._unseen[split, limit]

    def scored_facts(self, split: Split, limit: int | None) -> Facts:
        """About the scored rows; every template has been rendered on every one of them.

        Raises:
            DataError: when the split has no rows.
            TemplateError: naming the sample and the template.
        """

        def find() -> Facts:
            rows = self.scored(split, limit)
            render_all(self.task, rows)
            return Facts(len(rows), rows_digest(rows))

        return self._memory.facts(("scored", split, limit), find)

    def pool_facts(self, split: Split, scored: Split) -> Facts:
        """About the rows of a split that may be adapted on."""

        def find() -> Facts:
            rows, left_out = self.pool(split, scored)
            return Facts(len(rows), rows_digest(rows), left_out)

        return self._memory.facts(("pool", split, scored), find)

    def pool_digests(self, scored: Split) -> dict[Split, str]:
        """Split -> digest of its rows that may be adapted on, for those that are not scored."""
        return {split: self.pool_facts(split, scored).digest for split in ADAPTED if split != scored}

    def repetitions(
        self, scored: Split, limit: int | None, *, most: int | None = None
    ) -> tuple[Repetition, ...] | None:
        """The scored rows that repeat or nearly repeat a training or validation row; remembered once they are known.

        Those that repeat one exactly are among them: no strategy of this harness adapts on them, others may have.

        Args:
            scored: the split that is scored.
            limit: see `scored`.
            most: nobody looks where there are more rows, all in all; it is None then, unless it is known already.
        """

        def find() -> tuple[Repetition, ...] | None:
            whole = None if limit is None else self.repetitions(scored, None, most=0)
            if whole is None and most is not None and self._rows_compared(scored, limit) > most:
                return None
            rows = self.scored(scored, limit)
            if whole is not None:  # somebody has looked at the whole split
                drawn = {row.id for row in rows}
                return tuple(one for one in whole if one.sample in drawn)
            pools = {split: self.task.samples(split) for split in ADAPTED if split != scored}
            return repetitions(rows, pools, shown_fields(self.spec))

        return self._memory.remember(
            ("repetitions", scored, limit),
            find,
            lambda found: [dataclasses.astuple(one) for one in found or ()],
            lambda kept: tuple(Repetition(*one) for one in kept),
        )

    def _rows_compared(self, scored: Split, limit: int | None) -> int:
        """How many rows `repetitions` would read: of facts, which are remembered where the rows are not in memory."""
        others = [self.pool_facts(split, scored) for split in ADAPTED if split != scored]
        return self.scored_facts(scored, limit).n + sum(facts.n + facts.left_out for facts in others)

    def most_of_a_label(self, scored: Split) -> int:
        """How many of the rows that may be trained on have the most frequent target."""
        return max(Counter(row.target for row in self.pool("train", scored)[0] if row.target).values(), default=0)

    def view(self, scored: Split, reads: frozenset[str]) -> GuardedView:
        """What a strategy may see that declares `reads`, while `scored` is the split that will be scored.

        Without `prompt` among them the templates are replaced by one that does not render, and labels are said by their
        names: keys would not cover the others. Without `candidates` there are none.
        """
        spec = self.spec
        if "candidates" not in reads:
            spec = dataclasses.replace(spec, candidates=Candidates())
        if "prompt" not in reads:
            hidden = "{{ the_strategy_does_not_declare_prompt_in_reads }}"
            unread: dict[str, Any] = dict.fromkeys(
                ("template", *HEAD, "choice", "answer", "domain", "rationale"), hidden
            )
            prompt = dataclasses.replace(spec.prompt, **unread)
            spec = dataclasses.replace(spec, prompt=prompt, labels={label: label for label in spec.labels})
        return GuardedView(self, scored, reads, spec)


@dataclass(frozen=True, slots=True)
class GuardedView:
    """The rule 'never adapt on what is scored' in one place; a `harness.TaskView`.

    `shown` keeps which splits were asked for, through this view and all that were made of it.
    """

    data: TaskData
    scored: Split
    reads: frozenset[str]
    spec: TaskSpec
    shown: set[Split] = field(default_factory=set, compare=False)

    def samples(self, split: Split) -> Sequence[Sample]:
        """Rows to adapt on.

        Raises:
            HarnessError: when the split is the scored one, or the strategy did not declare that it reads it.
        """
        if split == self.scored:
            raise HarnessError(f"split {split!r} is being scored: nothing may be adapted on it")
        if split not in self.reads:
            raise HarnessError(
                f"the strategy reads split {split!r} without declaring it in `reads`: its key would not cover it"
            )
        self.shown.add(split)
        return self.data.pool(split, self.scored)[0]

    def conditioned(self, condition: Condition) -> GuardedView:
        """The same task with each sample's context put before its prompt and its input."""
        prompt = dataclasses.replace(self.spec.prompt, condition=condition)
        return dataclasses.replace(self, spec=dataclasses.replace(self.spec, prompt=prompt))

    def unscored(self, texts: Sequence[str]) -> Sequence[str]:
        """Of texts from elsewhere, those that neither repeat nor hold a text of the scored rows.

        A row's texts are its input and each field that a question shows; see `harness.sampling.texts_without`.
        """
        spec = self.data.spec
        shown = shown_fields(spec)
        told = (
            text
            for row in self.data.task.samples(self.scored)
            for text in (render_input(spec, row), *(str(row.fields[name]) for name in shown & row.fields.keys()))
        )
        return texts_without(texts, told)

    @property
    def excluded(self) -> dict[Split, int]:
        """Split -> rows left out since they repeat a scored one, for the splits that the strategy reads."""
        splits: tuple[Split, ...] = ("train", "validation")
        return {
            split: self.data.pool_facts(split, self.scored).left_out
            for split in splits
            if split in self.reads and split != self.scored
        }


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(_canonical(value)).hexdigest()


def rows_digest(samples: Iterable[Sample]) -> str:
    """`digest` of the list of the samples, each a list of what it holds; taken one by one."""
    found = hashlib.sha256(b"[")
    for number, sample in enumerate(samples):
        found.update((b"," if number else b"") + _canonical(_plain(sample)))
    found.update(b"]")
    return found.hexdigest()


def _canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def _plain(sample: Sample) -> list[Any]:
    plain = [sample.id, dict(sample.fields), sample.target, sample.context, list(sample.choices)]
    if sample.references:
        return [*plain, sample.cluster, list(sample.references)]
    return plain if sample.cluster is None else [*plain, sample.cluster]


def _stratum(spec: TaskSpec) -> Any:  # noqa: ANN401 - a key function
    by_label = spec.labelled
    return lambda sample: (sample.target if by_label else "", sample.context or "")
