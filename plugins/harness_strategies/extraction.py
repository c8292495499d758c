"""The answer within a text that reasons: what follows a marker, or what can be meant and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.answers import NUMBER, canonical, find_answer
from harness.records import ExtractSpec
from harness.templates import render_choices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.records import Sample, TaskSpec

_NUMBER = re.compile(NUMBER)
_LETTER = re.compile(r"\(([A-Z])\)")
_BARE_LETTER = re.compile(r"([A-Z])[\"'*]*\s*(?=$|[).:,;])")
_SENTENCE = re.compile(r"[\s\"'*:]*(.*?)[\"'*]*(?=[.!?][\"'*]*(?:\s|$)|$)")


@dataclass(frozen=True)
class Extraction:
    """How the answer of one sample is found; what it gives is a label, the number of a choice, or a canonical answer.

    In this order: the last match of `pattern`, where there is one (then nothing else); what follows the first marker
    that anything can be read behind, up to the sentence's end; without a marker what the task's own `extract.pattern`
    finds, the last number of a numeric answer, the only label or choice that is mentioned, the only letter in brackets.

    Attributes:
        spec: of the task.
        sample: whose choices they are.
        marker: words before the answer; their case does not count.
        pattern: a regular expression; its group 1, or the whole match.
    """

    spec: TaskSpec
    sample: Sample
    marker: str
    pattern: str | None = None

    def __call__(self, text: str) -> str | None:
        """The answer; None where there is none, or several could be meant."""
        if self.pattern is not None:
            found = list(re.finditer(self.pattern, text))
            return self._read((found[-1][1] or "") if found[-1].re.groups else found[-1][0]) if found else None
        words = r"\s+".join(map(re.escape, self.marker.split()))
        for marker in re.finditer(words, text, re.IGNORECASE) if words else ():
            if (answer := self._read(text[marker.end() :])) is not None:
                return answer
        return self._anywhere(text)

    # --- behind a marker -----------------------------------------------------------------------------

    def _read(self, rest: str) -> str | None:
        """The answer that a text begins with, within the first sentence of its first line that is not empty."""
        line = next((line for line in rest.splitlines() if line.strip()), "")
        sentence = _SENTENCE.match(line)
        said = sentence[1] if sentence else line
        if self.spec.labelled:
            return next(self._named(said), None)
        if self.spec.kind == "multiple-choice":
            letter = _BARE_LETTER.match(said) or _LETTER.search(said)
            return self._lettered(letter) or next(self._named(said), None)
        if self.spec.extract.type == "number":
            number = _NUMBER.search(said)
            return canonical(number[0], "number") if number else None
        return canonical(said, "text") or None

    def _lettered(self, match: re.Match[str] | None) -> str | None:
        at = -1 if match is None else ord(match[1]) - ord("A")
        return str(at) if 0 <= at < len(self.sample.choices) else None

    # --- without a marker ----------------------------------------------------------------------------

    def _anywhere(self, text: str) -> str | None:
        if self.spec.generates:
            own = self.spec.extract.pattern not in {NUMBER, ExtractSpec().pattern}
            if own:
                return find_answer(self.spec, text)
            numbers = _NUMBER.findall(text) if self.spec.extract.type == "number" else []
            return canonical(numbers[-1], "number") if numbers else None
        letters = (self._lettered(match) for match in _LETTER.finditer(text))
        return _only(letters) or _only(self._named(text))

    # --- names ---------------------------------------------------------------------------------------

    def _named(self, text: str) -> Iterator[str]:
        """The labels or choices that a text names, in its order; of names within names the longest."""
        if not self._names:
            return iter(())
        either = "|".join(re.escape(name) for name in sorted(self._names, key=len, reverse=True))
        found = re.finditer(rf"(?<!\w)(?:{either})(?!\w)", canonical(text, "text") or "")
        return iter([self._names[match[0]] for match in found])

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """How labels are said, and what they are called; choices by their texts. What means two things means none."""
        said = [canonical(text, "text") or "" for text in render_choices(self.spec, self.sample)]
        if self.spec.kind == "multiple-choice":
            return _unambiguous((text, str(at)) for at, text in enumerate(said))
        names = _unambiguous(zip(said, self.spec.labels, strict=True))
        called = _unambiguous((canonical(label, "text") or "", label) for label in self.spec.labels)
        return {**{name: label for name, label in called.items() if name not in said}, **names}


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for name, meaning in pairs:
        found.setdefault(name, set()).add(meaning)
    return {name: next(iter(meanings)) for name, meanings in found.items() if name and len(meanings) == 1}


def _only(found: Iterable[str | None]) -> str | None:
    """The one thing that is found, however often; None where it is several, or nothing."""
    different = {one for one in found if one is not None}
    return different.pop() if len(different) == 1 else None
