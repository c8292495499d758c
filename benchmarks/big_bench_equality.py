"""Does the BIG-bench bridge ask and grade as BIG-bench does? Both are given the same answers, row by row.

    python benchmarks/big_bench_equality.py [--shots 0,3] [--tasks emoji_movie,codenames] [--out FILE]

BIG-bench's own code asks a fake model of seeded likelihoods and texts (`SeededAnswers`), so does the bridge. Compared
are each prompt and choice, letter by letter, and each metric. Packages `bigbench` (358 MB) and `t5` are fetched into
the harness's cache and read there. Of what they import, TensorFlow, `datasets` and `editdistance` are stand-ins, since
no metric compared here uses them. Writes a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import random
import re
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

from harness.assets import Assets
from harness.plugins import Plugins
from harness.records import Generate, Generated, LogLikelihoods
from harness_big_bench.bridged import BridgedTask
from harness_big_bench.places import PACKAGE, SHA256, place

TASKS = (
    "emoji_movie",
    "codenames",
    "similarities_abstraction",
    "rephrase",
    "emojis_emotion_prediction",
    "english_proverbs",
    "general_knowledge",
    "gre_reading_comprehension",
    "hindu_knowledge",
    "novel_concepts",
    "strange_stories/multiple_choice",
    "swedish_to_german_proverbs",
    "social_support",
    "penguins_in_a_table",
    "operators",
    "language_games/pig_latin_encode",
    "list_functions/c001",
    "conlang_translation/adna_from",
    "unit_conversion/unit_addition_same",
    "auto_categorization",
    "identify_odd_metaphor",
    "hhh_alignment/helpful",
    "real_or_fake_text/easy",
    "known_unknowns",
    "logical_deduction/three_objects",
    "chess_state_tracking/synthetic_short",
)
T5 = "pypi://t5==0.9.4/t5/evaluation/metrics.py"
BOOTSTRAPPED = 0.6
"""BIG-bench's ROUGE is the median of a bootstrap without a seed; the bridge's is the mean it draws around."""


class SeededAnswers:
    """A fake model: answers drawn from the prompt, some of them right; no language model."""

    def likelihoods(self, prompt: str, choices) -> list[float]:
        rng = random.Random(f"{prompt}|{len(choices)}")
        return [round(-rng.expovariate(0.3) - 0.01, rng.choice([1, 12])) for _ in choices]

    def text(self, prompt: str, right: list[str]) -> str:
        rng = random.Random(prompt)
        words = prompt.split()
        noise = " ".join(rng.choices(words, k=rng.randint(1, 6))) if words else "nothing"
        answer = rng.choice([rng.choice(right), rng.choice(right).upper(), noise, f"{rng.choice(right)} {noise}", ""])
        return rng.choice(["", "\n", " "]) + answer + rng.choice(["", ".", "\nQ: more", "; and so on", "END"])


def api(folder: Path, t5: Path):
    """BIG-bench's modules `json_task` and `model_utils`, imported by path."""
    for name in ("tensorflow", "tensorflow.compat", "tensorflow.compat.v1", "tensorflow.compat.v2", "datasets"):
        sys.modules.setdefault(name, MagicMock())
    sys.modules.setdefault("editdistance", MagicMock())
    sys.path[:0] = [str(folder.parents[1]), str(t5.parents[2])]
    for package in ("t5", "t5.evaluation"):  # their __init__ would import TensorFlow's training code
        module = type(sys)(package)
        module.__path__ = [str(t5.parents[1] if package == "t5" else t5.parent)]
        sys.modules[package] = module
    sys.modules["t5"].evaluation = sys.modules["t5.evaluation"]
    module = type(sys)("bigbench.models")
    module.__path__ = [str(folder.parent / "models")]
    sys.modules["bigbench.models"] = module
    return importlib.import_module("bigbench.api.json_task"), importlib.import_module("bigbench.models.model_utils")


class Recorder:
    """BIG-bench's model interface over `SeededAnswers`; keeps what it was asked."""

    def __init__(self, utils, answers: SeededAnswers, right: list[list[str]]) -> None:
        self.utils, self.answers, self.right = utils, answers, right
        self.inputs: list[str] = []
        self.choices: list[list[list[str]]] = []

    def cond_log_prob(self, inputs, targets, absolute_normalization=True):
        self.inputs = list(inputs)
        self.choices.append([list(map(str, one)) for one in targets])
        return [self.answers.likelihoods(prompt, one) for prompt, one in zip(inputs, targets, strict=True)]

    def generate_text(self, inputs, stop_string=None, output_regex=None):
        self.inputs = list(inputs)
        texts = [self.answers.text(prompt, right) for prompt, right in zip(inputs, self.right, strict=True)]
        return [self.utils.postprocess_output(text, 0, stop_string, output_regex) for text in texts]


