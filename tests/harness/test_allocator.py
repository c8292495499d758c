"""Keeping freed memory: asked for by programs, with a way out, and recorded."""

import subprocess
import sys

import pytest

SCRIPT = "from harness.allocator import keep_memory, allocator; print(allocator()); keep_memory(); print(allocator())"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
@pytest.mark.parametrize(("variable", "after"), [("", "glibc, keeps freed memory"), ("default", "default")])
def test_it_is_changed_only_when_asked_and_not_against_the_users_will(variable, after):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={"HARNESS_ALLOCATOR": variable}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["default", after]
