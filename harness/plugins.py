"""Find plugins, load them one by one, set broken ones aside, and ask them for their entries.

There is no global plugin manager: whoever needs one (the CLI, `harness.run`, a worker) makes a `Plugins`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pluggy

from harness import hookspecs
from harness.errors import PluginError, UnknownNameError, nearest
from harness.registry import Entry, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

GROUP = "harness"
KINDS = (
    "model",
    "task",
    "suite",
    "strategy",
    "selector",
    "order",
    "scorer",
    "calibrator",
    "metric",
    "executor",
    "scenario",
    "reporter",
    "command",
    "source",
    "sandbox",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A plugin as `harness list plugins` shows it; `error` is the traceback of one that was set aside."""

    name: str
    version: str
    source: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """Which plugins to load, as plain data: a worker elsewhere builds the same `Plugins` from it.

    Attributes:
        files: plugin files given by path, beside the installed ones.
        without: names of installed plugins to leave out.
        strict: a broken plugin is an error instead of being set aside.
    """

    files: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    strict: bool = False


class Plugins:
    """The loaded plugins and one registry per kind, each filled on its first look-up."""

    def __init__(self, choice: PluginChoice = PluginChoice()) -> None:
        self.choice = choice
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._infos: dict[str, PluginInfo] = {}
        self._registries: dict[str, Registry] = {}
        self._load_installed()
        for path in choice.files:
            self._load_file(Path(path))

    # --- loading ---------------------------------------------------------------------------------

    def _load_installed(self) -> None:
        points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name)
        unknown = set(self.choice.without) - {point.name for point in points}
        if unknown:
            raise UnknownNameError("plugin", min(unknown), (point.name for point in points))
        for point in points:
            if point.name in self.choice.without:
                continue
            version = point.dist.version if point.dist else "unknown"
            source = f"{point.dist.name} {version}" if point.dist else point.value
            self._admit(point.name, version, source, point.load)

    def _load_file(self, path: Path) -> None:
        if not path.is_file():
            raise PluginError(f"there is no plugin file {str(path)!r}")
        path = path.resolve()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        self._admit(path.stem, digest, str(path), lambda: _import_file(path, digest))

    def _admit(self, name: str, version: str, source: str, load: Callable[[], Any]) -> None:
        """Load one plugin; one that can't be loaded or has a misspelt hook is set aside with its traceback."""
        if name in self._infos:
            raise PluginError(f"two plugins are called {name!r}: {self._infos[name].source} and {source}")
        try:
            self._manager.register(load(), name=name)
            self._check_hooks(name)
        except (Exception, SystemExit) as error:
            if self.choice.strict:
                raise PluginError(f"plugin {name!r} is broken: {error}", where=source) from error
            self._infos[name] = PluginInfo(name, version, source, traceback.format_exc())
            log.warning(
                "plugin %s (%s) is broken and left out: %s; harness list plugins shows more",
                name,
                source,
                _last_line(error),
            )
        else:
            self._infos[name] = PluginInfo(name, version, source)

    def _check_hooks(self, name: str) -> None:
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            plugin = self._manager.unregister(name=name)
            known = [hook for hook in vars(hookspecs) if hook.startswith(("register_", "run_")) or hook == "diagnose"]
            marked = (hook for hook in dir(plugin) if self._manager.parse_hookimpl_opts(plugin, hook) is not None)
            unknown = next((hook for hook in marked if hook not in known), None)
            if unknown is None:
                raise
            raise PluginError(f"there is no hook {unknown!r}", hint=nearest(unknown, known)) from error

    # --- look-up ---------------------------------------------------------------------------------

    def infos(self) -> tuple[PluginInfo, ...]:
        """All plugins that were found, broken ones with their tracebacks, by name."""
        return tuple(sorted(self._infos.values(), key=lambda info: info.name))

    def registry(self, kind: str) -> Registry:
        """The entries of a kind, asked of the plugins on the first call."""
        if kind not in self._registries:
            self._registries[kind] = self._fill(Registry(kind))
        return self._registries[kind]

    def _fill(self, registry: Registry) -> Registry:
        hook = getattr(self._manager.hook, _hook_of(registry.kind))
        for implementation in sorted(hook.get_hookimpls(), key=lambda found: found.plugin_name):
            info = self._infos[implementation.plugin_name]
            entries: dict[str, Entry] = {}
            try:
                implementation.function(
                    **{"register": _collector(registry.kind, info, entries)} if implementation.argnames else {}
                )
            except (Exception, SystemExit) as error:
                if self.choice.strict:
                    raise PluginError(f"plugin {info.name!r} is broken: {error}", where=info.source) from error
                self._infos[info.name] = PluginInfo(info.name, info.version, info.source, traceback.format_exc())
                log.warning(
                    "plugin %s can't register its %ss and is left out: %s", info.name, registry.kind, _last_line(error)
                )
                continue
            for entry in entries.values():
                registry.add(entry)
        return registry

    # --- observers and inspection ----------------------------------------------------------------

    def notify(self, hook: str, **arguments: Any) -> None:  # noqa: ANN401 - the hook's own arguments
        """Call observers one by one; one that fails is logged and changes nothing."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            try:
                implementation.function(**{name: arguments[name] for name in implementation.argnames})
            except (Exception, SystemExit):
                log.exception("plugin %s failed in %s", implementation.plugin_name, hook)

    def diagnose(self) -> Iterable[tuple[str, str, str]]:
        """What each plugin finds on this machine: plugin, subject, finding."""
        for implementation in sorted(self._manager.hook.diagnose.get_hookimpls(), key=lambda found: found.plugin_name):
            try:
                for subject, finding in cast("Iterable[tuple[str, str]]", implementation.function()):
                    yield implementation.plugin_name, subject, finding
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a finding about a broken machine is still a finding
                yield implementation.plugin_name, "broken", _last_line(error)

    def versions(self) -> Mapping[str, str]:
        """Plugin -> version of those that are whole."""
        return {info.name: info.version for info in self.infos() if not info.error}


def _hook_of(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of plugin entry; there are {', '.join(KINDS)}")
    irregular = {"strategy": "register_strategies", "sandbox": "register_sandboxes"}
    return irregular.get(kind, f"register_{kind}s")


def _collector(kind: str, info: PluginInfo, entries: dict[str, Entry]) -> hookspecs.Register:
    def register(name: str, target: str, *, summary: str = "") -> None:
        if name in entries:
            raise PluginError(f"{kind} {name!r} is registered twice", where=f"plugin {info.name}")
        entries[name] = Entry(kind, name, target, info.name, info.version, summary)

    return register


def _import_file(path: Path, digest: str) -> ModuleType:
    """Import a plugin file under a name of its own, so that targets in it (`name:Object`) can be imported again."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{str(path)!r} is not a Python file (digest {digest})")
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) != str(path):
        raise PluginError(f"{str(path)!r} has the name of a module that is already imported", hint="rename the file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _last_line(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
