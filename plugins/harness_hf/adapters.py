"""What is trained of a classifier, by method: all, low-rank updates, virtual tokens, virtual keys and values, biases.

LoRA: Hu et al. 2022. Prompt tuning: Lester et al. 2021. Prefix tuning: Li & Liang 2021. BitFit: Ben Zaken et al. 2022.
The first three are made by `peft`. Poolers count as part of the head.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from harness.errors import ModelError, TrainingError
from harness_hf.classifier import is_head

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from harness_hf.plan import Plan

TRAINED = "trained.safetensors"
"""The trained weights alone, by their names in the adapted model."""

PROJECTIONS = (
    ("query", "value"),
    ("q_proj", "v_proj"),
    ("q_lin", "v_lin"),
    ("q", "v"),
    ("query_key_value",),
    ("c_attn",),
    ("Wqkv",),
    ("qkv_proj",),
    ("query_proj", "value_proj"),
)
"""How architectures call the projections of queries and values, where these are LoRA's targets."""


def adapted(model: PreTrainedModel, method: str, plan: Plan) -> Any:  # noqa: ANN401 - a model, or peft's wrapping of one
    """The model with the method's parameters, the only ones that are left to be trained.

    Raises:
        TrainingError: when the architecture can't be trained that way.
    """
    if method == "head":
        return model
    if method == "bitfit":
        return _biases_only(model)
    if model.config.is_encoder_decoder and method != "lora":
        raise TrainingError(f"{method} does not work with encoder-decoders: their classifiers take no virtual tokens")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what peft sets right by itself
        return _wrapped(model, _configuration(model, method, plan))


def _biases_only(model: PreTrainedModel) -> PreTrainedModel:
    biases = 0
    for name, parameter in model.named_parameters():
        bias = name.endswith("bias")
        biases += bias and not is_head(name, model)
        parameter.requires_grad_(bias or is_head(name, model))
    if not biases:
        raise TrainingError(f"{type(model).__name__} has no biases to train", hint="take lora instead of bitfit")
    return model


def _configuration(model: PreTrainedModel, method: str, plan: Plan) -> Any:  # noqa: ANN401 - peft's
    import peft

    if method == "lora":
        heads = [name for name, _ in model.named_modules() if _names_a_head(name, model)]
        return peft.LoraConfig(
            task_type=_task(model),
            r=plan.r,
            lora_alpha=plan.alpha,  # type: ignore[arg-type] # a fraction scales as well
            lora_dropout=plan.dropout,
            target_modules=targets(model, plan.target_modules),
            modules_to_save=heads,
        )
    kind = peft.PromptTuningConfig if method == "prompt-tuning" else peft.PrefixTuningConfig
    return kind(task_type=_task(model), num_virtual_tokens=plan.virtual_tokens)


def _task(model: PreTrainedModel) -> Any:  # noqa: ANN401 - an enumeration of peft's
    """What peft calls the model's task."""
    heads = {"ForTokenClassification": "TOKEN_CLS", "ForQuestionAnswering": "QUESTION_ANS"}
    return next((task for head, task in heads.items() if head in type(model).__name__), "SEQ_CLS")


def _names_a_head(name: str, model: PreTrainedModel) -> bool:
    """The outermost modules of the head that have weights."""
    outer = name.rpartition(".")[0]
    if not name or not is_head(name, model) or name == model.base_model_prefix:
        return False
    whole = any(True for _ in model.get_submodule(name).parameters())
    return whole and (not outer or outer == model.base_model_prefix or not is_head(outer, model))


def targets(model: PreTrainedModel, wanted: str) -> list[str]:
    """The names of the layers that get low-rank updates.

    Raises:
        TrainingError: when there are none of these names.
    """
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    here = {name.rpartition(".")[2] for name, _ in model.base_model.named_modules()}
    if wanted != "auto":
        names = [name.strip() for name in wanted.split("+")]
        missing = [name for name in names if name not in here]
        if missing:
            raise TrainingError(
                f"{type(model).__name__} has no layer called {missing[0]!r}", hint=f"it has {', '.join(_layers(model))}"
            )
        return names
    known = KNOWN.get(str(model.config.model_type))
    for names in ([known] if isinstance(known, list) else []) + [list(names) for names in PROJECTIONS]:
        if set(names) <= here:
            return names
    raise TrainingError(
        f"which layers of {type(model).__name__} project queries and values is not known",
        hint=f"name some with target_modules=a+b: {', '.join(_layers(model))}",
    )


def _layers(model: PreTrainedModel) -> list[str]:
    """The last names of all layers with a weight matrix."""
    found = {
        name.rpartition(".")[2]
        for name, module in model.base_model.named_modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) == 2
    }
    return sorted(found)


def _wrapped(model: PreTrainedModel, configuration: Any) -> Any:  # noqa: ANN401 - peft's
    import peft

    try:
        wrapped = peft.get_peft_model(model, configuration)
    except ValueError as error:
        raise TrainingError(f"peft can't adapt {type(model).__name__}: {str(error).splitlines()[0]}") from error
    for name, parameter in wrapped.get_base_model().named_parameters():
        copied = ".original_module." in name  # what peft keeps of a head that is trained as a copy
        if is_head(name, model) and "lora_" not in name and not copied:
            parameter.requires_grad_(True)
    return wrapped


# --- what was trained ------------------------------------------------------------------------------


def trainable(model: nn.Module) -> Mapping[str, nn.Parameter]:
    """The parameters that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def share(model: Any) -> tuple[int, int]:  # noqa: ANN401 - as above
    """The numbers of trained parameters and of all that take part in an answer."""
    everything = [(name, one) for name, one in model.named_parameters() if ".original_module." not in name]
    return sum(one.numel() for one in trainable(model).values()), sum(one.numel() for _, one in everything)


def write_trained(model: nn.Module, file: Path) -> None:
    """Write the trained weights."""
    save_file({name: one.detach().cpu().contiguous() for name, one in trainable(model).items()}, file)


def read_trained(model: nn.Module, file: Path) -> None:
    """Put trained weights back into a model that is adapted in the same way.

    Raises:
        ModelError: when the file is damaged, or of another model.
    """
    wanted = trainable(model)
    try:
        found: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"the trained weights can't be read: {error}", where=str(file)) from error
    if found.keys() != wanted.keys():
        raise ModelError("the trained weights are those of another model", where=str(file))
    for name, parameter in wanted.items():
        parameter.data.copy_(found[name])


def merged(model: Any) -> Any:  # noqa: ANN401 - a model, or peft's wrapping of one
    """The model with low-rank updates added to its weights, so that they cost no time; others as they are."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") and not _virtual(model) else model


def _virtual(model: Any) -> bool:  # noqa: ANN401 - as above
    return bool(getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False))


def bare(model: Any) -> PreTrainedModel:  # noqa: ANN401 - as above
    """The transformers model inside."""
    inside: PreTrainedModel = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inside
