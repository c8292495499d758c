"""The reports that come with the harness: terminal table, Markdown, CSV, JSON, LaTeX, SVG pictures, one HTML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.hookspecs import Register


@hookimpl
def register_reporters(register: Register) -> None:
    """Add the reporters."""
    register("table", "harness_reporters.terminal:Terminal", summary="a table that fits the terminal")
    register("markdown", "harness_reporters.markdown:Markdown", summary="leaderboard.md, GitHub's tables")
    register("csv", "harness_reporters.csvfile:Csv", summary="leaderboard.csv, a row for each model and strategy")
    register("json", "harness_reporters.jsonfile:Json", summary="results.json, every trial")
    register("curves", "harness_reporters.curves:Curves", summary="learning curves: text, .md, .csv, .json, .svg")
    register("html", "harness_reporters.html:Html", summary="leaderboard.html, one file that needs no network")
    register("latex", "harness_reporters.latex:Latex", summary="leaderboard.tex, tables for papers (booktabs)")
    register("svg", "harness_reporters.svg:Svg", summary="pictures for papers: latency and contexts of each task")
    register("png", "harness_reporters.png:Png", summary="the same pictures as PNG, 300 dots an inch")
    register(
        "model-index",
        "harness_reporters.modelindex:ModelIndex",
        summary="model-index.yaml, for Hugging Face's cards",
    )
