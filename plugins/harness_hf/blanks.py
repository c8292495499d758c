"""Cloze prompts -> token ids with masks that fit into the window; fillings -> the tokens they have in running text."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness_hf.prompts import PromptEncoder
from harness_hf.tokens import specials, token_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transformers import PreTrainedTokenizerBase

    from harness.records import FillMask, Prompt, Usage


@dataclass(frozen=True, slots=True)
class Cloze:
    """Token ids with `masks` masks in a row from `start` on, and what may stand there.

    Attributes:
        ids: of the whole text, special tokens included.
        start: of the first mask.
        masks: how many there are: the number of tokens of each of the fillings.
        request: the number of the request that it belongs to.
        fillings: number of the filling within the request -> its tokens.
    """

    ids: tuple[int, ...]
    start: int
    masks: int
    request: int
    fillings: Mapping[int, tuple[int, ...]]


class BlankEncoder:
    """Tokenises cloze requests: one `Cloze` for all fillings of a request that have the same number of tokens.

    What does not fit into the window is left out as in prompts (demonstrations from the front, the left of the
    question, the instruction), never the masks or what follows them. All of a request's fillings see the same text:
    that beside which the longest of them fits.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, window: int | None) -> None:
        if tokenizer.mask_token_id is None:
            raise ModelError("the tokenizer has no mask token", hint="give the checkpoint's own tokenizer")
        self._tokenizer = tokenizer
        self._window = window
        self._mask: int = tokenizer.mask_token_id
        self._before, self._behind = specials(tokenizer)

    def encode(self, requests: Sequence[FillMask]) -> tuple[list[Cloze], list[Usage]]:
        """The clozes of all requests, and what reading each request took: the tokens around its masks.

        Raises:
            ModelError: when a filling has no tokens or unknown ones, or does not fit into the window with what follows.
        """
        spaced = [_split_spaces(request.prompt) for request in requests]
        afters = self._afters({request.after for request in requests})
        fillings = self._fillings(
            [
                (_last_word(prompt.text), moved, request.fillings)
                for (prompt, moved), request in zip(spaced, requests, strict=True)
            ]
        )
        rooms = [
            max(map(len, tokens), default=0) + len(afters[request.after]) + len(self._behind)
            for request, tokens in zip(requests, fillings, strict=True)
        ]
        for request, room in zip(requests, rooms, strict=True):
            self._check_room(request, room)
        prompts = PromptEncoder(self._tokenizer, window=self._window, chat=False)
        found = prompts.answerable([prompt for prompt, _ in spaced], rooms)
        clozes: list[Cloze] = []
        usages: list[Usage] = []
        for number, (request, tokens, left) in enumerate(zip(requests, fillings, found, strict=True)):
            after = (*afters[request.after], *self._behind)
            clozes += [
                Cloze((*left.ids, *[self._mask] * masks, *after), len(left.ids), masks, number, group)
                for masks, group in _by_length(tokens).items()
            ]
            usages.append(replace(left.usage, prompt_tokens=len(left.ids) + len(after)))
        return clozes, usages

    def _check_room(self, request: FillMask, room: int) -> None:
        if self._window is not None and room + len(self._before) >= self._window:
            longest = max(request.fillings, key=len, default="")
            raise ModelError(
                f"the blank and what follows it ({longest[:40]!r}, {request.after[:40]!r}) are longer than "
                f"the window of {self._window} tokens",
                hint="give a larger max_length",
            )

    # --- fillings ------------------------------------------------------------------------------------

    def _fillings(self, asked: Sequence[tuple[str, str, tuple[str, ...]]]) -> list[list[tuple[int, ...]]]:
        """The tokens of fillings, each in its place behind the word and the white space before it."""
        places = {(word, moved, filling) for word, moved, fillings in asked for filling in fillings}
        texts = {text for word, moved, filling in places for text in (word, word + moved + filling, moved + filling)}
        known = self._ids(texts)
        tokens = {place: self._filling(*place, known) for place in places}
        return [[tokens[word, moved, filling] for filling in fillings] for word, moved, fillings in asked]

    def _filling(self, word: str, moved: str, filling: str, known: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
        """What the word with its filling has beyond the word; where a token spans the border, the filling's own."""
        head, whole = known[word], known[word + moved + filling]
        tokens = (whole[len(head) :] if whole[: len(head)] == head else ()) or known[moved + filling]
        if not tokens:
            raise ModelError(f"the filling {filling!r} has no tokens: nothing can be scored")
        if self._tokenizer.unk_token_id in tokens:
            raise ModelError(
                f"the filling {filling!r} is not in the model's vocabulary: its score would say nothing of it",
                hint="say it in other words (labels, or prompt.choice)",
            )
        return tokens

    def _afters(self, texts: set[str]) -> dict[str, tuple[int, ...]]:
        """The tokens of what follows a mask."""
        mask = str(self._tokenizer.mask_token)
        known = self._ids({mask + text for text in texts})
        return {text: ids[ids.index(self._mask) + 1 :] for text in texts for ids in [known[mask + text]]}

    def _ids(self, texts: set[str]) -> dict[str, tuple[int, ...]]:
        some = sorted(filter(None, texts))
        found = token_ids(self._tokenizer, some, add_special_tokens=False) if some else []
        return {"": (), **{text: tuple(ids) for text, ids in zip(some, found, strict=True)}}


def _split_spaces(prompt: Prompt) -> tuple[Prompt, str]:
    """White space before a blank belongs to the filling: words have their space in front of them."""
    bare = prompt.query.rstrip()
    return replace(prompt, query=bare), prompt.query[len(bare) :]


def _last_word(text: str) -> str:
    """What a filling may be glued to."""
    bare = text.split()
    return bare[-1] if bare and not text[-1].isspace() else ""


def _by_length(tokens: Sequence[tuple[int, ...]]) -> dict[int, dict[int, tuple[int, ...]]]:
    """Number of tokens -> the fillings that have so many."""
    groups: dict[int, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for number, ids in enumerate(tokens):
        groups[len(ids)][number] = ids
    return groups
