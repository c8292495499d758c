"""The answer within a generated text: one pattern, or a pipeline of named steps; and one form for equal answers.

A step is a function of its options that gives a function of a text: what it finds there, or None where there is
nothing, which ends the pipeline without an answer. All are pure.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.records import ExtractSpec, Prediction, TaskSpec

Find: TypeAlias = Callable[[str], str | None]
Take: TypeAlias = Literal["first", "last"]
Said: TypeAlias = Annotated[str, Field(min_length=1)]

MINUS = "\u2212"
_CURRENCY = r"(?:[$\u20ac\u00a3]\s?)?"
_SIGN = r"(?:(?<![\w).])[-\u2212+])?"
_DIGITS = r"(?:(?:\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d+)(?:\.\d+)?|\.\d+)"

NUMBER = f"{_CURRENCY}{_SIGN}{_CURRENCY}{_DIGITS}%?"
"""A number in running text: `-3`, `$1,234.50`, `.5`, `10%`. The sign of `7-3` is an operator; `3, 4` are two."""

WHOLE = r"(?s)(.*)"
"""A text as it is, white space included: a program's is a part of it."""

_NUMBER = re.compile(NUMBER)
_DECORATION = re.compile(r"[$\u20ac\u00a3,%+\s]")

# --- steps ---------------------------------------------------------------------------------------


def regex(pattern: Said, take: Take = "first") -> Find:
    """What a regular expression matches: its group 1, or the whole match where it has no group.

    Raises:
        ConfigError: when it is none.
    """
    compiled = _compiled(pattern)

    def find(text: str) -> str | None:
        return _taken(((match[1] or "") if match.re.groups else match[0] for match in compiled.finditer(text)), take)

    return find


def remove(pattern: Said) -> Find:
    """The text without what a regular expression matches.

    Raises:
        ConfigError: when it is none.
    """
    compiled = _compiled(pattern)
    return lambda text: compiled.sub("", text)


def number(take: Take = "first") -> Find:
    """A number as it is written, with its sign, currency and group separators."""
    return lambda text: _taken((match[0] for match in _NUMBER.finditer(text)), take)


def choice_letter(letters: Annotated[str, Field(pattern=r"^[A-Z]+$")] = "ABCDEFGHIJ", take: Take = "first") -> Find:
    """The letter of a choice, in this order: `(B)`; `B.`, `B)`, `B:` or `B` at a line's end; `B` as the first word."""
    one = f"([{letters}])"
    forms = (rf"\({one}\)", rf"(?m)(?<![\w'-]){one}(?=[.):,;*\"']|\s*$)", rf"^\W*{one}(?![\w'-])")
    patterns = [re.compile(form) for form in forms]

    def find(text: str) -> str | None:
        found = (_taken((match[1] for match in pattern.finditer(text)), take) for pattern in patterns)
        return next((letter for letter in found if letter is not None), None)

    return find


def json_field(field: Said, take: Take = "first") -> Find:
    """A field of a JSON object in the text, by its path (`answer`, `result.answer`); text as it is, else its JSON."""

    def find(text: str) -> str | None:
        values = (_at(found, field.split(".")) for found in _objects(text))
        told = (value if isinstance(value, str) else json.dumps(value) for value in values if value is not None)
        return _taken(told, take)

    return find


def after(marker: Said, take: Take = "first", ignore_case: bool = False) -> Find:
    """What follows a marker; nothing where it does not stand there."""
    compiled = re.compile(re.escape(marker), re.IGNORECASE if ignore_case else 0)

    def find(text: str) -> str | None:
        ends = [match.end() for match in compiled.finditer(text)]
        return text[ends[0 if take == "first" else -1] :] if ends else None

    return find


def before(marker: Said, take: Take = "first", ignore_case: bool = False) -> Find:
    """What stands before a marker; the whole text where it does not stand there."""
    compiled = re.compile(re.escape(marker), re.IGNORECASE if ignore_case else 0)

    def find(text: str) -> str | None:
        starts = [match.start() for match in compiled.finditer(text)]
        return text[: starts[0 if take == "first" else -1]] if starts else text

    return find


