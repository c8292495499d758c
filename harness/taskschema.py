"""The schema of task files: what they may hold, and the checks that need no data."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from harness.dialogue import asked_in_lines
from harness.errors import ConfigError, TemplateError, nearest
from harness.records import Candidates, CodeSpec, GenerationSpec, Kind, PromptSpec, Split, TaskSpec
from harness.reshaping import PivotSection  # noqa: TC001 - pydantic evaluates it
from harness.rows import Format  # noqa: TC001 - likewise
from harness.taskcandidates import CandidatesSection, check_candidates
from harness.taskextract import ExtractSection, check_extract
from harness.taskspec import CHOSEN, GENERATED, LABELLED, NUMERIC
from harness.templates import HEAD, alike, compile_expression, undeclared
from harness.yamlfile import read_yaml, validate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.yamlfile import Located

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

METRICS: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"),
    "multiple-choice": ("accuracy",),
    "generation": ("exact_match",),
    "question-answering": ("squad_f1", "squad_em"),
    "maths": ("exact_match",),
    "code": ("pass_at_1",),
    "language-modelling": ("bits_per_byte", "word_perplexity", "token_perplexity"),
    "pair": ("accuracy", "macro_f1"),
    "regression": ("spearman", "mae"),
    "similarity": ("spearman", "pearson"),
    "multi-label": ("micro_f1", "macro_f1", "subset_accuracy"),
    "dialogue": ("chrf", "rougeL"),
    "cloze": ("accuracy",),
    "tagging": ("entity_f1", "entity_precision", "entity_recall"),
}
"""What a task is scored by when its file does not say."""

_REQUIRED: dict[Kind, set[str]] = {
    "multiple-choice": {"target", "choices"},
    "question-answering": {"target", "question"},
    "language-modelling": set(),
    "pair": {"target", "first", "second"},
    "similarity": {"target", "first", "second"},
    "dialogue": {"turns"},
    "cloze": {"target", "choices"},
    "tagging": {"target", "tokens"},
}
"""Fields that tasks of a kind have; of the others `target`."""

_MADE: dict[Kind, set[str]] = {"dialogue": {"system"}, "tagging": {"text"}}
"""Fields that are there though no column is named for them."""

_NAMED: frozenset[str] = LABELLED | {"multi-label", "tagging"}
"""Kinds of tasks that declare labels, or types of entities."""

_OF_KIND: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (_NAMED, ("labels",)),
    (CHOSEN, ("prompt", "choice")),
    (CHOSEN, ("data", "shuffle_choices")),
    (frozenset({"cloze"}), ("prompt", "blank")),
    (GENERATED, ("prompt", "answer")),
    (GENERATED, ("generation",)),
    (GENERATED, ("extract",)),
    (frozenset({"question-answering"}), ("unanswerable",)),
    (frozenset({"code"}), ("code",)),
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DataSection(_Section):
    """Where the rows are and what their columns mean.

    Attributes:
        files: an address, or one for each split; a path lies beside the task file, `scheme://` says where else.
        format: of the files; told by their suffix where it is not given.
        columns: names of the columns of CSV and TSV files without a header and of CoNLL's, or of the one of `lines`.
        sha256: of the download; for each split where `files` has one for each.
        explode: the column that holds lists: each item becomes a row, before anything is derived.
        derive: new columns, each an expression over the others, in the order written.
        where: an expression; rows for which it is false are left out.
        pivot: how rows that belong together become one, once columns are derived and rows left out.
        splits: how the rows of one address are cut into splits: their shares.
        seed: of that cut.
        stratify: columns or fields whose values are spread over the splits in proportion; `target` of a
            classification unless told. Rows with the same input never stand in two splits.
        shuffle_choices: whether each row's choices are put into an order drawn for its id: for data whose right choice
            always stands in the same place.
        fields: name in templates -> column. `target` is the answer, `choices` a list of choices, `id` the row's name.
        context: the column that holds each sample's context.
        cluster: the column that says which samples are likely to be right or wrong together; it may be the context's.
    """

    files: str | Annotated[dict[Split, str], Field(min_length=1)]
    format: Format | None = None
    columns: list[str] = []
    sha256: Sha256 | dict[Split, Sha256] | None = None
    explode: str | None = None
    derive: dict[str, str] = {}
    where: str | None = None
    pivot: PivotSection | None = None
    splits: Annotated[dict[Split, Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] | None = None
    seed: int = 0
    stratify: str | list[str] | None = None
    shuffle_choices: bool = False
    fields: dict[str, str]
    context: str | None = None
    cluster: str | None = None

    def inputs(self) -> list[str]:
        """The names that templates may use in every place."""
        return [name for name in self.fields if name not in {"target", "id"}]


class PromptSection(_Section):
    """How rows become text; see `harness.records.PromptSpec`, whose defaults stand for what is left out."""

    template: str
    background: str | None = None
    instruction: str | None = None
    keywords: str | None = None
    separator: str | None = None
    choice: str | None = None
    answer: str | None = None
    input: str | None = None
    context: str | None = None
    domain: str | None = None
    rationale: str | None = None
    blank: Annotated[str, Field(pattern=r"\S")] | None = None
    candidates: CandidatesSection | None = None


class GenerationSection(_Section):
    """How answers are generated; see `harness.records.GenerationSpec`."""

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1)] | None = None


class CodeSection(_Section):
    """How generated programs are judged; see `harness.records.CodeSpec`."""

    program: Annotated[str, Field(min_length=1)]
    timeout_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    memory_mb: Annotated[int, Field(ge=64)] | None = None


class TaskFileSchema(_Section):
    """A task file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    kind: Kind
    description: str = ""
    data: DataSection
    labels: Annotated[dict[str, Annotated[str, Field(min_length=1)]], Field(min_length=1)] | None = None
    contexts: dict[str, str] = {}
    prompt: PromptSection
    generation: GenerationSection = GenerationSection()
    extract: ExtractSection = ExtractSection()
    code: CodeSection | None = None
    metrics: Annotated[list[str], Field(min_length=1)] | None = None
    unanswerable: Annotated[str, Field(pattern=r"\S")] | None = None
    licence: str = ""
    citation: str = ""


