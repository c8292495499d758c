"""What the commands of one call share: plugins, cache, catalogue; each made when it is first needed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.cli.output import plugins_at_work
from harness.plugins import PluginChoice, Plugins

if TYPE_CHECKING:
    from pathlib import Path

    from harness.assets import Assets
    from harness.catalogue import Catalogue
    from harness.store import Store


@dataclass
class Session:
    """The state of one call of the command line."""

    choice: PluginChoice
    quiet: bool = False
    tasks_path: tuple[Path, ...] = ()

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins."""
        with plugins_at_work():
            return Plugins(self.choice)

    @cached_property
    def assets(self) -> Assets:
        """The cache of models and data."""
        from harness.assets import Assets

        return Assets(self.plugins.registry("source"))

    @cached_property
    def catalogue(self) -> Catalogue:
        """Makes models, tasks, strategies ..."""
        from harness.catalogue import Catalogue

        return Catalogue(self.plugins, self.assets, self.tasks_path)

    def store(self, url: str | None, *, must_exist: bool = False) -> Store:
        """Open the results database: the option's, the environment's, or `harness.db` here.

        Raises:
            StoreError: when it can't be opened, or is not there and `must_exist`.
        """
        from harness.config import DEFAULT_STORE
        from harness.errors import StoreError
        from harness.store import Store

        found = url or os.environ.get("HARNESS_STORE") or DEFAULT_STORE
        if must_exist and "://" not in found and not os.path.exists(found):  # noqa: PTH110 - no Path needed
            raise StoreError(
                f"there is no results database {found!r}", hint="harness run makes one; --store names another"
            )
        return Store(found)
