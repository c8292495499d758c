"""adapt-harness: prompt it, give it context, or fine-tune it? How accurate, how fast, and is the difference real?

The public names. They are imported when they are first used, so that `import harness` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.answers import ask, classify, decide, fills
    from harness.api import Results, run
    from harness.assets import Assets
    from harness.bridging import AsksItself, MeasuresItself, TaskCollection
    from harness.components import build, parse_component
    from harness.embeddings import Embeddings, FrozenEmbedder
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
    from harness.hookspecs import Register, hookimpl
    from harness.interfaces import (
        Adapted,
        Asked,
        Chats,
        CountsTokens,
        CountsWork,
        Engine,
        Evidence,
        Executor,
        ExplainsItself,
        ExplainsTraining,
        Fetchable,
        Metric,
        Model,
        Pretrainable,
        Pretrained,
        PretrainingJob,
        Price,
        Priced,
        Report,
        Reporter,
        Scenario,
        Setting,
        ShowsEvidence,
        Sizes,
        Source,
        Strategy,
        Task,
        TaskView,
        Trainable,
        TrainableInWays,
        Trained,
        TrainingJob,
        UsesDeviceMemory,
        Work,
        Worker,
        Workload,
    )
    from harness.promptparts import (
        Calibrator,
        Correction,
        FindsParts,
        Order,
        Pool,
        Question,
        Scorer,
        Search,
        Selector,
        TextEncoder,
    )
    from harness.records import (
        Classified,
        Classify,
        Component,
        Embed,
        Embedded,
        EmbeddedTokens,
        EmbedTokens,
        Estimate,
        Experiment,
        Filled,
        FillMask,
        FindSpan,
        FoundSpan,
        Generate,
        Generated,
        LabelBudget,
        LogLikelihood,
        LogLikelihoods,
        Prediction,
        Prompt,
        PromptSpec,
        Regress,
        Regressed,
        Request,
        RequestKind,
        Response,
        RollingLogLikelihood,
        Sample,
        Tag,
        Tagged,
        TaskSpec,
        Trial,
        TrialResult,
        Usage,
        Written,
    )
    from harness.sandboxes import Sandbox, Verdict
    from harness.templates import render_answer, render_choices, render_input, render_instruction, render_query
    from harness.tokenized import Token, Tokenized, TokenizedAnswer, Tokenizes

_HOMES = {
    "answers": "ask classify decide fills",
    "api": "Results run",
    "assets": "Assets",
    "bridging": "AsksItself MeasuresItself TaskCollection",
    "components": "build parse_component",
    "embeddings": "Embeddings FrozenEmbedder",
    "errors": "AssetError ConfigError DataError HarnessError ModelError OfflineError ParameterError PluginError "
    "StoreError TemplateError TrainingError UnknownNameError UsageError",
    "hookspecs": "Register hookimpl",
    "interfaces": "Adapted Asked Chats CountsTokens CountsWork Engine Evidence Executor ExplainsItself "
    "ExplainsTraining Fetchable Metric Model Pretrainable Pretrained PretrainingJob Price Priced Report Reporter "
    "Scenario Setting ShowsEvidence Sizes Source Strategy Task TaskView Trainable TrainableInWays Trained TrainingJob "
    "UsesDeviceMemory Work Worker Workload",
    "promptparts": "Calibrator Correction FindsParts Order Pool Question Scorer Search Selector TextEncoder",
    "records": "Classified Classify Component Embed Embedded EmbeddedTokens EmbedTokens Estimate Experiment Filled "
    "FillMask FindSpan FoundSpan Generate Generated LabelBudget LogLikelihood LogLikelihoods Prediction Prompt "
    "PromptSpec Regress Regressed Request RequestKind Response RollingLogLikelihood Sample Tag Tagged TaskSpec Trial "
    "TrialResult Usage Written",
    "tokenized": "Token Tokenized TokenizedAnswer Tokenizes",
    "sandboxes": "Sandbox Verdict",
    "templates": "render_answer render_choices render_input render_instruction render_query",
}
_HOME = {name: f"harness.{module}" for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Adapted",
    "Asked",
    "AsksItself",
    "AssetError",
    "Assets",
    "Calibrator",
    "Chats",
    "Classified",
    "Classify",
    "Component",
    "ConfigError",
    "Correction",
    "CountsTokens",
    "CountsWork",
    "DataError",
    "Embed",
    "EmbedTokens",
    "Embedded",
    "EmbeddedTokens",
    "Embeddings",
    "Engine",
    "Estimate",
    "Evidence",
    "Executor",
    "Experiment",
    "ExplainsItself",
    "ExplainsTraining",
    "Fetchable",
    "FillMask",
    "Filled",
    "FindSpan",
    "FindsParts",
    "FoundSpan",
    "FrozenEmbedder",
    "Generate",
    "Generated",
    "HarnessError",
    "LabelBudget",
    "LogLikelihood",
    "LogLikelihoods",
    "MeasuresItself",
    "Metric",
    "Model",
    "ModelError",
    "OfflineError",
    "Order",
    "ParameterError",
    "PluginError",
    "Pool",
    "Prediction",
    "Pretrainable",
    "Pretrained",
    "PretrainingJob",
    "Price",
    "Priced",
    "Prompt",
    "PromptSpec",
    "Question",
    "Register",
    "Regress",
    "Regressed",
    "Report",
    "Reporter",
    "Request",
    "RequestKind",
    "Response",
    "Results",
    "RollingLogLikelihood",
    "Sample",
    "Sandbox",
    "Scenario",
    "Scorer",
    "Search",
    "Selector",
    "Setting",
    "ShowsEvidence",
    "Sizes",
    "Source",
    "StoreError",
    "Strategy",
    "Tag",
    "Tagged",
    "Task",
    "TaskCollection",
    "TaskSpec",
    "TaskView",
    "TemplateError",
    "TextEncoder",
    "Token",
    "Tokenized",
    "TokenizedAnswer",
    "Tokenizes",
    "Trainable",
    "TrainableInWays",
    "Trained",
    "TrainingError",
    "TrainingJob",
    "Trial",
    "TrialResult",
    "UnknownNameError",
    "Usage",
    "UsageError",
    "UsesDeviceMemory",
    "Verdict",
    "Work",
    "Worker",
    "Workload",
    "Written",
    "ask",
    "build",
    "classify",
    "decide",
    "fills",
    "hookimpl",
    "parse_component",
    "render_answer",
    "render_choices",
    "render_input",
    "render_instruction",
    "render_query",
    "run",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module.

    `harness.run` is the function; the module of that name is reached as `from harness.runner import ...`.
    """
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'harness' has no attribute {name!r}") from None
    found: object = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found
