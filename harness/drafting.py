"""Data -> the text of a task file for it, with a comment that explains each guess (`harness task new`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_args

from harness.columns import NAMES, look
from harness.dataparts import parts_of
from harness.errors import DataError, UsageError
from harness.guessing import (
    Guess,
    Wanted,
    answer_column,
    check_wanted,
    classification,
    generation,
    label_column,
    language_modelling,
    named,
)
from harness.knownshapes import known_shape
from harness.records import Kind
from harness.wording import expression, quoted, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.assets import Assets
    from harness.columns import Table
    from harness.dataparts import Parts
    from harness.rows import Row

FEW_ROWS = 50
"""Rows below which a cut has no third part."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A task file that nobody has written yet.

    Attributes:
        name: of the task.
        kind: of the task.
        because: why it is of this kind.
        text: of the file.
    """

    name: str
    kind: str
    because: str
    text: str


def draft(data: str, assets: Assets, folder: Path, wanted: Wanted, *, name: str | None = None) -> Draft:
    """Look at data and write a task file for it.

    Args:
        data: an address, see `harness.assets.Assets`; a path starts from the current folder.
        assets: brings it.
        folder: where the file is to lie.
        wanted: what is known already.
        name: of the task; made of the data's unless told.

    Raises:
        UsageError: when a column that was named is not there, or nothing fits.
        DataError: when the data can't be read.
        AssetError: when it can't be had.
    """
    parts = parts_of(data, assets, folder)
    table = look((split, _values(row, parts)) for split, row in parts.rows())
    if not table.rows:
        raise DataError("holds no rows", where=data)
    check_wanted(table, wanted)
    guess = _guess(table, wanted)
    _leave_out_missing(table, guess)
    task = name or _name(data)
    return Draft(task, guess.kind, guess.because, "\n".join(_lines(task, data, parts, table, guess)) + "\n")


def _values(row: Row, parts: Parts) -> Mapping[str, Any]:
    """The columns of the data itself; of texts also the folder that each lies in."""
    if parts.of_texts:
        return {"text": row.values["text"], "folder": row.values["folder"]}
    made = {"file": PurePosixPath(row.name).name, "folder": None}
    return {name: value for name, value in row.values.items() if name not in made or _is_own(row, name)}


def _is_own(row: Row, name: str) -> bool:
    """Whether a column called `file` or `folder` is the data's own, not what `harness.rows` tells of the file."""
    return list(row.values).index(name) > 1 or (name == "file" and row.values[name] != PurePosixPath(row.name).name)


def _guess(table: Table, wanted: Wanted) -> Guess:
    kinds = get_args(Kind)
    if wanted.kind not in {None, *kinds}:
        raise UsageError(f"{wanted.kind!r} is no kind of task", hint=f"there are {', '.join(kinds)}")
    found = known_shape(table, wanted)
    if found:
        return found
    label, answer = label_column(table, wanted), answer_column(table, wanted)
    if wanted.kind in {"classification", None} and label and (wanted.kind or not _is_free(table, answer)):
        return classification(table, wanted, label)
    if wanted.kind in {"generation", "maths", None} and answer:
        return generation(table, wanted, answer)
    texts = [name for name, column in table.columns.items() if column.all("text") and name not in named(table, NAMES)]
    if wanted.kind in {"language-modelling", None} and texts and wanted.target is None:
        return language_modelling(table, wanted)
    what = f"a {wanted.kind} task" if wanted.kind else "any kind of task that is known"
    columns = ", ".join(table.columns)
    raise UsageError(f"the columns ({columns}) don't make {what}", hint="name --kind, --target and --text")


def _is_free(table: Table, answer: str | None) -> bool:
    """Whether there is an answer that is no label: then a column of few values may be anything."""
    return answer is not None and not table.columns[answer].few


def _leave_out_missing(table: Table, guess: Guess) -> None:
    """Rows without a target are left out, and the file says so."""
    target = guess.fields.get("target")
    column = table.columns.get(target or "")
    if target and column and column.missing and column.filled:
        guess.where = f"{expression(target)} not in [none, '']"
        guess.comments["where"] = f"{column.missing} of {column.rows} rows have no {target!r}."


