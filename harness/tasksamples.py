"""Rows -> the samples of a task: fields, targets in one form, contexts, choices, and names that are unique."""

from __future__ import annotations

import logging
import random
from collections import Counter
from dataclasses import dataclass
from itertools import repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.dialogue import Dialogue, dialogue
from harness.entities import entities_of, written_entities
from harness.errors import DataError, nearest
from harness.extraction import canonical
from harness.packed import Packed
from harness.records import Sample
from harness.values import read_number, written_labels, written_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.records import Split, TaskSpec
    from harness.rows import Row
    from harness.taskschema import DataSection
    from harness.yamlfile import Located

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampleMaker:
    """Makes the samples of one task; `located` says where its file names what."""

    spec: TaskSpec
    data: DataSection
    located: Located

    def samples(self, rows: Sequence[Row], ends: Mapping[Split, int] = MappingProxyType({})) -> Packed[Sample]:
        """The sample of each row.

        Args:
            rows: all of the task: only together do they tell whether targets are numbers of choices or their texts.
            ends: where the task has files for each split: how many rows there are up to the end of each split's.

        Raises:
            DataError: naming the row.
        """
        empty = 0

        def values() -> Iterator[tuple[Any, ...]]:
            nonlocal empty
            choices = map(self._choices, rows)
            for row, id_, right, given in zip(rows, self._ids(rows, ends), self._targets(rows), choices, strict=True):
                listed, target = self._shuffled(id_, given, right)
                fields = self._fields(row, listed)
                empty += any(str(fields[name]).strip() == "" for name in fields.keys() & self.data.fields.keys())
                named = self._named(row, "context"), listed, self._named(row, "cluster")
                yield id_, fields, target, *named, self._several(row)

        samples = Packed(values(), lambda values: Sample(*values))
        if empty:
            log.warning("task %s: %d of %d rows have an empty text; they are kept", self.spec.name, empty, len(samples))
        return samples

    def cell(self, row: Row, column: str, *keys: str) -> Any:  # noqa: ANN401 - whatever the data holds
        """The value of a column that `data` names under these keys.

        Raises:
            DataError: when the row has no such column, with the nearest ones.
        """
        try:
            return row.values[column]
        except KeyError:
            hint = nearest(column, row.values)
            raise DataError(
                f"{row.place} has no column {column!r}", where=self.located.where("data", *keys), hint=hint
            ) from None

    def _field(self, row: Row, name: str) -> Any:  # noqa: ANN401 - whatever the data holds
        return self.cell(row, self.data.fields[name], "fields", name)

    def _fields(self, row: Row, choices: tuple[str, ...]) -> dict[str, Any]:
        """What templates can name; a value that is missing is an empty text."""
        values = {name: self._field(row, name) for name in self.data.inputs()}
        if self.spec.kind == "dialogue":
            told = self._dialogue(row)
            system = (values.get("system"), told.system)
            values |= {"turns": told.turns, "system": "\n".join(str(one) for one in system if one)}
        if self.spec.kind == "tagging":
            values["tokens"] = self._tokens(row)
            values.setdefault("text", " ".join(values["tokens"]))
        return {
            name: choices if name == "choices" and choices else "" if value is None else value
            for name, value in values.items()
        }

    def _named(self, row: Row, key: Literal["context", "cluster"]) -> str | None:
        """What the column says that `data` names under this key; None where it names none or the cell is empty."""
        column: str | None = getattr(self.data, key)
        if column is None:
            return None
        value = self.cell(row, column, key)
        return None if value is None or value == "" else _text(value)

    def _ids(self, rows: Sequence[Row], ends: Mapping[Split, int]) -> Iterator[str]:
        """Names of the rows: as the data or the place says, with the split before them where splits repeat names."""
        repeated = _repeated(lambda: map(self._id, rows))
        prefixed = bool(ends and repeated)
        if prefixed:
            repeated = _repeated(lambda: map(self._id, rows, _prefixes(ends)))
        seen: set[str] = set()
        for row, before in zip(rows, _prefixes(ends) if prefixed else repeat(""), strict=prefixed):
            id_ = self._id(row, before)
            if id_ in seen:
                raise DataError(
                    f"id {id_!r} stands twice, again in {row.place}", where=self.located.where("data", "fields", "id")
                )
            if not id_.isprintable():
                raise DataError(f"id {id_!r} holds signs that can't be printed", where=row.place)
            if id_ in repeated:
                seen.add(id_)
            yield id_

    def _id(self, row: Row, before: str = "") -> str:
        if "id" in self.data.fields:
            return before + _text(self._field(row, "id"))
        return f"{before}{row.name}:{row.number}" if row.number else before + row.name

    # --- targets -----------------------------------------------------------------------------------

    def _targets(self, rows: Sequence[Row]) -> Iterator[str]:
        if self.spec.chooses:
            return self._numbers(rows)
        if self.spec.reads:
            return repeat("", len(rows))
        each = {"label": self._one_label, "number": self._number, "labels": self._labels, "tags": self._entities}
        if (learnt := self.spec.learnt) in each:
            return map(each[learnt], rows)
        return (self._references(row)[0] for row in rows)

    def _references(self, row: Row) -> tuple[str, ...]:
        """The right answers, each once; of an unanswerable question what is said then."""
        value = self._target(row)
        given = value if isinstance(value, list | tuple) else [value]
        if not given and self.spec.unanswerable:
            return (self.spec.unanswerable,)
        if not given or any(one is None for one in given):
            hint = "set unanswerable to what is said then" if self.spec.kind == "question-answering" else None
            raise self._wrong(row, "has no target" if not given else "has a target that is null", hint=hint)
        if any(isinstance(one, dict | list) for one in given):
            hint = "make texts of it by data.derive: right: \"answers | map(attribute='text') | list\""
            raise self._wrong(row, f"target {given[0]!r:.60} is no text", hint=hint)
        return tuple(dict.fromkeys(self._reference(row, _text(one)) for one in given))

    def _several(self, row: Row) -> tuple[str, ...]:
        found = self._references(row) if self.spec.generates and self.spec.learnt in {None, "span"} else ()
        return found if len(found) > 1 else ()

    def _target(self, row: Row) -> Any:  # noqa: ANN401 - whatever the data holds
        value = self._dialogue(row).reply if self.spec.kind == "dialogue" else self._field(row, "target")
        if value is None:
            raise self._wrong(row, "has no target")
        return value

    def _dialogue(self, row: Row) -> Dialogue:
        try:
            return dialogue(self._field(row, "turns"))
        except ValueError as error:
            raise DataError(str(error), where=f"{row.place}: {self.data.fields['turns']}") from error

    def _one_label(self, row: Row) -> str:
        return self._label(row, _text(self._target(row)))

    def _label(self, row: Row, target: str) -> str:
        if target not in self.spec.labels:
            raise self._wrong(
                row, f"label {target!r} is not declared in labels", hint=nearest(target, self.spec.labels)
            )
        return target

    def _labels(self, row: Row) -> str:
        """The row's labels, each declared."""
        value = self._target(row)
        if not isinstance(value, list | tuple):
            hint = "data.derive makes one of a text: labels: \"tags.split(';')\""
            raise self._wrong(row, f"target {value!r} is no list of labels", hint=hint)
        return written_labels({self._label(row, _text(one)) for one in value}, self.spec.labels)

    def _tokens(self, row: Row) -> tuple[str, ...]:
        """The words of the row's sentence."""
        value, where = self._field(row, "tokens"), f"{row.place}: {self.data.fields['tokens']}"
        if not isinstance(value, list | tuple) or not value:
            hint = "data.derive makes one of a text: words: text.split()"
            raise DataError("is no list of words", where=where, hint=hint)
        words = tuple(map(_text, value))
        if wrong := [word for word in words if not word or " " in word]:
            raise DataError(f"holds {wrong[0]!r}, which is no word", where=where)
        return words

    def _entities(self, row: Row) -> str:
        """The entities of the row's tags, whose types are declared."""
        tags, words = self._target(row), self._tokens(row)
        if not isinstance(tags, list | tuple) or len(tags) != len(words):
            listed = isinstance(tags, list | tuple)
            message = f"has {len(tags)} tags for {len(words)} words" if listed else f"{tags!r:.40} is no list of tags"
            raise self._wrong(row, message)
        try:
            entities = entities_of([_text(tag) for tag in tags])
        except ValueError as error:
            raise self._wrong(row, str(error)) from error
        for one in entities:
            self._label(row, one.type)
        return written_entities(entities, words)

    def _number(self, row: Row) -> str:
        """The row's number."""
        value = self._target(row)
        number = None if isinstance(value, bool) else read_number(_text(value))
        if number is None:
            raise self._wrong(row, f"target {value!r} is no finite number")
        return written_number(number)

    def _reference(self, row: Row, target: str) -> str:
        """The reference answer; a number in the same form as the answers that are compared with it."""
        if self.spec.extract.type == "text":
            return target
        number = canonical(target, "number")
        if number is None:
            raise self._wrong(row, f"target {target!r} is no number", hint="extract.type is number")
        return number

    def _choices(self, row: Row) -> tuple[str, ...]:
        if not self.spec.chooses:
            return ()
        value = self._field(row, "choices")
        if not isinstance(value, list | tuple) or len(value) < 2:
            column = self.data.fields["choices"]
            hint = "data.derive makes one of several columns: choices: '[a, b, c, d]'"
            raise DataError("is no list of two choices or more", where=f"{row.place}: {column}", hint=hint)
        if any(choice is None for choice in value):
            raise DataError("has a choice that is null", where=f"{row.place}: {self.data.fields['choices']}")
        return tuple(map(_text, value))

    def _shuffled(self, id_: str, choices: tuple[str, ...], target: str) -> tuple[tuple[str, ...], str]:
        """Choices and the right one's number in an order of the row's own, which no other row changes."""
        if not choices or not self.data.shuffle_choices:
            return choices, target
        order = list(range(len(choices)))
        random.Random(f"choices {id_}").shuffle(order)
        return tuple(choices[at] for at in order), str(order.index(int(target)))

    def _numbers(self, rows: Sequence[Row]) -> Iterator[str]:
        """The number of each right choice. All targets are texts of choices, or all are their numbers (from 0)."""
        readings = (_place_of_text, _place_of_number)
        places = list(readings)
        number: Row | None = None
        for row in rows:
            value, choices = self._target(row), self._choices(row)
            possible = [place for place in readings if place(value, choices) is not None]
            if not possible:
                message = f"target {value!r} is neither the text of a choice nor its number, 0 to {len(choices) - 1}"
                raise self._wrong(row, message)
            number = number or (row if _place_of_text not in possible else None)
            places = [place for place in places if place in possible]
            if not places and number is not None:
                raise self._wrong(number, "the target is a number, but in other rows it is a choice's text")
        return (str(places[0](self._target(row), self._choices(row))) for row in rows)

    def _wrong(self, row: Row, message: str, *, hint: str | None = None) -> DataError:
        return DataError(message, where=f"{row.place}: {self.data.fields.get('target', 'target')}", hint=hint)


def _prefixes(ends: Mapping[Split, int]) -> Iterator[str]:
    """What stands before the name of each row: its split."""
    start = 0
    for split, end in ends.items():
        yield from repeat(f"{split}/", end - start)
        start = end


def _repeated(names: Callable[[], Iterable[str]]) -> set[str]:
    """The names that stand there several times: found by their hashes, 8 bytes a name, and then looked at."""
    hashes, counts = np.unique(np.fromiter(map(hash, names()), dtype=np.int64), return_counts=True)
    suspects = set(hashes[counts > 1].tolist())
    found = Counter(name for name in names() if hash(name) in suspects) if suspects else Counter[str]()
    return {name for name, times in found.items() if times > 1}


def _text(value: object) -> str:
    """A value as JSON writes it: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place_of_text(value: object, choices: tuple[str, ...]) -> int | None:
    return choices.index(value) if isinstance(value, str) and value in choices else None


def _place_of_number(value: object, choices: tuple[str, ...]) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and int(text) < len(choices) else None
