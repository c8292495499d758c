"""Real models on real data through the installed command line: accuracy, resumption, warm reruns."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.model

TUNED = ("run", "-m", "minilm-l6", "-t", "bbc-news", "-s", "finetune,train_size=400,max_tokens=128,learning_rate=1e-4")
SCORED = ("run", "-m", "smollm2-135m", "-t", "sms-spam", "-s", "zero-shot", "--limit", "100", "--no-latency")


def stored(path) -> int:
    """How many predictions a store holds; 0 while it is being made."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute("select count(*) from predictions").fetchone()[0]
    except sqlite3.Error:
        return 0


def trial(done) -> dict:
    assert done.status == 0, done.err
    (found,) = done.json["trials"]
    return found


def modules_of(cli, *arguments) -> tuple[int, str, list[str]]:
    """Status and output of a call, and the modules that it loaded."""
    script = (
        "import json, sys; from harness.cli import call; status = call(sys.argv[1:]);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cli.folder,
        env=cli.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, json.loads(done.stderr.splitlines()[-1])


def test_fine_tuning_an_encoder_reaches_its_mark_and_a_rerun_loads_nothing(cli):
    """Row 1 of docs/systems.md: a small encoder with a linear head, trained with the Hugging Face Trainer."""
    first = trial(cli(*TUNED, "--no-latency", "--format", "json"))
    assert first["metrics"]["macro_f1"]["value"] >= 0.95
    assert first["train_s"] > 0
    status, out, modules = modules_of(cli, *TUNED, "--no-latency", "--format", "json")
    assert status == 0
    (again,) = json.loads(out)["trials"]
    assert again["cached"]
    assert again["metrics"] == first["metrics"]
    assert not {"torch", "transformers", "sklearn"} & set(modules)


def test_killed_with_9_while_scoring_ends_in_the_same_numbers(cli):
    killed = cli.start(*SCORED, "--store", "killed.db")
    deadline = time.monotonic() + 200
    while stored(cli.folder / "killed.db") < 64 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = stored(cli.folder / "killed.db")
    assert 64 <= before < 100
    resumed = trial(cli(*SCORED, "--store", "killed.db", "--format", "json"))
    undisturbed = trial(cli(*SCORED, "--store", "other.db", "--format", "json"))
    assert resumed["metrics"] == undisturbed["metrics"]
    for store in ("killed", "other"):
        assert cli("export", "--store", f"{store}.db", "-o", f"{store}.jsonl").status == 0
    assert (cli.folder / "killed.jsonl").read_bytes() == (cli.folder / "other.jsonl").read_bytes()
