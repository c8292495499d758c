"""Which npm registry the user has set: environment, then the `.npmrc` files of project, user and npm itself."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT = "https://registry.npmjs.org"

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


def registry_of(package: str) -> str:
    """A package's registry, without a stroke at its end: that of its scope where one is set (`@scope:registry`)."""
    scope = package.partition("/")[0] if package.startswith("@") else ""
    settings = list(_settings())
    for key in (f"{scope}:registry", "registry") if scope else ("registry",):
        found = next((given[key] for given in settings if given.get(key)), None)
        if found is not None:
            return found.rstrip("/")
    return DEFAULT


def _settings() -> Iterator[dict[str, str]]:
    """The settings of each place, those that win first."""
    prefix = "npm_config_"
    told = {name.lower(): value for name, value in os.environ.items() if name.lower().startswith(prefix)}
    given = {name.removeprefix(prefix): value for name, value in told.items()}
    yield given
    yield _read(Path(".npmrc"))
    yield _read(Path(given.get("userconfig") or "~/.npmrc").expanduser())
    program = shutil.which("npm")
    own = Path(program).parent.parent / "etc" / "npmrc" if program else None
    if given.get("globalconfig"):
        own = Path(given["globalconfig"])
    if own is not None:
        yield _read(own)


def _read(path: Path) -> dict[str, str]:
    """`key = value` of each line; `${NAME}` is a variable of the environment. Empty where there is no such file."""
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:  # none, or none that may be read: as npm takes it
        return {}
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#;")
    return {
        key.strip(): _VARIABLE.sub(lambda name: os.environ.get(name[1], name[0]), value.strip().strip("\"'"))
        for key, _, value in pairs
    }
