"""Rows in others' shapes: choices in lists or columns, SQuAD's answers, OpenAI's evals, Inspect, HELM, CoNLL's tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.entities import types_in
from harness.guessing import ANSWERS, ONE_LINE, PASSAGES, QUESTIONS, Guess, fields_of, named, question, text_columns
from harness.wording import expression

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.columns import Table
    from harness.guessing import Wanted

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OF_CHOICES = re.compile(r"(?i)(?P<stem>|choices?|options?|op|endings?|answers?|sol|solution)[_ ]?(?P<place>[a-j]|\d)")


def known_shape(table: Table, wanted: Wanted) -> Guess | None:
    """The guess for rows in a shape that is known; None for others."""
    for shape in (
        _tagged,
        _helm,
        _messages,
        _inspect,
        _listed_choices,
        _mapped_choices,
        _choices_in_columns,
        _passages,
    ):
        found = shape(table, wanted)
        if found and wanted.kind in {None, found.kind}:
            return found
    return None


# --- other programs' -------------------------------------------------------------------------------


def _helm(table: Table, wanted: Wanted) -> Guess | None:
    """HELM's instances: `input: {text}`, `references: [{output: {text}, tags: [correct]}]`."""
    del wanted
    texts, references = table.every("input"), table.every("references")
    if not texts or not all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in texts):
        return None
    if not all(isinstance(one, list) and one and all(_is_reference(each) for each in one) for one in references):
        return None
    right = "references | selectattr('tags')"
    guess = Guess("generation", "`input` and `references` are those of HELM's instances")
    guess.derive = {"question": "input.text"}
    guess.fields = {"question": "question"}
    if all(len(one) > 1 and sum(bool(each["tags"]) for each in one) == 1 for one in references):
        guess.kind = "multiple-choice"
        guess.derive["options"] = "references | map(attribute='output.text') | list"
        guess.derive["right"] = f"({right} | first).output.text"
        guess.fields |= {"choices": "options", "target": "right"}
        guess.prompt["template"] = question({"question": ""}, "answer")
        guess.comments["derive"] = "The reference that has a tag is the right one."
        return guess
    guess.derive["right"] = f"{right} | map(attribute='output.text') | list"
    guess.fields["target"] = "right"
    guess.prompt["template"] = question({"question": ""}, "answer")
    return _free(guess, [each["output"]["text"] for one in references for each in one])


def _is_reference(value: Any) -> bool:  # noqa: ANN401 - whatever the data holds
    output = value.get("output") if isinstance(value, dict) else None
    return isinstance(output, dict) and isinstance(output.get("text"), str) and isinstance(value.get("tags"), list)


def _messages(table: Table, wanted: Wanted) -> Guess | None:
    """OpenAI's evals: `input` is a list of messages, or a text; `ideal` the answer, or a list of which any is right."""
    target = wanted.target or next(iter(named(table, ("ideal", "target"))), None)
    given = table.every("input")
    if target is None or not given or table.columns[target].kinds["mapping"]:
        return None
    if all(isinstance(one, list) and one and all(_is_message(each) for each in one) for one in given):
        text = "input | map(attribute='content') | join('\\n\\n')"
        because = f"`input` holds messages and {target!r} the answer, as in OpenAI's evals"
    elif "ideal" in table.columns and all(isinstance(one, str) for one in given):
        text, because = "input", f"`input` and {target!r} are those of OpenAI's evals"
    else:
        return None
    guess = Guess("generation", because)
    if table.columns["input"].kinds["list"]:
        guess.derive["conversation"] = text
        guess.comments["derive"] = "What all messages say, those of the system first, in one text."
        guess.fields = {"conversation": "conversation", "target": target}
        guess.prompt["template"] = "{{ conversation }}\nAnswer:"
    else:
        guess.fields = {"question": "input", "target": target}
        guess.prompt["template"] = question({"question": ""}, "answer")
    return _free(guess, [*table.columns[target].values], longest=table.columns[target].longest, table=table, at=target)


def _is_message(value: Any) -> bool:  # noqa: ANN401 - whatever the data holds
    return isinstance(value, dict) and "role" in value and isinstance(value.get("content"), str)


def _inspect(table: Table, wanted: Wanted) -> Guess | None:
    """Inspect's samples without choices: `input` is a text and `target` the answer, or a list of which any is right."""
    given = table.every("input")
    if wanted.target or "target" not in table.columns or not given or not all(isinstance(one, str) for one in given):
        return None
    target = table.columns["target"]
    if table.columns.get("choices") or target.few or target.numeric:
        return None
    guess = Guess("generation", "`input` and `target` are those of Inspect's samples")
    guess.fields = {"question": "input", "target": "target"}
    guess.prompt["template"] = question({"question": ""}, "answer")
    return _free(guess, [*target.values], longest=target.longest, table=table, at="target")


