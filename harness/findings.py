"""What a check found: errors, warnings and notes, each with file, line, key and advice; as text and as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from harness.errors import HarnessError

Level: TypeAlias = Literal["error", "warning", "note", "content"]

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?:: (?P<key>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has to say.

    Attributes:
        level: `error`: it can't be right; `warning`: it is odd; `note`: worth knowing; `content`: what there is.
        message: what is so, in one line.
        where: `file:line: key` where a file says it.
        advice: what to do about it.
    """

    level: Level
    message: str
    where: str | None = None
    advice: str | None = None

    def __str__(self) -> str:
        """As people read it, in one line."""
        text = f"{self.where}: {self.message}" if self.where else self.message
        text = f"{text} ({self.advice})" if self.advice else text
        return text if self.level == "content" else f"{self.level}: {' '.join(text.split())}"

    def plain(self) -> dict[str, Any]:
        """As other programs read it; `file`, `line` and `key` are None where nobody knows them."""
        match = _PLACE.fullmatch(self.where) if self.where else None
        file, line, key = (match["file"], int(match["line"]), match["key"]) if match else (self.where, None, None)
        told = {"level": self.level, "file": file, "line": line, "key": key}
        return {**told, "message": self.message, "advice": self.advice}


def of_error(error: HarnessError) -> Finding:
    """An error as a finding."""
    return Finding("error", error.message, error.where, error.hint)
