"""Vectors on disk: shared, bounded, and never worth an error."""

import logging
import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.vectorcache import FILE, Kept, VectorCache


def kept(number, size=8):
    return Kept(np.full(size, number, np.float32), number, 0, 0.5)


def key(number):
    return number.to_bytes(32, "big")


def test_what_is_put_is_got_and_nothing_else(tmp_path):
    cache = VectorCache(tmp_path)
    assert cache.get([key(1)]) == {}
    assert not list(tmp_path.iterdir())
    cache.put({key(1): kept(1), key(2): Kept(np.array([0.1, -3e38], np.float32), 7, 3, 0.25)})
    found = VectorCache(tmp_path).get([key(2), key(3), key(1)])
    assert set(found) == {key(1), key(2)}
    np.testing.assert_array_equal(found[key(2)].vector, np.array([0.1, -3e38], np.float32))
    assert (found[key(2)].prompt_tokens, found[key(2)].cut_tokens, found[key(2)].seconds) == (7, 3, 0.25)


@given(vector=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5))
def test_every_bit_is_kept(vector, tmp_path_factory):
    cache = VectorCache(tmp_path_factory.mktemp("vectors"))
    cache.put({key(0): Kept(np.array(vector, np.float32), 1, 0, 0.0)})
    assert cache.get([key(0)])[key(0)].vector.tobytes() == np.array(vector, np.float32).tobytes()


def test_many_keys_are_asked_at_once(tmp_path):
    cache = VectorCache(tmp_path)
    cache.put({key(n): kept(n) for n in range(1700)})
    assert {one.prompt_tokens for one in cache.get([key(n) for n in range(1700)]).values()} == set(range(1700))


def test_the_oldest_go_when_there_is_no_more_room(tmp_path):
    cache = VectorCache(tmp_path, budget=200_000)
    for begin in range(0, 400, 20):
        cache.put({key(n): kept(n, size=384) for n in range(begin, begin + 20)})
    left = sorted(one.prompt_tokens for one in cache.get([key(n) for n in range(400)]).values())
    assert left == list(range(left[0], 400))
    assert 50 <= len(left) <= 130  # 1.5 kB each
    assert (tmp_path / FILE).stat().st_size < 300_000


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_said_and_begun_anew(content, tmp_path, caplog):
    (tmp_path / FILE).write_bytes(content)
    cache = VectorCache(tmp_path)
    assert cache.get([key(1)]) == {}
    assert "is damaged and is begun anew" in caplog.text
    cache.put({key(1): kept(1)})
    assert set(cache.get([key(1)])) == {key(1)}


def test_damage_in_the_middle_of_the_file_is_said_too(tmp_path, caplog):
    cache = VectorCache(tmp_path)
    cache.put({key(n): kept(n, size=384) for n in range(100)})
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    whole = bytearray((tmp_path / FILE).read_bytes())
    whole[4096 : len(whole) - 4096] = os.urandom(len(whole) - 8192)
    (tmp_path / FILE).write_bytes(whole)
    assert cache.get([key(n) for n in range(100)]) == {}
    assert "is damaged and is begun anew" in caplog.text


def test_where_nothing_can_be_written_that_is_said_once(tmp_path, caplog):
    (tmp_path / "taken").write_text("a file where the folder should be")
    for _ in range(3):
        cache = VectorCache(tmp_path / "taken" / "embeddings")
        cache.put({key(1): kept(1)})
        assert cache.get([key(1)]) == {}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "embeddings are not kept" in caplog.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_not_written_to(tmp_path, caplog):
    tmp_path.chmod(0o500)
    VectorCache(tmp_path).put({key(1): kept(1)})
    tmp_path.chmod(0o700)
    assert "embeddings are not kept" in caplog.text


def test_two_processes_keep_all_that_either_found(tmp_path):
    script = (
        "import sys, numpy as np; from pathlib import Path; from harness.vectorcache import Kept, VectorCache\n"
        "cache = VectorCache(Path(sys.argv[1]))\n"
        "for n in range(int(sys.argv[2]), int(sys.argv[2]) + 150):\n"
        "    cache.put({n.to_bytes(32, 'big'): Kept(np.full(8, n, np.float32), n, 0, 0.0)})\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), begin]) for begin in ("0", "100")]
    assert [process.wait() for process in both] == [0, 0]
    found = VectorCache(tmp_path).get([key(n) for n in range(250)])
    assert sorted(one.prompt_tokens for one in found.values()) == list(range(250))
