"""What to ask for a sample, and what the response means: pure functions for strategies."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from harness.entities import decide_tags, find_entities, moved, tokens_of
from harness.errors import ModelError
from harness.extraction import canonical, find_answer, written
from harness.records import (
    Classified,
    Classify,
    Embed,
    Embedded,
    Filled,
    FillMask,
    FindSpan,
    FoundSpan,
    Generate,
    Generated,
    LogLikelihood,
    LogLikelihoods,
    Prediction,
    Regress,
    Regressed,
    RollingLogLikelihood,
    Tag,
    Tagged,
)
from harness.requests import as_one
from harness.seeds import derived
from harness.spans import decide_span, written_span
from harness.templates import render_after, render_choices, render_fillings, render_query, render_text
from harness.values import NONE, decide_labels, decide_number, decide_similarity, written_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from harness.records import (
        Answered,
        Chat,
        Learnt,
        Prompt,
        Request,
        RequestKind,
        Response,
        Sample,
        TaskSpec,
        Text,
        Usage,
    )

_SPACE = re.compile(r"\s+")
_Trained: TypeAlias = Regressed | Tagged | FoundSpan | Classified
_LEARNT: dict[Learnt | None, type[_Trained]] = {
    "number": Regressed,
    "tags": Tagged,
    "span": FoundSpan,
    "labels": Classified,
}
"""What a trained engine answers with, where it does not choose one of several labels."""

# --- asking --------------------------------------------------------------------------------------


def fills(answers: Collection[RequestKind]) -> bool:
    """Whether a model that answers these kinds is asked to fill a blank: it can, and reads no text from left to right.

    Args:
        answers: the model's `answers`.
    """
    return "FillMask" in answers and "LogLikelihood" not in answers


def ask(
    spec: TaskSpec,
    sample: Sample,
    prompt: Prompt,
    *,
    seed: int = 0,
    answers: Collection[RequestKind] = ("LogLikelihood", "Generate"),
) -> Request:
    """The request that a prompt makes by the task's kind: score each choice, or generate the answer.

    Where tokens are drawn, each sample draws by itself: its seed is made of the trial's and its id.

    Args:
        spec: of the task.
        sample: whose choices are scored.
        prompt: what the choice or answer follows.
        seed: of sampling.
        answers: the kinds that the model answers: one that `fills` scores each choice in a blank: at the prompt's
            end, or where the text has it (cloze).

    Raises:
        TemplateError: when a choice does not render.
    """
    if not spec.generates:
        if fills(answers):
            return FillMask(prompt, _as_said(render_fillings(spec, sample), prompt.chat), render_after(spec, sample))
        return LogLikelihood(prompt, said_choices(spec, sample, prompt.chat))
    limits = spec.generation
    drawn = derived(seed, sample.id) if limits.temperature > 0 else seed
    return Generate(prompt, limits.max_tokens, limits.stop, limits.temperature, drawn, limits.top_p, limits.n)


def said_choices(spec: TaskSpec, sample: Sample, chat: Chat = "auto") -> tuple[str, ...]:
    """The choices as they follow a prompt; in turns of a chat an answer begins its turn, without white space around it.

    Raises:
        TemplateError: when a choice does not render.
    """
    return _as_said(render_choices(spec, sample), chat)


def _as_said(choices: tuple[str, ...], chat: Chat) -> tuple[str, ...]:
    return tuple(choice.strip() for choice in choices) if chat == "turns" else choices


def classify(spec: TaskSpec, sample: Sample) -> tuple[Request, ...]:
    """The request to an engine that has learnt the task: its text is what `harness.templates.render_text` gives.

    Raises:
        TemplateError: when the input does not render.
    """
    text = render_text(spec, sample)
    if spec.numeric:
        return (Regress(text),)
    if spec.learnt == "span":
        assert isinstance(text, tuple)  # noqa: S101 - question and passage
        return (FindSpan(text, unanswerable=bool(spec.unanswerable)),)
    if spec.learnt == "tags":
        return (Tag(as_one(text), tuple(spec.labels)),)
    return (Classify(text, tuple(spec.labels), several=spec.learnt == "labels"),)


def example(spec: TaskSpec, sample: Sample) -> tuple[Text, str] | None:
    """What a model learns from: the text of `classify`, and the target; entities are counted by that text's words.

    Of an answer in a passage the target is its place; None where it does not stand there.

    Raises:
        TemplateError: when the input does not render.
    """
    text = render_text(spec, sample)
    if spec.learnt == "span":
        place = written_span(spec, sample)
        return None if place is None else (text, place)
    if spec.learnt != "tags":
        return text, sample.target
    return text, moved(sample.target, len(as_one(text).split(" ")) - len(tokens_of(sample)))


def compare(spec: TaskSpec, sample: Sample) -> tuple[Request, ...]:
    """The requests for the vectors of a pair's two texts, whose cosine is the answer (similarity)."""
    text = render_text(spec, sample)
    assert isinstance(text, tuple)  # noqa: S101 - a pair's
    return tuple(map(Embed, text))


