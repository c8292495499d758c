"""Requests token by token, as an engine reads them; for models that can show it without their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Request


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its number in the vocabulary, and how the vocabulary writes it (`Ġfilm`, `##ing`)."""

    id: int
    piece: str


@dataclass(frozen=True, slots=True)
class TokenizedAnswer:
    """An answer that is scored.

    Attributes:
        before: tokens between what all answers share and this one: there are some where text and answer are cut
            together in another way than the text alone.
        scored: its own tokens.
    """

    before: tuple[Token, ...]
    scored: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Tokenized:
    """A request token by token.

    Attributes:
        read: what is read first: of several answers what they share; of a cloze with the masks of its first filling.
        answers: of continuations or fillings, in their order; none for other requests.
        cut: tokens that the window has no room for after demonstrations were dropped.
        dropped: how many demonstrations these are.
    """

    read: tuple[Token, ...]
    answers: tuple[TokenizedAnswer, ...] = ()
    cut: int = 0
    dropped: int = 0


@runtime_checkable
class Tokenizes(Protocol):
    """A model that shows its requests token by token, without loading its weights."""

    def tokenized(self, requests: Sequence[Request]) -> list[Tokenized]:
        """What its engine makes of each request.

        Raises:
            ModelError: when the engine would refuse one.
        """
