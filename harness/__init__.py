"""adapt-harness: prompt it, give it context, or fine-tune it? Which model, how accurate, how fast, and is the difference real?

The public names. They are imported when they are first used, so that `import harness` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.api import Results, run
    from harness.components import build, parse_component
    from harness.errors import (
        AssetError,
        ConfigError,
        DataError,
        HarnessError,
        ModelError,
        OfflineError,
        ParameterError,
        PluginError,
        StoreError,
        TemplateError,
        TrainingError,
        UnknownNameError,
        UsageError,
    )

_HOME = {
    "api": ("Results", "run"),
    "components": ("build", "parse_component"),
    "errors": (
        "AssetError",
        "ConfigError",
        "DataError",
        "HarnessError",
        "ModelError",
        "OfflineError",
        "ParameterError",
        "PluginError",
        "StoreError",
        "TemplateError",
        "TrainingError",
        "UnknownNameError",
        "UsageError",
    ),
}
