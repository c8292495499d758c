"""Zero-shot and few-shot prompting: argmax of log p(v(y) | P(x)), or a generated answer (Brown et al. 2020).

A masked language model is asked by cloze: argmax of log p([MASK] = v(y) | P(x) [MASK]) (Schick & Schuetze 2021).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.answers import ask, classify, decide, fills
from harness.interfaces import Adapted, ExplainsItself
from harness.records import Prompt
from harness.sampling import balanced
from harness.templates import render_answer, render_instruction, render_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting, TaskView
    from harness.records import Request, RequestKind, Sample, TaskSpec

CLOZE = "asked by cloze: an answer stands in the place of masks, one for each of its tokens"


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """The task's prompt, and nothing else. A model that classifies by itself is given the bare input instead."""

    reads: ClassVar[frozenset[str]] = frozenset({"prompt"})

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs log-likelihoods, fillings or generation, or a model that classifies untrained."""
        return None if _classifies(model, spec) else _refuses_prompt(model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Nothing is chosen and nothing is trained."""
        if _classifies(model, task.spec):
            return Adapted(partial(classify, task.spec), partial(decide, task.spec))
        return _prompted(model, task.spec, (), setting.seed)


@dataclass(frozen=True, slots=True)
class FewShot:
    """P = D_1 sep ... D_k sep P(x): the same k solved training rows before every question of a (task, seed).

    Args:
        k: number of demonstrations.
        select: `balanced` over the labels (order and choice seeded), `random`, or `first` (the first k rows of the
            training split).
    """

    k: Annotated[int, Field(ge=1)] = 8
    select: Literal["balanced", "random", "first"] = "balanced"

    reads: ClassVar[frozenset[str]] = frozenset({"prompt", "train"})

    def refuses(self, model: Model, spec: TaskSpec) -> str | None:
        """Needs log-likelihoods, fillings or generation."""
        return _refuses_prompt(model, spec)

    def adapt(self, model: Model, task: TaskView, setting: Setting) -> Adapted:
        """Choose the demonstrations: from the training rows that repeat no scored row."""
        chosen = self._choose(task.samples("train"), task.spec, random.Random(f"few-shot {setting.seed}"))
        notes = (
            () if len(chosen) == self.k else (f"{len(chosen)} demonstrations: the training rows are no more than that",)
        )
        shown = tuple(_demonstration(task.spec, sample) for sample in chosen)
        return _prompted(model, task.spec, shown, setting.seed, notes)

    def _choose(self, pool: Sequence[Sample], spec: TaskSpec, rng: random.Random) -> Sequence[Sample]:
        if self.select == "first":
            return pool[: self.k]
        if self.select == "balanced" and spec.kind == "classification":
            return balanced(pool, self.k, rng)
        return rng.sample(list(pool), min(self.k, len(pool)))


def _prompted(
    model: Model, spec: TaskSpec, demonstrations: tuple[str, ...], seed: int, notes: tuple[str, ...] = ()
) -> Adapted:
    answers = model.answers
    instruction = render_instruction(spec)
    head = instruction + spec.prompt.separator if instruction else ""

    def requests(sample: Sample) -> tuple[Request, ...]:
        prompt = Prompt(render_query(spec, sample), demonstrations, head)
        return (ask(spec, sample, prompt, seed=seed, answers=answers),)

    said = (*notes, CLOZE) if spec.kind != "generation" and fills(answers) else notes
    return Adapted(requests, partial(decide, spec), notes=said)


def _demonstration(spec: TaskSpec, sample: Sample) -> str:
    return render_query(spec, sample) + render_answer(spec, sample) + spec.prompt.separator


def _classifies(model: Model, spec: TaskSpec) -> bool:
    return spec.kind == "classification" and "Classify" in model.answers and "LogLikelihood" not in model.answers


def _refuses_prompt(model: Model, spec: TaskSpec) -> str | None:
    needed: RequestKind = "Generate" if spec.kind == "generation" else "LogLikelihood"
    if needed in model.answers or (needed == "LogLikelihood" and fills(model.answers)):
        return None
    said = "text can't be generated with it" if needed == "Generate" else "it gives no log-likelihoods of answers"
    if needed == "LogLikelihood" and isinstance(model, ExplainsItself):
        said = model.lacks("FillMask") or said
    return f"the model can't be prompted: {said}"
