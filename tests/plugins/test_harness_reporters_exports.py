"""Results as a model card of Hugging Face has them, and pictures as PNG: read back by other programs."""

from __future__ import annotations

import re
import struct

import pytest
from huggingface_hub.repocard_data import model_index_to_eval_results
from ruamel.yaml import YAML

from harness.leaderboard import build
from harness.records import Component, Coverage, Estimate, Trial, TrialResult
from harness_reporters.modelindex import ModelIndex
from harness_reporters.png import Png, picture
from harness_reporters.svg import Svg


def a_result(model="m", task="bbc-news", strategy="zero-shot", score=0.5, status="finished"):
    trial = Trial(
        key=f"{model}/{task}/{strategy}",
        model=Component(model),
        task=Component(task),
        strategy=Component(strategy),
        seed=3,
        split="test",
        limit=None,
        samples=f"rows of {task}",
        n=40,
        plugins={},
    )
    latency = {"single-stream": {"p50_ms": 3.0 + score, "p95_ms": 5.0, "p99_ms": 6.0}}
    metrics = {"accuracy": Estimate(score, score - 0.1, score + 0.1), "nothing": Estimate(float("nan"), 0, 0)}
    manifest = {"kind": "similarity" if task == "pairs" else "classification"}
    return TrialResult(
        trial, status, coverage=Coverage(answered=40), metrics=metrics, latency=latency, manifest=manifest
    )


@pytest.fixture
def board():
    results = [a_result(), a_result(strategy="few-shot,k=4", score=0.7), a_result('n: "x"', "pairs", score=0.4)]
    return build([*results, a_result("broken", status="failed")], lambda _key: [])


def test_the_index_is_read_back_by_the_hubs_own_library(board):
    report = ModelIndex().render(board)
    index = YAML(typ="safe").load(report.files["model-index.yaml"].decode())["model-index"]
    found = {}
    for model in index:
        name, results = model_index_to_eval_results([model])
        found[name] = results
    assert list(found) == ["m", 'n: "x"']
    assert {(one.metric_name, one.metric_value) for one in found["m"]} == {
        ("accuracy (zero-shot)", 0.5),
        ("accuracy (few-shot,k=4)", 0.7),
    }
    (pair,) = found['n: "x"']
    assert (pair.task_type, pair.dataset_name, pair.dataset_split) == ("sentence-similarity", "pairs", "test")
    assert pair.metric_args == {"strategy": "zero-shot", "seeds": [3], "samples": 40, "low": 0.4 - 0.1, "high": 0.5}


def test_pictures_have_the_size_of_300_dots_an_inch_and_letters(board):
    drawn, found = Svg().render(board).files, Png().render(board).files
    assert [name.removesuffix(".png") for name in found] == [name.removesuffix(".svg") for name in drawn] != []
    for name, content in found.items():
        svg = drawn[name.removesuffix(".png") + ".svg"].decode()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        (width,) = struct.unpack(">I", content[16:20])
        assert width == pytest.approx(float(svg.partition('width="')[2].partition('"')[0]) * 300 / 96, abs=1)
        assert content != picture(re.sub(r"<text.*?</text>", "", svg, flags=re.DOTALL))
