"""Does every JSON task of BIG-bench run? Each is loaded, asked and scored on a few rows, at 0 and 2 demonstrations.

    python benchmarks/big_bench_tasks.py [--rows 8] [--match 'list_functions/*']

The model is `InstantFake`: it answers at once and without reading, so nothing is said of how well models do. The
package `bigbench` (358 MB) is fetched into the harness's cache. Writes a Markdown table of what ran, and a line for
each file that did not with the reason.
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import sys
import time
from collections import Counter

from harness.assets import Assets
from harness.errors import HarnessError
from harness.plugins import Plugins
from harness.records import Generate, Generated, LogLikelihoods
from harness_big_bench.bridged import BridgedTask
from harness_big_bench.loading import FILE
from harness_big_bench.places import PACKAGE, SHA256, place


class InstantFake:
    """A fake model that answers at once: the first choice, the prompt's last word."""

    answers = frozenset({"LogLikelihood", "Generate"})

    def answer(self, request):
        if isinstance(request, Generate):
            return Generated(request.prompt.text.split()[-1] + ".", "stop")
        return LogLikelihoods(tuple(-1.0 - number for number in range(len(request.continuations))))


def run(task: BridgedTask, rows: int, shots: int) -> str:
    """Ask and score the first rows of a task; empty, or why it can't be done."""
    model = InstantFake()
    refused = task.refuses(model, shots)
    if refused:
        return f"{shots} shots: {refused}"
    asked = task.asking(shots, 0)
    samples = task.samples("test")
    step = max(1, len(samples) // rows)
    predictions = [
        asked.decide(sample, [model.answer(request) for request in asked.requests(sample)])
        for sample in samples[::step][:rows]
    ]
    for name, metric in task.metrics(predictions).items():
        found = metric.compute(predictions, task.spec)
        if found is None or not math.isfinite(found.value):
            return f"{shots} shots: {name} has no number"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--match", default="*")
    chosen = parser.parse_args()
    assets = Assets(Plugins().registry("source"))
    root = assets.path(PACKAGE, sha256=SHA256)
    names = sorted(str(file.parent.relative_to(root)) for file in root.rglob(FILE))
    counts: Counter[str] = Counter()
    rows = 0
    refused, few = [], []
    began = time.perf_counter()
    for name in (name for name in names if fnmatch.fnmatch(name, chosen.match)):
        counts["files"] += 1
        try:
            task = BridgedTask(place(str(root / name), assets, ()))
            counts["with subtasks" if task.spec.has_context else "alone"] += 1
            count = len(task.samples("test"))
            rows += 0 if task.spec.has_context else count
            reason = run(task, chosen.rows, 0)
        except HarnessError as error:
            refused.append(f"- `{name}`: {str(error).replace(str(root) + '/', '')}")
            continue
        if reason:
            refused.append(f"- `{name}`: {reason}")
            continue
        counts["0 shots"] += 1
        # Demonstrations are drawn for all rows: where there are very many, that is left to trials.
        reason = run(task, chosen.rows, 2) if count <= 20_000 else ""
        counts["2 shots"] += count <= 20_000 and not reason
        if reason:
            few.append(f"- `{name}`: {reason}")
        print(f"{counts['files']} {name} {time.perf_counter() - began:.0f} s", file=sys.stderr)
    print("| | files |\n|---|---:|")
    for key, value in counts.items():
        print(f"| {key} | {value:,} |")
    print(
        f"| rows of those alone | {rows:,} |\n\nRefused:\n",
        *refused,
        "\nRefused with demonstrations:\n",
        *few,
        sep="\n",
    )


if __name__ == "__main__":
    main()
