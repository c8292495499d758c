"""Errors meant for people: one line of what, where and what to do, and the exit status that they lead to.

    HarnessError                    exit 1   something that was asked for could not be done
    ├── UsageError                  exit 2   the command or a call is wrong
    │   ├── UnknownNameError                 no model, task, strategy ... of that name; nearest names in the hint
    │   └── ParameterError                   a parameter is unknown or its value is wrong
    ├── ConfigError                 exit 2   a file is wrong; `where` says file, line and key
    │   ├── TemplateError                    a template does not render on a real row
    │   └── DataError                        rows are missing, unreadable or contradict the task
    ├── PluginError                 exit 2   a plugin is broken, or two claim one name
    ├── AssetError                  exit 1   a model or data set can't be fetched or verified
    │   ├── OfflineError                     it is not in the cache and the network can't be reached
    │   └── MissingFileError    exit 2       a path that somebody wrote leads to nothing on this machine
    ├── StoreError                  exit 1   the results database can't be opened, read or written
    ├── ModelError                  exit 1   a model can't be loaded, or gave an answer that makes no sense
    └── TrainingError               exit 1   an adaptation that trains went wrong (diverged, no data ...)

Anything else that is raised is a bug and shows a traceback.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class HarnessError(Exception):
    """Base of the errors that are shown without a traceback.

    Args:
        message: what is wrong, in one line.
        where: the file, line and key it is about, as `file:line: key`.
        hint: what to do about it.

    Attributes:
        others: what else is wrong in the same place, found in the same look; the message speaks of the first alone.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.others: tuple[HarnessError, ...] = ()

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class UsageError(HarnessError):
    """The command line or an API call is wrong."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is not registered, with the nearest names that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, where: str | None = None) -> None:
        super().__init__(f"unknown {kind} {name!r}", where=where, hint=nearest(name, known))
        self.kind = kind
        self.name = name


class ParameterError(UsageError):
    """A parameter that its owner does not declare, or a value that it does not take."""


class ConfigError(HarnessError):
    """A file that people write (experiment, task) is wrong."""

    exit_code = 2


class TemplateError(ConfigError):
    """A template does not compile, or does not render on a row."""


class DataError(ConfigError):
    """Rows are missing or unreadable, or contradict their task."""


class PluginError(HarnessError):
    """A plugin can't be loaded, or claims what another has."""

    exit_code = 2


class AssetError(HarnessError):
    """A model or data set can't be fetched, verified or unpacked."""


class OfflineError(AssetError):
    """An asset is not in the cache and the network can't be reached or may not be used."""


class MissingFileError(AssetError):
    """A path that somebody wrote leads to nothing."""

    exit_code = 2


class StoreError(HarnessError):
    """The results database can't be opened, read or written."""


class ModelError(HarnessError):
    """A model can't be loaded, or its answer makes no sense (NaN, wrong number)."""


class TrainingError(HarnessError):
    """Training went wrong: no data, one class, a loss that is not finite."""


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """The hint for a name that is not known: the nearest ones, or all of them where they are few."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:12])
    return f"there are {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
