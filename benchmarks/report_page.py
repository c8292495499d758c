"""How long a report with many answers takes: to make, to open in Chromium, to show the answers, to search them.

python benchmarks/report_page.py [PREDICTIONS]        20,000 unless told, of ten trials; needs Chromium and selenium
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness.interfaces import Asked
from harness.leaderboard import build
from harness.records import Component, Coverage, Estimate, LogLikelihood, Prediction, Prompt, Trial, TrialResult
from harness_reporters.html import Html

TRIALS, ROUNDS = 10, 5
LABELS = ("business", "entertainment", "politics", "sports", "tech")
WORDS = Path(__file__).read_text().split()


class Made:
    """Predictions with questions of a hundred words each, and four demonstrations before half of them."""

    def __init__(self, each: int) -> None:
        rng = random.Random(0)
        self.ids = [f"row-{n}" for n in range(each)]
        self.questions = [f"{' '.join(rng.choices(WORDS, k=100))} {n}\nTopic:" for n in range(each)]
        self.shown = tuple(" ".join(rng.choices(WORDS, k=100)) for _ in range(4))

    def predictions(self, key: str) -> list[Prediction]:
        rng = random.Random(key)
        found = []
        for n, name in enumerate(self.ids):
            scores = tuple(rng.uniform(-9, -1) for _ in LABELS)
            found.append(
                Prediction(name, LABELS[n % 5], LABELS[scores.index(max(scores))], scores=scores, latency_ms=3.0)
            )
        return found

    def asked(self, trial: Trial) -> Asked:
        shown = self.shown if trial.seed % 2 else ()
        answers = tuple(f" {label}" for label in LABELS)
        prompts = (Prompt(question, shown) for question in self.questions)
        return Asked(
            [(name, (LogLikelihood(prompt, answers),)) for name, prompt in zip(self.ids, prompts, strict=True)], LABELS
        )


def a_page(predictions: int) -> bytes:
    each = predictions // TRIALS
    made = Made(each)
    results = []
    for number in range(TRIALS):
        names = (Component(f"model-{number}"), Component("topics"), Component("few-shot"))
        trial = Trial(f"k{number}", *names, number, "test", None, "rows", each, {})
        metrics = {"accuracy": Estimate(0.2 + number / 100, 0.1, 0.4)}
        results.append(TrialResult(trial, "finished", coverage=Coverage(answered=each), metrics=metrics))
    board = build(results, lambda key: [(one.sample_id, one.correct) for one in made.predictions(key)])
    started = time.process_time()
    content = Html().render_with(board, made).files["leaderboard.html"]
    print(f"made in {time.process_time() - started:.2f} CPU-s, {len(content) / 1e6:.2f} MB")
    return content


def main() -> None:
    predictions = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "leaderboard.html")
        path.write_bytes(a_page(predictions))
        times: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
            for name, address, ready in (
                ("leaderboard", path.as_uri(), ".leaders tbody tr"),
                ("answers", f"{path.as_uri()}#view=answers&trial=k1&sample=row-7", ".entry[open] pre"),
            ):
                driver.get("about:blank")
                started = time.perf_counter()
                driver.get(address)
                while not driver.execute_script("return document.querySelector(arguments[0])", ready):
                    time.sleep(0.005)
                times.setdefault(f"opened to its {name}", []).append(time.perf_counter() - started)
            started = time.perf_counter()
            driver.execute_script(
                "history.replaceState(null, '', '#view=answers&trial=k1&q=row-77');"
                "dispatchEvent(new Event('hashchange'))"
            )
            while not driver.execute_script("return document.querySelector('.told').innerText.includes(' of ')"):
                time.sleep(0.005)
            times.setdefault("searched", []).append(time.perf_counter() - started)
            driver.quit()
    for name, seconds in times.items():
        print(
            f"{name}: {statistics.median(seconds):.2f} s (median of {ROUNDS}; {min(seconds):.2f} to {max(seconds):.2f})"
        )


main()
