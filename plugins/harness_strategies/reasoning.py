"""Chain of thought: the model writes its reasoning before its answer, which is then found in the text.

With demonstrations that reason: Wei et al. 2022, arXiv:2201.11903. Without any, told to think step by step: Kojima et
al. 2022, arXiv:2205.11916; they ask a second time for the answer, here the prompt says how the text is to end. Several
texts are drawn and vote: self-consistency, Wang et al. 2023, arXiv:2203.11171.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.answers import vote, with_canonical
from harness.errors import ModelError, ParameterError
from harness.interfaces import Adapted, Sizes
from harness.promptparts import FindsParts  # noqa: TC001 - the core evaluates the annotations of parameters
from harness.records import Chat, Component, Generate, Generated, Prompt
from harness.seeds import derived
from harness.templates import (
    render_answer,
    render_choices,
    render_head,
    render_query,
    render_rationale,
    undeclared,
)
from harness_strategies.builtin import OWN
from harness_strategies.demonstrations import Choice, chosen
from harness_strategies.extraction import Extraction
from harness_strategies.prompted import Demonstrations
from harness_strategies.prompting import OWN_PROMPTS, READ_ALONE, refuses_chat
from harness_strategies.retrieval import models_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, TaskView
    from harness.records import Prediction, Request, Response, Sample, TaskSpec

_DEFAULT_CHOICE = ("balanced", "auto", None)
_MOST_CHOICES = 26


UNREASONED = {
    "code": "a program is the whole text, and not an answer at the end of reasoning",
    "multi-label": "reasoning ends in one answer, not in several labels",
    "tagging": "reasoning ends in one answer, not in several entities",
    "cloze": "a blank is filled with each choice and read: there is nothing to reason about",
}
"""Kinds of tasks that no chain of thought answers, and why."""


@dataclass(frozen=True, slots=True)
class ChainOfThought:
    """Asks for reasoning and an answer, in one text; labels and choices are answered in words and letters.

    Args:
        k: demonstrations, each with its rationale (`prompt.rationale` of the task) before the answer; 0 for none.
        select: see `few-shot`, likewise the next two.
        order: see `few-shot`.
        encoder: see `few-shot`.
        trigger: what stands behind a question without demonstrations.
        marker: words before the answer, in demonstrations and in what is written.
        pattern: a regular expression that finds the answer instead: its group 1, or the whole of the last match.
        options: `yes` tells which labels or choices there are, unless the template shows the choices.
        self_consistency: texts a sample, of which the answer that most give counts, the first of equals.
        temperature: of drawing them; one text is written greedily.
        max_tokens: of a text.
        chat: see `zero-shot`.
        parts: where selectors and orders are found.

    Raises:
        ParameterError: for parameters that make no sense together, or a pattern that is none.
        UnknownNameError: for a part that nobody has registered.
    """

    k: Annotated[int, Field(ge=0)] = 0
    select: str = "balanced"
    order: str = "auto"
    encoder: str | None = None
    trigger: str = "Let's think step by step."
    marker: Annotated[str, Field(pattern=r"\S")] = "The answer is"
    pattern: str | None = None
    options: Literal["yes", "no"] = "yes"
    self_consistency: Annotated[int, Field(ge=1)] = 1
    temperature: Annotated[float, Field(gt=0)] = 0.7
    max_tokens: Annotated[int, Field(ge=1)] = 256
    chat: Chat = "auto"
    parts: FindsParts = field(default=OWN, compare=False, repr=False)

    prompts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._choice()
        if not self.k and (self.select, self.order, self.encoder) != _DEFAULT_CHOICE:
            raise ParameterError(
                "k=0 shows no demonstrations that could be chosen", hint="give k, or leave the rest out"
            )
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ParameterError(f"pattern={self.pattern!r} is no regular expression: {error}") from error

    def _choice(self) -> Choice:
        return Choice.found(self.parts, max(self.k, 1), self.select, self.order, self.encoder)

    @property
    def reads(self) -> frozenset[str]:
        """The prompt, and training rows to show."""
        return frozenset({"prompt", "train"} if self.k else {"prompt"})

    @property
    def sizes(self) -> Sizes | None:
        """The number of demonstrations, where the same are shown to all samples."""
        return Sizes(rows="k") if self.k and not self._choice().selector.searches else None

    @property
    def uses(self) -> tuple[tuple[str, str], ...]:
        """Selector and order, where something is shown."""
        return (("selector", self.select), ("order", self.order)) if self.k else ()

    @property
    def models(self) -> tuple[Component, ...]:
        """The encoder."""
        return models_of(self.encoder)

    @property
    def baselines(self) -> tuple[Component, ...]:
        """The same with one greedy text, where several vote; and the plain prompt, with as many demonstrations."""
        names = ("k", "select", "order", "encoder", "chat") if self.k else ("chat",)
        plain = Component("few-shot" if self.k else "zero-shot", None, {name: getattr(self, name) for name in names})
        if self.self_consistency == 1:
            return (plain,)
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__ if name != "parts"}
        return Component("chain-of-thought", None, {**told, "self_consistency": 1, "temperature": 0.7}), plain

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs a model that writes."""
        if spec.kind == "external":
            return OWN_PROMPTS
        if spec.reads:
            return READ_ALONE
        if spec.kind in UNREASONED:
            return UNREASONED[spec.kind]
        if "Generate" not in model.answers:
            return "the model can't reason in words: text can't be generated with it"
        return (self._choice().refuses(model) if self.k else None) or refuses_chat(self.chat, model)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Choose the demonstrations; nothing is trained."""
        spec = task.spec
        shown = Demonstrations()
        notes: tuple[str, ...] = ()
        if self.k:
            shown = chosen(self._choice(), model, task.samples("train"), spec, setting)
            if not spec.prompt.rationale:
                notes = ("demonstrations show answers without reasoning: the task has no prompt.rationale",)
        reasoning = Reasoning(self, spec, shown, setting.seed)
        return Adapted(
            reasoning.requests,
            partial(decide, self, spec),
            notes=(*shown.notes, *notes),
            budget=shown.budget,
            prepare=shown.prepare,
        )


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The questions of one trial; pure functions of a sample."""

    strategy: ChainOfThought
    spec: TaskSpec
    shown: Demonstrations
    seed: int

    def requests(self, sample: Sample) -> tuple[Request, ...]:
        """One: what is to be written for a sample.

        Raises:
            ModelError: when there are more choices than letters.
        """
        told, demonstrations = self.strategy, self.shown.of(sample)
        prompt = self._prompt(sample, demonstrations)
        several = told.self_consistency > 1
        return (
            Generate(
                prompt,
                told.max_tokens,
                self._stops(demonstrations),
                told.temperature if several else 0.0,
                derived(self.seed, sample.id) if several else self.seed,
                n=told.self_consistency,
            ),
        )

    def _prompt(self, sample: Sample, shown: Sequence[Sample]) -> Prompt:
        told, separator = self.strategy, self.spec.prompt.separator
        pairs = [(self._question(one), self._solution(one)) for one in shown]
        question = self._question(sample)
        return Prompt(
            question if told.k else _joined(question, told.trigger),
            tuple(_joined(asked, solution) + separator for asked, solution in pairs),
            render_head(self.spec) + "".join(line + separator for line in self._told()),
            told.chat,
            tuple(pairs) if told.chat == "turns" else (),
        )

    def _told(self) -> list[str]:
        """What the head says beside the task's own: which labels there are, and how to end."""
        told, lines = self.strategy, []
        if told.options == "yes" and self.spec.labelled:
            lines.append(f"Possible answers: {', '.join(said.strip() for said in self.spec.labels.values())}.")
        if not told.k:
            lines.append(f'Think step by step, then end with "{told.marker} ...".')
        return lines

    def _question(self, sample: Sample) -> str:
        """The query, behind its lettered choices."""
        query = render_query(self.spec, sample)
        if self.spec.kind != "multiple-choice":
            return query
        if len(sample.choices) > _MOST_CHOICES:
            raise ModelError(f"sample {sample.id!r} has {len(sample.choices)} choices, more than there are letters")
        if self.strategy.options == "no" or "choices" in undeclared(self.spec.prompt.template):
            return query
        choices = render_choices(self.spec, sample)
        return f"Choices: {' '.join(f'({_letter(at)}) {said.strip()}' for at, said in enumerate(choices))}\n{query}"

    def _solution(self, sample: Sample) -> str:
        """Rationale, marker and answer."""
        if self.spec.labelled:
            said = render_answer(self.spec, sample).strip()
        elif self.spec.kind == "multiple-choice":
            said = f"({_letter(int(sample.target))})"
        else:
            said = sample.target
        rationale = render_rationale(self.spec, sample).strip()
        ended = rationale if not rationale or rationale[-1] in ".!?" else f"{rationale}."
        return _joined(ended, f"{self.strategy.marker} {said}.")

    def _stops(self, shown: Sequence[Sample]) -> tuple[str, ...]:
        """The task's own, and the separator where demonstrations show that an answer ends with it."""
        separator = self.spec.prompt.separator
        inside = any(separator in render_rationale(self.spec, one).strip() for one in shown)
        ends = (separator,) if shown and separator.strip(" ") and not inside else ()
        return tuple(dict.fromkeys((*self.spec.generation.stop, *ends)))


def decide(told: ChainOfThought, spec: TaskSpec, sample: Sample, responses: Sequence[Response]) -> Prediction:
    """The answer that most texts give.

    Raises:
        ModelError: when the response is no text.
    """
    match list(responses):
        case [Generated() as written]:
            find = Extraction(spec, sample, told.marker, told.pattern)
            if spec.generates:
                sample = with_canonical(spec, sample)
            return vote(spec, sample, written, told.self_consistency, find)
    kinds = ", ".join(type(response).__name__ for response in responses) or "nothing"
    raise ModelError(f"task {spec.name!r}, sample {sample.id!r}: {kinds} is no text")


def _letter(at: int) -> str:
    return chr(ord("A") + at)


def _joined(before: str, behind: str) -> str:
    """Two texts with white space between them."""
    return before + behind if not before or not behind or before[-1].isspace() else f"{before} {behind}"
