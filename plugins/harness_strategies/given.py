"""Which context each sample is given: its own, another one's (the control), or passages that were retrieved for it."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.errors import DataError
from harness.seeds import derived
from harness.templates import render_input, unsaid, with_passages
from harness_strategies.passages import Passages, ranker, read_passages

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from harness.interfaces import Model, Setting, TaskView
    from harness.records import Condition, Sample, Split, TaskSpec
    from harness_strategies.passages import Retriever


class Giver(Protocol):
    """Gives samples their contexts; `unlabelled` is how many rows it has looked at without their labels for that."""

    @property
    def unlabelled(self) -> int:
        """How many rows it has looked at."""

    def own(self, sample: Sample) -> Sample:
        """The sample with the context that belongs to it."""

    def wrong(self, sample: Sample) -> Sample:
        """The sample with the context of another one."""

    def prepare(self, samples: Sequence[Sample], *, wrong: bool) -> None:
        """Get ready to give these samples their contexts, or wrong ones; what it was ready for before is forgotten."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Contexts by their labels (or descriptions: that is for the templates to say).

    Attributes:
        exchanged: context -> the one that the control gives in its place; a permutation without a fixed point.
        seed: draws for contexts that are not among these.
        unlabelled: rows that the contexts come from.
    """

    exchanged: Mapping[str, str]
    seed: int
    unlabelled: int = 0

    def own(self, sample: Sample) -> Sample:
        """As it is."""
        return sample

    def wrong(self, sample: Sample) -> Sample:
        """A sample without a context keeps none; one whose context was not known gets any of those that were."""
        if sample.context is None:
            return sample
        known = sorted(self.exchanged)
        drawn = known[derived(self.seed, sample.id) % len(known)]
        return dataclasses.replace(sample, context=self.exchanged.get(sample.context, drawn))

    def prepare(self, samples: Sequence[Sample], *, wrong: bool) -> None:
        """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Shuffled(Labels):
    """The same, where the control draws contexts from those of the training rows: now and then the right one.

    Attributes:
        drawn: the context of each training row that has one.
    """

    drawn: Sequence[str] = ()

    def wrong(self, sample: Sample) -> Sample:
        """A sample without a context keeps none."""
        if sample.context is None:
            return sample
        return dataclasses.replace(sample, context=self.drawn[derived(self.seed, sample.id) % len(self.drawn)])


def exchange(contexts: Collection[str], seed: int) -> dict[str, str]:
    """A seeded derangement: each of at least two contexts is exchanged for another one, in one circle."""
    circle = sorted(contexts)
    random.Random(f"contexts {seed}").shuffle(circle)
    return dict(zip(circle, [*circle[1:], circle[0]], strict=True))


class Retrieved:
    """Passages near each sample's own input; the control gives those that are near another training row.

    Args:
        task: whose training rows are the collection, unless there is a file.
        file: of passages.
        k: how many to give.
        by: how to find them.
        model: whose embeddings they are found by.
        setting: the trial's.

    Raises:
        DataError: when the collection is empty.
    """

    def __init__(self, task: TaskView, file: str | None, k: int, by: Retriever, model: Model, setting: Setting) -> None:
        self._spec, self._k, self._by, self._model, self._setting = task.spec, k, by, model, setting
        self._found: dict[str | None, Passages] = {}
        rows: Sequence[Sample] = task.samples("train") if file is None else ()
        self.unlabelled = len(rows)
        self._texts: dict[str | None, list[str]] = {} if file is None else {None: read_passages(file)}
        for row in rows:
            self._texts.setdefault(row.context, []).append(render_input(self._spec, row))
        if not any(self._texts.values()):
            raise DataError("there are no passages: the task has no training rows", hint="name a file: passages=FILE")
        self._all = [text for texts in self._texts.values() for text in texts]
        self._file = file

    @property
    def size(self) -> int:
        """How many passages there are."""
        return len(self._all)

    def own(self, sample: Sample) -> Sample:
        """The sample with the passages nearest to it, among those of its context."""
        return self._given(sample, render_input(self._spec, sample))

    def wrong(self, sample: Sample) -> Sample:
        """The sample with the passages nearest to another text of the collection."""
        return self._given(sample, self._other(sample), never=render_input(self._spec, sample))

    def prepare(self, samples: Sequence[Sample], *, wrong: bool) -> None:
        """Embed what is asked for them, all in one call for each collection."""
        asked: dict[str | None, list[str]] = {}
        for sample in samples:
            query = self._other(sample) if wrong else render_input(self._spec, sample)
            asked.setdefault(self._key(sample.context), []).append(query)
        for key, queries in asked.items():
            self._collection(key).ranker.prepare(queries)

    def _other(self, sample: Sample) -> str:
        return self._all[derived(self._setting.seed, sample.id) % len(self._all)]

    def _given(self, sample: Sample, query: str, never: str = "") -> Sample:
        return with_passages(sample, self._collection(self._key(sample.context)).nearest(query, self._k, never))

    def _key(self, context: str | None) -> str | None:
        """The context whose passages are searched: all of them for one that has none, or where a file was named."""
        return context if self._file is None and context in self._texts else _ALL

    def _collection(self, key: str | None) -> Passages:
        if key not in self._found:
            texts = self._all if key == _ALL else self._texts[key]
            self._found[key] = Passages(texts, ranker(texts, self._by, self._model, self._setting))
        return self._found[key]


_ALL = "\0all"
"""No context is called so."""


@dataclass(frozen=True, slots=True)
class GivenView:
    """A task whose rows to adapt on have what a giver gives them, or nothing; a `harness.TaskView`."""

    task: TaskView
    giver: Giver
    said: bool

    @property
    def spec(self) -> TaskSpec:
        """The task's."""
        return self.task.spec

    def samples(self, split: Split) -> Sequence[Sample]:
        """The rows, each with the context that belongs to it, or with none that is said."""
        rows = self.task.samples(split)
        if self.said and isinstance(self.giver, Labels):
            return rows  # they have theirs
        if self.said:
            self.giver.prepare(rows, wrong=False)
        return [self.giver.own(row) if self.said else unsaid(row) for row in rows]

    def conditioned(self, condition: Condition) -> GivenView:
        """The same, conditioned."""
        return dataclasses.replace(self, task=self.task.conditioned(condition))

    def unscored(self, texts: Sequence[str]) -> Sequence[str]:
        """As the task's own."""
        return self.task.unscored(texts)
