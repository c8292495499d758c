"""Write the README's table from the committed quickstart report, or with --check say whether it is up to date.

python docs/readme_table.py [--check]
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "reports" / "quickstart" / "leaderboard.csv"
BEGIN, END = "<!-- quickstart table -->\n", "<!-- /quickstart table -->"


def table() -> str:
    """The finished rows of the report as a Markdown table."""
    lines = [
        "| task | rank | model | strategy | accuracy [95%] | macro-F1 | p vs best | p50 ms | samples/s | train s |",
        "|---|---:|---|---|---|---:|---:|---:|---:|---:|",
    ]
    with REPORT.open(encoding="utf-8", newline="") as file:
        finished = [row for row in csv.DictReader(file) if row["status"] == "finished"]
    lines += [f"| {' | '.join(cells(row))} |" for row in finished]
    return "\n".join(lines) + "\n"


def cells(row: dict[str, str]) -> list[str]:
    """One row's cells."""
    accuracy, low, high = (float(row[name]) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    return [
        row["task"],
        row["rank"] + ("=" if row["tied_with_best"] == "true" else ""),
        f"`{row['model']}`",
        f"`{row['strategy'].partition(',train_size')[0]}`",
        f"{accuracy:.3f} [{low:.3f}, {high:.3f}]",
        f"{float(row['macro_f1']):.3f}",
        p_value(row["p_value"]),
        number(row["p50_ms"]),
        number(row["samples_per_s"]),
        number(row["train_s"]),
    ]


def p_value(text: str) -> str:
    """A p-value, or a dash."""
    return "—" if not text else "<0.001" if float(text) < 0.001 else f"{float(text):.3f}"


def number(text: str) -> str:
    """Three digits, or a dash."""
    if not text:
        return "—"
    value = float(text)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Write or check."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    wanted = f"{before}{BEGIN}{table()}{END}{after}"
    if "--check" in sys.argv:
        sys.exit(None if text == wanted else "README.md has another table than the report: run docs/readme_table.py")
    readme.write_text(wanted, encoding="utf-8")


main()