def read(spec: TaskSpec, sample: Sample) -> tuple[Request, ...]:
    """The request that asks how likely a text is: the rendered template (language-modelling).

    Raises:
        TemplateError: when it does not render.
    """
    return (RollingLogLikelihood(render_query(spec, sample)),)


# --- deciding ------------------------------------------------------------------------------------


def decide(spec: TaskSpec, sample: Sample, responses: Sequence[Response]) -> Prediction:
    """What the responses to the requests of `ask`, `classify`, `compare` or `read` say of the sample.

    Raises:
        ModelError: when it is no answer to such a request.
    """
    match list(responses):
        case [LogLikelihoods() as response] if spec.reads:
            return _measure(spec, sample, response)
        case [Regressed() | Tagged() | FoundSpan() | Classified() as response] if isinstance(
            response, _LEARNT.get(spec.learnt, ())
        ):
            return _decide_learnt(spec, sample, response)
        case [Embedded() as first, Embedded() as second] if spec.kind == "similarity":
            return decide_similarity(sample, first, second)
        case [LogLikelihoods() | Classified() | Filled() as response] if not spec.generates:
            return _choose(spec, sample, response)
        case [Generated() as response] if spec.generates:
            return (_extract if spec.code is None else _programs)(spec, sample, response)
    kinds = ", ".join(type(response).__name__ for response in responses) or "nothing"
    raise ModelError(f"task {spec.name!r}, sample {sample.id!r}: {kinds} is no answer to a {spec.kind} question")


def _is_learnt(spec: TaskSpec, response: Response) -> bool:
    return isinstance(response, _LEARNT.get(spec.learnt, ()))


def _decide_learnt(spec: TaskSpec, sample: Sample, response: _Trained) -> Prediction:
    """What a trained engine says that does not choose one of several labels."""
    if isinstance(response, Regressed):
        return decide_number(sample, response)
    if isinstance(response, FoundSpan):
        return decide_span(spec, with_canonical(spec, sample), response)
    return decide_tags(sample, response) if isinstance(response, Tagged) else decide_labels(spec, sample, response)


def _measure(spec: TaskSpec, sample: Sample, response: LogLikelihoods) -> Prediction:
    """How likely the text is, and how long: words are what white space separates, as lm-eval counts them."""
    text = render_query(spec, sample)
    long = {"tokens": sum(response.tokens), "words": len(_SPACE.split(text)), "bytes": len(text.encode())}
    return Prediction(
        sample.id, "", None, "answered", response.values, context=sample.context, usage=response.usage, measured=long
    )


def _choose(spec: TaskSpec, sample: Sample, response: LogLikelihoods | Classified | Filled) -> Prediction:
    """The most likely choice."""
    return choose(
        spec, sample, response.log_probs if isinstance(response, Classified) else response.values, response.usage
    )


def choose(spec: TaskSpec, sample: Sample, scores: tuple[float, ...], usage: Usage) -> Prediction:
    """The choice with the highest score; the first of several that are equally high.

    Args:
        spec: of the task.
        sample: whose choices were scored.
        scores: one a label or choice, in their order.
        usage: what all requests of the sample took.

    Raises:
        ModelError: when there are more or fewer scores than choices.
    """
    names = tuple(spec.labels) or tuple(map(str, range(len(sample.choices))))
    if len(scores) != len(names):
        raise ModelError(f"task {spec.name!r}, sample {sample.id!r}: {len(scores)} scores for {len(names)} choices")
    undecided = Prediction(sample.id, sample.target, None, "failed", scores, context=sample.context, usage=usage)
    if any(map(math.isnan, scores)) or not math.isfinite(max(scores)):
        return replace(undecided, reason=f"no choice can be the likeliest: {', '.join(map(str, scores))}")
    status: Answered = "truncated" if usage.cut_tokens else "answered"
    return replace(undecided, prediction=names[scores.index(max(scores))], status=status)


