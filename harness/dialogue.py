"""Dialogues: turns as data writes them -> turns that alternate, and the lines that they are read as. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OWN: Mapping[str, dict[str, Any]] = {
    "prompt": {
        "template": "{% if system %}{{ system }}\n\n{% endif %}{{ turns | lines }}Assistant:",
        "input": "{{ turns | lines }}",
    },
    "generation": {"stop": ["\n"]},
}
"""How a dialogue is asked where its task does not say: in lines, and a reply ends with its line."""

_FORM = "a dialogue is a list of texts, or of {role: user, assistant or system, content: a text}"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A dialogue up to a reply.

    Attributes:
        turns: of user and assistant by turns, the last one the user's.
        reply: the assistant's.
        system: what the dialogue says of the assistant.
    """

    turns: tuple[str, ...]
    reply: str
    system: str = ""


def asked_in_lines(data: Any) -> Any:  # noqa: ANN401 - as YAML has it
    """A task file's keys with those of `prompt` and `generation` that a dialogue need not have; others as they are."""
    if not isinstance(data, dict) or data.get("kind") != "dialogue":
        return data
    given = {key: data.get(key) or {} for key in _OWN}
    return data | {key: own | given[key] for key, own in _OWN.items() if isinstance(given[key], dict)}


def dialogue(value: object) -> Dialogue:
    """A dialogue up to the last reply of the assistant.

    Of texts without roles the last one is the assistant's, and before it the two take turns. Turns of one role that
    follow one another become one, a line each; what stands behind the last reply is left out.

    Raises:
        ValueError: saying what is wrong.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"is no list: {_FORM}")  # noqa: TRY004 - data, not a mistake in the code
    system, said = [], list[tuple[str, str]]()
    for role, text in _roles(value):
        if role == "system":
            system.append(text)
        elif said and said[-1][0] == role:
            said[-1] = role, f"{said[-1][1]}\n{text}"
        else:
            said.append((role, text))
    while said and said[-1][0] != "assistant":
        said.pop()
    if len(said) < 2:
        raise ValueError("has no reply of the assistant to a turn of the user")
    return Dialogue(tuple(text for _, text in said[:-1]), said[-1][1], "\n".join(system))


def _roles(value: Sequence[object]) -> list[tuple[str, str]]:
    if all(isinstance(turn, str) for turn in value):
        roles = cycle(("assistant", "user"))
        return [(role, str(turn)) for role, turn in zip(roles, reversed(value), strict=False)][::-1]
    found = []
    for number, turn in enumerate(value, start=1):
        role = turn.get("role") if isinstance(turn, dict) else None
        content = turn.get("content") if isinstance(turn, dict) else None
        if role not in {"user", "assistant", "system"} or not isinstance(content, str):
            raise ValueError(f"turn {number}: {_FORM}")
        found.append((str(role), content))
    return found


def lines(turns: Sequence[str], user: str = "User", assistant: str = "Assistant") -> str:
    """A line a turn behind the name of who says it, the last one the user's, with a line's end behind each."""
    names = cycle((user, assistant))
    named = [f"{name}: {turn}\n" for name, turn in zip(names, reversed(turns), strict=False)]
    return "".join(reversed(named))
