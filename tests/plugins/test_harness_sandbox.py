"""The sandbox for real: what programs may do, and what stops those that do more."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import comb

import harness_tasks
from harness.assets import Assets
from harness.cli import call
from harness.plugins import Plugins
from harness.records import Prediction, PromptSpec, TaskSpec
from harness.sandboxes import judged
from harness.statistics import wilson
from harness.taskfile import load_task
from harness_metrics.passing import PassAt, PassAt10, pass_chance
from harness_sandbox.linux import LinuxSandbox

SANDBOX = LinuxSandbox()
REFUSAL = SANDBOX.refuses()
closed = pytest.mark.skipif(REFUSAL is not None, reason=f"no sandbox here: {REFUSAL}")


def verdict(program, timeout_s=5.0, memory_mb=256):
    return SANDBOX.run(program, timeout_s=timeout_s, memory_mb=memory_mb)


@closed
@pytest.mark.parametrize(
    "program",
    [
        "print('fine')",
        "import re, math, json, collections, itertools, functools, heapq, datetime, random, hashlib, typing",
        "open('note', 'w').write('x'); assert open('note').read() == 'x'",
        "import threading; thread = threading.Thread(target=print); thread.start(); thread.join()",
        "import os; assert os.getuid() != 0 and not os.environ",
        "assert __name__ == '__main__'",
    ],
)
def test_what_programs_need_they_have(program):
    assert verdict(program).passed, verdict(program).reason


@closed
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("while True: pass", "longer than 1 s"),
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "longer than 1 s"),
        ("while True: print('x' * 100_000)", "longer than 1 s"),
        ("held = bytearray(8 << 30)", "MemoryError"),
        ("open('big', 'wb').write(b'x' * (64 << 20))", "File too large"),
        ("import os; os.kill(-1, 9)", "No such process"),
        ("import subprocess; subprocess.run(['/bin/sh', '-c', 'true'], check=True)", "Permission denied"),
        ("import os; os.listdir('/proc')", "Permission denied"),
        ("open('/etc/passwd').read()", "Permission denied"),
        ("import sys; sys.exit(0)", "ended itself"),
        ("import os; os._exit(0)", "ended itself"),
        ("assert 1 + 1 == 3, 'sums'", "AssertionError: sums"),
        ("def (", "SyntaxError"),
    ],
)
def test_what_programs_may_not_do_is_stopped_with_the_reason(program, reason):
    found = verdict(program, timeout_s=1.0)
    assert not found.passed
    assert reason in found.reason


@closed
def test_files_outside_can_be_neither_written_nor_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.owner() == Path.home().owner() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o005)
    secret.chmod(0o666)
    assert "Permission denied" in verdict(f"open({str(secret)!r}).read()").reason
    assert "Permission denied" in verdict(f"open({str(secret)!r}, 'a').write('y')").reason
    assert "Permission denied" in verdict(f"open({str(tmp_path / 'new')!r}, 'w')").reason
    assert secret.read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


@closed
def test_no_server_of_this_machine_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        port = server.getsockname()[1]
        found = verdict(f"import socket; socket.create_connection(('127.0.0.1', {port}))")
        assert not found.passed
        with pytest.raises(TimeoutError):
            server.accept()
    assert (
        "unreachable"
        in verdict(
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))"
        ).reason
    )


@closed
def test_nothing_is_left_of_a_program_that_is_stopped():
    program = "import os\nos.fork()\nos.setsid()\nwhile True: pass"
    assert not verdict(program, timeout_s=0.5).passed
    assert not [line for line in command_lines() if b"harness_sandbox/cell.py" in line and STARTED in line]


STARTED = str(os.getpid()).encode()


def command_lines():
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                yield (entry / "cmdline").read_bytes() + (entry / "status").read_bytes()
            except OSError:
                continue


# --- pass@k ----------------------------------------------------------------------------------------------

SPEC = TaskSpec("t", "code", PromptSpec(""))


def predictions(counts):
    return [
        Prediction(str(at), "", "x", measured={"programs": n, "passed": c}, judged=c > 0)
        for at, (n, c) in enumerate(counts)
    ]


@given(st.integers(1, 40), st.data())
def test_pass_at_k_is_the_unbiased_estimate(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert pass_chance(n, c, k) == pytest.approx(1 - comb(n - c, k, exact=True) / comb(n, k, exact=True), abs=1e-12)


def test_one_program_a_problem_is_a_share_with_wilsons_interval():
    assert PassAt().compute(predictions([(1, 1), (1, 0), (1, 1), (1, 1)]), SPEC) == wilson(3, 4)


def test_of_several_programs_the_mean_over_problems_is_given_and_too_few_have_none():
    counts = [(20, 3), (20, 0), (20, 20), (20, 11)]
    found = PassAt10().compute(predictions(counts), SPEC)
    assert found is not None
    assert found.value == pytest.approx(np.mean([1 - comb(20 - c, 10) / comb(20, 10) for _, c in counts]))
    assert found.low < found.value < found.high
    assert PassAt10().compute(predictions([(5, 1)]), SPEC) is None
    better = predictions([(20, 8), (20, 4), (20, 20), (20, 19)])
    paired = PassAt().compare(predictions(counts), better, SPEC)
    assert paired is not None
    assert paired.difference.value == pytest.approx(-17 / 80)


# --- tasks whose answers are programs ----------------------------------------------------------------------


@closed
def test_all_reference_solutions_of_humaneval_pass_and_empty_ones_fail():
    assets = Assets(Plugins().registry("source"))
    task = load_task(Path(harness_tasks.__file__).parent / "humaneval/task.yaml", assets)
    samples = list(task.samples("test"))
    assert len(samples) == 164

    def said(texts):
        return [
            Prediction(sample.id, sample.target, text, measured={"texts": [text]})
            for sample, text in zip(samples, texts, strict=True)
        ]

    right = judged(task.spec, samples, said([sample.target for sample in samples]), SANDBOX)
    assert [one.sample_id for one in right if not one.correct] == []
    wrong = judged(task.spec, samples[:8], said(["    pass\n"] * 164)[:8], SANDBOX)
    assert not any(one.correct for one in wrong)
    assert all("Error" in one.reason for one in wrong)


TASK = """
name: sums
kind: code
data: {files: {test: rows.jsonl}, fields: {question: head, target: solution, tests: tests}}
prompt: {template: "{{ question }}"}
generation: {n: 2, temperature: 1.0}
code: {program: "{{ question }}{{ answer }}\\n{{ tests }}", timeout_s: 5}
metrics: [pass_at_1]
"""

WRITER = """
from harness import Generated, hookimpl
from harness.requests import Written
from harness.testing import ToyModel


