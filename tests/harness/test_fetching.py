"""Fetching: the path that other tools load, with the size and digest of what lies there."""

import hashlib

import pytest

from harness.errors import UnknownNameError, UsageError
from harness.fetching import fetch

TASK = """
name: two-files
kind: classification
data:
  files: {train: data/train.jsonl, test: data/test.jsonl}
  fields: {text: text, target: label}
labels: {a: " a", b: " b"}
prompt: {template: "{{ text }}:"}
"""


@pytest.fixture
def task(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "task.yaml").write_text(TASK)
    for name in ("train", "test"):
        (tmp_path / "data" / f"{name}.jsonl").write_text('{"text": "x", "label": "a"}\n')
    return tmp_path / "task.yaml"


def test_a_task_of_several_files_is_their_folder(catalogue, task):
    fetched = fetch(catalogue, str(task))
    assert fetched.path == task.parent / "data"
    assert fetched.bytes == 2 * len('{"text": "x", "label": "a"}\n')


def test_a_task_of_one_file_has_that_files_digest(catalogue, task):
    task.write_text(TASK.replace(", test: data/test.jsonl", "").replace("train:", "test:"))
    fetched = fetch(catalogue, str(task))
    assert fetched.path.name == "train.jsonl"
    assert fetched.sha256 == hashlib.sha256(fetched.path.read_bytes()).hexdigest()


def test_what_is_made_of_code_has_nothing_to_fetch(catalogue):
    with pytest.raises(UsageError, match="majority has nothing to fetch"):
        fetch(catalogue, "majority")


def test_an_unknown_name_is_told_the_nearest(catalogue):
    with pytest.raises(UnknownNameError, match=r"unknown model or task 'bbc-newz' \(did you mean bbc-news"):
        fetch(catalogue, "bbc-newz")
