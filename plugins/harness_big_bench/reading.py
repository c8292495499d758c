"""`task.json` -> `Definition`; what is wrong in it is said with file and key."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from harness import ConfigError, DataError
from harness.errors import nearest
from harness_big_bench.definition import CHOOSING, OUTPUT, RANGES, ROUGE, SCORING, WRITING, Definition, targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

REQUIRED = ("name", "description", "keywords")
"""Keys that BIG-bench asks of every file; its `canary` says nothing of a task and may be missing here."""

TEXTS = (
    "name",
    "description",
    "task_prefix",
    "example_input_prefix",
    "example_output_prefix",
    "choice_prefix",
    "few_shot_example_separator",
    "stop_string",
    "output_regex",
    "preferred_score",
)

READ = frozenset(
    {*TEXTS, "canary", "keywords", "metrics", "examples", "subtasks", "append_choices_to_input"}
    | {"absolute_normalization"}
)
"""Keys that BIG-bench's code reads."""

SILENT = frozenset({"contributors", "expert_description", "low_score", "high_score"})
"""Keys that it does not read and that nobody expects to change a prompt or a score."""


def read(path: Path) -> dict[str, Any]:
    """A file's JSON object.

    Raises:
        ConfigError: when it can't be read, is no JSON or no object, or lacks what every task has.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"it can't be read: {error.strerror}", where=str(path)) from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"this is not JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"this is not UTF-8: byte {error.start}", where=str(path)) from error
    return checked(data, str(path))


def checked(data: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The object of a task or subtask; raises as `read`."""
    if not isinstance(data, dict):
        raise ConfigError("a BIG-bench task is a JSON object", where=where)
    for key in REQUIRED:
        if key not in data:
            hint = nearest(key, data) if "examples" in data or "subtasks" in data else "is it a BIG-bench task?"
            raise ConfigError(f"the key {key!r} is missing", where=f"{where}: {key}", hint=hint)
    for key in TEXTS:
        if key in data and not isinstance(data[key], str):
            raise ConfigError(f"a text is wanted, not {_kind(data[key])}", where=f"{where}: {key}")
    return data


def define(data: Mapping[str, Any], where: str, name: str) -> Definition:
    """The definition of a task with examples.

    Raises:
        ConfigError: for a key that is missing or wrong.
        DataError: for an example that is.
    """
    named, preferred, left_out = _metrics(data, where)
    regex = data.get("output_regex")
    if regex is None and "stop_string" not in data:
        regex = OUTPUT
    _check_regex(regex, where)
    examples, repeated = _distinct(_examples(data, where))
    notes = [*left_out, *_unheeded(data), *_unanswerable(examples)]
    if repeated:
        notes.append(f"{repeated} examples that repeat another are left out")
    definition = Definition(
        name=name,
        where=where,
        metrics=named,
        preferred=preferred,
        prefix=data.get("task_prefix", ""),
        asked=data.get("example_input_prefix", "\nQ: "),
        answered=data.get("example_output_prefix", "\nA: "),
        chosen=data.get("choice_prefix", "\n  choice: "),
        shows_choices=bool(data.get("append_choices_to_input", True)),
        separator=data.get("few_shot_example_separator", "\n"),
        stop=data.get("stop_string"),
        regex=regex,
        absolute=bool(data.get("absolute_normalization", False)),
        examples=examples,
        notes=tuple(notes),
        settings=json.dumps({key: one for key, one in data.items() if key != "examples"}, sort_keys=True),
    )
    for number, example in enumerate(examples):
        _check_example(example, definition, f"{where}: examples[{number}]")
    low, high = definition.span
    if high <= low:
        raise DataError(
            f"a random choice has a {preferred} of {low:.3g}, the best one {high:.3g}: nothing can be told by it",
            where=f"{where}: examples",
        )
    return definition


# --- keys --------------------------------------------------------------------------------------------


def _metrics(data: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], str, list[str]]:
    """The metrics that can be measured, the preferred one, and a note on those that can't."""
    for key in ("metrics", "preferred_score"):
        if key not in data:
            raise ConfigError(f"the key {key!r} is missing", where=f"{where}: {key}", hint=nearest(key, data))
    named, preferred = data["metrics"], data["preferred_score"]
    if not isinstance(named, list) or not named or not all(isinstance(one, str) for one in named):
        raise ConfigError("a list of metrics' names is wanted", where=f"{where}: metrics")
    known = (*CHOOSING, *WRITING, *SCORING)
    for one in named:
        if one not in known:
            raise ConfigError(f"BIG-bench has no metric {one!r}", where=f"{where}: metrics", hint=nearest(one, known))
    if preferred not in RANGES:
        hint = f"write one of {', '.join(ROUGE)}" if preferred == "rouge" else nearest(preferred, RANGES)
        raise ConfigError(f"{preferred!r} can't be preferred", where=f"{where}: preferred_score", hint=hint)
    if preferred == "bleurt":
        reason = "bleurt is preferred, which needs a model of 2 GB and TensorFlow, and is not offered here"
        raise ConfigError(reason, where=f"{where}: preferred_score")
    graded = {*CHOOSING[1:3]} if "multiple_choice_grade" in named else set()
    if preferred not in {*named, *graded, *(ROUGE if "rouge" in named else ())}:
        raise ConfigError(f"{preferred!r} is none of the metrics", where=f"{where}: preferred_score")
    notes = ["bleurt is not measured: it needs a model of 2 GB and TensorFlow"] if "bleurt" in named else []
    return tuple(dict.fromkeys(one for one in named if one != "bleurt")), preferred, notes


