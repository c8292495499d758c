"""`prompt.candidates` of a task file: other ways to ask its question, for strategies that search for the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError, TemplateError, nearest
from harness.records import Candidates
from harness.templates import undeclared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.yamlfile import Located

Said = Annotated[str, Field(min_length=1)]


class CandidatesSection(BaseModel):
    """Lists of what may stand in the place of the task's own; see `harness.records.Candidates`.

    Attributes:
        template: of `prompt.template`.
        instruction: of `prompt.instruction`; an empty one is none.
        labels: of `labels`, each with all of them.
    """

    model_config = ConfigDict(extra="forbid")

    template: Annotated[list[str], Field(min_length=1)] | None = None
    instruction: Annotated[list[str], Field(min_length=1)] | None = None
    labels: Annotated[list[dict[str, Said]], Field(min_length=1)] | None = None

    def candidates(self) -> Candidates:
        """As strategies see them."""
        return Candidates(tuple(self.template or ()), tuple(self.instruction or ()), tuple(self.labels or ()))


def check_candidates(
    section: CandidatesSection,
    located: Located,
    *,
    inputs: set[str],
    own: Mapping[str, str],
    labels: Mapping[str, str] | None,
) -> None:
    """Templates name fields of the task alone, labels are all said and told apart, and nothing stands twice.

    Args:
        section: what the file holds.
        located: the file.
        inputs: names that a question may use.
        own: the task's own template and instruction.
        labels: the task's own, where it has any.

    Raises:
        ConfigError: with file, line and key.
    """
    if not section.model_fields_set:
        raise ConfigError("names no candidates", where=_at(located), hint="add template, instruction or labels")
    for key, names in (("template", inputs), ("instruction", set[str]())):
        texts: Sequence[str] = getattr(section, key) or ()
        for number, text in enumerate(texts):
            _check_template(text, names, _at(located, key, number))
        _check_repeats([own[key], *texts], key, located)
    if section.labels is None:
        return
    if labels is None:
        raise ConfigError("only a classification task has this key", where=_at(located, "labels"))
    for number, said in enumerate(section.labels):
        _check_labels(said, labels, _at(located, "labels", number))
    _check_repeats([dict(labels), *section.labels], "labels", located)


def _check_template(text: str, names: set[str], where: str) -> None:
    try:
        unknown = sorted(undeclared(text) - names)
    except TemplateError as error:
        error.where = where
        raise
    if "target" in unknown:
        raise TemplateError("the target is the answer, which the question may not show", where=where)
    if unknown:
        raise TemplateError(f"{unknown[0]!r} is no field of this task", where=where, hint=nearest(unknown[0], names))


def _check_labels(said: Mapping[str, str], labels: Mapping[str, str], where: str) -> None:
    unknown = [label for label in said if label not in labels]
    if unknown:
        hint = nearest(unknown[0], labels)
        raise ConfigError(f"{unknown[0]!r} is no label of this task", where=where, hint=hint)
    missing = [label for label in labels if label not in said]
    if missing:
        raise ConfigError(f"nothing says the label {missing[0]!r}", where=where)
    known: dict[str, str] = {}
    for label, text in said.items():
        other = known.setdefault(text, label)
        if other != label:
            message = f"labels {other!r} and {label!r} are both said {text!r}: no model can tell them apart"
            raise ConfigError(message, where=where)


def _check_repeats(own_first: Sequence[object], key: str, located: Located) -> None:
    for place, candidate in enumerate(own_first):
        first = own_first.index(candidate)
        if first < place:
            other = "the task's own" if first == 0 else f"the one before (number {first})"
            raise ConfigError(f"is {other} again", where=_at(located, key, place - 1), hint="leave it out")


def _at(located: Located, *keys: str | int) -> str:
    return located.where("prompt", "candidates", *keys)
