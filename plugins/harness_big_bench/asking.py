"""A trial's questions and answers: pure functions of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import Generate, Generated, LogLikelihood, LogLikelihoods, ModelError, Prediction, Usage
from harness.seeds import derived
from harness_big_bench import grading
from harness_big_bench.answering import answer, may_go_on
from harness_big_bench.definition import targets
from harness_big_bench.rows import choices, place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness import Request, RequestKind, Response, Sample
    from harness.records import Answered
    from harness_big_bench.definition import Definition
    from harness_big_bench.shots import Shots


def needed(part: Definition) -> frozenset[RequestKind]:
    """The kinds of requests that a task makes."""
    scored: set[RequestKind] = {"LogLikelihood"} if part.chooses or part.scores else set()
    written: set[RequestKind] = {"Generate"} if part.writes else set()
    return frozenset(scored | written)


@dataclass(frozen=True, slots=True)
class Asking:
    """What to ask of each example and how to grade it.

    Attributes:
        parts: name -> task; one without subtasks has no name.
        shots: name -> its prompts.
        seed: the trial's.
        lengths: name -> tokens that an answer may have.
    """

    parts: Mapping[str, Definition]
    shots: Mapping[str, Shots]
    seed: int
    lengths: Mapping[str, int]

    def requests(self, sample: Sample) -> tuple[Request, ...]:
        """The choices' likelihoods, the answer, the targets' likelihoods: those that its metrics need."""
        name, number = place(sample)
        part, prompt = self.parts[name], self.shots[name].prompt(number)
        asked: list[Request] = []
        if part.chooses:
            asked.append(LogLikelihood(prompt, choices(part, number)))
        if part.writes:
            asked.append(Generate(prompt, max_tokens=self.lengths[name], seed=derived(self.seed, sample.id)))
        if part.scores:
            asked.append(LogLikelihood(prompt, targets(part.examples[number])))
        return tuple(asked)

    def decide(self, sample: Sample, responses: Sequence[Response]) -> Prediction:
        """What BIG-bench makes of the answers."""
        name, number = place(sample)
        part = self.parts[name]
        example = part.examples[number]
        left = list(responses)
        scores = _likelihoods(left.pop(0)) if part.chooses else ()
        written = _text(left.pop(0)) if part.writes else None
        measured: dict[str, Any] = grading.by_choice(example, scores, part) if part.chooses else {}
        said = None
        if written is not None:
            said = answer(written.text, part)
            measured |= grading.by_text(example, said, part)
        if part.scores:
            measured |= grading.by_likelihood(example, _likelihoods(left.pop(0)), part)
        usage = _total(responses)
        status = _status(written, said, part, cut=bool(usage.cut_tokens))
        best = None
        if part.by_choice:
            best = grading.chosen(scores, part)
            weights = list(example["target_scores"].values())
            right = weights[best] == max(weights) > 0
        else:
            right = said is not None and grading.is_right(example, said, part)
        return Prediction(
            sample.id,
            sample.target,
            said if best is None else str(best),
            status,
            scores,
            None if written is None else written.text,
            sample.context,
            usage,
            measured=measured,
            judged=right,
        )


def _likelihoods(response: Response) -> tuple[float, ...]:
    if not isinstance(response, LogLikelihoods):
        raise ModelError(f"{type(response).__name__} is no answer to LogLikelihood")
    return response.values


def _text(response: Response) -> Generated:
    if not isinstance(response, Generated):
        raise ModelError(f"{type(response).__name__} is no answer to Generate")
    return response


def _status(written: Generated | None, said: str | None, part: Definition, *, cut: bool) -> Answered:
    if written is not None and not part.by_choice:
        if not written.text.strip():
            return "empty"
        cut = cut or (written.finish == "length" and may_go_on(written.text, part))
        if not said and not cut:
            return "unparsed"
    return "truncated" if cut else "answered"


def _total(responses: Sequence[Response]) -> Usage:
    usages = [response.usage for response in responses]
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        max((usage.dropped_demonstrations for usage in usages), default=0),
        sum(usage.cut_tokens for usage in usages),
    )
