"""Instructions that a model proposes from solved training rows (APE: Zhou et al. 2023, arXiv:2211.01910)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness.records import Generate, Generated, Prompt
from harness.templates import render_answer, render_input
from harness_strategies.candidates import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import Model, Setting
    from harness.records import Sample, TaskSpec

EXAMPLES = 6
"""Solved rows that are shown."""
TEMPERATURE, TOP_P, MAX_TOKENS = 0.9, 0.95, 48


def proposed(model: Model, spec: TaskSpec, shown: Sequence[Sample], count: int, setting: Setting) -> list[str]:
    """Instructions as templates, by one request for so many drawn texts; empty ones and repetitions are left out.

    Raises:
        ModelError: when the model does not generate.
    """
    if "Generate" not in model.answers:
        raise ModelError("the model that is to propose instructions generates no text", hint="name another in propose")
    (response,) = setting.engine(model).run(
        [Generate(_prompt(spec, shown), MAX_TOKENS, ("\n",), TEMPERATURE, setting.seed, TOP_P, count)]
    )
    if not isinstance(response, Generated):
        raise ModelError(f"the model that is to propose instructions answered with {type(response).__name__}")
    texts = [one.text.strip().strip('"') for one in (response, *response.more)]
    return [literal(text) for text in dict.fromkeys(texts) if text]


def _prompt(spec: TaskSpec, shown: Sequence[Sample]) -> Prompt:
    pairs = "\n\n".join(f"Input: {render_input(spec, one)}\nOutput:{render_answer(spec, one)}" for one in shown)
    return Prompt(
        f"Somebody was told in one sentence what to do, and did it with these inputs:\n\n{pairs}\n\n"
        'The sentence that said what to do was: "'
    )
