"""What planning has to know of a task's rows, remembered: a finished experiment is planned again without reading them.

What is remembered belongs to a digest of everything that it follows from: the task file, the bytes of the data, the
code that reads them. Nothing is ever out of date: what changes has another digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sys
import uuid
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

log = logging.getLogger(__name__)

LIBRARIES = ("jinja2", "numpy", "pyarrow", "pydantic", "ruamel.yaml")
"""Those that take part in making samples of a file's bytes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How many rows there are, a digest of them in their order, and how many were left out before."""

    n: int
    digest: str
    left_out: int = 0


class Memory:
    """Facts of one task, each found once.

    Args:
        folder: where they are kept; None keeps them no longer than this object.
        content: gives the digest of all that the task's rows follow from; asked for once, when it is needed.
    """

    def __init__(self, folder: Path | None = None, content: Callable[[], str] | None = None) -> None:
        self._folder = folder
        self._content = content
        self._digest = ""
        self._found: dict[tuple[object, ...], Any] = {}

    def facts(self, about: tuple[object, ...], find: Callable[[], Facts]) -> Facts:
        """The facts about something that plain values name."""
        return self.remember(about, find, asdict, lambda kept: Facts(**kept))

    def remember(
        self,
        about: tuple[object, ...],
        find: Callable[[], T],
        plain: Callable[[T], Any],
        made: Callable[[Any], T],
    ) -> T:
        """Whatever there is to know about something that plain values name; None is not remembered.

        Args:
            about: what it is about.
            find: finds it.
            plain: makes JSON of it.
            made: makes it of that JSON.
        """
        if about not in self._found:
            file = self._file(about)
            kept = _read(file, made) if file else None
            found = find() if kept is None else kept
            if found is None:
                return found
            self._found[about] = found
            if file and kept is None:
                _write(file, plain(found))
        known: T = self._found[about]
        return known

    def _file(self, about: tuple[object, ...]) -> Path | None:
        code = code_digest()
        if self._folder is None or self._content is None or not code:
            return None
        self._digest = self._digest or self._content()
        name = json.dumps([code, self._digest, about], default=str)
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Of the core's source, of Python's version and of the libraries'; empty where there is no source to look at."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    found = hashlib.sha256(json.dumps([sys.version, *map(version, LIBRARIES)]).encode())
    for file in files:
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest() if files else ""


def _read(file: Path, made: Callable[[Any], T]) -> T | None:
    try:
        return made(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.debug("%s can't be read and is made again: %s", file, error)
        return None


def _write(file: Path, facts: Any) -> None:  # noqa: ANN401 - any JSON value
    """Keep facts; where nothing can be written they are found again next time."""
    part = file.with_name(f".{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(facts), encoding="utf-8")
        part.replace(file)
    except OSError as error:
        log.debug("%s can't be kept: %s", file, error)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
