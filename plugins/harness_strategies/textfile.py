"""Files of texts: JSONL with a `text` each, or texts with blank lines between them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from harness.errors import DataError


def digest_of(path: str, what: str) -> str:
    """SHA-256 of a file of texts; `what` they are called in errors.

    Raises:
        DataError: when it can't be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"can't read the {what}: {error.strerror or error}", where=path) from error


def read_texts(path: str, what: str) -> list[str]:
    """The texts of a file that are not empty; `what` they are called in errors.

    Raises:
        DataError: when it can't be read, or holds none, naming file and line.
    """
    file = Path(path)
    try:
        written = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"can't read the {what}: {error}", where=path) from error
    pieces = _jsonl(path, written) if file.suffix.lower() == ".jsonl" else re.split(r"\n\s*\n", written)
    texts = [piece.strip() for piece in pieces if piece.strip()]
    if not texts:
        raise DataError(f"the file has no {what}", where=path)
    return texts


def _jsonl(path: str, written: str) -> list[str]:
    texts: list[str] = []
    for number, line in enumerate(written.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"is no JSON: {error}", where=f"{path}:{number}") from error
        text = row.get("text") if isinstance(row, dict) else None
        if not isinstance(text, str):
            raise DataError("has no `text`", where=f"{path}:{number}", hint='write {"text": "..."}')
        texts.append(text)
    return texts
