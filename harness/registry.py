"""Named entries of one kind, each with its plugin; the object behind a name is imported when it is first used."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import PluginError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered name: where its object is, and which plugin (at which version) put it there.

    Raises:
        PluginError: when the name or target is malformed.
    """

    kind: str
    name: str
    target: str
    plugin: str
    version: str
    summary: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise PluginError(
                f"{self.kind} name {self.name!r} may hold letters, digits, '-', '_' and '.' only",
                where=f"plugin {self.plugin}",
            )
        if not all(self.target.partition(":")):
            raise PluginError(
                f"{self.kind} {self.name!r}: target {self.target!r} is not package.module:Object",
                where=f"plugin {self.plugin}",
            )

    @property
    def resource(self) -> tuple[str, str] | None:
        """Package and path where the target is a file inside a package (a task file), else None."""
        package, _, path = self.target.partition(":")
        return (package, path) if path.endswith((".yaml", ".yml")) else None

    def load(self) -> Any:  # noqa: ANN401 - whatever the plugin put there
        """Import the target.

        Raises:
            PluginError: when its module can't be imported, whatever it raises, or lacks the object.
        """
        module_name, _, attribute = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                found = getattr(found, part)
        except ImportError as error:
            missing = error.name or str(error)
            raise PluginError(
                f"{self.kind} {self.name!r} needs {missing!r}, which can't be imported: {error}",
                where=f"plugin {self.plugin}",
                hint="install the plugin's extra, e.g. pip install 'adapt-harness[all]'; see harness doctor",
            ) from error
        except (Exception, SystemExit) as error:
            said = str(error) if isinstance(error, AttributeError) else f"{type(error).__name__}: {error}"
            raise PluginError(
                f"{self.kind} {self.name!r}: {said}", where=f"plugin {self.plugin}, {self.target}"
            ) from error
        return found


class Registry:
    """The entries of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(self, entry: Entry) -> None:
        """Add an entry.

        Raises:
            PluginError: when another plugin has the name.
        """
        taken = self._entries.get(entry.name)
        if taken is not None:
            raise PluginError(
                f"{entry.kind} {entry.name!r} is registered by plugin {taken.plugin!r} and by plugin {entry.plugin!r}",
                hint=f"set one aside: --without {taken.plugin} or --without {entry.plugin}",
            )
        self._entries[entry.name] = entry

    def get(self, name: str, *, where: str | None = None) -> Entry:
        """The entry of a name.

        Raises:
            UnknownNameError: with the nearest names.
        """
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._entries, where=where) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def __len__(self) -> int:
        return len(self._entries)