_OF_QUESTIONS = (
    ("data", "fields", "target"),
    *(
        ("prompt", key)
        for key in ("background", "instruction", "keywords", "domain", "rationale", "candidates", "context")
    ),
)
"""What only tasks with questions have."""


def read_task(path: Path) -> tuple[Located, TaskFileSchema]:
    """Read and check a task file, all but its data.

    Raises:
        ConfigError: with file, line and key.
    """
    located = read_yaml(path)
    located = replace(located, data=asked_in_lines(located.data))
    task = validate(located, TaskFileSchema)
    _check_kind(task, located)
    _check_generation(task.generation, located)
    check_extract(task.extract, located)
    _check_sources(task.data, located)
    _check_templates(task, located)
    if task.prompt.candidates is not None:
        own = {"template": task.prompt.template, "instruction": task.prompt.instruction or ""}
        inputs = set(task.data.inputs())
        check_candidates(task.prompt.candidates, located, inputs=inputs, own=own, labels=task.labels)
    return located, task


def specification(task: TaskFileSchema) -> TaskSpec:
    """The task as strategies and metrics see it."""
    names = ["text"] if task.kind == "tagging" else [name for name in task.data.inputs() if name != "choices"]
    prompt: dict[str, Any] = {"input": "\n".join(f"{{{{ {name} }}}}" for name in names)}
    prompt |= task.prompt.model_dump(exclude_none=True, exclude={"candidates"})
    return TaskSpec(
        name=task.name,
        kind=task.kind,
        prompt=PromptSpec(**prompt),
        labels=task.labels or {},
        metrics=tuple(task.metrics or METRICS[task.kind]),
        description=task.description,
        generation=GenerationSpec(**task.generation.model_dump(exclude_none=True)),
        extract=task.extract.spec(task.kind),
        has_context=task.data.context is not None,
        contexts=task.contexts,
        candidates=task.prompt.candidates.candidates() if task.prompt.candidates else Candidates(),
        licence=task.licence,
        citation=task.citation,
        unanswerable=task.unanswerable or "",
        has_passage=task.kind == "question-answering" and "passage" in task.data.fields,
        code=None if task.code is None else CodeSpec(**task.code.model_dump(exclude_none=True)),
    )


# --- checks that one model alone can't make ------------------------------------------------------


def _check_kind(task: TaskFileSchema, located: Located) -> None:
    for kinds, keys in _OF_KIND:
        if task.kind not in kinds and _holds(located.data, keys):
            kind = " or ".join(kind for kind in get_args(Kind) if kind in kinds)
            raise ConfigError(f"only a {kind} task has this key; this one is {task.kind}", where=located.where(*keys))
    _check_answers(task, located)
    if task.kind == "language-modelling":
        _check_text(located)
    _check_fields(task, located)
    for keys in (("contexts",), ("prompt", "context")):
        if task.data.context is None and _holds(located.data, keys):
            hint = "set data.context to the column that holds it"
            raise ConfigError("the data has no context", where=located.where(*keys), hint=hint)
    if task.metrics and len(set(task.metrics)) < len(task.metrics):
        raise ConfigError("a metric stands twice", where=located.where("metrics"))


def _check_answers(task: TaskFileSchema, located: Located) -> None:
    if task.kind in _NAMED:
        _check_labels(task.labels, task.kind, located)
    if task.kind in NUMERIC and task.extract.type == "text":
        raise ConfigError(f"the answer of a {task.kind} is a number", where=located.where("extract", "type"))
    if task.kind == "code" and task.code is None:
        hint = 'such as program: "{{ question }}{{ answer }}\\n{{ tests }}"'
        raise ConfigError("a code task says what program is run", where=located.where("code"), hint=hint)


