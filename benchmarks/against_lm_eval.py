"""The harness and lm-evaluation-harness in turn, on the same prompts and weights: seconds, memory, log-likelihoods.

    python benchmarks/against_lm_eval.py --peer PEER/bin/python -t bbc-news -s few-shot,k=8 --limit 100

PEER is a virtual environment with `lm_eval[hf]`. The prompts are those of the harness (`harness show` shows them); the
peer gets them as a task of its own, with nothing left to render. Both run as programs, from the start of the process to
its end, in turn (A B A B); ratios are of the medians. A task that generates is compared by its texts. With `--exact`
log-likelihoods are also computed by plain transformers in float64, one text at a time: both are as far from that as
float32 takes them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.components import parse_component
from harness.interfaces import Fetchable, Setting
from harness.planning import reads
from harness.plugins import Plugins
from harness.preview import StandIn
from harness.records import Generate, LogLikelihood

HARNESS = Path(sys.executable).with_name("harness")

# Runs in the peer's Python: its own command line, with a clock round the calls that score and generate.
DRIVER = """
import json, resource, sys, time
from lm_eval.models.huggingface import HFLM
spent = {"seconds": 0.0}
def timed(name):
    original = getattr(HFLM, name)
    def call(self, *args, **kwargs):
        began = time.perf_counter()
        try:
            return original(self, *args, **kwargs)
        finally:
            spent["seconds"] += time.perf_counter() - began
    setattr(HFLM, name, call)
timed("loglikelihood")
timed("generate_until")
from lm_eval.__main__ import cli_evaluate
report = sys.argv.pop(1)
try:
    cli_evaluate()
finally:
    spent["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    json.dump(spent, open(report, "w"))
"""


@dataclass(frozen=True)
class Run:
    """One program's run: the whole process, the scoring in it (both in seconds), its peak memory, its answers."""

    whole_s: float
    scoring_s: float
    peak_mb: float
    answers: list[list[float] | str]


def main() -> None:
    """Compare and print."""
    options = _options()
    plugins = Plugins()
    catalogue = Catalogue(plugins, Assets(plugins.registry("source")))
    model = catalogue.model(parse_component(options.model))
    assert isinstance(model, Fetchable)
    folder = model.fetch()
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        _write_peer_task(place, catalogue, options)
        ours, theirs = [], []
        for number in range(options.rounds):
            ours.append(_run_ours(place / f"ours-{number}", options))
            _say("harness", ours[-1])
            theirs.append(_run_peer(place, place / f"peer-{number}", folder, options))
            _say("lm-eval", theirs[-1])
        _compare(ours, theirs)
        if options.exact:
            exact = _exact(folder, place / "rows.jsonl")
            for who, runs in (("harness", ours), ("lm-eval", theirs)):
                print(f"{who}: largest difference from float64 {_largest_difference(runs[0].answers, exact):.1e}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="Python of a virtual environment with lm_eval[hf]")
    parser.add_argument("-m", "--model", default="smollm2-135m")
    parser.add_argument("-t", "--task", default="bbc-news")
    parser.add_argument("-s", "--strategy", default="zero-shot")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", default="8", help="the peer's")
    parser.add_argument("--exact", action="store_true", help="compare with float64 too: slow")
    return parser.parse_args()


def _write_peer_task(place: Path, catalogue: Catalogue, options: argparse.Namespace) -> None:
    """The harness's requests as the data of a task of the peer's."""
    data = catalogue.task(parse_component(options.task))
    strategy = catalogue.strategy(parse_component(options.strategy))
    setting = Setting(0, "cpu", catalogue.assets.root)
    adapted = strategy.adapt(StandIn(None), data.view("test", reads(strategy)), setting)
    rows, generation = [], {}
    for sample in data.scored("test", options.limit):
        (request,) = adapted.requests(sample)
        row = {"prompt": request.prompt.text, "target": sample.target}
        if isinstance(request, LogLikelihood):
            row |= {"choices": list(request.continuations), "gold": 0}
        elif isinstance(request, Generate):
            generation = {"max_gen_toks": request.max_tokens, "until": list(request.stop), "do_sample": False}
        rows.append(row)
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    task = {
        "task": "same_prompts",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(place / "rows.jsonl")}},
        "test_split": "test",
        "doc_to_text": "{{prompt}}",
        "target_delimiter": "",
        "num_fewshot": 0,
    }
    if generation:
        task |= {"output_type": "generate_until", "doc_to_target": "{{target}}", "generation_kwargs": generation}
        task |= {"metric_list": [{"metric": "exact_match"}]}
    else:
        task |= {"output_type": "multiple_choice", "doc_to_choice": "{{choices}}", "doc_to_target": "{{gold}}"}
        task |= {"metric_list": [{"metric": "acc"}]}
    (place / "same_prompts.yaml").write_text(json.dumps(task), "utf-8")


