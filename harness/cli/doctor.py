"""`harness doctor`: versions, devices, caches, and what is missing for which plugin."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import click

from harness.errors import HarnessError
from harness.plugins import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.cli.session import Session
    from harness.plugins import Plugins

CORE = ("click", "pluggy", "pydantic", "jinja2", "sqlalchemy", "pandas", "numpy", "scipy", "pyarrow")


@click.command("doctor")
@click.pass_obj
def command(session: Session) -> int:
    """Say what is installed, what it runs on and what is missing; exit status 1 where something is."""
    click.echo(f"harness {_version('adapt-harness')}, Python {platform.python_version()}, {platform.platform()}")
    click.echo("core: " + ", ".join(f"{name} {_version(name)}" for name in CORE))
    root = session.assets.root
    click.echo(f"cache: {root} ({_megabytes(root):.0f} MB)")
    missing = [*_missing(session.plugins)]
    for plugin, subject, finding in session.plugins.diagnose():
        click.echo(f"{plugin}: {subject}: {finding}")
    broken = [info for info in session.plugins.infos() if info.error]
    for info in broken:
        click.echo(f"plugin {info.name} ({info.source}) is broken: {info.error.strip().splitlines()[-1]}")
    for line in missing:
        click.echo(line)
    whole = len(session.plugins.infos()) - len(broken)
    click.echo(f"{whole} plugins are whole, {len(broken)} broken; {len(missing)} of their entries can't be used")
    return 1 if broken or missing else 0


def _missing(plugins: Plugins) -> Iterator[str]:
    """Entries whose target can't be imported."""
    for kind in KINDS:
        for entry in plugins.registry(kind):
            if entry.resource is not None:
                continue
            try:
                entry.load()
            except HarnessError as error:
                yield f"{kind} {entry.name}: {error}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _megabytes(root: Path) -> float:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / 1e6 if root.exists() else 0.0
