"""The installed command line, run as other programs run it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

FAULTY_PARTS = Path(__file__).parents[1] / "faulty_parts.py"


@dataclass
class Done:
    """A finished call."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class Cli:
    """Calls `harness` in a folder of its own, with the toy and faulty parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = [str(Path(sys.executable).with_name("harness")), "--plugin", str(FAULTY_PARTS)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
        kept.pop("COLUMNS", None)  # the runner's: tests that run side by side are given one
        self.environment = kept | {"FAKE_LOG": str(folder / "asked.log")}

    def __call__(self, *arguments, **environment) -> Done:
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments, **environment) -> subprocess.Popen:
        return subprocess.Popen(
            [*self.command, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Behind `&` in a script SIGINT is ignored, and children inherit that; here it is what is tested.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        )

    def asked(self) -> list[str]:
        log = self.folder / "asked.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def cli(tmp_path) -> Cli:
    """The command line in an empty folder."""
    return Cli(tmp_path)
