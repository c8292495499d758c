"""Whether the harness's own cost is linear in the rows, and its memory flat: `majority` over 10k, 100k and 1M rows.

python benchmarks/million_rows.py [--rows 10000,100000,1000000] [--formats jsonl,csv,parquet] [--folder DIR]

Rows have about 150 bytes. Each step is a process of its own, whose CPU seconds and peak memory the kernel tells: the
run, the same again when all is stored, and every report and export of the store. The cache is empty at first. Files are
removed at the end.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HARNESS = str(Path(sys.executable).with_name("harness"))
GROUP = 20_000
"""Rows of a Parquet file's row group: this process stays small, since a child's peak counts its parent's too."""

TASK = """
name: rows
kind: classification
data:
  files: {{train: train.{format}, test: test.{format}}}
  fields: {{text: text, target: label}}
labels: {{a: " a", b: " b", c: " c"}}
prompt: {{template: "Text: {{{{ text }}}}\\nLabel:"}}
metrics: [accuracy, macro_f1, cross_entropy]
licence: none
citation: none
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,100000,1000000")
    parser.add_argument("--formats", default="jsonl")
    parser.add_argument("--reports", default="markdown,csv,json,html", help="empty for none")
    parser.add_argument("--folder", type=Path, help="where files are written; a temporary folder unless told")
    told = parser.parse_args()
    reports = [name for name in told.reports.split(",") if name]
    print(f"{'':9} {'rows':>9} {'step':18} {'CPU-s':>8} {'ms/row':>8} {'peak MB':>8} {'written MB':>11}")
    for format_ in told.formats.split(","):
        for n in map(int, told.rows.split(",")):
            folder = Path(tempfile.mkdtemp(dir=told.folder))
            try:
                measure(folder, format_, n, reports)
            finally:
                shutil.rmtree(folder)


def measure(folder: Path, format_: str, n: int, reports: list[str]) -> None:
    """Each step over n rows, a line each."""
    write_task(folder, format_, n)
    os.environ["HARNESS_CACHE"] = str(folder / "cache")
    store = ("--store", str(folder / "store.db"))
    run = ("run", "-m", "majority", "-t", str(folder / "task.yaml"), "-s", "finetune", "--no-latency", *store)
    steps = {"run": run, "run again": run}
    steps |= {f"report {name}": ("report", "--format", name, "-o", str(folder / name), *store) for name in reports}
    steps |= {f"export .{name}": ("export", "-o", str(folder / f"out.{name}"), *store) for name in ("jsonl", "parquet")}
    for name, arguments in steps.items():
        before = size(folder)
        cpu_s, peak_mb = process(HARNESS, *arguments)
        written = (size(folder) - before) / 1e6
        print(
            f"{format_:9} {n:9,} {name:18} {cpu_s:8.2f} {1e3 * cpu_s / n:8.3f} {peak_mb:8.0f} {written:11.1f}",
            flush=True,
        )


def process(*command: str) -> tuple[float, float]:
    """CPU seconds (user and system) and peak memory (10^6 bytes) of a command."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 1)]
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    os.close(nothing)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


# --- rows --------------------------------------------------------------------------------------------


def write_task(folder: Path, format_: str, n: int) -> None:
    """A task of 200 rows to learn from and n to answer."""
    (folder / "task.yaml").write_text(TASK.format(format=format_))
    write = {"jsonl": write_jsonl, "csv": write_csv, "parquet": write_parquet}[format_]
    for split, count in (("train", 200), ("test", n)):
        write(folder / f"{split}.{format_}", rows(split, count))


def rows(split: str, n: int) -> Iterator[dict[str, str]]:
    """No two alike."""
    for number in range(n):
        yield {"text": f"{split} {number} " + "a few words of text, " * 5, "label": "abc"[number * number % 7 % 3]}


def write_jsonl(path: Path, made: Iterator[dict[str, str]]) -> None:
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in made)


def write_csv(path: Path, made: Iterator[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(made)


def write_parquet(path: Path, made: Iterator[dict[str, str]]) -> None:
    """In a process of its own: a child's peak memory is never less than what its parent had."""
    child = os.fork()
    if not child:
        from itertools import islice

        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        with ParquetWriter(path, pa.schema([("text", pa.string()), ("label", pa.string())])) as writer:
            while block := list(islice(made, GROUP)):
                writer.write_table(pa.Table.from_pylist(block))
        os._exit(0)
    os.waitpid(child, 0)


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
