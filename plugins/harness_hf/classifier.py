"""A language model of any family with a classifier's head: what it needs to read batches of texts of mixed lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES as OF_SPANS,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as OF_TEXTS,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES as OF_TOKENS,
)

from harness.errors import TrainingError
from harness.requests import as_one
from harness_hf.loading import load_model, load_tokenizer
from harness_hf.tokens import token_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from torch import Tensor, nn
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from harness.records import Learnt, Text
    from harness_hf.settings import Settings


_OF_TEXTS: tuple[Any, Collection[str], str] = (AutoModelForSequenceClassification, OF_TEXTS, "classifier")
_HEADS: dict[Learnt, tuple[Any, Collection[str], str]] = {
    "tags": (AutoModelForTokenClassification, OF_TOKENS, "classifier of tokens"),
    "span": (AutoModelForQuestionAnswering, OF_SPANS, "head for answers in passages"),
}


def new_classifier(
    folder: Path, settings: Settings, device: str, labels: Sequence[str], learnt: Learnt = "label"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A checkpoint with a new head for these labels, and its tokenizer.

    Encoders are read at their first token or pooler, decoders at their last token, and BART and T5 (which read the text
    with both halves) at their last end-of-sequence token.

    Args:
        folder: of the checkpoint.
        settings: of the model.
        device: see `pick_device`.
        labels: names of the head's outputs.
        learnt: what is told of a text, see `TrainingJob`: of its tokens tags, or where an answer begins and ends.

    Raises:
        TrainingError: when transformers has no classifier of that architecture.
        ModelError: when it can't be loaded.
    """
    config = AutoConfig.from_pretrained(folder, trust_remote_code=settings.trust_remote_code, local_files_only=True)
    made_by, known, what = _HEADS.get(learnt, _OF_TEXTS)
    own_code = made_by.__name__ in (getattr(config, "auto_map", None) or {})
    if config.model_type not in known and not own_code:
        raise TrainingError(f"transformers has no {what} for models of type {config.model_type!r}")
    tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
    model = load_model(made_by, folder, settings, device, labels=labels)
    let_pad(model.config, tokenizer)
    return model, tokenizer


def let_pad(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer without a padding token one that it has; masks hide it, so which one changes no answer."""
    tokenizer.padding_side = "right"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or str(tokenizer.convert_ids_to_tokens(0))
    for one in (config, config.get_text_config()):
        if one.pad_token_id is None:
            one.pad_token_id = tokenizer.pad_token_id


def class_ids(
    tokenizer: PreTrainedTokenizerBase,
    config: PreTrainedConfig,
    texts: Sequence[Text],
    **options: Any,  # noqa: ANN401 - the tokenizer's own options
) -> list[list[int]]:
    """The ids of each text: at least one token, and for an encoder-decoder exactly one that ends the text.

    The two texts of a pair stand as the tokenizer puts them; one that marks no border between them (most decoders') is
    given them as one text, a line each. What is too long loses its end, of a pair the longer text first.

    Raises:
        ModelError: see `token_ids`.
    """
    apart = tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)
    found = token_ids(tokenizer, texts if apart else [as_one(text) for text in texts], **options)
    if config.is_encoder_decoder:
        return [_ended(ids, int(config.eos_token_id)) for ids in found]
    return [ids or [int(tokenizer.pad_token_id)] for ids in found]


def segmented(
    tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, rows: Sequence[list[int]]
) -> list[dict[str, list[int]]]:
    """Ids as a model reads them: of pairs with each token's segment (Devlin et al. 2019), where it has segments."""
    sep = tokenizer.sep_token_id
    told = "token_type_ids" in tokenizer.model_input_names and (getattr(config, "type_vocab_size", 0) or 0) > 1
    if not told or sep is None or all(ids.count(sep) < 2 for ids in rows):
        return [{"input_ids": ids} for ids in rows]
    borders = [ids.index(sep) + 1 if sep in ids else len(ids) for ids in rows]
    return [
        {"input_ids": ids, "token_type_ids": [0] * border + [1] * (len(ids) - border)}
        for ids, border in zip(rows, borders, strict=True)
    ]


def _ended(ids: list[int], end: int) -> list[int]:
    """The head stands on the last of them, and every row of a batch has to have as many."""
    last = max((at for at, token in enumerate(ids) if token == end), default=None)
    if last is None:
        return [*ids[:-1], end] if len(ids) > 1 else [*ids, end]
    return [token for at, token in enumerate(ids) if token != end or at == last]


def is_head(name: str, model: PreTrainedModel) -> bool:
    """Whether a module or parameter is outside the pre-trained body, or a pooler (which many checkpoints lack)."""
    return not name.startswith(f"{model.base_model_prefix}.") or "pool" in name


def read_last(model: PreTrainedModel) -> None:
    """Let a head that judges each token (decoders') be read at the last one that the mask shows.

    transformers looks for the last token that is not padding instead, which fails for texts given as vectors (virtual
    tokens), for models without a padding token, and for texts that end with it. Where a head gives one judgement a
    text, nothing changes. To be called last: wrapping and merging would lose it.
    """
    shown: dict[str, Tensor | None] = {}

    def remember(_: nn.Module, _args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        shown["mask"] = inputs.get("attention_mask")

    def everywhere(_: nn.Module, _args: tuple[Any, ...], judged: Any) -> Any:  # noqa: ANN401 - whatever the child gives
        mask = shown.get("mask")
        if mask is None or getattr(judged, "ndim", 0) != 3 or judged.shape[-1] != model.config.num_labels:
            return judged
        length = judged.shape[1]
        places = mask[:, -length:].long().cumsum(-1).argmax(-1)  # the first of the largest sums
        chosen = judged.gather(1, places[:, None, None].expand(-1, 1, judged.shape[-1]))
        return chosen.expand(-1, length, -1)

    body: nn.Module = model.base_model
    body.register_forward_pre_hook(remember, with_kwargs=True)
    for child in model.children():
        if child is not body:
            child.register_forward_hook(everywhere)
