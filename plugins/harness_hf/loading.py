"""Tokenizers and weights from a local folder: safetensors only, nothing printed, nothing missing."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import transformers

from harness.errors import HarnessError, ModelError
from harness_hf.devices import pick_device, pick_dtype
from harness_hf.quantization import quantize
from harness_hf.spreading import gather, placement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness_hf.settings import Settings

NEW_IN_FINE_TUNING = (
    "classifier",
    "classification_head",
    "pre_classifier",
    "score",
    "head",
    "pooler",
    "pooling",
    "pooled_projection",
    "qa_outputs",
)
"""Parts that a checkpoint need not have: a classifier's head and poolers, which the embeddings do not use."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' warnings, reports and (unless standard error is a terminal) progress bars to itself."""
    logging: Any = transformers.utils.logging  # its functions have no types
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The folder's tokenizer.

    Raises:
        ModelError: when there is none that transformers can read.
    """
    with quiet(), _explained(folder, "tokenizer", trust_remote_code=trust_remote_code):
        tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
    return tokenizer


def load_model(
    auto: Any,  # noqa: ANN401 - transformers' auto classes have no common type
    folder: Path,
    settings: Settings,
    device: str,
    *,
    labels: Sequence[str] = (),
) -> PreTrainedModel:
    """The folder's weights as the model that an auto class makes of them, on a device, ready to answer.

    Args:
        auto: `AutoModelForCausalLM` and the like.
        folder: of the checkpoint.
        settings: dtype, quantization, over how many cards, and whether its code may run.
        device: see `pick_device`.
        labels: for a classifier that is to be trained; the head for them is new.

    Raises:
        ModelError: when it can't be loaded, weights are missing and would be random, or the device has no int8.
        UsageError: when there is no such device.
    """
    place = pick_device(device)
    common = {"trust_remote_code": settings.trust_remote_code, "local_files_only": True}
    with quiet(), _explained(folder, "model", trust_remote_code=settings.trust_remote_code):
        config = transformers.AutoConfig.from_pretrained(folder, **common, **_classes(labels))
        stored = getattr(config, "dtype", None)
        dtype = pick_dtype(settings.dtype, place, stored)
        spread = placement(folder, place, dtype, stored) if settings.device_map == "auto" else {}
        model, report = auto.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=bool(labels),
            key_mapping=_renamed(auto, config),
            **common,
            **spread,
        )
        _refuse_random_weights(model, report["missing_keys"], folder)
        if spread:
            gather(model)
        else:
            model.to(place)
        if settings.quantization == "int8":
            quantize(model)
        return model.eval()  # type: ignore[no-any-return]


def _classes(labels: Sequence[str]) -> dict[str, Any]:
    if not labels:
        return {}
    numbers = {label: number for number, label in enumerate(labels)}
    kind = "single_label_classification" if len(labels) > 1 else "regression"
    return {"id2label": dict(enumerate(labels)), "label2id": numbers, "problem_type": kind}


def _renamed(auto: Any, config: Any) -> dict[str, str] | None:  # noqa: ANN401 - transformers' own
    """How a checkpoint's weights are called in a model of another class, where its body has another name there.

    So it is with `LlamaForQuestionAnswering` and some like it: transformers 5.23 would start them from random weights.
    """
    body = getattr(transformers.AutoModel._model_mapping.get(type(config), None), "base_model_prefix", "")
    own = getattr(auto._model_mapping.get(type(config), None), "base_model_prefix", body)
    return {rf"^{body}\.": f"{own}."} if body and own != body else None


def _refuse_random_weights(model: PreTrainedModel, missing: Iterable[str], folder: Path) -> None:
    prefix = f"{model.base_model_prefix}."
    absent = sorted(key for key in missing if not key.removeprefix(prefix).startswith(NEW_IN_FINE_TUNING))
    if absent:
        raise ModelError(
            f"{type(model).__name__} lacks {len(absent)} weights, {absent[0]} for one: they would be random",
            where=str(folder),
            hint="the checkpoint is incomplete, or was made for another kind of model",
        )


@contextmanager
def _explained(folder: Path, what: str, *, trust_remote_code: bool) -> Iterator[None]:
    """Turn what transformers raises for a folder into an error for people; running out of memory stays what it is."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"the {what} does not fit into memory: {error}",
            where=str(folder),
            hint="give a smaller dtype or another device",
        ) from error
    except HarnessError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes the libraries raise
        asks = "trust_remote_code" in str(error) and not trust_remote_code
        hint = "if you trust the checkpoint's authors: trust_remote_code=true" if asks else None
        raise ModelError(f"the {what} can't be loaded: {_first_line(error)}", where=str(folder), hint=hint) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