def strip(characters: str = "") -> Find:
    """The text without white space at its ends, and without these characters there."""
    return lambda text: _stripped(text, characters)


def lower() -> Find:
    """The text in lower case."""
    return str.lower


def first_line() -> Find:
    """The first line that is not empty."""
    return lambda text: _taken((line for line in text.splitlines() if line.strip()), "first")


def last_line() -> Find:
    """The last line that is not empty."""
    return lambda text: _taken((line for line in text.splitlines() if line.strip()), "last")


STEPS: Mapping[str, Callable[..., Find]] = {
    "regex": regex,
    "remove": remove,
    "number": number,
    "choice_letter": choice_letter,
    "json": json_field,
    "after": after,
    "before": before,
    "strip": strip,
    "lower": lower,
    "first_line": first_line,
    "last_line": last_line,
}
"""Name -> step; its first option is the one that a task file gives without a name."""


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return _pattern(pattern)
    except re.error as error:
        raise ConfigError(f"{pattern!r} is no regular expression: {error}") from error


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _taken(found: Iterable[str], take: Take) -> str | None:
    """The first or last that holds more than white space."""
    last = None
    for one in found:
        if one.strip():
            last = one
            if take == "first":
                break
    return last


def _stripped(text: str, characters: str) -> str:
    return text.strip().strip(characters + " \t\r\n") if characters else text.strip()


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text that stand in no other."""
    decoder, place = json.JSONDecoder(), text.find("{")
    while place >= 0:
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield found
        place = text.find("{", end)


def _at(value: object, path: Iterable[str]) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


# --- answers -------------------------------------------------------------------------------------


def find_answer(spec: TaskSpec, text: str) -> str | None:
    """The answer within a generated text by the task's `extract`, in canonical form."""
    found = [answer for _, answer in _found(spec.extract, text)]
    if not found:
        return None
    return found[0] if spec.extract.take == "first" else found[-1]


def verbatim(spec: TaskSpec, prediction: Prediction) -> str:
    """A generated answer as it stands in the text, letter by letter: empty where there is none.

    Where the answer was found in another way than the task's `extract` says, or no text was kept, it is in canonical
    form.
    """
    if prediction.prediction is None:
        return ""
    told = _found(spec.extract, prediction.text or "")
    return next((found for found, answer in told if answer == prediction.prediction), prediction.prediction)


def _found(extract: ExtractSpec, text: str) -> Iterator[tuple[str, str]]:
    """What is found, as it is written and in canonical form: each match of the pattern, or what the pipeline gives."""
    for found in written(extract, text):
        answer = canonical(found, extract.type)
        if answer:
            yield found, answer


def written(extract: ExtractSpec, text: str) -> Iterator[str]:
    """What is found, as it stands in the text: each match of the pattern, or what the pipeline gives."""
    if not extract.steps:
        for match in _pattern(extract.pattern).finditer(text):
            yield (match[1] or "") if match.re.groups else match[0]
        return
    found: str | None = text
    for step in extract.steps:
        found = None if found is None else STEPS[step.name](**step.options)(found)
    if found is not None:
        yield found


def extract_identity(extract: ExtractSpec) -> dict[str, Any]:
    """What of it can change an answer, for keys and manifests: without steps, where there are none."""
    told = dataclasses.asdict(extract)
    return told if extract.steps else {name: value for name, value in told.items() if name != "steps"}


def canonical(text: str, type_: Literal["text", "number"]) -> str | None:
    """One form for answers that mean the same; None for what is no number where a number is wanted.

    Text: case and white space are folded. Numbers: signs of currency, group separators, `%`, a trailing dot and
    trailing zeros go, so that "$1,234.50", "1234.5" and "1234.50." are one answer.
    """
    if type_ == "text":
        return " ".join(text.casefold().split())
    shown = text.strip().rstrip(".")
    if not _NUMBER.fullmatch(shown):
        return None
    said = f"{Decimal(_DECORATION.sub('', shown).replace(MINUS, '-')):f}"
    said = said.rstrip("0").rstrip(".") if "." in said else said
    return "0" if said == "-0" else said