def _check_regex(regex: str | None, where: str) -> None:
    if regex is None:
        return
    try:
        groups = re.compile(regex).groups
    except re.error as error:
        raise ConfigError(f"no regular expression: {error}", where=f"{where}: output_regex") from error
    if groups > 1:
        raise ConfigError(
            f"it has {groups} groups, and which one is the answer is not said",
            where=f"{where}: output_regex",
            hint="write (?:...) for groups that only group",
        )


def _unheeded(data: Mapping[str, Any]) -> Iterator[str]:
    """What in a file does not do what it seems to say."""
    extra = [key for key in data if key not in READ | SILENT]
    if extra:
        yield f"BIG-bench does not read {', '.join(extra)}"
    said = data.get("append_choices_to_input")
    if isinstance(said, str):
        yield f"append_choices_to_input is the text {said!r}, which BIG-bench takes for yes"


# --- examples ----------------------------------------------------------------------------------------


def _unanswerable(examples: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How many examples no choice can be right for; those that name a target may be so."""
    scored = [one["target_scores"] for one in examples if isinstance(one.get("target_scores"), dict)]
    count = sum(
        all(isinstance(score, int | float) and score <= 0 for score in scores.values()) for scores in scored if scores
    )
    if count:
        yield f"{count} examples have no choice with a score above 0: none is right there"


def _examples(data: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    examples = data.get("examples")
    if not isinstance(examples, list):
        raise DataError(f"a list of examples is wanted, not {_kind(examples)}", where=f"{where}: examples")
    if not examples:
        raise DataError("there are no examples", where=f"{where}: examples")
    for number, one in enumerate(examples):
        if not isinstance(one, dict):
            raise DataError(f"an object is wanted, not {_kind(one)}", where=f"{where}: examples[{number}]")
    return examples


def _distinct(examples: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The examples without those that say the same in the same order of keys, and how many these are."""
    first: dict[str, dict[str, Any]] = {}
    for one in examples:
        first.setdefault(json.dumps(one), one)
    return list(first.values()), len(examples) - len(first)


def _check_example(example: Mapping[str, Any], definition: Definition, where: str) -> None:
    if not isinstance(example.get("input"), str):
        raise DataError("the text of the input is missing", where=f"{where}.input")
    if "target" not in example and "target_scores" not in example:
        raise DataError("there is neither a target nor target_scores", where=f"{where}.target")
    if "target" in example:
        _check_target(example["target"], f"{where}.target")
    elif definition.writes or definition.scores:
        metric = (*definition.writes, *SCORING)[0]
        raise DataError(f"{metric} needs a target", where=f"{where}.target")
    if "target_scores" in example:
        _check_scores(example["target_scores"], f"{where}.target_scores", named="target" in example)
    elif definition.chooses:
        raise DataError(f"{definition.chooses[0]} needs target_scores", where=f"{where}.target_scores")
    _check_for_metrics(example, definition, where)


def _check_for_metrics(example: Mapping[str, Any], definition: Definition, where: str) -> None:
    """What single metrics ask of an example that is otherwise right."""
    if "macro_f1" in definition.metrics:
        scores = list(example["target_scores"].values())
        if scores.count(1) != 1 or sum(scores) != 1:
            raise DataError("macro_f1 needs one choice with score 1, the others 0", where=f"{where}.target_scores")
    if "numeric_match_with_0_1_relative_error" in definition.metrics and len(targets(example)) != 1:
        raise DataError("numeric_match_with_0_1_relative_error needs one target", where=f"{where}.target")


def _check_target(target: Any, where: str) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(target, str):
        return
    if not isinstance(target, list) or not all(isinstance(one, str) for one in target):
        raise DataError(f"a text or a list of texts is wanted, not {_kind(target)}", where=where)
    if not target:
        raise DataError("the list of targets is empty", where=where)


def _check_scores(scores: Any, where: str, *, named: bool) -> None:  # noqa: ANN401 - any JSON value
    if not isinstance(scores, dict) or not scores:
        raise DataError("choices with their scores are wanted: an object with at least one", where=where)
    for choice, score in scores.items():
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise DataError(f"the score of {choice!r} is no number but {_kind(score)}", where=where)
    if not named and max(scores.values()) <= 0:
        raise DataError("no choice has a score above 0: which one is right?", where=where)
    if not named and len(scores) > 1 and max(scores.values()) <= min(scores.values()):
        raise DataError("all choices have the same score: which one is right?", where=where)


def _kind(value: Any) -> str:  # noqa: ANN401 - any JSON value
    names = {"NoneType": "null", "dict": "an object", "list": "a list", "str": "a text", "bool": "true or false"}
    return names.get(type(value).__name__, "a number")