def _run_ours(place: Path, options: argparse.Namespace) -> Run:
    place.mkdir()
    store = place / "h.db"
    what = ["-m", options.model, "-t", options.task, "-s", options.strategy, "--limit", str(options.limit)]
    command = [HARNESS, "-q", "run", *what, "--scenario", "offline", "--store", store, "--format", "json"]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True)
    whole_s = time.perf_counter() - began
    offline = json.loads(done.stdout)["trials"][0]["latency"]["offline"]
    subprocess.run([HARNESS, "export", "--store", store, "-o", place / "p.jsonl"], check=True)
    rows = [json.loads(line) for line in (place / "p.jsonl").read_text("utf-8").splitlines()]
    return Run(whole_s, offline["seconds"], offline["peak_mb"], [row["scores"] or row["text"] for row in rows])


def _run_peer(place: Path, out: Path, folder: Path, options: argparse.Namespace) -> Run:
    arguments = ["--model", "hf", "--model_args", f"pretrained={folder},dtype=float32", "--device", "cpu"]
    arguments += ["--tasks", "same_prompts", "--include_path", place, "--batch_size", options.batch_size]
    arguments += ["--log_samples", "--output_path", out]
    out.mkdir()
    report = out / "spent.json"
    began = time.perf_counter()
    command = [options.peer, "-c", DRIVER, report, *arguments]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(out / "data")}
    done = subprocess.run(command, capture_output=True, env=environment, text=True, check=False)
    whole_s = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    spent = json.loads(report.read_text())
    (samples,) = out.rglob("samples_*.jsonl")
    rows = sorted((json.loads(line) for line in samples.read_text("utf-8").splitlines()), key=lambda row: row["doc_id"])
    return Run(whole_s, spent["seconds"], spent["peak_mb"], [_answer(row["resps"]) for row in rows])


def _answer(responses: list) -> list[float] | str:
    """Of generation one text, of scoring a log-likelihood a choice."""
    first = responses[0]
    return first[0] if isinstance(first[0], str) else [float(one[0][0]) for one in responses]


def _say(who: str, run: Run) -> None:
    print(
        f"{who}: scoring {run.scoring_s:.2f} s, whole process {run.whole_s:.2f} s, peak {run.peak_mb:,.0f} MB",
        flush=True,
    )


def _compare(ours: list[Run], theirs: list[Run]) -> None:
    def ratio(field: str) -> float:
        return statistics.median(getattr(run, field) for run in theirs) / statistics.median(
            getattr(run, field) for run in ours
        )

    print(f"lm-eval / harness: scoring {ratio('scoring_s'):.2f}, whole process {ratio('whole_s'):.2f}", end=", ")
    print(f"peak memory {ratio('peak_mb'):.2f}")
    pairs = list(zip(ours[0].answers, theirs[0].answers, strict=True))
    if isinstance(pairs[0][0], str):
        print(f"equal texts: {sum(one.strip() == other.strip() for one, other in pairs)} of {len(pairs)}")
        return
    same = sum(one.index(max(one)) == other.index(max(other)) for one, other in pairs)
    largest = _largest_difference(ours[0].answers, theirs[0].answers)
    print(f"largest difference in log-likelihood: {largest:.1e}; same choice: {same} of {len(pairs)}")


def _largest_difference(ours: list, theirs: list) -> float:
    return max(abs(a - b) for one, other in zip(ours, theirs, strict=True) for a, b in zip(one, other, strict=True))


def _exact(folder: Path, rows: Path) -> list[list[float]]:
    """Each choice's log-likelihood: all tokens of prompt and choice together, one text a forward, float64."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()

    @torch.inference_mode()
    def log_likelihood(prompt: str, choice: str) -> float:
        begin = len(tokenizer(prompt.rstrip())["input_ids"])
        ids = tokenizer(prompt + choice)["input_ids"]
        log_probs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return sum(log_probs[at - 1, ids[at]].item() for at in range(begin, len(ids)))

    asked = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    return [[log_likelihood(row["prompt"], choice) for choice in row["choices"]] for row in asked]


if __name__ == "__main__":
    main()
