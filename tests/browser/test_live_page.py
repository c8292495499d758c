"""`harness view` in a real Chromium: the page follows the store and keeps its place."""

import signal
import subprocess
import sys
import threading
from functools import partial

import pytest

from harness.evidence import StoredEvidence
from harness.records import Component, Experiment
from harness.reporting import leaderboard_of, rendered
from harness.runner import run_experiment
from harness.serving import LiveReport, ReportServer


@pytest.fixture
def served(store, catalogue):
    """A server of the store's report."""
    evidence = StoredEvidence(store, catalogue)

    def render(version):
        board = leaderboard_of(store.results(), store, catalogue)
        return rendered(board, catalogue.reporter(f"html,live={version}"), evidence).files["leaderboard.html"]

    with ReportServer(LiveReport(store, render)) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def experiment(*strategies, model="toy"):
    return Experiment((Component(model),), (Component("toy"),), tuple(map(Component, strategies)))


def test_new_rows_appear_while_one_types(browser, served, store, catalogue):
    run_experiment(experiment("zero-shot"), catalogue, store)
    browser.size(1280)
    browser.open(f"{served.address}#view=leaderboard")
    browser.complaints()
    rows = "return document.querySelectorAll('.leaders tbody tr').length"
    browser.wait("return document.getElementById('status').textContent === 'Live: nothing is running.'")
    assert browser.js(rows) == 1
    assert browser.complaints() == []
    browser.open(f"{served.address}#view=answers&show=wrong&sample=test-1")
    browser.type("q", "te")
    run_experiment(
        Experiment((Component("toy"),), (Component("toy"),), (Component("few-shot", None, {"k": "2"}),)),
        catalogue,
        store,
    )
    browser.wait("return document.querySelectorAll('#field-trial option').length === 2")
    assert browser.js("return document.activeElement.id") == "field-q"
    assert browser.js("return document.activeElement.value") == "te"
    assert browser.hash["show"] == "wrong"
    assert {address.split("?")[0] for address in browser.requests() if address.startswith("http")} == {
        served.address.split("?")[0],
        served.address.split("?")[0] + "state",
    }


def test_ctrl_c_ends_the_command_and_the_page_says_so(browser, store, catalogue, tmp_path):
    run_experiment(experiment("zero-shot"), catalogue, store)
    command = [sys.executable, "-m", "harness", "view", "--no-browser", "--store", str(tmp_path / "results.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as viewer:
        browser.open(f"{viewer.stdout.readline().strip()}#view=leaderboard")
        browser.wait("return document.getElementById('status').textContent.startsWith('Live')")
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(20) == 0
        assert "Traceback" not in viewer.stderr.read()
    browser.wait("return document.getElementById('status').className === 'gone'")
    assert browser.texts(".leaders tbody .model") == ["toy"]
