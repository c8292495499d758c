"""Where models and data come from: the package registries, files of this machine, the Hugging Face hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register


@hookimpl
def register_sources(register: Register) -> None:
    """Add the schemes."""
    register("pypi", "harness_sources.pypi:PackageIndex", summary="pypi://NAME==VERSION/path[?sdist], fetched by pip")
    register("npm", "harness_sources.npm:NodeRegistry", summary="npm://NAME@VERSION/path, of the user's npm registry")
    register("file", "harness_sources.files:Files", summary="file:///path, or a path: files of this machine")
    register(
        "hf", "harness_sources.hub:Hub", summary="hf://[datasets/]ORG/NAME[@REVISION]/path, from the Hugging Face hub"
    )
