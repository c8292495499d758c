"""Sandboxed templates: the fields of a sample -> the texts that models read. Pure; each template is compiled once."""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from harness.dialogue import lines
from harness.entities import said_entities, tokens_of
from harness.errors import TemplateError
from harness.values import NONE, read_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2.runtime import Context

    from harness.records import Sample, TaskSpec, Text

_WORD = re.compile(r"\S+")
_FILLED_IN = re.compile(r"\}\}|%\}|#\}")
_LONGEST = 10_000_000
"""Characters that a template may make by repetition."""
_LARGEST_IN_POWERS = 1000


def words(text: object, count: int) -> str:
    """The first `count` words (white space stands between words), with the white space between them as it was."""
    found = list(zip(range(count), _WORD.finditer(str(text)), strict=False))
    return str(text)[found[0][1].start() : found[-1][1].end()] if found else ""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, which keeps code out, with bounds on what products and powers make: slips, not malice."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - as inherited
        """Multiply texts and raise numbers to powers only as far as a prompt can need."""
        if operator == "**":
            too_large = max(abs(left), abs(right)) > _LARGEST_IN_POWERS
        else:
            repeated = [(one, other) for one, other in ((left, right), (right, left)) if hasattr(one, "__len__")]
            too_large = any(len(one) * int(other) > _LONGEST for one, other in repeated)
        if too_large:
            raise SecurityError(f"{operator} makes too large a value")
        return super().call_binop(context, operator, left, right)