def _extract(spec: TaskSpec, sample: Sample, response: Generated) -> Prediction:
    """The answer within the texts; it and the target are compared in canonical form."""
    if spec.kind == "multi-label":
        return vote(spec, sample, response, spec.generation.n, partial(find_labels, spec))
    if spec.kind == "tagging":
        return vote(spec, sample, response, spec.generation.n, partial(find_entities, spec, sample))
    return vote(spec, with_canonical(spec, sample), response, spec.generation.n, partial(find_answer, spec))


def _programs(spec: TaskSpec, sample: Sample, response: Generated) -> Prediction:
    """The programs that were written, letter by letter; nobody has run them yet (`harness.sandboxes.judged`)."""
    written = (response, *response.more)
    if len(written) < spec.generation.n:
        raise ModelError(
            f"task {spec.name!r}, sample {sample.id!r}: {len(written)} texts where {spec.generation.n} were asked for"
        )
    texts = [_program(spec, one.text) for one in written]
    cut = response.finish == "length" or response.usage.cut_tokens > 0
    return Prediction(
        sample.id,
        sample.target,
        texts[0],
        "truncated" if cut else "answered",
        text=response.text,
        context=sample.context,
        usage=response.usage,
        measured={"texts": texts},
        judged=False,
    )


def _program(spec: TaskSpec, text: str) -> str:
    """What `extract` finds, as it stands there; all of the text where it finds nothing."""
    filled = [one for one in written(spec.extract, text) if one.strip()]
    if not filled:
        return text
    return filled[0] if spec.extract.take == "first" else filled[-1]


def with_canonical(spec: TaskSpec, sample: Sample) -> Sample:
    """The sample with its target and references in the form that found answers have."""

    def form(text: str) -> str:
        return canonical(text, spec.extract.type) or text

    return replace(sample, target=form(sample.target), references=tuple(map(form, sample.references)))


def vote(spec: TaskSpec, sample: Sample, response: Generated, n: int, find: Callable[[str], str | None]) -> Prediction:
    """The answer that most texts give, the first of equals.

    Of several texts this is self-consistency (Wang et al. 2022, arXiv:2203.11171); the first that gives the answer
    stands for all. A text without an answer has no vote, and the prediction says how many there were.

    Args:
        spec: of the task, for messages.
        sample: with its target and references in the form that `find` gives; an answer that is any of these is right.
        response: the texts.
        n: how many were asked for.
        find: the answer within a text; None where there is none.

    Raises:
        ModelError: when there are fewer texts than were asked for.
    """
    written = (response, *response.more)
    if len(written) < n:
        raise ModelError(f"task {spec.name!r}, sample {sample.id!r}: {len(written)} texts where {n} were asked for")
    undecided = Prediction(
        sample.id, sample.target, None, "empty", text=response.text, context=sample.context, usage=response.usage
    )
    said = [one for one in written if one.text.strip()]
    if not said:
        return undecided
    answers = [find(one.text) for one in said]
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        where = "the text" if n == 1 else f"any of {n} texts"
        return replace(undecided, status="unparsed", text=said[0].text, reason=f"no answer was found in {where}")
    ((answer, _),) = votes.most_common(1)  # of equals the first that was counted
    first = said[answers.index(answer)]
    cut = first.finish == "length" or response.usage.cut_tokens > 0
    lacking = len(written) - votes.total()
    return replace(
        undecided,
        prediction=answer,
        status="truncated" if cut else "answered",
        text=first.text,
        reason=f"{lacking} of {n} texts had no answer" if lacking else "",
        judged=answer in sample.references if sample.references else None,
    )


def find_labels(spec: TaskSpec, text: str) -> str | None:
    """The labels that a generated text names, by how they are said; None where it names none and does not say so."""
    said = {" ".join(words.casefold().split()): label for label, words in spec.labels.items()}
    either = "|".join(re.escape(words) for words in sorted((*said, NONE), key=len, reverse=True))
    answer = find_answer(spec, text) or ""
    found = re.findall(rf"(?<!\w)(?:{either})(?!\w)", " ".join(answer.casefold().split()))
    return written_labels({said[words] for words in found if words in said}, spec.labels) if found else None
