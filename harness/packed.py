"""Long sequences of records, held packed: about the bytes of their content, and on disk where these are many.

A hundred thousand samples as Python objects take 100 MB and more; packed they take 8 MB of memory, and so do a million.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, TypeVar, overload

from harness.errors import HarnessError

T = TypeVar("T")

BLOCK = 64
"""Records packed together; those of one block are unpacked at once."""

IN_MEMORY = 8 * 2**20
"""Bytes that a sequence holds in memory before it goes to a temporary file."""


class Records(Sequence[T]):
    """A sequence that is equal to any other of equal records, a list for instance; slices are such sequences too."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return Selected(self, range(len(self))[index])
        return self._at(range(len(self))[index])

    def _at(self, index: int) -> T:
        """The record at a place that is there."""
        raise NotImplementedError


class Packed(Records[T]):
    """Records that are made of plain values whenever they are asked for: never are all of them objects.

    Args:
        values: of each record, such as pickle knows without importing anything; read once, now.
        made: the values of one record -> the record.

    Raises:
        HarnessError: when the temporary file can't be written.
    """

    def __init__(self, values: Iterable[Any], made: Callable[[Any], T]) -> None:
        self._made = made
        self._content = _Content()
        self._length = 0
        self._held: tuple[int, list[T]] = (-1, [])
        rest = iter(values)
        while block := list(islice(rest, BLOCK)):
            self._content.append(pickle.dumps(block, protocol=5))
            self._length += len(block)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        for number in range(len(self._content)):
            yield from self._unpacked(number)

    def _at(self, index: int) -> T:
        number, place = divmod(index, BLOCK)
        held, block = self._held
        if held != number:
            block = self._unpacked(number)
            self._held = (number, block)
        return block[place]

    def _unpacked(self, number: int) -> list[T]:
        return [self._made(values) for values in pickle.loads(self._content[number])]  # noqa: S301 - packed by itself


class Selected(Records[T]):
    """Some records of a sequence, by their places there."""

    def __init__(self, records: Sequence[T], places: Sequence[int]) -> None:
        self._records = records
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[T]:
        return (self._records[place] for place in self._places)

    def _at(self, index: int) -> T:
        return self._records[self._places[index]]


class Chained(Records[T]):
    """Records of several sources, one source after the other, each made when it is asked for.

    Args:
        parts: of each source how many there are, and what makes the one of a number.
    """

    def __init__(self, parts: Iterable[tuple[int, Callable[[int], T]]]) -> None:
        parts = list(parts)
        self._made = [made for _, made in parts]
        self._ends = list(accumulate(size for size, _ in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _at(self, index: int) -> T:
        which = bisect_right(self._ends, index)
        return self._made[which](index - (self._ends[which - 1] if which else 0))


class Places(Sequence[int]):
    """Places in ascending order, as the runs that they make: those of a trial's answered samples are one or two.

    Args:
        ascending: each once.
    """

    __slots__ = ("_before", "_ends", "_starts")

    def __init__(self, ascending: Iterable[int] = ()) -> None:
        starts, ends, before = array("q"), array("q"), array("q")
        for count, place in enumerate(ascending):
            if not ends or ends[-1] != place:
                starts.append(place)
                ends.append(place)
                before.append(count)
            ends[-1] = place + 1
        self._starts, self._ends, self._before = starts, ends, before

    def __len__(self) -> int:
        return self._before[-1] + self._ends[-1] - self._starts[-1] if self._ends else 0

    def __iter__(self) -> Iterator[int]:
        for start, end in zip(self._starts, self._ends, strict=True):
            yield from range(start, end)

    def __contains__(self, place: object) -> bool:
        if not isinstance(place, int):
            return False
        run = bisect_left(self._ends, place + 1)
        return run < len(self._ends) and self._starts[run] <= place

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        at = range(len(self))[index]
        run = bisect_left(self._before, at + 1) - 1
        return self._starts[run] + at - self._before[run]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Places):
            return self._starts == other._starts and self._ends == other._ends
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._starts.tobytes(), self._ends.tobytes()))


class _Content:
    """Byte strings, one after the other: in memory while they are few, in a file without a name when they are many."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._flushed = 0
        self._ends = array("Q", [0])
        self._file: Any = None
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, content: bytes) -> None:
        self._memory += content
        self._ends.append(self._ends[-1] + len(content))
        if len(self._memory) > IN_MEMORY:
            self._flush()

    def __getitem__(self, number: int) -> bytes:
        start, end = self._ends[number], self._ends[number + 1]
        if start >= self._flushed:
            return bytes(self._memory[start - self._flushed : end - self._flushed])
        if hasattr(os, "pread"):  # a forked process shares the place where a file is read
            return os.pread(self._file.fileno(), end - start, start)
        with self._reading:
            self._file.seek(start)
            return bytes(self._file.read(end - start))

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as this does
            self._file.seek(0, os.SEEK_END)
            self._file.write(self._memory)
        except OSError as error:
            raise HarnessError(
                f"can't keep rows in {tempfile.gettempdir()}: {error.strerror or error}",
                hint="make room there, or set TMPDIR to another folder",
            ) from error
        self._flushed += len(self._memory)
        self._memory = bytearray()
