"""What a task is but for its rows, and what a row is: frozen dataclasses; reached through `records` too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["classification", "multiple-choice", "generation", "question-answering", "language-modelling"]
Split: TypeAlias = Literal["train", "validation", "test"]
Condition: TypeAlias = Literal["none", "label", "description", "retrieved"]

GENERATED: frozenset[str] = frozenset({"generation", "question-answering"})
"""Kinds of tasks whose answers are generated text."""
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a task.

    Attributes:
        id: unique within the task, stable while the row stays where it is in the data.
        fields: what templates can name.
        target: the label, the number of the right choice ("0", "1", ...) or the reference answer; empty where a text is
            to be predicted.
        context: the group, domain or situation the row comes from.
        choices: the possible answers of a multiple-choice row.
        cluster: what the row shares with others that are likely to be right or wrong with it (a passage, a source).
        references: every right answer to be generated, as the data writes them, where there are several.
    """

    id: str
    fields: Mapping[str, Any]
    target: str
    context: str | None = None
    choices: tuple[str, ...] = ()
    cluster: str | None = None
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """How a task's rows become text. All strings but `separator` are Jinja2 templates.

    Attributes:
        template: the question of one row; the verbalized answer follows it directly.
        instruction: what is to be done; it stands before everything, followed by the separator.
        separator: between demonstrations.
        choice: how a choice is said after the question (multiple-choice).
        answer: how a demonstration's answer is said (generation); `{{ target }}` unless told.
        input: the text that a trained classifier or an embedding reads.
        context: what is put before template and input when a strategy conditions on the context.
        condition: what `{{ context }}` means in `context`: the label or its description. `retrieved`: passages, which
            `harness.templates.with_passages` gave the sample, stand before it instead, a line each.
        domain: a prompt that says what is asked for and shows no row's question, for PMI scoring; the last words of
            `template`, behind whatever a row fills in, unless told.
        background: what has to be known for the task; before the instruction, followed by the separator.
        keywords: words that matter for the task; behind the instruction, followed by the separator.
        rationale: the reasoning that leads to a row's answer, shown before it in demonstrations of chains of thought.
    """

    template: str
    instruction: str = ""
    separator: str = "\n\n"
    choice: str = " {{ choice }}"
    answer: str = " {{ target }}"
    input: str = ""
    context: str = "{{ context }}: "
    condition: Condition = "none"
    domain: str | None = None
    background: str = ""
    keywords: str = ""
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Other ways to ask a task's question: what may stand in the place of its template, instruction and labels."""

    templates: tuple[str, ...] = ()
    instructions: tuple[str, ...] = ()
    labels: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationSpec:
    """How answers are generated: their limits, and how their tokens are drawn; see `Generate`."""

    max_tokens: int = 128
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    n: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step of finding an answer in a text, by its name in `harness.extraction.STEPS`, with all its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExtractSpec:
    """How the answer is found in a generated text.

    Attributes:
        pattern: a regular expression; its group 1, or the whole match where it has no group.
        take: which match counts.
        steps: what is done instead of looking for the pattern: each step gets what the one before it found.
        type: `number` makes "$1,234.50", "1234.5" and "1234.50" one answer; `text` folds case and white space.
    """

    pattern: str = r"(?s)\s*(.*\S)"
    take: Literal["first", "last"] = "first"
    type: Literal["text", "number"] = "text"
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """All of a task but its rows.

    Attributes:
        kind: `external` is a task of another harness, which asks and judges by itself: `harness.interfaces.AsksItself`.
        labels: label -> how it is said after the prompt (classification), in the order that scores have.
        has_context: whether its samples carry a context.
        contexts: context label -> its description, where the task describes them.
        candidates: other ways to ask, where the task names any.
        metrics: names of metrics; the first is the one that ranks.
        unanswerable: what is said where nothing answers the question (question-answering).
    """

    name: str
    kind: Kind | Literal["external"]
    prompt: PromptSpec
    labels: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("accuracy",)
    description: str = ""
    generation: GenerationSpec = GenerationSpec()
    extract: ExtractSpec = ExtractSpec()
    has_context: bool = False
    contexts: Mapping[str, str] = field(default_factory=dict)
    candidates: Candidates = Candidates()
    licence: str = ""
    citation: str = ""
    unanswerable: str = ""

    @property
    def generates(self) -> bool:
        """Whether its answers are generated text."""
        return self.kind in GENERATED

    @property
    def reads(self) -> bool:
        """Whether a model only reads its texts, and is asked how likely they are."""
        return self.kind == "language-modelling"
