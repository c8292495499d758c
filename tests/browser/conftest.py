"""A real Chromium, and a report with everything in it: two tasks, contexts, failures, texts that want to be code."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.board import SuiteRow, SuiteTable
from harness.errors import UsageError
from harness.interfaces import Asked
from harness.leaderboard import build
from harness.records import (
    Component,
    ContextScore,
    Coverage,
    Estimate,
    Generate,
    LogLikelihood,
    Prediction,
    Prompt,
    Trial,
    TrialResult,
    Usage,
)
from harness_reporters import drawing
from harness_reporters.html import Html

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
HOSTILE = (
    "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\u2028\u2029<!-- {{ 7 * 7 }}"
)
LABELS = ("arts", "sports", "tech")
CONTEXTS = ("films", HOSTILE)
N = 60


class Browser:
    """Chromium, asked for what a reader would see."""

    def __init__(self, driver):
        self.driver = driver

    def size(self, width, height=900):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, dark):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, address):
        """Open a page as one that was not open before, and wait until it shows something."""
        self.driver.get("about:blank")
        self.requests()
        self.driver.get(address)
        self.settled()

    def settled(self):
        """Until the view is there, answers included."""
        self.wait(
            "return document.querySelector('h2') && !document.querySelector('main').innerText.includes('Reading')"
        )

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition, seconds=10):
        """Until a script returns something true; gives that."""
        end = time.monotonic() + seconds
        while not (found := self.js(condition)):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)
        return found

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)", selector)

    def click(self, selector, number=0):
        self.js("document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, number)

    def choose(self, name, value):
        self.js(
            "const field = document.getElementById(`field-${arguments[0]}`); field.value = arguments[1];"
            "field.dispatchEvent(new Event('change'))",
            name,
            value,
        )

    def type(self, name, text):
        from selenium.webdriver.common.by import By

        self.driver.find_element(By.ID, f"field-{name}").send_keys(text)

    @property
    def hash(self):
        return dict(self.js("return [...new URLSearchParams(location.hash.slice(1))]"))

    def requests(self):
        """Addresses that were asked for since the last call."""
        told = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """What the console was told: errors of scripts, and what the policy has refused."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def violations(self):
        """What axe-core finds, with where."""
        self.js(AXE.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run({ resultTypes: ['violations'] }).then((r) => done(r.violations))"
        )
        return [
            f"{one['id']}: {node['html'][:160]}: {node['failureSummary']}" for one in found for node in one["nodes"]
        ]


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install selenium")
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    opened = Browser(driver)
    opened.size(1280)
    yield opened
    driver.quit()


# --- a report ------------------------------------------------------------------------------------------------


class FakeEvidence:
    """Predictions and requests by key."""

    def __init__(self):
        self.said = {}
        self.told = {}

    def predictions(self, key):
        return self.said.get(key, ())

    def asked(self, trial):
        if trial.key not in self.told:
            raise UsageError("the data has changed since it ran")
        return self.told[trial.key]


def a_prediction(number, right, rng):
    target = LABELS[number % 3]
    answer = target if right else LABELS[(number + 1) % 3]
    scores = [rng.uniform(-9, -5) for _ in LABELS]
    scores[LABELS.index(answer)] = -1.5
    reached = Usage(120, 0, dropped_demonstrations=number % 7 == 3)
    return Prediction(
        f"row/{number}",
        target,
        answer,
        scores=tuple(scores),
        context=CONTEXTS[number % 2],
        usage=reached,
        latency_ms=3.5,
    )


def a_story(number, right):
    text = HOSTILE if number == 5 else f"I think {number}"
    return Prediction(f"row/{number}", "yes", "yes" if right else None, "answered" if right else "unparsed", text=text)


