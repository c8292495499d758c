"""Columns and labels as task files write them: names in templates, texts as YAML, columns in expressions."""

from __future__ import annotations

import json
import re

_RESERVED = frozenset(
    {
        *(
            "and",
            "block",
            "else",
            "false",
            "filter",
            "for",
            "if",
            "import",
            "in",
            "is",
            "macro",
            "none",
            "not",
            "or",
            "set",
        ),
        *(
            "true",
            "with",
            "cycler",
            "dict",
            "joiner",
            "namespace",
            "range",
            "choice",
            "choices",
            "context",
            "id",
            "target",
        ),
    }
)
"""Names that mean something else in templates or task files."""

_PLAIN = re.compile(r"(?:\.{0,2}/)*[A-Za-z_](?:[A-Za-z0-9_. /-]*[A-Za-z0-9_.])?")
_NOT_TEXT = re.compile(r"(?i)true|false|null|none|yes|no|on|off|y|n|[.]?nan|[.]?inf")


def template_name(column: str) -> str:
    """A name that templates can use for a column."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_").lower() or "text"
    name = f"column_{name}" if name[0].isdigit() else name
    return f"{name}_text" if name in _RESERVED else name


def written(text: str) -> str:
    """A text as YAML: plain where that is safe, else in double quotes."""
    if _PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text) and ": " not in text and " #" not in text:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """A text as YAML in double quotes; signs that can't be seen are escaped."""
    told = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else _escaped(ord(sign)) for sign in told)


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


def said(label: str) -> str:
    """A label as people say it: spaces for underscores and hyphens between words."""
    return re.sub(r"(?<=\w)[_-]+(?=\w)", " ", label).strip() or label


def expression(column: str) -> str:
    """A column in an expression of `data.derive` or `data.where`."""
    plain = column.isidentifier() and column not in _RESERVED | {"row"}
    return column if plain else f"row[{column!r}]"
