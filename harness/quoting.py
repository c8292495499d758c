"""Commas in what people write: parts in a row (`bleu,f1,label=spam`), and values in double quotes that may hold them.

A value that begins with a double quote ends at the next one; a backslash before a quote or a backslash stands for it.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r'([^,=]*(?:=\s*"(?:[^"\\]|\\.)*"\s*(?=,|\Z)|[^,]*))(?:,|\Z)', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def pieces(text: str) -> list[str]:
    """What stands between commas, but for those within a quoted value."""
    found, at = list[str](), 0
    while (match := _PIECE.match(text, at)) is not None:
        found.append(match[1])
        at = match.end()
        if match[0] == match[1]:  # without a comma behind it: the last one
            break
    return found


def parts(text: str) -> list[str]:
    """`bleu, f1,label=spam` -> `bleu` and `f1,label=spam`: what has a `=` is a parameter of the name before it."""
    found = list[str]()
    for piece in filter(None, (one.strip() for one in pieces(text))):
        if "=" in piece and found:
            found[-1] += f",{piece}"
        else:
            found.append(piece)
    return found


def quoted(value: str) -> str:
    """A value as it is written: in quotes where it would not be read as it is."""
    if "," not in value and not value.startswith('"') and value == value.strip():
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquoted(written: str) -> str:
    """What `quoted` was given, but for white space around what stands in no quotes.

    Raises:
        ValueError: when a quote is not closed, or something stands behind it.
    """
    text = written.strip()
    if not text.startswith('"'):
        return text
    match = _QUOTED.fullmatch(text)
    if match is None:
        raise ValueError(f"the quotes of {text!r} do not enclose it")
    return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)
