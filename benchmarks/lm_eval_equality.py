"""Does the lm-eval bridge score as lm-eval does? Both run the same tasks with the same model, row by row.

    HF_HUB_OFFLINE=1 python benchmarks/lm_eval_equality.py MODEL_FOLDER [--shots 0,5] [--tasks arc_easy,gsm8k]

Rows are made up (`lm_eval_tasks.py`), so that no network is needed; prompts, demonstrations, filters and metrics are
lm-eval's. Prints a line a task: the largest difference of a log-likelihood and of a metric, and how many generated
texts, with what filters find in them, were compared letter by letter.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from lm_eval_tasks import GROUPS, TASKS, write

TOLERANCE = 1e-4
NEVER_SHOWN = {"toxigen", "webqs", "squad_completion"}
"""Tasks for which lm-eval itself can't render demonstrations."""


def by_lm_eval(model: str, folder: Path, task: str, shots: int | None):
    """lm-eval's aggregates, its samples by task, and its metrics' names."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    return simple_evaluate(
        model=_lm(model), tasks=[task], num_fewshot=shots, task_manager=manager, bootstrap_iters=0, log_samples=True
    )


_LOADED = {}


def _lm(model: str):
    from lm_eval.models.huggingface import HFLM

    if model not in _LOADED:
        _LOADED[model] = HFLM(pretrained=model, dtype="float32", batch_size=1, device="cpu")
    return _LOADED[model]


def by_harness(model: str, folder: Path, task: str, shots: int | None, store: Path):
    """The trial and its predictions."""
    import harness

    strategy = "native" if shots is None else f"few-shot,k={shots}" if shots else "zero-shot"
    results = harness.run(
        f"hf:{model},dtype=float32",
        f"lm-eval:{task}",
        strategy,
        device="cpu",
        scenarios=(),
        store=store,
        tasks_path=folder,
        rerun=True,
    )
    (trial,) = results.trials
    return trial, results.predictions(trial.trial.key)


def compare(model: str, folder: Path, task: str, shots: int | None, store: Path) -> dict:
    """Differences of one task at one number of demonstrations."""
    trial, predictions = by_harness(model, folder, task, shots, store)
    if trial.status == "not-applicable":
        return {"task": task, "shots": shots, "refused": trial.reason}
    assert trial.status == "finished", f"{task}: {trial.status}: {trial.reason}"
    theirs = by_lm_eval(model, folder, task, shots)
    found = {
        "task": task,
        "shots": shots,
        "rows": len(predictions),
        "likelihood": 0.0,
        "metric": 0.0,
        "texts": 0,
        "wrong": [],
    }
    grouped = task in GROUPS
    samples = {}
    for name, rows in theirs["samples"].items():
        for row in rows:
            samples.setdefault(f"{name}/{row['doc_id']}" if grouped else str(row["doc_id"]), []).append(row)
    assert set(samples) == {one.sample_id for one in predictions}, "other rows"
    for one in predictions:
        for row in samples[one.sample_id]:
            _compare_row(one, row, found)
    names = theirs["results"][task]
    for key, value in names.items():
        if "," in key and "_stderr" not in key:
            metric, name = key.split(",")
            ours = trial.metrics[metric if name == "none" else key].value
            _note(found, "metric", ours, value, f"{key} overall")
    for name, score in trial.contexts.items():
        for metric, estimate in score.metrics.items():
            _note(found, "metric", estimate.value, theirs["results"][name][f"{metric},none"], f"{metric} of {name}")
    return found


def _compare_row(one, row, found) -> None:
    key = row["filter"]
    flat = [answer[0] for answer in row["resps"]]
    if isinstance(flat[0], str):
        found["texts"] += 1
        if one.text != flat[0].replace("\0", "\ufffd"):  # databases take no NUL
            found["wrong"].append(f"{one.sample_id}: text {one.text!r} for {flat[0]!r}")
        filtered = one.measured["filtered_resps" if key == "none" else f"filtered_resps,{key}"]
        wanted = row["filtered_resps"][0]
        if filtered != wanted:
            found["wrong"].append(f"{one.sample_id}: {key} finds {filtered!r} for {wanted!r}")
    else:
        values = [answer[0] if isinstance(answer, (tuple, list)) else answer for answer in flat]
        for mine, its in zip(one.scores, values, strict=True):
            _note(found, "likelihood", mine, its, f"{one.sample_id}: log-likelihood")
    from harness_lm_eval.values import back

    for metric in row["metrics"]:
        mine = back(one.measured[metric if key == "none" else f"{metric},{key}"])
        for a, b in zip(_numbers(mine), _numbers(row[metric]), strict=True):
            if isinstance(a, str):
                found["wrong"] += [] if a == b else [f"{one.sample_id}: {metric} {a!r} for {b!r}"]
            else:
                _note(found, "metric", a, b, f"{one.sample_id}: {metric}")


def _numbers(value):
    if isinstance(value, dict):
        return [one for key in sorted(value, key=str) for one in _numbers(value[key])]
    if isinstance(value, list | tuple) or (hasattr(value, "tolist") and getattr(value, "ndim", 0)):
        return [one for part in value for one in _numbers(part)]
    return [value if isinstance(value, str) else float(value)]


def _note(found, kind, mine, its, what) -> None:
    if isinstance(its, float) and math.isnan(its) and math.isnan(mine):
        return
    # Perplexities of a random model are huge: they are compared by their size.
    difference = abs(mine - its) / max(1.0, abs(its))
    found[kind] = max(found[kind], difference)
    if not difference <= TOLERANCE:
        found["wrong"].append(f"{what} is {mine}, lm-eval says {its}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a checkpoint's folder")
    parser.add_argument("--shots", default="0,5", help="numbers of demonstrations; n: as the task says")
    parser.add_argument("--tasks", help="names; all unless told")
    parser.add_argument("--rows", type=int, default=8)
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "tasks"
        names = chosen.tasks.split(",") if chosen.tasks else [*TASKS, *GROUPS]
        wanted = [
            task for task in TASKS if any(task == name or (name in GROUPS and task.startswith(name)) for name in names)
        ]
        write(folder, wanted, chosen.rows)
        print(
            "| task | shots | rows | largest difference of a log-likelihood | of a metric | texts | |\n"
            "|---|---|---|---|---|---|---|"
        )
        for name in names:
            for shots in chosen.shots.split(","):
                if shots not in {"0", "n"} and name in NEVER_SHOWN:
                    continue
                one = compare(chosen.model, folder, name, None if shots == "n" else int(shots), Path(work) / "h.db")
                print(_line(one), flush=True)
                for said in one.get("wrong", [])[:5]:
                    print("    ", said, file=sys.stderr, flush=True)
                wrong += bool(one.get("wrong"))
    print(f"{wrong} differ", file=sys.stderr)
    return 1 if wrong else 0


def _line(one: dict) -> str:
    shots = "own" if one["shots"] is None else one["shots"]
    if "refused" in one:
        return f"| {one['task']} | {shots} | | | | | not applicable: {one['refused']} |"
    verdict = "DIFFERS" if one["wrong"] else "equal"
    differences = f"{one['likelihood']:.1e} | {one['metric']:.1e} | {one['texts'] or ''}"
    return f"| {one['task']} | {shots} | {one['rows']} | {differences} | {verdict} |"


if __name__ == "__main__":
    sys.exit(main())
