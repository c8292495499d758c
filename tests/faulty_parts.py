"""A plugin file for tests: a toy task, and models that fail, are slow, or count what they are asked. All are fakes."""

import os
import signal
import time
from pathlib import Path

from harness import LogLikelihoods, ModelError, PromptSpec, Sample, TaskSpec, Usage, hookimpl
from harness.testing import ToyModel, ToyTask


@hookimpl
def register_models(register):
    register("toy", "harness.testing:ToyModel", summary="answers from letters")
    register("fake-counting", "faulty_parts:CountingModel", summary="writes each prompt to the file FAKE_LOG")
    register("fake-dying", "faulty_parts:DyingModel", summary="kills its process at the FAKE_DEATH-th call")
    register("fake-choking", "faulty_parts:ChokingModel", summary="raises on some samples")
    register("fake-unloadable", "faulty_parts:UnloadableModel", summary="can't be loaded")
    register("fake-nan", "faulty_parts:NanModel", summary="answers NaN to some samples")


@hookimpl
def register_tasks(register):
    register("toy", "harness.testing:ToyTask", summary="twelve texts")
    register("long-toy", "faulty_parts:LongTask", summary="several hundred texts")


class LongTask(ToyTask):
    """A few hundred rows: several chunks."""

    spec = TaskSpec("long-toy", "classification", PromptSpec("{{ text }}:", input="{{ text }}"), {"a": " a", "b": " b"})

    def samples(self, split):
        rows = range({"test": 300, "train": 20, "validation": 10}[split])
        return [Sample(f"{split}-{n}", {"text": f"{split} text {n} {'ab'[n % 2] * 3}"}, "ab"[n % 2]) for n in rows]


class CountingModel(ToyModel):
    """Writes a line a request."""

    def run(self, requests):
        with Path(os.environ["FAKE_LOG"]).open("a") as log:
            log.writelines(f"{request.prompt.query!r}\n" for request in requests)
        time.sleep(float(os.environ.get("FAKE_SLEEP", "0")))
        return super().run(requests)


class DyingModel(CountingModel):
    """Dies the way an out-of-memory kill does."""

    calls = 0

    def fingerprint(self):
        return "fake-counting"

    def run(self, requests):
        type(self).calls += 1
        if self.calls == int(os.environ.get("FAKE_DEATH", "0")):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(requests)


class ChokingModel(ToyModel):
    """Raises for prompts about number 7."""

    def run(self, requests):
        if any(" 7:" in request.prompt.query for request in requests):
            raise RuntimeError("choked on 7")
        return super().run(requests)


class UnloadableModel(ToyModel):
    """Its weights are gone."""

    def load(self, device):
        raise ModelError(f"the weights are gone on {device}")


class NanModel(ToyModel):
    """NaN for prompts about number 7."""

    def run(self, requests):
        nan = LogLikelihoods((float("nan"),) * 2, Usage(1, 1))
        answers = super().run(requests)
        return [
            nan if " 7:" in request.prompt.query else answer for request, answer in zip(requests, answers, strict=True)
        ]
