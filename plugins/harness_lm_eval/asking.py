"""A trial's questions and answers: pure functions of a sample, for one task or the tasks of a group."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness import Generated, Prediction, Usage
from harness.seeds import derived
from harness_lm_eval.contexts import Contexts
from harness_lm_eval.questions import answered, compiled, instances, judged
from harness_lm_eval.rows import place
from harness_lm_eval.values import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness import Request, Response, Sample
    from harness_lm_eval.part import Part
    from harness_lm_eval.questions import Asked

HELD = 256
"""Rows whose instances are kept from asking to judging: to render them again takes longer than to judge."""


@dataclass(slots=True)
class Asking:
    """What to ask of each row and how to judge it.

    Attributes:
        parts: name -> task; a task that is alone has no name.
        shots: name -> demonstrations.
        seed: the trial's.
        rights: name -> the metric that says whether an answer is right, if one does.
    """

    parts: Mapping[str, Part]
    shots: Mapping[str, int]
    seed: int
    rights: Mapping[str, str]
    _contexts: dict[str, Contexts] = field(default_factory=dict)
    _held: OrderedDict[str, tuple[list[Any], list[Asked]]] = field(default_factory=OrderedDict)

    def contexts(self, name: str) -> Contexts:
        """The contexts of a task's rows; its demonstrations are drawn when the first one is asked for."""
        if name not in self._contexts:
            self._contexts[name] = Contexts(self.parts[name], self.shots[name], self.seed)
        return self._contexts[name]

    def requests(self, sample: Sample) -> tuple[Request, ...]:
        """What to ask."""
        return tuple(one.request for one in self._asked(sample)[1])

    def decide(self, sample: Sample, responses: Sequence[Response]) -> Prediction:
        """What lm-eval makes of the answers."""
        found, asked = self._asked(sample)
        self._held.pop(sample.id, None)
        answered(asked, responses, found)
        name, number = place(sample)
        part = self.parts[name]
        measured, filtered = judged(part, number, found)
        written = [response for response in responses if isinstance(response, Generated)]
        right = measured.get(self.rights.get(name, ""))
        usage = _total(responses)
        cut = bool(usage.cut_tokens) or any(text.finish == "length" for text in written)
        scores = _scores(found)
        return Prediction(
            sample.id,
            sample.target,
            _said(part, found, scores, filtered),
            "empty" if written and not written[0].text.strip() else "truncated" if cut else "answered",
            scores,
            written[0].text if written else None,
            sample.context,
            usage,
            measured={key: plain(value) for key, value in (measured | (filtered if written else {})).items()},
            judged=None if right is None else bool(right),
        )

    def _asked(self, sample: Sample) -> tuple[list[Any], list[Asked]]:
        if sample.id not in self._held:
            name, number = place(sample)
            part = self.parts[name]
            found = instances(part, number, self.contexts(name).of(number))
            asked = compiled(found, derived(self.seed, sample.id), greedy=part.minds_greedy)
            self._held[sample.id] = (found, asked)
            if len(self._held) > HELD:
                self._held.popitem(last=False)
        return self._held[sample.id]


def _scores(found: Sequence[Any]) -> tuple[float, ...]:
    """The log-likelihoods, in the instances' order."""
    answers = [instance.resps[0] for instance in found if instance.request_type.startswith("loglikelihood")]
    return tuple(answer[0] if isinstance(answer, tuple) else answer for answer in answers)


def _said(part: Part, found: Sequence[Any], scores: tuple[float, ...], filtered: Mapping[str, Any]) -> str | None:
    """The answer for people: the likeliest choice, a continuation that the model would write, what a filter finds."""
    if part.output == "multiple_choice" and scores:
        return str(scores.index(max(scores)))
    if part.output == "loglikelihood":
        return str(found[0].args[1]) if found[0].resps[0][1] else None
    if part.output == "generate_until":
        first = next(iter(filtered.values()))
        return first if isinstance(first, str) else None if first is None else str(first)
    return None


def _total(responses: Sequence[Response]) -> Usage:
    usages = [response.usage for response in responses]
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        max((usage.dropped_demonstrations for usage in usages), default=0),
        sum(usage.cut_tokens for usage in usages),
    )
