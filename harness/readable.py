"""Targets and predictions as people read them, who need no brackets: sets of labels and entities; others as is."""

from __future__ import annotations

from harness.entities import read_entities
from harness.values import NONE, read_labels


def readable(kind: str, text: str) -> str:
    """A target or prediction of a task of this kind; one that is not written as the kind's are stays as it is."""
    try:
        if kind == "tagging":
            return "; ".join(f"{one.type}: {words}" for one, words in read_entities(text)) or NONE
        if kind == "multi-label":
            return ", ".join(read_labels(text)) or NONE
    except ValueError:
        pass
    return text