def a_trial(evidence, model, strategy, share, *, seed=0, p50=10.0, task="topics"):
    key = f"{task}-{len(evidence.said)}"
    rng = random.Random(key)
    said = [a_prediction(number, number < share * N, rng) for number in range(N)]
    prompts = [
        Prompt(
            f"Text {n} about {HOSTILE if n == 5 else said[n].target}\nTopic:",
            ("Solved 1\n", "Solved 2\n"),
            "Sort it.\n",
        )
        for n in range(N)
    ]
    if task == "stories":
        said = [a_story(n, n < share * N) for n in range(N)]
    evidence.said[key] = said
    request = (
        Generate if task == "stories" else lambda prompt: LogLikelihood(prompt, tuple(f" {one}" for one in LABELS))
    )
    if model != "tfidf":
        labels = () if task == "stories" else LABELS
        evidence.told[key] = Asked([(f"row/{n}", (request(prompt),)) for n, prompt in enumerate(prompts)], labels)
    score = sum(one.correct for one in said) / N
    trial = Trial(key, Component(model), Component(task), Component(strategy), seed, "test", None, task, N, {})
    in_contexts = {
        name: ContextScore(N // 2, {"accuracy": Estimate(score - 0.1 * place, score - 0.2, score + 0.1)})
        for place, name in enumerate(CONTEXTS)
    }
    return TrialResult(
        trial,
        "finished",
        coverage=Coverage(answered=N),
        metrics={"accuracy": Estimate(score, score - 0.1, score + 0.08), "macro_f1": Estimate(score - 0.02, 0.3, 0.9)},
        contexts={} if task == "stories" else in_contexts,
        latency={"single-stream": {"p50_ms": p50, "p95_ms": 2 * p50, "p99_ms": 3 * p50, "thin_from": 99.0}},
        notes=(HOSTILE,),
        provenance={"device": "cpu"},
    )


def a_suite():
    """Means of five rows over two tasks, one of which a row lacks."""
    scores = {
        "encoder": (1, "finetune", 0.9, 2),
        "tfidf": (2, "finetune", 0.5, 2),
        HOSTILE: (3, "zero-shot", 0.3, 2),
        "language-model": (None, "zero-shot", 0.7, 1),
    }
    rows = tuple(
        SuiteRow(
            rank,
            model,
            strategy,
            Estimate(score, score - 0.1, score + 0.1),
            tasks,
            {"classification": Estimate(score, score, score)}
            | ({"generation": Estimate(1 - score, 0.0, 1.0)} if tasks == 2 else {}),
        )
        for model, (rank, strategy, score, tasks) in scores.items()
    )
    notes = (f"{HOSTILE} is not in the mean",)
    return SuiteTable("both", ("topics", "stories"), ("classification", "generation"), rows, notes)


def a_report(**options):
    """The page as text, with what stands behind it."""
    evidence = FakeEvidence()
    results = [
        a_trial(evidence, "encoder", "finetune", 0.9, p50=20.0),
        a_trial(evidence, "encoder", "finetune", 0.85, p50=20.0, seed=1),
        a_trial(evidence, "language-model", "few-shot,k=2", 0.6, p50=200.0),
        a_trial(evidence, "tfidf", "finetune", 0.7, p50=0.5),
        a_trial(evidence, HOSTILE, "zero-shot", 0.3, p50=90.0),
        a_trial(evidence, "language-model", "zero-shot", 0.5, p50=300.0, task="stories"),
        a_trial(evidence, "other-model", "zero-shot", 0.4, p50=100.0, task="stories"),
    ]
    refused = Trial(
        "none", Component("tfidf"), Component("topics"), Component("zero-shot"), 0, "test", None, "topics", N, {}
    )
    results.append(TrialResult(refused, "not-applicable", reason=HOSTILE))
    failed = list(evidence.said["topics-2"])
    failed[-1] = Prediction("row/59", "tech", None, "failed", reason="out of memory", context="films")
    evidence.said["topics-2"] = failed

    def answers(key):
        return [(one.sample_id, one.correct) for one in evidence.predictions(key) if one.status != "failed"]

    board = build(results, answers, title=f"Report {HOSTILE}")
    return Html(**options).render_with(replace(board, suites=(a_suite(),)), evidence)


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The address of a report's file."""
    path = tmp_path_factory.mktemp("report") / "leaderboard.html"
    path.write_bytes(a_report().files["leaderboard.html"])
    return path.as_uri()


@pytest.fixture
def drawn_report(tmp_path, monkeypatch):
    """The address of a report's file that holds a part of the samples."""
    monkeypatch.setattr(drawing, "MOST", 200)
    path = tmp_path / "leaderboard.html"
    path.write_bytes(a_report().files["leaderboard.html"])
    return path.as_uri()


@pytest.fixture
def page(browser, report):
    """Opens the report at a place, wide and light."""
    browser.size(1280)
    browser.dark(False)

    def opened(**place):
        browser.complaints()
        browser.open(f"{report}#{'&'.join(itertools.starmap('{}={}'.format, place.items()))}")
        return browser

    return opened