def _free(
    guess: Guess, answers: Sequence[str], *, longest: int = 0, table: Table | None = None, at: str | None = None
) -> Guess:
    """Limits for answers that are written out."""
    longest = longest or max((len(text.split()) for text in answers), default=1)
    lines = table.columns[at].lines if table and at else any("\n" in text.strip() for text in answers)
    guess.sections["generation"] = (
        f"{{max_tokens: {min(512, max(16, 3 * longest + 8))}, stop: {'[]' if lines else ONE_LINE}}}"
    )
    guess.comments["generation"] = f"The longest answer has {longest} words; a word takes one token or more."
    return guess


# --- choices ---------------------------------------------------------------------------------------


def _listed_choices(table: Table, wanted: Wanted) -> Guess | None:
    """A column of lists, and another that says which is right: by number, letter or text."""
    for name in table.columns:
        lists = table.every(name)
        if lists and all(_is_choices(one) for one in lists):
            guess = _chosen(table, wanted, name, lists, {})
            if guess:
                return guess
    return None


def _mapped_choices(table: Table, wanted: Wanted) -> Guess | None:
    """Choices as ARC has them: `choices: {text: [...], label: [A, B, ...]}`, and `answerKey`."""
    for name in table.columns:
        given = table.every(name)
        if not given or not all(isinstance(one, dict) and _is_choices(one.get("text")) for one in given):
            continue
        target = wanted.target or next(iter(named(table, ("answerkey", "answer_key", *ANSWERS))), None)
        if target is None or not all(
            str(key) in map(str, one.get("label", ())) for key, one in zip(table.every(target), given, strict=True)
        ):
            continue
        derive = {
            "options": f"{expression(name)}.text",
            "right": f"{expression(name)}.label.index({expression(target)})",
        }
        because = f"{name!r} holds texts and labels of choices, {target!r} the right label"
        return _of_choices(table, wanted, derive, because)
    return None


def _choices_in_columns(table: Table, wanted: Wanted) -> Guess | None:
    """A column for each choice: A, B, C ...; option1, option2 ..."""
    stems: dict[str, list[str]] = {}
    for name in table.columns:
        if match := _OF_CHOICES.fullmatch(name):
            stems.setdefault(match["stem"].lower(), []).append(name)
    for columns in stems.values():
        lists = [[str(row[name]) for name in columns] for row in table.kept if all(row.get(one) for one in columns)]
        if len(columns) < 2 or len(lists) < len(table.kept):
            continue
        listed = ", ".join(map(expression, columns))
        guess = _chosen(table, wanted, f"[{listed}]", lists, {"options": f"[{listed}]"}, taken=columns)
        if guess:
            return guess
    return None


def _is_choices(value: Any) -> bool:  # noqa: ANN401 - whatever the data holds
    return (
        isinstance(value, list | tuple) and len(value) > 1 and all(isinstance(one, str | int | float) for one in value)
    )


def _chosen(
    table: Table,
    wanted: Wanted,
    name: str,
    lists: Sequence[Sequence[Any]],
    derive: dict[str, str],
    taken: Sequence[str] = (),
) -> Guess | None:
    """The guess where a column says which choice is right."""
    order = [*named(table, (*ANSWERS, "label", "answer_key", "answerkey", "key", "answer_idx", "answer_index", "gold"))]
    rest = [other for other in table.columns if other not in {name, *taken, *order}]
    for target in [wanted.target] if wanted.target else [*order, *rest]:
        if target in taken or target == name:
            continue
        values = table.every(target)
        reading = next((key for key, fits in _READINGS.items() if all(map(fits, values, lists))), None)
        if reading is None:
            continue
        if reading in _RIGHT:
            derive["right"] = _RIGHT[reading].format(expression(target))
        because = f"{name} holds the choices, {target!r} the {reading} of the right one"
        return _of_choices(table, wanted, derive, because, choices=name, target=target)
    return None


def _of_choices(
    table: Table, wanted: Wanted, derive: dict[str, str], because: str, choices: str = "", target: str = ""
) -> Guess:
    guess = Guess("multiple-choice", because, derive=derive)
    used = {choices, target, *(name for text in derive.values() for name in table.columns if expression(name) in text)}
    texts = wanted.texts or text_columns(table, wanted, *used, *named(table, ("answer_text", "explanation", "support")))
    guess.fields = fields_of(texts) | {
        "choices": "options" if "options" in derive else choices,
        "target": "right" if "right" in derive else target,
    }
    shown = {name: column for name, column in guess.fields.items() if name not in {"choices", "target"}}
    guess.prompt["template"] = question(shown, "answer")
    return guess


def _is_text(value: Any, choices: Sequence[Any]) -> bool:  # noqa: ANN401 - whatever the data holds
    return isinstance(value, str) and value in choices


def _is_letter(value: Any, choices: Sequence[Any]) -> bool:  # noqa: ANN401 - whatever the data holds
    return isinstance(value, str) and len(value) == 1 and value.upper() in LETTERS[: len(choices)]


