"""What a task is but for its rows, and what a row is: frozen dataclasses; reached through `records` too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal[
    "classification",
    "multiple-choice",
    "generation",
    "question-answering",
    "maths",
    "code",
    "language-modelling",
    "pair",
    "regression",
    "similarity",
    "multi-label",
    "dialogue",
    "cloze",
    "tagging",
]
Learnt: TypeAlias = Literal["label", "labels", "number", "tags", "span"]
"""What a model can be trained to say of a text: one of the labels, any of them, a number, a tag a word, a span."""
Split: TypeAlias = Literal["train", "validation", "test"]
Condition: TypeAlias = Literal["none", "label", "description", "retrieved"]

GENERATED: frozenset[str] = frozenset(
    (
        "generation",
        "question-answering",
        "maths",
        "code",
        "dialogue",
        "regression",
        "similarity",
        "multi-label",
        "tagging",
    )
)
"""Kinds of tasks whose answers are generated text where a model is prompted."""
LABELLED: frozenset[str] = frozenset({"classification", "pair"})
"""Kinds of tasks whose samples have one label each, of those that the task declares."""
PAIRED: frozenset[str] = frozenset({"pair", "similarity"})
"""Kinds of tasks that are about two texts, the fields `first` and `second`."""
NUMERIC: frozenset[str] = frozenset({"regression", "similarity"})
"""Kinds of tasks whose targets are numbers."""
CHOSEN: frozenset[str] = frozenset({"multiple-choice", "cloze"})
"""Kinds of tasks whose answers are among the row's own choices."""
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a task.

    Attributes:
        id: unique within the task, stable while the row stays where it is in the data.
        fields: what templates can name.
        target: the label, the number of the right choice ("0", "1", ...) or the reference answer; empty where a text is
            to be predicted. Numbers and sets of labels are written as `harness.values` writes them,
            entities as `harness.entities` does.
        context: the group, domain or situation the row comes from.
        choices: the possible answers of a row of multiple choice or with a blank.
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
    """How a task's rows become text. All strings but `separator` and `blank` are Jinja2 templates.

    Attributes:
        template: the question of one row; the verbalized answer follows it directly.
        instruction: what is to be done; it stands before everything, followed by the separator.
        separator: between demonstrations.
        choice: how a choice is said after the question, or in the blank (multiple-choice, cloze).
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
        blank: what stands in the template's text, once, where a choice belongs (cloze).
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
    blank: str = "____"


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
class CodeSpec:
    """How a generated program is judged: it passes when it comes to its end without an error.

    Attributes:
        program: a template of the whole program: the sample's fields, and `answer`, the text that was generated.
        timeout_s: how many seconds it may take.
        memory_mb: how much memory each of its processes may take, in 2**20 bytes.
    """

    program: str
    timeout_s: float = 3.0
    memory_mb: int = 512


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """All of a task but its rows.

    Attributes:
        kind: `external` is a task of another harness, which asks and judges by itself: `harness.interfaces.AsksItself`.
        labels: label -> how it is said after the prompt (classification), in the order that scores have; of entities
            their types (tagging).
        has_context: whether its samples carry a context.
        contexts: context label -> its description, where the task describes them.
        candidates: other ways to ask, where the task names any.
        metrics: names of metrics; the first is the one that ranks.
        code: how programs are judged (code).
        unanswerable: what is said where nothing answers the question (question-answering).
        has_passage: whether answers stand in the field `passage` (question-answering).
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
    has_passage: bool = False
    code: CodeSpec | None = None

    @property
    def generates(self) -> bool:
        """Whether its answers are generated text."""
        return self.kind in GENERATED

    @property
    def labelled(self) -> bool:
        """Whether each sample has one of its labels."""
        return self.kind in LABELLED

    @property
    def paired(self) -> bool:
        """Whether it is about two texts, the fields `first` and `second`."""
        return self.kind in PAIRED

    @property
    def numeric(self) -> bool:
        """Whether its targets are numbers."""
        return self.kind in NUMERIC

    @property
    def learnt(self) -> Learnt | None:
        """What a model can be trained to say of its samples; None where it can only be prompted."""
        if self.labelled:
            return "label"
        if self.numeric:
            return "number"
        if self.has_passage:
            return "span"
        own: dict[str, Learnt] = {"multi-label": "labels", "tagging": "tags"}
        return own.get(self.kind)

    @property
    def chooses(self) -> bool:
        """Whether its answers are among each row's own choices."""
        return self.kind in CHOSEN

    @property
    def reads(self) -> bool:
        """Whether a model only reads its texts, and is asked how likely they are."""
        return self.kind == "language-modelling"
