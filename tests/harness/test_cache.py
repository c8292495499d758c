import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from harness.cache import Cache
from harness.errors import AssetError


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def fill(folder):
    (folder / "content").write_text("whole")


def kinds(cache):
    return {path.name for path in cache.root.iterdir()} - {"locks"}


def test_a_folder_is_made_once(cache):
    assert cache.has("models", "abc") is None

    folder = cache.made("models", "abc", fill)

    assert (folder / "content").read_text() == "whole"
    assert cache.made("models", "abc", lambda _: pytest.fail("made again")) == folder == cache.has("models", "abc")


@pytest.mark.parametrize(
    ("kind", "digest"), [("..", "x"), ("a/b", "x"), ("models", ""), ("models", "../x"), ("models", ".x")]
)
def test_names_that_are_no_plain_names_are_refused(cache, kind, digest):
    with pytest.raises(ValueError, match="can't name a folder"):
        cache.made(kind, digest, fill)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_make_that_raises_leaves_nothing(cache, error):
    def half(folder):
        fill(folder)
        raise error

    with pytest.raises(error):
        cache.made("models", "abc", half)

    assert list((cache.root / "models").iterdir()) == []
    assert cache.made("models", "abc", fill).is_dir()


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.cache import Cache
def half(folder):
    (folder / "content").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
Cache(Path(sys.argv[1])).made("models", sys.argv[2], half)
"""


def test_a_killed_make_leaves_nothing_half_done_and_is_swept(cache):
    for digest in ("abc", "other"):
        dead = subprocess.run([sys.executable, "-c", KILLED, cache.root, digest], check=False)
        assert dead.returncode == -signal.SIGKILL
    assert cache.has("models", "abc") is None
    assert len(list((cache.root / "models").iterdir())) == 1  # the second swept what the first left

    folder = cache.made("models", "abc", fill)

    assert (folder / "content").read_text() == "whole"
    assert list((cache.root / "models").iterdir()) == [folder]


def test_what_a_living_process_is_making_is_not_swept(cache):
    def outer(folder):
        cache.made("models", "inner", fill)
        fill(folder)

    assert (cache.made("models", "outer", outer) / "content").read_text() == "whole"


MAKER = """
import os, sys, time
from pathlib import Path
from harness.cache import Cache
root = Path(sys.argv[1])
def make(folder):
    with open(root / "log", "a") as log:
        log.write(f"{os.getpid()}\\n")
    time.sleep(0.3)
    (folder / "content").write_text("whole")
print("ready", flush=True)
sys.stdin.readline()
folder = Cache(root).made("models", "abc", make)
assert (folder / "content").read_text() == "whole"
"""


def test_processes_make_one_thing_once(cache):
    cache.root.mkdir()
    command = [sys.executable, "-c", MAKER, cache.root]
    makers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for maker in makers:
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        maker.stdin.write("go\n")
        maker.stdin.close()

    assert [maker.wait() for maker in makers] == [0] * 4
    assert len((cache.root / "log").read_text().splitlines()) == 1
    for maker in makers:
        maker.stdout.close()


def test_threads_make_one_thing_once(cache):
    made = []
    threads = [threading.Thread(target=cache.made, args=("models", "abc", made.append)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1


def test_what_is_no_longer_sound_is_made_again(cache, caplog):
    def whole(folder):
        return (folder / "content").read_text() == "whole"

    folder = cache.made("models", "abc", fill, sound=whole)
    for damage in (lambda path: path.write_text("cut"), lambda path: path.unlink()):
        damage(folder / "content")
        assert cache.made("models", "abc", fill, sound=whole) == folder
        assert (folder / "content").read_text() == "whole"
    assert caplog.text.count("is damaged and is made again") == 2
    assert list((cache.root / "models").iterdir()) == [folder]


def test_a_full_disk_is_said_in_words(cache):
    def make_on_a_disk_that_pretends_to_be_full(folder):
        fill(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(AssetError, match=r"disk is full.*HARNESS_CACHE"):
        cache.made("models", "abc", make_on_a_disk_that_pretends_to_be_full)
    assert list((cache.root / "models").iterdir()) == []


def test_a_cache_that_can_not_be_written_is_said_in_words(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(AssetError, match="can't make models in the cache"):
        Cache(tmp_path / "file" / "cache").made("models", "abc", fill)