def by_big_bench(modules, file: Path, shots: int) -> tuple[dict[str, float], float, Recorder]:
    """Its metrics, the normalised score, and what it asked."""
    json_task, utils = modules

    class Files:
        def load_json_file(self, path):
            return json.loads(Path(path).read_text("utf-8"))

        def get_subdir_json_file_paths(self, folder):
            raise ValueError(f"{folder} has subtasks: name one of them")

    with contextlib.redirect_stdout(sys.stderr):
        task = json_task.JsonTask(str(file), shot_list=[shots], task_json_utils=Files())
        order = range(len(task._ds))
        if shots:  # it shuffles the questions before it shows others
            order = np.random.RandomState(42).choice(len(task._ds), len(task._ds), replace=False)
        recorder = Recorder(utils, SeededAnswers(), [task._ds[number]["target"] for number in order])
        task.metrics = [name for name in task.metrics if name != "bleurt"]
        task.generative_metrics = [name for name in task.generative_metrics if name != "bleurt"]
        np.random.seed(0)
        (first, *_) = task.evaluate_model(recorder)
    scores = {name: float(value) for name, value in first.score_dict.items()}
    return scores, scores.pop("normalized_aggregate_score"), recorder


def by_bridge(file: Path, shots: int, assets: Assets):
    """Its metrics, and the prompts and choices that it asked with."""
    task = BridgedTask(place(str(file), assets, ()))
    asked = task.asking(shots, 0)
    answers, predictions, prompts, choices = SeededAnswers(), [], [], []
    for sample in task.samples("test"):
        requests = asked.requests(sample)
        named = sample.fields.get("target")
        right = named if isinstance(named, list) else [named] if named is not None else []
        responses = []
        for request in requests:
            if isinstance(request, Generate):
                responses.append(Generated(answers.text(request.prompt.text, right), "stop"))
            else:
                responses.append(LogLikelihoods(tuple(answers.likelihoods(request.prompt.text, request.continuations))))
        prompts.append(requests[0].prompt.text)
        choices.append([list(request.continuations) for request in requests if not isinstance(request, Generate)])
        predictions.append(asked.decide(sample, responses))
    metrics = task.metrics(predictions)
    scores = {name: metric.compute(predictions, task.spec).value for name, metric in metrics.items()}
    return scores, prompts, choices


def compare(modules, root: Path, name: str, shots: int, assets: Assets) -> dict:
    """Differences of one task at one number of demonstrations."""
    file = root / name / "task.json"
    theirs, normalized, recorder = by_big_bench(modules, file, shots)
    ours, prompts, choices = by_bridge(file, shots, assets)
    listed = zip(*recorder.choices, strict=True) if recorder.choices else [()] * len(prompts)
    theirs_asked = sorted(zip(recorder.inputs, listed, strict=True))
    asked = sorted((prompt, tuple(one)) for prompt, one in zip(prompts, choices, strict=True))
    wrong = [f"prompt {pair}" for pair in zip(asked, theirs_asked, strict=True) if pair[0] != pair[1]]
    gaps = {metric: abs(ours[metric] - value) for metric, value in theirs.items()}
    rouge = {metric: gap for metric, gap in gaps.items() if metric.startswith("rouge")}
    exact = {metric: gap for metric, gap in gaps.items() if metric not in rouge}
    if not any(metric in normalized_by(file) for metric in rouge):
        exact["normalized_aggregate_score"] = abs(ours["normalized_aggregate_score"] - normalized)
    wrong += [f"{metric} {ours[metric]} {theirs.get(metric)}" for metric, gap in exact.items() if gap > 1e-9]
    wrong += [f"{metric} {ours[metric]} {theirs[metric]}" for metric, gap in rouge.items() if gap > BOOTSTRAPPED]
    return {
        "task": name,
        "shots": shots,
        "rows": len(prompts),
        "metrics": sorted(exact),
        "gap": max(exact.values()),
        "rouge": max(rouge.values(), default=None),
        "wrong": wrong,
        "scores": theirs,
    }


def normalized_by(file: Path) -> str:
    """The preferred score of a file."""
    return re.search(r'"preferred_score"\s*:\s*"(\w+)"', file.read_text("utf-8"))[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", default="0,3")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--out", type=Path, default=None, help="file for the table")
    chosen = parser.parse_args()
    assets = Assets(Plugins().registry("source"))
    root = assets.path(PACKAGE, sha256=SHA256)
    modules = api(root, assets.path(T5))
    lines = ["| task | shots | rows | metrics | largest difference | ROUGE's |", "|---|---:|---:|---|---:|---:|"]
    failed = False
    for name in chosen.tasks.split(","):
        for shots in map(int, chosen.shots.split(",")):
            found = compare(modules, root, name, shots, assets)
            failed = failed or bool(found["wrong"])
            rouge = "" if found["rouge"] is None else f"{found['rouge']:.2f}"
            figures = f"{found['rows']:,} | {', '.join(found['metrics'])} | {found['gap']:.0e} | {rouge}"
            lines.append(f"| {name} | {shots} | {figures} |")
            print(lines[-1], *found["wrong"][:4], flush=True)
    if chosen.out:
        chosen.out.write_text("\n".join(lines) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