def _name(data: str) -> str:
    """A name of the data's: of the file, or of its folder where the file is called after a split."""
    path = PurePosixPath(re.sub(r"[?*].*", "", data.partition("://")[2] or str(Path(data).absolute())).rstrip("/"))
    parts = [part.partition(".")[0] for part in path.parts[::-1] if part != "/"]
    words = [part for part in parts if not re.fullmatch(r"(?i)train|test|dev|valid(ation)?|data|samples|\d*", part)]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", (words or parts or ["task"])[0]).strip("-_").lower()
    return name or "task"


# --- the file --------------------------------------------------------------------------------------


def _lines(name: str, data: str, parts: Parts, table: Table, guess: Guess) -> Iterator[str]:
    yield f"# A first draft, guessed from {table.rows} rows of {_line(data)}: read it, then try it out:"
    yield f"#   harness check {name}.yaml    harness show -t {name}.yaml"
    yield f"name: {written(name)}"
    yield f"# {_line(guess.because)}."
    yield f"kind: {guess.kind}"
    yield "data:"
    yield from (f"  {line}" for line in _data(parts, table, guess))
    if guess.labels:
        yield f"# {_line(guess.comments['labels'])}"
        yield "labels:"
        yield from (f"  {written(label)}: {quoted(text)}" for label, text in guess.labels.items())
    yield "prompt:"
    yield "  # Shown of each row; the answer follows directly. An instruction may stand before it: instruction: ..."
    for key, text in guess.prompt.items():
        yield f"  {key}: {quoted(text)}"
    for key, text in guess.sections.items():
        if key in guess.comments:
            yield f"# {_line(guess.comments[key])}"
        yield f"{key}: {text}"
    if guess.metrics:
        here = "" if find_spec("rouge_score") and find_spec("sacrebleu") else "# "
        yield "# These need adapt-harness[metrics]; without them the answer has to be the reference word for word."
        yield f"{here}metrics: [{', '.join(guess.metrics)}]"
    yield "# Where the data comes from, and what may be done with it:"
    yield '# licence: ""'
    yield '# citation: ""'


def _data(parts: Parts, table: Table, guess: Guess) -> Iterator[str]:
    if isinstance(parts.files, str):
        yield f"files: {_address(parts.files)}"
    else:
        yield "files:"
        yield from (f"  {split}: {_address(address)}" for split, address in parts.files.items())
    if parts.format:
        yield f"format: {parts.format}"
    if isinstance(parts.files, str):
        yield "# Shares of the rows, which all lie together; those with the same input stay on one side."
        yield f"splits: {{{_shares(table, guess)}}}"
    elif "test" not in parts.files:
        yield "# Scored is the split called test: rename one, or say --split validation."
    if guess.derive:
        yield f"# {_line(guess.comments.get('derive', 'New columns, made of those that are there.'))}"
        yield "derive:"
        yield from (f"  {column}: {quoted(text)}" for column, text in guess.derive.items())
    if guess.where:
        yield f"# {_line(guess.comments['where'])}"
        yield f"where: {quoted(guess.where)}"
    yield "# Name in templates: column."
    yield "fields:"
    yield from (f"  {field}: {written(column)}" for field, column in _fields(table, guess))
    unused = [name for name in table.columns if name not in _used(table, guess)]
    if unused:
        yield f"# Not used: {_line(', '.join(unused))}."
    for column, count in guess.context.items():
        yield f"# If {column!r} ({count} values) says where a row comes from, it can be its context:"
        yield f"# context: {written(column)}"


def _shares(table: Table, guess: Guess) -> str:
    if table.rows == 1 or guess.kind == "language-modelling":  # nothing is adapted to its rows
        return "test: 1"
    return "train: 0.5, test: 0.5" if table.rows < FEW_ROWS else "train: 0.7, validation: 0.1, test: 0.2"


def _fields(table: Table, guess: Guess) -> Iterator[tuple[str, str]]:
    """The fields, and the names of rows where the data has any."""
    yield from (("id", name) for name in table.names[:1] if name not in guess.fields.values())
    yield from guess.fields.items()


def _used(table: Table, guess: Guess) -> set[str]:
    derived = " ".join(guess.derive.values())
    named_in = {name for name in table.columns if re.search(rf"(?<!\w){re.escape(expression(name))}(?!\w)", derived)}
    return {*guess.fields.values(), *named_in, *guess.context, *(column for field, column in _fields(table, guess))}


def _address(address: str) -> str:
    return quoted(address) if "*" in address else written(address)


def _line(text: str) -> str:
    """A text that can stand in a comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
