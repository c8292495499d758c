"""Candidates of a prompt search: templates x instructions x labels x demonstrations, the task's own ones first.

A task names other ways to ask in `prompt.candidates`. One that names none is asked in generic ones, made of its own:

    template     its own with other last words: `Label:`, `Answer:`, and a question that lists the labels
    instruction  its own, none, and two sentences that say what to do
    labels       its own, capitalised or not, and the names of the labels
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from harness.records import Candidates

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from harness.records import Sample, TaskSpec

_LAST_FILLED_IN = re.compile(r"(?s).*(\}\}|%\}|#\})")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to ask: the task with its template, instruction and labels replaced, and what is shown before it.

    Attributes:
        numbers: which of the templates, instructions, labels and demonstrations it has, counted from 1; 1 is the
            task's own, or the first draw.
    """

    spec: TaskSpec
    shown: tuple[Sample, ...]
    numbers: tuple[int, int, int, int]

    @property
    def described(self) -> dict[str, Any]:
        """For other programs: all that it is made of; demonstrations by their ids."""
        prompt = self.spec.prompt
        return {
            "template": prompt.template,
            "instruction": prompt.instruction,
            "labels": dict(self.spec.labels),
            "demonstrations": [one.id for one in self.shown],
        }


@dataclass(frozen=True, slots=True)
class Space:
    """All that candidates are composed of, in each list the task's own first."""

    templates: Sequence[str]
    instructions: Sequence[str]
    labels: Sequence[Mapping[str, str]]
    demonstrations: Sequence[tuple[Sample, ...]]

    @property
    def parts(self) -> tuple[Sequence[Any], ...]:
        """The four lists."""
        return self.templates, self.instructions, self.labels, self.demonstrations

    def drawn(self, spec: TaskSpec, count: int, rng: random.Random) -> list[Candidate]:
        """So many of the compositions, all where there are no more: the task's own prompt first.

        The others are drawn so that each template, instruction ... stands in as many candidates as its rivals do, to
        within what the count allows.
        """
        first, *left = product(*(range(len(part)) for part in self.parts))
        rng.shuffle(left)
        chosen, used = [first], Counter(enumerate(first))
        while left and len(chosen) < count:
            rarest = min(left, key=lambda place: sum(used[one] for one in enumerate(place)))
            left.remove(rarest)
            chosen.append(rarest)
            used.update(enumerate(rarest))
        return [self._composed(spec, place) for place in chosen]

    def _composed(self, spec: TaskSpec, place: tuple[int, ...]) -> Candidate:
        template, instruction, labels, shown = (part[at] for part, at in zip(self.parts, place, strict=True))
        prompt = replace(spec.prompt, template=template, instruction=instruction)
        one, two, three, four = (at + 1 for at in place)
        return Candidate(replace(spec, prompt=prompt, labels=dict(labels)), shown, (one, two, three, four))


def space(spec: TaskSpec, demonstrations: Sequence[tuple[Sample, ...]], instructions: Iterable[str] = ()) -> Space:
    """The task's own prompt, its candidates or generic ones, and further instructions; nothing stands twice."""
    given = generic(spec) if spec.candidates == Candidates() else spec.candidates
    labels: list[Mapping[str, str]] = [dict(spec.labels)]
    for said in given.labels:
        in_order = {label: said[label] for label in spec.labels}
        if in_order not in labels:
            labels.append(in_order)
    return Space(
        list(dict.fromkeys([spec.prompt.template, *given.templates])),
        list(dict.fromkeys([spec.prompt.instruction, *given.instructions, *instructions])),
        labels,
        list({tuple(one.id for one in shown): shown for shown in demonstrations}.values()) or [()],
    )


# --- generic ones --------------------------------------------------------------------------------


def generic(spec: TaskSpec) -> Candidates:
    """Variations that make sense for any classification; of other kinds' tasks only the last words are varied."""
    if not spec.labelled:
        return Candidates(tuple(_endings(spec.prompt.template, ("Answer:", "The answer is"))))
    named = ", ".join(said.strip() for said in spec.labels.values())
    endings = ("Label:", "Answer:", f"Which of these is it: {literal(named)}?")
    instructions = ("", f"Answer with one of: {literal(named)}.", "Assign a label to the text.")
    return Candidates(tuple(_endings(spec.prompt.template, endings)), instructions, tuple(_said_otherwise(spec)))


def _endings(template: str, endings: Iterable[str]) -> Iterable[str]:
    """The template with other words behind the last thing that a row fills in, with the same white space at the end."""
    found = _LAST_FILLED_IN.match(template)
    body = found[0] if found else template
    space_behind = template[len(template.rstrip()) :] if len(body) < len(template) else ""
    return (f"{body}\n{ending}{space_behind}" for ending in endings)


def _said_otherwise(spec: TaskSpec) -> Iterable[Mapping[str, str]]:
    """Labels capitalised, in lower case, and by their names; each with the white space that the task's own has."""

    def before(said: str) -> str:
        return said[: len(said) - len(said.lstrip())]

    ways = (
        {label: before(said) + said.lstrip()[:1].upper() + said.lstrip()[1:] for label, said in spec.labels.items()},
        {label: said.lower() for label, said in spec.labels.items()},
        {label: before(said) + label for label, said in spec.labels.items()},
    )
    return (way for way in ways if len(set(way.values())) == len(way) and all(way.values()))


def literal(text: str) -> str:
    """A text as a template says it to the letter."""
    return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}" if "{" in text else text
