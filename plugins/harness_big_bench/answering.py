"""A generated text -> the answer that BIG-bench reads in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness_big_bench.definition import Definition


def answer(text: str, definition: Definition) -> str:
    """The first match of the task's pattern, in the text up to and with the string that ends it.

    A stop string that the text begins with ends nothing. Without a match the answer is empty.
    """
    cut = _stopped(text, definition.stop)
    return cut if definition.regex is None else _first(definition.regex, cut)


def may_go_on(text: str, definition: Definition) -> bool:
    """Whether the answer might have been longer, or there at all, had more been written."""
    if definition.stop and text.find(definition.stop) > 0:
        return False
    if definition.regex is None:
        return True
    found = re.search(definition.regex, text)
    return found is None or found.end() == len(text)


def _stopped(text: str, stop: str | None) -> str:
    at = text.find(stop) if stop else 0
    return text[: at + len(stop)] if stop and at > 0 else text


def _first(regex: str, text: str) -> str:
    found = re.search(regex, text)
    if found is None:
        return ""
    return (found[1] or "") if found.re.groups else found[0]
