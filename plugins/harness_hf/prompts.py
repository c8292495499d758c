"""Prompts -> token ids that fit into the window; lm-eval's split of context and continuation.

What does not fit is left out in this order: demonstrations from the front, the left of the question, the instruction.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness.records import Usage
from harness_hf.chatting import ChatTemplate
from harness_hf.tokens import specials, token_ids
from harness_hf.trie import common_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from transformers import PreTrainedTokenizerBase

    from harness.records import Prompt


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of which those from `start` on are scored."""

    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class Scorable:
    """A prompt with its continuations; a continuation without tokens has no row."""

    rows: tuple[Row | None, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Answerable:
    """A prompt to be answered with at most `limit` new tokens."""

    ids: tuple[int, ...]
    limit: int
    usage: Usage


class PromptEncoder:
    """Renders and tokenises prompts; remembers the tokens of the texts of one call."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, window: int | None, chat: bool) -> None:
        self._tokenizer = tokenizer
        self._window = window
        self._chat = ChatTemplate(tokenizer, always=chat)
        self._known: dict[str, list[int]] = {}
        # What the tokenizer puts behind a text has no place in a prompt that is to go on.
        self._special_first = tuple(specials(tokenizer)[0])

    # --- texts ---------------------------------------------------------------------------------------

    def render(self, prompt: Prompt) -> tuple[str, int]:
        """What the model reads, and how many of its first characters stand before demonstrations and question."""
        return self._chat.render(prompt) if self._chat.takes(prompt) else (prompt.text, len(prompt.instruction))

    def _first(self, prompt: Prompt) -> tuple[int, ...]:
        """The special tokens before a prompt; a chat template has its own."""
        return () if self._chat.takes(prompt) else self._special_first

    def encode(self, texts: Iterable[str]) -> None:
        """Tokenise texts in one call, so that `_ids` knows them."""
        new = [text for text in dict.fromkeys(texts) if text and text not in self._known]
        if new:
            found = token_ids(self._tokenizer, new, add_special_tokens=False)
            self._known.update(zip(new, found, strict=True))

    def forget(self) -> None:
        """Let go of the texts of the call that is over."""
        self._known.clear()

    def _ids(self, text: str, prompt: Prompt) -> tuple[int, ...]:
        """The tokens of a text that begins as the prompt does."""
        self.encode([text])
        return (*self._first(prompt), *self._known.get(text, ()))

    # --- log-likelihood ------------------------------------------------------------------------------

    def scorable(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[Scorable]:
        """Tokenise prompts with their continuations, all in one call, and fit them into the window.

        Raises:
            ModelError: when a continuation alone is longer than the window.
        """
        asked = list(zip(prompts, continuations, strict=True))
        self.encode(text for prompt, tails in asked for text in self._texts(prompt, tails))
        return [self._fit_scored(prompt, tails) for prompt, tails in asked]

    def _texts(self, prompt: Prompt, tails: Sequence[str]) -> list[str]:
        context, moved = _split_spaces(self.render(prompt)[0])
        return [context, *(context + moved + tail for tail in tails if tail)]

    def _rows(self, prompt: Prompt, tails: Sequence[str]) -> list[Row | None]:
        context, moved = _split_spaces(self.render(prompt)[0])
        head = self._ids(context, prompt)
        return [_row(head, self._ids(context + moved + tail, prompt), self._origin) if tail else None for tail in tails]

    def _fit_scored(self, prompt: Prompt, tails: Sequence[str]) -> Scorable:
        dropped = self._least_dropped(prompt, lambda shorter: self._excess(self._rows(shorter, tails)) <= 0)
        kept = prompt.without(dropped)
        rows = self._rows(kept, tails)
        cut = max(0, self._excess(rows))
        present = [row for row in rows if row is not None]
        if cut:
            begin = self._cut_begin(kept, cut, min(row.start for row in present))
            rows = [row and Row(row.ids[:begin] + row.ids[begin + cut :], row.start - cut) for row in rows]
        tokens = min(
            (row.start for row in rows if row is not None),
            default=len(self._ids(_split_spaces(self.render(kept)[0])[0], kept)),
        )
        return Scorable(tuple(rows), Usage(prompt_tokens=tokens, dropped_demonstrations=dropped, cut_tokens=cut))

    def _excess(self, rows: Sequence[Row | None]) -> int:
        """By how many tokens the longest row exceeds the window; its last token is only scored, never read."""
        if self._window is None:
            return 0
        return max((len(row.ids) - 1 - self._window for row in rows if row is not None), default=0)

    # --- rolling log-likelihood ----------------------------------------------------------------------

    def rolling(self, texts: Sequence[str]) -> list[list[Row]]:
        """Windows over each text in which every token is scored once, see `harness.RollingLogLikelihood`."""
        self.encode(texts)
        return [windows((self._origin(), *self._known.get(text, ())), self._window) for text in texts]

    # --- generation ----------------------------------------------------------------------------------

    def answerable(self, prompts: Sequence[Prompt], limits: Sequence[int]) -> list[Answerable]:
        """Tokenise prompts, all in one call, and fit them into the window with room for the answer."""
        self.encode(self.render(prompt)[0] for prompt in prompts)
        return [self._fit_answered(prompt, limit) for prompt, limit in zip(prompts, limits, strict=True)]

    def _fit_answered(self, prompt: Prompt, limit: int) -> Answerable:
        if self._window is None:
            ids = self._whole(prompt) or (self._origin(),)
            return Answerable(ids, limit, Usage(prompt_tokens=len(ids)))
        # An answer as long as the window would leave no prompt: then each has half.
        room = self._window - (limit if limit < self._window else self._window // 2)
        dropped = self._least_dropped(prompt, lambda shorter: len(self._whole(shorter)) <= room)
        kept = prompt.without(dropped)
        ids = self._whole(kept) or (self._origin(),)
        cut = max(0, len(ids) - room)
        if cut:
            begin = self._cut_begin(kept, cut, len(ids))
            ids = ids[:begin] + ids[begin + cut :]
        usage = Usage(prompt_tokens=len(ids), dropped_demonstrations=dropped, cut_tokens=cut)
        return Answerable(ids, min(limit, self._window - len(ids)), usage)

    def _whole(self, prompt: Prompt) -> tuple[int, ...]:
        return self._ids(self.render(prompt)[0], prompt)

    # --- fitting -------------------------------------------------------------------------------------

    @staticmethod
    def _least_dropped(prompt: Prompt, fits: Callable[[Prompt], bool]) -> int:
        """The fewest demonstrations to drop so that the prompt fits; all of them where it never does."""
        if not prompt.demonstrations or fits(prompt):  # nearly always, so it is tried first
            return 0
        counts = range(1, len(prompt.demonstrations))
        return 1 + bisect.bisect_left(counts, True, key=lambda dropped: fits(prompt.without(dropped)))

    def _cut_begin(self, prompt: Prompt, cut: int, end: int) -> int:
        """Where a cut of so many tokens begins: after the instruction, or before it where the question is too short.

        Raises:
            ModelError: when even without a prompt the window does not suffice.
        """
        text, head = self.render(prompt)
        first = len(self._first(prompt))
        for begin in (len(self._ids(text[:head], prompt)) if head else first, first, 0):
            if begin + cut < end:
                return begin
        raise ModelError(
            f"a continuation alone is longer than the window of {self._window} tokens", hint="give a larger max_length"
        )

    def _origin(self) -> int:
        """What an empty context starts from: the token for the beginning of a text, or that for its end."""
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        raise ModelError("an empty prompt needs a token to start from, and the tokenizer has neither BOS nor EOS")


def windows(ids: tuple[int, ...], window: int | None) -> list[Row]:
    """Rows that read no more than `window` tokens and score each but the first of `ids` once.

    Each scores as many as it can; the last one reads all that it has room for before those that it scores.
    """
    size = window or max(1, len(ids))
    return [
        Row(ids[max(0, end - size - 1) : end], start - max(0, end - size - 1))
        for start in range(1, len(ids), size)
        for end in [min(start + size, len(ids))]
    ]


def _row(head: tuple[int, ...], whole: tuple[int, ...], origin: Callable[[], int]) -> Row | None:
    """The continuation is what `whole` has beyond as many tokens as `head`; None where it has no tokens.

    Where a token spans the border and nothing is left of the continuation, it is all from the first token that differs.
    """
    start = len(head)
    if start >= len(whole):
        start = common_length(head, whole)
        if start == len(whole):
            return None
    return Row(whole, start) if start else Row((origin(), *whole), 1)


def _split_spaces(context: str) -> tuple[str, str]:
    """White space at the end of a context goes to the continuation, as tokenizers join it to the word that follows."""
    bare = context.rstrip()
    return bare, context[len(bare) :]
