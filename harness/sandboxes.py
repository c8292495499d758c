"""Programs as answers: what runs them, and how those of a sample are judged."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.templates import render_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import Prediction, Sample, TaskSpec

ASK = "its answers are programs, and these are run only where that is asked for: add --run-code"
"""Why a trial does not run programs that a model writes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a program came to its end without an error; why not, and the seconds that it took."""

    passed: bool
    reason: str = ""
    seconds: float = 0.0


class Sandbox(Protocol):
    """Runs Python programs that nobody vouches for, where they can reach neither files nor network."""

    def refuses(self) -> str | None:
        """Why programs can't be run safely here, in words for the table; None where they can."""

    def run(self, program: str, *, timeout_s: float, memory_mb: int) -> Verdict:
        """Run a program to its end, in bounded time and memory. Called by several threads at a time.

        Raises:
            HarnessError: when it can't be run safely; nothing of it has run then.
        """


def judged(
    spec: TaskSpec, samples: Sequence[Sample], predictions: Sequence[Prediction], sandbox: Sandbox
) -> list[Prediction]:
    """Predictions of programs with what became of them: `measured["passed"]` of `measured["programs"]`.

    A prediction counts as right where its first program passes; it has the reason where that does not.

    Raises:
        HarnessError: when programs can't be run safely.
    """
    code = spec.code
    if code is None:
        raise ValueError(f"task {spec.name!r} says nothing of programs")

    def run(program: str) -> Verdict:
        return sandbox.run(program, timeout_s=code.timeout_s, memory_mb=code.memory_mb)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [
            [pool.submit(run, render_program(spec, sample, text)) for text in one.measured.get("texts", ())]
            for sample, one in zip(samples, predictions, strict=True)
        ]
        found = [[future.result() for future in futures] for futures in running]
    return [_told(one, verdicts) for one, verdicts in zip(predictions, found, strict=True)]


def _told(prediction: Prediction, verdicts: Sequence[Verdict]) -> Prediction:
    if not verdicts:
        return prediction
    passed = sum(verdict.passed for verdict in verdicts)
    measured = {
        **prediction.measured,
        "programs": len(verdicts),
        "passed": passed,
        "reasons": [verdict.reason for verdict in verdicts],
    }
    first = verdicts[0]
    return dataclasses.replace(prediction, measured=measured, judged=first.passed, reason=first.reason)
