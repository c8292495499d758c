"""Words -> tags: a checkpoint with a head that judges each token, asked at the last token of each word.

Devlin et al. (2019) ask at the first one; at the last one a decoder, too, has read the whole word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import AutoModelForTokenClassification

from harness.entities import OUTSIDE
from harness.errors import ModelError
from harness.records import Tag, Tagged
from harness.requests import as_one
from harness_hf.classifier import let_pad
from harness_hf.encoder import TextEngine, refuse_others
from harness_hf.loading import load_model, load_tokenizer, quiet
from harness_hf.objectives import IGNORED
from harness_hf.tokens import token_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from harness.records import Request, Response, Text
    from harness_hf.settings import Settings
    from harness_hf.trainer import Rows


class TaggerEngine(TextEngine):
    """A trained tagger, of any family that transformers has one for; `model` may be wrapped by peft."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:  # noqa: ANN401
        let_pad(model.config, tokenizer)
        super().__init__(model, tokenizer, settings)
        names: Any = model.config.id2label  # number -> tag
        self._tags = [str(names[number]) for number in range(len(names))]

    @classmethod
    def load(cls, folder: Path, settings: Settings, device: str) -> TaggerEngine:
        """Load what training has saved.

        Raises:
            ModelError: when it can't be loaded.
        """
        tokenizer = load_tokenizer(folder, trust_remote_code=settings.trust_remote_code)
        return cls(load_model(AutoModelForTokenClassification, folder, settings, device), tokenizer, settings)

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """The likeliest tag at the last token of each word; `O` for a word without tokens, or behind the window.

        Raises:
            ModelError: when a request is of another kind or names a type that is not known, or a score is not finite.
        """
        asked = [request for request in requests if isinstance(request, Tag)]
        refuse_others(requests, len(asked), "tags words")
        for request in asked:
            unknown = [label for label in request.labels if f"B-{label}" not in self._tags]
            if unknown:
                raise ModelError(f"the model was not trained on entities of type {unknown[0]!r}")
        texts = [request.text for request in asked]
        vectors, usages = self._read(texts)
        limit = {} if self._window is None else {"truncation": True, "max_length": self._window}
        places = word_places(self._tokenizer, texts, **limit)
        return [
            Tagged(self._said(vector, at), usage) for vector, at, usage in zip(vectors, places, usages, strict=True)
        ]

    def _said(self, logits: Tensor, places: Sequence[int | None]) -> tuple[str, ...]:
        likeliest = logits.argmax(-1).tolist()
        return tuple(OUTSIDE if at is None else self._tags[likeliest[at]] for at in places)

    def _ids(self, texts: Sequence[Text], **options: Any) -> list[list[int]]:  # noqa: ANN401 - the tokenizer's own
        return [ids or [int(self._tokenizer.pad_token_id)] for ids in token_ids(self._tokenizer, texts, **options)]

    def _vectors(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, L) tokens and mask -> (B, L, tags) float32."""
        with quiet():
            logits: Tensor = self._model(**inputs).logits.float()
        return logits


def tagged_rows(
    examples: Sequence[tuple[Text, str]], targets: Sequence[Sequence[int]], tokenizer: PreTrainedTokenizerBase, cut: int
) -> Rows:
    """Token ids of each example, and at the last token of each word its tag.

    Args:
        examples: text and written entities.
        targets: the number of each word's tag.
        tokenizer: of the model.
        cut: tokens at which texts are cut.
    """
    texts = [as_one(text) for text, _ in examples]
    limit = {"truncation": True, "max_length": cut}
    rows = []
    for ids, places, tags in zip(
        token_ids(tokenizer, texts, **limit), word_places(tokenizer, texts, **limit), targets, strict=True
    ):
        labels = [IGNORED] * len(ids)
        for at, tag in zip(places, tags, strict=True):
            if at is not None:
                labels[at] = tag
        rows.append({"input_ids": ids, "labels": labels})
    return rows


def word_places(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    **options: Any,  # noqa: ANN401 - the tokenizer's own options
) -> list[list[int | None]]:
    """Where the last token of each word stands, of words with one space between each two; None for one without tokens.

    Raises:
        ModelError: when the tokenizer does not tell where its tokens are from.
    """
    if not tokenizer.is_fast:
        raise ModelError(f"{type(tokenizer).__name__} does not tell which letters its tokens stand for")
    if not texts:
        return []
    offsets = tokenizer(list(texts), return_offsets_mapping=True, verbose=False, **options)["offset_mapping"]
    return [_places(text, spans) for text, spans in zip(texts, offsets, strict=True)]


def _places(text: str, spans: Sequence[tuple[int, int]]) -> list[int | None]:
    words = text.split(" ")
    word_at = [number for number, word in enumerate(words) for _ in range(len(word) + 1)]  # its space is the word's too
    found: list[int | None] = [None] * len(words)
    for place, (start, end) in enumerate(spans):
        if end > start and text[end - 1] != " ":  # special tokens stand for nothing
            found[word_at[end - 1]] = place
    return found
