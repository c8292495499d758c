"""Prompts -> what the encoder reads, continuations -> what the decoder is asked for; as lm-eval splits the two.

What does not fit into the encoder is left out as for causal models: demonstrations from the front, the left of the
question, the instruction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from harness.errors import ModelError
from harness.records import Usage
from harness_hf.prompts import Answerable, PromptEncoder
from harness_hf.tokens import specials, token_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from transformers import PreTrainedTokenizerBase

    from harness.records import Prompt


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as the encoder reads it, with its continuations; one without tokens is None."""

    source: tuple[int, ...]
    targets: tuple[tuple[int, ...] | None, ...]
    usage: Usage


class Seq2SeqPrompts(PromptEncoder):
    """Renders and tokenises prompts and, apart from them, continuations.

    A prompt has all of the tokenizer's special tokens (T5: `</s>` behind it), a continuation has none. Where a
    tokenizer cuts targets in another way than sources (Marian), continuations are cut as targets.

    Raises:
        ModelError: when `chat` is asked for and the checkpoint has no template, or the window has no room for a text.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, *, window: int | None, target_window: int | None, chat: bool
    ) -> None:
        super().__init__(tokenizer, window=window, chat=chat)
        self._target_window = target_window
        self._special_last = tuple(specials(tokenizer)[1])
        self._known_targets: dict[str, list[int]] = {}
        special = len(self._special_first) + len(self._special_last)
        if window is not None and window <= special:
            raise ModelError(
                f"a window of {window} tokens holds nothing but special tokens", hint="give a larger max_length"
            )

    def forget(self) -> None:
        """Let go of the texts of the call that is over."""
        super().forget()
        self._known_targets.clear()

    # --- log-likelihood ------------------------------------------------------------------------------

    def asked(self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]) -> list[Asked]:
        """Tokenise prompts and their continuations, and fit the prompts into the encoder's window.

        Raises:
            ModelError: when a continuation is longer than the decoder's window.
        """
        tails = [
            [self._moved(prompt) + tail if tail else "" for tail in some]
            for prompt, some in zip(prompts, continuations, strict=True)
        ]
        self.encode(self._text(prompt, scored=True) for prompt in prompts)
        self._encode_targets(tail for some in tails for tail in some)
        sources = [self._fitted(prompt, scored=True) for prompt in prompts]
        return [
            Asked(source, tuple(map(self._target, some)), usage)
            for (source, usage), some in zip(sources, tails, strict=True)
        ]

    def _moved(self, prompt: Prompt) -> str:
        """White space at the end of a prompt goes to its continuations."""
        text = self.render(prompt)[0]
        return text[len(text.rstrip()) :]

    def _encode_targets(self, texts: Iterable[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text and text not in self._known_targets]
        if not new:
            return

        def as_targets(texts: list[str], **options: Any) -> Any:  # noqa: ANN401 - as the tokenizer itself
            return self._tokenizer(text_target=texts, **options)

        # One with a language for targets changes only special tokens, and fails where no language is set (M2M100).
        cut = self._tokenizer if hasattr(self._tokenizer, "tgt_lang") else cast("PreTrainedTokenizerBase", as_targets)
        found = token_ids(cut, new, add_special_tokens=False)
        self._known_targets.update(zip(new, found, strict=True))

    def _target(self, text: str) -> tuple[int, ...] | None:
        ids = tuple(self._known_targets.get(text, ()))
        if self._target_window is not None and len(ids) > self._target_window:
            raise ModelError(
                f"a continuation of {len(ids)} tokens is longer than the decoder's window of {self._target_window}",
                hint="give a larger max_length",
            )
        return ids or None

    # --- generation ----------------------------------------------------------------------------------

    def answerable(self, prompts: Sequence[Prompt], limits: Sequence[int]) -> list[Answerable]:
        """Tokenise prompts and fit them into the encoder's window; the answer has the decoder's for itself."""
        self.encode(self._text(prompt, scored=False) for prompt in prompts)
        longest = self._target_window
        return [
            Answerable(source, limit if longest is None else min(limit, longest), usage)
            for (source, usage), limit in zip([self._fitted(one, scored=False) for one in prompts], limits, strict=True)
        ]

    # --- the encoder's window ------------------------------------------------------------------------

    def _text(self, prompt: Prompt, *, scored: bool) -> str:
        text = self.render(prompt)[0]
        return text.rstrip() if scored else text

    def _source(self, prompt: Prompt, *, scored: bool) -> tuple[int, ...]:
        """All that the encoder would read, without any limit."""
        if scored and not prompt.text:
            return (self._origin(),)
        return (*self._ids(self._text(prompt, scored=scored), prompt), *self._last(prompt)) or (self._origin(),)

    def _last(self, prompt: Prompt) -> tuple[int, ...]:
        """The special tokens behind a prompt; a chat template has its own."""
        return () if self._chat.takes(prompt) else self._special_last

    def _fitted(self, prompt: Prompt, *, scored: bool) -> tuple[tuple[int, ...], Usage]:
        window, dropped, cut = self._window, 0, 0
        if window is not None:
            dropped = self._least_dropped(prompt, lambda shorter: len(self._source(shorter, scored=scored)) <= window)
            prompt = prompt.without(dropped)
        ids = self._source(prompt, scored=scored)
        if window is not None and len(ids) > window:
            cut = len(ids) - window
            begin = self._cut_begin(prompt, cut, len(ids) - len(self._last(prompt)))
            ids = ids[:begin] + ids[begin + cut :]
        return ids, Usage(prompt_tokens=len(ids), dropped_demonstrations=dropped, cut_tokens=cut)
