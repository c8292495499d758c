"""A store as the command line makes it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from harness.cli import group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASK = """
name: reviews
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
  context: topic
labels: {bad: " bad", good: " good"}
prompt: {template: "{{ text }}\\nIt was"}
metrics: [accuracy, macro_f1]
licence: none
citation: none
"""


def write_rows(folder: Path, split: str, n: int, word: str) -> None:
    rows = [
        {
            "text": f"{word} {number} {'awful dull' if number % 3 else 'lovely'}",
            "label": "bad" if number % 3 else "good",
        }
        | {"topic": "films" if number % 2 else "books"}
        for number in range(n)
    ]
    rows[1]["label"] = "good"  # so that nobody is always right
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with `harness.db`: a run of before, of other rows; then one of four trials, and four that can't be."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        (folder / "task.yaml").write_text(TASK)
        grid = ["-m", "majority", "-m", "tfidf-lr", "-t", "task.yaml", "-s", "finetune", "-s", "zero-shot"]
        for word in ("before", "now"):
            write_rows(folder, "train", 30, f"{word} to learn")
            write_rows(folder, "test", 70, word)
            command = ["run", *grid, "--seeds", "0,1", "--scenario", "single-stream,samples=8", "--format", "json"]
            assert group.main([*command, "--store", "harness.db"], standalone_mode=False) == 0
    return folder


@pytest.fixture
def stored(made, monkeypatch) -> Iterator[Path]:
    """The current folder is the one with the store; what a call of the command line tells to log is undone."""
    level = logging.getLogger("harness").level
    monkeypatch.chdir(made)
    monkeypatch.setenv("HARNESS_CACHE", str(made / "cache"))
    yield made
    logging.getLogger("harness").setLevel(level)
