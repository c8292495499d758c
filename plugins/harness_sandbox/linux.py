"""The sandbox from outside: starts `cell.py`, waits as long as a program may take, and kills what is left of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any

from harness.errors import HarnessError
from harness.sandboxes import Verdict

CELL = Path(__file__).with_name("cell.py")
STARTING_S = 20.0
"""How long the walls may take to stand, on a busy machine."""
LARGEST_REPORT = 65_536
"""Bytes: a program that finds the descriptor can write to it."""


class LinuxSandbox:
    """Programs without network or files, in processes that end with them.

    What a program can still do is to use up to `memory_mb` for each of up to eight processes, until its time is over.
    It shares the machine's kernel: against attacks on that a virtual machine is the wall.
    """

    def refuses(self) -> str | None:
        """Why programs can't be run safely here; None where they can."""
        return self._refusal

    @cached_property
    def _refusal(self) -> str | None:
        if not sys.platform.startswith("linux"):
            return "the sandbox needs Linux: its namespaces and Landlock"
        try:
            verdict = self.run("import re, math, collections, typing", timeout_s=10.0, memory_mb=512)
        except HarnessError as error:
            return str(error)
        return None if verdict.passed else f"a program that only imports fails in it: {verdict.reason}"

    def run(self, program: str, *, timeout_s: float, memory_mb: int) -> Verdict:
        """Run a program to its end.

        Raises:
            HarnessError: when a wall can't be put up; nothing of the program has run then.
        """
        reading, writing = os.pipe()
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            Path(folder).chmod(0o755)  # root's program runs as another user
            for name in ("work", "library"):
                Path(folder, name).mkdir(mode=0o755)
            command = [sys.executable, "-I", "-S", str(CELL), str(writing), folder, str(timeout_s), str(memory_mb)]
            process = subprocess.Popen(  # noqa: S603 - our own script; the program is its input
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                pass_fds=(writing,),
                start_new_session=True,
            )
            os.close(writing)
            inner: list[int] = []
            try:
                _give(process, program)
                return _verdict(reading, timeout_s, inner)
            finally:
                os.close(reading)
                _end(process, inner)


def _give(process: subprocess.Popen[bytes], program: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has ended already: what it reports says why
        if process.stdin is not None:
            with process.stdin as stdin:
                stdin.write(program.encode("utf-8", "replace"))


def _verdict(reading: int, timeout_s: float, inner: list[int]) -> Verdict:
    """What the cell reports; `inner` gets the first process inside as soon as that is known."""
    started, deadline, found = monotonic(), monotonic() + STARTING_S, b""
    while len(found) <= LARGEST_REPORT:
        ready, _, _ = select.select([reading], [], [], max(deadline - monotonic(), 0.0))
        if not ready:
            if inner:
                return Verdict(False, f"it took longer than {timeout_s:g} s")
            raise HarnessError("the sandbox did not start", hint=f"it had {STARTING_S:g} s: is the machine overloaded?")
        more = os.read(reading, 4096)
        found += more
        for report in map(_read, found.splitlines(keepends=True)):
            if "pid" in report and not inner:
                inner.append(int(report["pid"]))
                started, deadline = monotonic(), monotonic() + timeout_s
            elif "broken" in report:
                raise HarnessError(f"the sandbox can't be closed: {report['broken']}")
            elif "passed" in report or "error" in report:
                return Verdict("passed" in report, str(report.get("error", "")), monotonic() - started)
        if not more:
            return Verdict(False, "it was killed, or ended itself, before its tests were over")
    return Verdict(False, "it wrote where only the sandbox reports")


def _read(line: bytes) -> dict[str, Any]:
    """A whole line of the report; what is none is left out."""
    if not line.endswith(b"\n"):
        return {}
    try:
        report = json.loads(line)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _end(process: subprocess.Popen[bytes], inner: list[int]) -> None:
    """Kill all of it: the first process inside takes all others of its namespace along."""
    for pid in (*inner, -process.pid):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    process.wait()
