"""Prompts in a checkpoint's chat template, as transformers' `apply_chat_template` writes them."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

import jinja2

from harness.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from harness.records import Prompt

_PROBE = "Who are you?"


def has_chat_template(folder: Path) -> bool:
    """Whether a checkpoint has one, in a file of its own or in the tokenizer's configuration.

    Raises:
        ModelError: when that configuration is damaged.
    """
    if (folder / "chat_template.jinja").is_file():
        return True
    config = folder / "tokenizer_config.json"
    try:
        return config.is_file() and bool(json.loads(config.read_text("utf-8")).get("chat_template"))
    except (ValueError, AttributeError) as error:
        raise ModelError("is no configuration of a tokenizer", where=str(config)) from error


class ChatTemplate:
    """Writes prompts as chats.

    Args:
        tokenizer: whose template it is.
        always: whether prompts that leave it open (`chat` is `auto`) are written as one message.

    Raises:
        ModelError: when there is no template, and it is always to be used.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, always: bool) -> None:
        self._tokenizer = tokenizer
        self._always = always
        if always:
            self._check("leave chat out")

    def takes(self, prompt: Prompt) -> bool:
        """Whether a prompt is asked in the template."""
        return self._always if prompt.chat == "auto" else prompt.chat != "none"

    def render(self, prompt: Prompt) -> tuple[str, int]:
        """What the model reads, and how many of its first characters stand before the question.

        Of one message: before demonstrations and question. 0 where the template has changed the question.

        Raises:
            ModelError: when there is no template, or it does not accept the turns.
        """
        self._check("ask without: chat=none")
        messages = [(str(role), content) for role, content in prompt.messages]
        if messages[0][0] == "system" and not self._has_system:
            (_, said), (role, content), *rest = messages
            lead = f"{said}\n\n" if prompt.system else prompt.instruction
            messages = [(role, lead + content), *rest]
        text = self._applied(messages)
        if prompt.in_turns:
            start = len(text)
            for turn in reversed(prompt.turns or (prompt.query,)):
                start = max(text.rfind(turn.strip(), 0, start), 0)
            return text, start
        inner = text.find(prompt.text.strip())  # templates may strip what they are given
        return text, inner + len(prompt.instruction.lstrip()) if inner >= 0 else 0

    @cached_property
    def _has_system(self) -> bool:
        """Whether the template has a place for what the system says; some raise, some leave it out."""
        try:
            return _PROBE in self._applied([("system", _PROBE), ("user", "Me")])
        except ModelError:
            return False

    def _applied(self, messages: Sequence[tuple[str, str]]) -> str:
        conversation = [{"role": role, "content": content} for role, content in messages]
        try:
            return str(self._tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True))
        except jinja2.TemplateError as error:
            raise ModelError(f"the chat template does not accept the prompt: {error}") from error

    def _check(self, hint: str) -> None:
        if not self._tokenizer.chat_template:
            raise ModelError("the checkpoint has no chat template", hint=hint)