def _environment() -> ImmutableSandboxedEnvironment:
    # Autoescaping is for HTML; prompts must reach the model as they are written.
    environment = _Sandbox(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters["words"] = words
    environment.filters["lines"] = lines
    # A prompt that changes from one rendering to the next can't be compared, keyed or shown.
    del environment.filters["random"], environment.globals["lipsum"]
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=4096)
def _compiled(text: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(text)


def undeclared(text: str) -> set[str]:
    """The names that a template uses and does not define itself.

    Raises:
        TemplateError: without `where`, when it does not compile.
    """
    try:
        _compiled(text)
        return meta.find_undeclared_variables(_ENVIRONMENT.parse(text)) - _ENVIRONMENT.globals.keys()
    except jinja2.TemplateError as error:
        raise TemplateError(f"is no valid template: {error}") from error


def shown_fields(spec: TaskSpec) -> frozenset[str]:
    """The fields that a question shows a model: those of its template and its input, and the choices."""
    return frozenset(undeclared(spec.prompt.template) | undeclared(spec.prompt.input) | {"choices"})


def alike(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """The first label that is said as one before it, and the reason why it may not be; None where all differ.

    Args:
        labels: label -> how it is said.
    """
    known: dict[str, str] = {}
    for label, said in labels.items():
        other = known.setdefault(said, label)
        if other != label:
            return label, f"labels {other!r} and {label!r} are both said {said!r}: no model can tell them apart"
    return None


# --- what stands before a sample -----------------------------------------------------------------

PASSAGES, UNSAID = "retrieved passages", "context unsaid"
"""Fields that no template can name, since they have a space."""


def with_passages(sample: Sample, passages: Sequence[str]) -> Sample:
    """The sample with passages that stand before it, a line each, where `prompt.condition` is `retrieved`."""
    return dataclasses.replace(sample, fields={**sample.fields, PASSAGES: tuple(passages)})


def unsaid(sample: Sample) -> Sample:
    """The sample as it is, with a context that is not said whatever `prompt.condition` asks for."""
    return dataclasses.replace(sample, fields={**sample.fields, UNSAID: True})


# --- what a task's samples look like to a model --------------------------------------------------


def render_query(spec: TaskSpec, sample: Sample) -> str:
    """The question, preceded by the sample's context where `prompt.condition` asks for it.

    Of a text with a blank (cloze) what stands before the blank, without white space at its end.

    Raises:
        TemplateError: naming the sample; `where` is the template's key (also in the functions below).
    """
    before = _around_blank(spec, sample)[0].rstrip() if spec.kind == "cloze" else _question(spec, sample)
    return render_context(spec, sample) + before


def render_choices(spec: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """What may follow the query, in the order of labels or choices; empty for generation.

    Of a text with a blank each choice and what stands behind the blank: query and choice are the whole text.
    """
    after = render_after(spec, sample)
    return tuple(filling + after for filling in render_fillings(spec, sample))


def render_fillings(spec: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """The choices alone; in a blank with the white space that stands before it."""
    if spec.labelled:
        return tuple(spec.labels.values())
    said = tuple(
        _render(spec, "prompt.choice", sample.id, {**sample.fields, "choice": choice}) for choice in sample.choices
    )
    if spec.kind != "cloze":
        return said
    before = _around_blank(spec, sample)[0]
    return tuple(before[len(before.rstrip()) :] + one.strip() for one in said)


def render_after(spec: TaskSpec, sample: Sample) -> str:
    """What stands behind the blank; nothing where the task has none."""
    return _around_blank(spec, sample)[1] if spec.kind == "cloze" else ""


def _around_blank(spec: TaskSpec, sample: Sample) -> tuple[str, str]:
    pieces = _question(spec, sample).split(spec.prompt.blank)
    if len(pieces) != 2:
        found = f"the blank {spec.prompt.blank!r} stands {len(pieces) - 1} times, not once"
        raise TemplateError(f"task {spec.name!r}: {found}, in sample {sample.id!r}", where="prompt.template")
    return pieces[0], pieces[1]


def _question(spec: TaskSpec, sample: Sample) -> str:
    return _render(spec, "prompt.template", sample.id, sample.fields)


def render_answer(spec: TaskSpec, sample: Sample) -> str:
    """What follows the query in a demonstration: the right answer as a model would say it."""
    if spec.labelled:
        if sample.target not in spec.labels:
            raise TemplateError(
                f"task {spec.name!r}: nothing says the label {sample.target!r} of sample {sample.id!r}", where="labels"
            )
        return spec.labels[sample.target]
    if spec.chooses:
        return render_choices(spec, sample)[int(sample.target)]
    say = {"multi-label": said_labels, "tagging": said_entities}.get(spec.kind)
    target = sample.target if say is None else say(spec, sample.target)
    return _render(spec, "prompt.answer", sample.id, {**sample.fields, "target": target})


def said_labels(spec: TaskSpec, target: str) -> str:
    """A set of labels as a model would say it: with commas between them."""
    return ", ".join(spec.labels[label].strip() for label in read_labels(target)) or NONE


def render_text(spec: TaskSpec, sample: Sample) -> Text:
    """What a trained model reads: the input, or the two texts of a pair as they are, the context before the first.

    Of a sentence whose words are tagged: the words, with one space between each two, behind those of the context. Of a
    question about a passage: both, the context before the question.

    Raises:
        TemplateError: when the input does not render.
    """
    if spec.learnt == "span":
        return render_context(spec, sample) + str(sample.fields["question"]), str(sample.fields["passage"])
    if spec.learnt == "tags":
        return " ".join((*render_context(spec, sample).split(), *tokens_of(sample)))
    if not spec.paired:
        return render_input(spec, sample)
    first, second = (str(sample.fields[name]) for name in ("first", "second"))
    return render_context(spec, sample) + first, second


def render_input(spec: TaskSpec, sample: Sample) -> str:
    """The text that a trained classifier or an embedding reads, preceded by the context like the query."""
    return render_context(spec, sample) + _render(spec, "prompt.input", sample.id, sample.fields)


HEAD = ("background", "instruction", "keywords")
"""The parts of a prompt that stand before demonstrations and question, in their order."""


def render_instruction(spec: TaskSpec) -> str:
    """What stands before everything, without the separator that follows it; empty where there is none."""
    return spec.prompt.separator.join(_head(spec))


def render_head(spec: TaskSpec) -> str:
    """Background, instruction and keywords, each with the separator behind it; an absent one leaves no trace."""
    return "".join(part + spec.prompt.separator for part in _head(spec))


def _head(spec: TaskSpec) -> list[str]:
    rendered = (_render(spec, f"prompt.{part}", None, {}) for part in HEAD)
    return [text for text in rendered if text]


def render_rationale(spec: TaskSpec, sample: Sample) -> str:
    """The reasoning that leads to the sample's answer; empty where the task has none."""
    return _render(spec, "prompt.rationale", sample.id, {**sample.fields, "target": sample.target})


def render_program(spec: TaskSpec, sample: Sample, answer: str) -> str:
    """The whole program that judges an answer (code).

    Raises:
        TemplateError: naming the sample.
    """
    text = "" if spec.code is None else spec.code.program
    return _rendered(spec, text, "code.program", sample.id, {**sample.fields, "answer": answer})


def render_domain(spec: TaskSpec, sample: Sample) -> str:
    """A prompt of the task's domain without the sample's question, see `harness.records.PromptSpec`; may be empty."""
    if spec.prompt.domain is not None:
        return _render(spec, "prompt.domain", sample.id, sample.fields)
    return _FILLED_IN.split(spec.prompt.template)[-1].rpartition("\n")[2].lstrip()


def render_context(spec: TaskSpec, sample: Sample) -> str:
    """The sample's context as it is said; a context that the task does not describe is said by its label."""
    if sample.fields.get(UNSAID):
        return ""
    if spec.prompt.condition == "retrieved":
        return "".join(f"{passage}\n" for passage in sample.fields.get(PASSAGES, ()))
    if spec.prompt.condition == "none" or sample.context is None:
        return ""
    described = spec.prompt.condition == "description"
    context = spec.contexts.get(sample.context, sample.context) if described else sample.context
    return _render(spec, "prompt.context", sample.id, {**sample.fields, "context": context})


def render_template(text: str, variables: Mapping[str, Any], what: str) -> str:
    """A template that no task holds, such as a judge's rubric.

    Raises:
        TemplateError: naming `what`, when it does not render.
    """
    try:
        return _compiled(text).render(variables)
    except Exception as error:
        raise TemplateError(f"{what} does not render: {error}") from error


def _render(spec: TaskSpec, key: str, sample_id: str | None, variables: Mapping[str, Any]) -> str:
    text: str = getattr(spec.prompt, key.removeprefix("prompt."))
    return _rendered(spec, text, key, sample_id, variables)


def _rendered(spec: TaskSpec, text: str, key: str, sample_id: str | None, variables: Mapping[str, Any]) -> str:
    try:
        return _compiled(text).render(variables)
    except Exception as error:
        of_sample = "" if sample_id is None else f" on sample {sample_id!r}"
        raise TemplateError(f"task {spec.name!r}: does not render{of_sample}: {error}", where=key) from error


# --- expressions over a row's columns ------------------------------------------------------------


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Callable[[Mapping[str, Any]], Any]:
    """Compile an expression such as `rating | float > 0`; calling it with a row's columns evaluates it.

    A column whose name is no identifier is reached through `row`: `row['Review Text']`.

    Raises:
        TemplateError: without `where`: here, when it does not compile; in the call, when it can't be evaluated.
    """
    try:
        compiled = _ENVIRONMENT.compile_expression(text, undefined_to_none=False)
    except jinja2.TemplateError as error:
        raise TemplateError(f"is no valid expression: {error}") from error

    def evaluate(row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the expression gives
        try:
            value = compiled({"row": row, **row})
            if isinstance(value, jinja2.Undefined):
                str(value)  # raises and says what is missing, but for an `if` without `else`
                raise ValueError("it has no value; an if needs its else")  # noqa: TRY301, TRY004 - made a TemplateError below
        except Exception as error:
            raise TemplateError(f"can't be evaluated: {error}") from error
        return value

    return evaluate