def _check_fields(task: TaskFileSchema, located: Located) -> None:
    if task.kind == "dialogue" and "target" in task.data.fields:
        message = "a dialogue's target is the last reply of its turns"
        raise ConfigError(message, where=located.where("data", "fields", "target"), hint="leave it out")
    missing = sorted(_REQUIRED.get(task.kind, {"target"}) - task.data.fields.keys())
    if missing:
        raise ConfigError(f"field {missing[0]!r} is missing", where=located.where("data", "fields"))
    if not set(task.data.inputs()) - {"choices"}:
        hint = "add what templates use, such as text: review"
        raise ConfigError("there is no field but the target", where=located.where("data", "fields"), hint=hint)


def _check_text(located: Located) -> None:
    for keys in _OF_QUESTIONS:
        if _holds(located.data, keys):
            message = "a language-modelling task asks nothing: its text is prompt.template alone"
            raise ConfigError(message, where=located.where(*keys))


def _check_labels(labels: dict[str, str] | None, kind: Kind, located: Located) -> None:
    if labels is None:
        raise ConfigError(f"a {kind} task needs labels", where=located.where("labels"), hint="label: how it is said")
    if kind in LABELLED and len(labels) < 2:
        raise ConfigError(f"a {kind} task needs at least 2 labels", where=located.where("labels"))
    if found := alike(labels):
        label, reason = found
        raise ConfigError(reason, where=located.where("labels", label))


def _check_generation(generation: GenerationSection, located: Located) -> None:
    """What tells how to draw needs a temperature to draw at."""
    if generation.temperature:
        return
    if generation.n is not None and generation.n > 1:
        key, reason = "n", f"all {generation.n} answers would be equal"
    elif generation.top_p is not None and generation.top_p < 1:
        key, reason = "top_p", "nothing is drawn"
    else:
        return
    hint = f"set generation.temperature above 0, such as 0.7, or leave {key} out"
    raise ConfigError(f"at temperature 0 {reason}", where=located.where("generation", key), hint=hint)


def _check_sources(data: DataSection, located: Located) -> None:
    def wrong(key: str, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(message, where=located.where("data", key), hint=hint)

    one = isinstance(data.files, str)
    if one and data.splits is None:
        raise wrong(
            "files", "one address needs `splits`", "add splits: {train: 0.8, test: 0.2}, or name a file for each split"
        )
    for key in ("splits", "seed", "stratify"):
        if not one and key in located.data["data"]:
            raise wrong(key, "files for each split are not cut", "leave it out, or name one address in `files`")
    if data.splits and sum(data.splits.values()) > 1 + 1e-9:
        raise wrong("splits", f"the shares sum to {sum(data.splits.values()):g}, more than 1")
    if data.sha256 is not None and isinstance(data.sha256, str) != one:
        raise wrong("sha256", "is one digest for one address, and for each split where `files` has one for each")
    if isinstance(data.sha256, dict) and isinstance(data.files, dict) and set(data.sha256) - set(data.files):
        raise wrong("sha256", "names a split that `files` has not")


def _templates(task: TaskFileSchema) -> list[tuple[tuple[str, str], str | None, set[str]]]:
    """Keys of each template, its text, and the names that it may use."""
    inputs = {*task.data.inputs(), *_MADE.get(task.kind, ())}
    known = {
        **{part: set[str]() for part in HEAD},
        "template": inputs,
        "input": inputs,
        "choice": inputs | {"choice"},
        "answer": inputs | {"target"},
        "context": inputs | {"context"},
        "domain": inputs,
        "rationale": inputs | {"target"},
    }
    said = [(("prompt", key), getattr(task.prompt, key), names) for key, names in known.items()]
    if task.code is not None:
        said.append((("code", "program"), task.code.program, inputs | {"answer"}))
    return said


def _check_templates(task: TaskFileSchema, located: Located) -> None:
    for name in task.data.fields:
        if not name.isidentifier():
            message = f"{name!r} can't be a name in templates"
            raise ConfigError(message, where=located.where("data", "fields", name), hint="use letters, digits and _")
    for keys, text, names in _templates(task):
        if text is None:
            continue
        where = located.where(*keys)
        with _errors_at(where):
            unknown = sorted(undeclared(text) - names)
        if unknown:
            if unknown[0] == "target":
                raise TemplateError("the target is the answer, which the question may not show", where=where)
            raise TemplateError(
                f"{unknown[0]!r} is no field of this task", where=where, hint=nearest(unknown[0], names)
            )
    for column, text in task.data.derive.items():
        with _errors_at(located.where("data", "derive", column)):
            compile_expression(text)
    if task.data.where is not None:
        with _errors_at(located.where("data", "where")):
            compile_expression(task.data.where)


@contextmanager
def _errors_at(where: str) -> Iterator[None]:
    try:
        yield
    except TemplateError as error:
        error.where = where
        raise


def _holds(data: object, keys: tuple[str, ...]) -> bool:
    """Whether somebody wrote these keys."""
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True