def _is_number(value: Any, choices: Sequence[Any]) -> bool:  # noqa: ANN401 - whatever the data holds
    return not isinstance(value, bool) and str(value).isdecimal() and int(value) < len(choices)


def _is_count(value: Any, choices: Sequence[Any]) -> bool:  # noqa: ANN401 - whatever the data holds
    return not isinstance(value, bool) and str(value).isdecimal() and 1 <= int(value) <= len(choices)


_READINGS: dict[str, Callable[[Any, Sequence[Any]], bool]] = {
    "text": _is_text,
    "letter": _is_letter,
    "number (from 0)": _is_number,
    "number (from 1)": _is_count,
}
_RIGHT = {"letter": f"'{LETTERS}'.index({{}} | upper)", "number (from 1)": "({} | int) - 1"}
"""How the target is made of what the column says, where it can't stand as it is."""


# --- tags of words ---------------------------------------------------------------------------------


def _tagged(table: Table, wanted: Wanted) -> Guess | None:
    """A list of words and a list of as many tags, as files in CoNLL's columns have them."""
    lists = [name for name, column in table.columns.items() if column.all("list") and column.listed]
    target = wanted.target or next((name for name in lists if types_in(table.columns[name].listed)), None)
    if target not in lists or not (types := types_in(table.columns[target].listed)):
        return None
    pairs = {name: zip(table.every(name), table.every(target), strict=True) for name in lists if name != target}
    words = next((name for name, both in pairs.items() if all(len(one) == len(other) for one, other in both)), None)
    if words is None:
        return None
    guess = Guess("tagging", f"{target!r} holds a tag for each word of {words!r}")
    guess.fields = {"tokens": words, "target": target}
    guess.labels = {one: one.replace("-", " ").replace("_", " ").lower() for one in types}
    guess.prompt["instruction"] = (
        f"Find the named entities. Their types are {', '.join(guess.labels.values())}. "
        'Write each as "type: name", with "; " between them, or none.'
    )
    guess.prompt["template"] = "Text: {{ text }}\nEntities:"
    guess.comments["labels"] = "How each type is said to a model, and by it."
    guess.sections["generation"] = f"{{max_tokens: 64, stop: {ONE_LINE}}}"
    guess.comments["generation"] = "Longer lists of entities are cut off here."
    return guess


# --- questions about passages ----------------------------------------------------------------------


def _passages(table: Table, wanted: Wanted) -> Guess | None:
    """A passage, a question about it, and answers: SQuAD's mapping, a list, or a text of the passage."""
    passages, questions = named(table, PASSAGES), named(table, QUESTIONS)
    target = wanted.target or next(iter(named(table, ("answers", "answer", "answer_text", "target"))), None)
    if not passages or not questions or target is None or {passages[0], questions[0]} & {target}:
        return None
    passage, asked, column = passages[0], questions[0], table.columns[target]
    guess = Guess("question-answering", f"{asked!r} asks about {passage!r}, and {target!r} has the answers")
    if column.kinds["mapping"] and all(isinstance(one, dict) and "text" in one for one in table.every(target)):
        guess.derive["right"] = f"{expression(target)}.text"
        if all("answer_start" in one for one in table.every(target)):
            guess.derive["starts"] = f"{expression(target)}.answer_start"
        guess.comments["derive"] = "SQuAD's answers, and the letters where they begin apart from them."
    elif column.kinds["list"] and any(isinstance(one, dict) for listed in table.every(target) for one in listed or ()):
        guess.derive["right"] = f"{expression(target)} | map(attribute='text') | list"
        if all("answer_start" in one for listed in table.every(target) for one in listed or ()):
            guess.derive["starts"] = f"{expression(target)} | map(attribute='answer_start') | list"
        guess.comments["derive"] = "SQuAD's answers, and the letters where they begin apart from them."
    elif not column.kinds["list"] and not (column.all("text") and _stand_in(table, target, passage)):
        return None
    guess.fields = {"passage": passage, "question": asked, "target": "right" if guess.derive else target}
    if "starts" in guess.derive:
        guess.fields["starts"] = "starts"
    elif "answer_starts" in table.columns:
        guess.fields["starts"] = "answer_starts"
    guess.prompt["template"] = question({"passage": "", "question": ""}, "answer")
    if column.empty:
        guess.sections["unanswerable"] = "unanswerable"
        guess.comments["unanswerable"] = f"What is said where nothing answers the question: {column.empty} rows."
    return _free(guess, (), longest=max(column.longest, 1), table=table, at=target)


def _stand_in(table: Table, target: str, passage: str) -> bool:
    """Whether nearly all answers stand in their passages."""
    pairs = [(str(row.get(target)), str(row.get(passage))) for row in table.kept]
    return sum(answer.lower() in text.lower() for answer, text in pairs) >= 0.8 * len(pairs)
