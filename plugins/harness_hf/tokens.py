"""Texts -> token ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import ModelError
from harness.requests import as_one

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from harness.records import Text


def token_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text], **options: Any) -> list[list[int]]:  # noqa: ANN401 - the tokenizer's own options
    """The ids of each text or pair, in one call of the tokenizer.

    Raises:
        ModelError: when a text is not valid Unicode (half of a surrogate pair).
    """
    try:
        found: list[list[int]] = tokenizer(list(texts), return_attention_mask=False, verbose=False, **options)[
            "input_ids"
        ]
    except TypeError as error:  # all that tokenizers say of such a text
        bad = next((as_one(text) for text in texts if not _is_valid(as_one(text))), None)
        if bad is None:
            raise
        raise ModelError(f"a text can't be tokenised, it is not valid Unicode: {bad[:60]!r}") from error
    return found


def specials(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and behind each text by default (BOS; [CLS] and [SEP]; EOS)."""
    bare, full = (token_ids(tokenizer, ["a"], add_special_tokens=special)[0] for special in (False, True))
    at = next((at for at in range(len(full)) if full[at : at + len(bare)] == bare), 0)
    return full[:at], full[at + len(bare) :]


def _is_valid(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