@hookimpl
def register_models(register):
    register("fake-writer", "fake_writer:FakeWriter")


class FakeWriter(ToyModel):
    # Writes one right program and one wrong one.
    answers = frozenset({"Generate"})

    def load(self, device):
        return self

    provenance = {}

    def run(self, requests):
        return [Generated("    return a + b", "stop", more=(Written("    return a - b", "stop"),)) for _ in requests]
"""


@closed
def test_programs_are_run_only_where_that_is_asked_for(tmp_path, capsys):
    rows = [
        {"head": "def add(a, b):\n", "solution": "    return a + b", "tests": f"assert add({n}, 1) == {n} + 1"}
        for n in range(4)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "sums.yaml").write_text(TASK)
    (tmp_path / "fake_writer.py").write_text(WRITER)
    grid = ["-m", "fake-writer", "-t", str(tmp_path / "sums.yaml"), "--store", str(tmp_path / "s.db"), "--no-latency"]
    run = ["--plugin", str(tmp_path / "fake_writer.py"), "run", *grid, "--format", "json"]
    assert call(run) == 0
    (refused,) = json.loads(capsys.readouterr().out)["trials"]
    assert (refused["status"], "--run-code" in refused["reason"]) == ("not-applicable", True)
    assert call([*run, "--run-code"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["trials"]
    assert found["status"] == "finished"
    assert found["metrics"]["pass_at_1"]["value"] == 0.5


def test_a_task_of_programs_says_what_is_run(tmp_path, capsys):
    (tmp_path / "rows.jsonl").write_text('{"head": "x", "solution": "", "tests": ""}\n')
    for text, said in (
        (TASK.replace("code: {", "# {"), "says what program"),
        (TASK.replace("{{ answer }}", "{{ anser }}"), "anser"),
    ):
        (tmp_path / "sums.yaml").write_text(text)
        assert call(["check", str(tmp_path / "sums.yaml")]) == 2
        assert said in capsys.readouterr().out
