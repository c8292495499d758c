"""Scorers: what is asked for a question's choices, and the number that each choice gets from the responses.

With q the rendered prompt, x the bare input and v(y) how choice y is said:

    sum       log p(v(y) | q)                                         Brown et al. 2020, arXiv:2005.14165
    mean      log p(v(y) | q) / tokens of v(y)                        the same
    per-byte  log p(v(y) | q) / UTF-8 bytes of v(y)                   as lm-eval's acc_bytes, the leading space included
    pmi       log p(v(y) | q) - log p(v(y) | domain prompt)           Holtzman et al. 2021, arXiv:2104.08315
    channel   log p(x | v(y)) + log(1 / number of choices)            Min et al. 2022, arXiv:2108.04106
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from harness.answers import ask, fills, said_choices
from harness.errors import ModelError
from harness.records import Filled, FillMask, LogLikelihood, LogLikelihoods, Prompt
from harness.templates import render_answer, render_choices, render_domain, render_input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.promptparts import Question, Scorer
    from harness.records import Request, RequestKind, Response, TaskSpec


class Sum:
    """The log-likelihood of a choice, as it is."""

    def refuses(self, spec: TaskSpec, answers: frozenset[RequestKind]) -> str | None:
        """Works wherever choices can be scored."""
        del spec, answers
        return None

    def requests(self, question: Question) -> tuple[Request, ...]:
        """One: the choices behind the prompt."""
        return (question.request,)

    def scores(self, question: Question, responses: Sequence[Response]) -> tuple[float, ...]:
        """The values of the response."""
        (response,) = _values(question, responses, 1)
        return response.values


class Mean(Sum):
    """Per token, so that a long choice is not the less likely for its length."""

    def scores(self, question: Question, responses: Sequence[Response]) -> tuple[float, ...]:
        """The values, each over its tokens."""
        (response,) = _values(question, responses, 1)
        if len(response.tokens) != len(response.values):
            raise ModelError(
                "the model does not tell how many tokens its answers have", hint="use scoring=per-byte instead of mean"
            )
        return tuple(value / max(count, 1) for value, count in zip(response.values, response.tokens, strict=True))


class PerByte(Sum):
    """Per byte: the same measure for models with different tokenizers."""

    def scores(self, question: Question, responses: Sequence[Response]) -> tuple[float, ...]:
        """The values, each over the bytes of what was scored."""
        (response,) = _values(question, responses, 1)
        asked = question.request
        said = (
            asked.fillings
            if isinstance(asked, FillMask)
            else said_choices(question.spec, question.sample, question.chat)
        )
        return tuple(value / max(len(text.encode()), 1) for value, text in zip(response.values, said, strict=True))


class Pmi(Sum):
    """How much more likely the question makes a choice than the domain alone: what is common is not the answer yet.

    The domain prompt (`prompt.domain` of the task) stands alone, without instruction and demonstrations.
    """

    def requests(self, question: Question) -> tuple[Request, ...]:
        """Two: the choices behind the prompt, and behind the domain prompt."""
        spec, sample = question.spec, question.sample
        domain = Prompt(render_domain(spec, sample), chat=question.chat)
        return (question.request, ask(spec, sample, domain, seed=question.seed, answers=question.answers))

    def scores(self, question: Question, responses: Sequence[Response]) -> tuple[float, ...]:
        """The first values less the second ones."""
        asked, domain = _values(question, responses, 2)
        return tuple(value - prior for value, prior in zip(asked.values, domain.values, strict=True))


class Channel:
    """The noisy channel: how well each choice explains the input. One request a choice; the prior is uniform.

    What is read is v(y) without the white space around it, then a line's end, then `prompt.input`, which is scored.
    Demonstrations are turned round in the same way.
    """

    def refuses(self, spec: TaskSpec, answers: frozenset[RequestKind]) -> str | None:
        """Needs a model that reads from left to right."""
        del spec
        return None if "LogLikelihood" in answers else "scoring=channel needs log-likelihoods of texts, not of blanks"

    def requests(self, question: Question) -> tuple[Request, ...]:
        """One for each choice: the input behind it."""
        spec, sample = question.spec, question.sample
        turned = tuple(
            f"{render_answer(spec, one).strip()}\n{render_input(spec, one)}{spec.prompt.separator}"
            for one in question.shown
        )
        text = (f"\n{render_input(spec, sample)}",)
        return tuple(
            LogLikelihood(Prompt(said.strip(), turned, question.head), text) for said in render_choices(spec, sample)
        )

    def scores(self, question: Question, responses: Sequence[Response]) -> tuple[float, ...]:
        """The input's log-likelihood behind each choice, with the uniform prior."""
        found = _values(question, responses, len(render_choices(question.spec, question.sample)))
        return tuple(response.values[0] - log(len(found)) for response in found)


SCORERS: Mapping[str, Scorer] = {
    "sum": Sum(),
    "mean": Mean(),
    "per-byte": PerByte(),
    "pmi": Pmi(),
    "channel": Channel(),
}


def _values(question: Question, responses: Sequence[Response], count: int) -> list[LogLikelihoods | Filled]:
    found = [one for one in responses if isinstance(one, LogLikelihoods | Filled)]
    if len(found) != count or len(responses) != count:
        kinds = ", ".join(type(one).__name__ for one in responses) or "nothing"
        raise ModelError(
            f"task {question.spec.name!r}, sample {question.sample.id!r}: {kinds} is no answer to {count} questions"
        )
    return found


def refuses_scoring(scoring: str, scorer: Scorer, spec: TaskSpec, answers: frozenset[RequestKind]) -> str | None:
    """Why a task's answers can't be scored in this way; None where they can.

    Args:
        scoring: the scorer's name.
        scorer: asked last.
        spec: of the task.
        answers: the kinds of requests that the model answers.
    """
    if scoring == "sum":
        return None
    if spec.generates:
        return f"scoring={scoring} compares choices, and a generation has none"
    if "LogLikelihood" not in answers and not fills(answers):
        return f"scoring={scoring} needs log-likelihoods of choices, which the model does not give"
    return scorer.refuses(spec, answers)
