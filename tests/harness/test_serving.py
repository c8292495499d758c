"""The report over HTTP: who gets it, and when it is made anew."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from harness import serving
from harness.errors import StoreError, UsageError
from harness.messages import ChunkScored, TrialStarted
from harness.records import Component, Costs, Experiment, Prediction, Trial
from harness.serving import LiveReport, ReportServer

TRIAL = Trial("k" * 64, Component("m"), Component("t"), Component("s"), 0, "test", None, "rows", 9, {})


@pytest.fixture
def planned(store):
    """A store with a trial."""
    store.plan(store.begin_run(Experiment((), (), ()), {}), [TRIAL])
    return store


@pytest.fixture
def served(planned):
    """A server, and what was rendered."""
    rendered = []
    report = LiveReport(planned, lambda version: rendered.append(version) or f"<p>{len(rendered)}".encode())
    with ReportServer(report) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server, rendered
        server.shutdown()
        thread.join()


def get(server, path="/", token=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", f"{path}?token={server.token if token is None else token}", headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def start(store):
    store.apply(TrialStarted(TRIAL.key, Costs(), (), {}))


def test_the_address_that_is_printed_gives_the_page(served):
    server, _ = served
    assert server.address.startswith(f"http://127.0.0.1:{server.server_port}/?token=")
    with urllib.request.urlopen(server.address) as answer:
        assert answer.read() == b"<p>1"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Python" not in answer.headers["Server"]


@pytest.mark.parametrize("token", ["", "wrong", "%C3%BC"])
@pytest.mark.parametrize("path", ["/", "/state", "/elsewhere"])
def test_without_the_token_there_is_nothing(served, path, token):
    server, rendered = served
    assert get(server, path, token)[0] == 403
    assert not rendered


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:80", ""])
def test_another_host_is_refused_even_with_the_token(served, host):
    server, rendered = served
    assert get(server, Host=host)[0] == 403
    assert not rendered


def test_the_name_of_this_machine_is_as_good(served):
    server, _ = served
    assert get(server, Host=f"LOCALHOST:{server.server_port}")[0] == 200


def test_nothing_else_is_served_and_nothing_can_be_sent(served):
    server, _ = served
    assert get(server, "/etc/passwd")[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(server.address, data=b"x")


def test_only_this_machine_can_reach_it(served):
    assert served[0].server_address[0] == "127.0.0.1"


def test_the_page_is_made_anew_only_when_the_store_has_changed(served, planned):
    server, rendered = served
    assert get(server)[1] == get(server)[1] == b"<p>1"
    before = json.loads(get(server, "/state")[1])
    assert before == {"version": rendered[0], "running": []}
    start(planned)
    planned.apply(ChunkScored(TRIAL.key, (0, 1), tuple(Prediction(str(n), "a", "a") for n in range(2)), None))
    after = json.loads(get(server, "/state")[1])
    assert after["version"] != before["version"]
    assert after["running"] == ["m · s on t: 2 of 9 samples"]
    assert get(server)[1] == b"<p>2"
    assert rendered[1] == after["version"]


def test_a_page_that_takes_long_is_not_made_over_and_over(planned, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(serving, "monotonic", lambda: now[0])

    def slow(version):
        now[0] += 4.0
        return version.encode()

    report = LiveReport(planned, slow)
    first = report.page()
    start(planned)
    now[0] += 4.0 * serving.REST - 1
    assert report.page() == first
    assert json.loads(report.state())["version"].encode() == first  # none is promised that can't be had
    now[0] += 2
    assert json.loads(report.state())["version"].encode() == report.page() != first


def test_a_store_that_cant_be_read_is_told_and_tried_again(planned, served, monkeypatch, caplog):
    server, _ = served
    with monkeypatch.context() as broken:
        broken.setattr(planned, "state", lambda: (_ for _ in ()).throw(StoreError("it is locked")))
        assert get(server) == (500, b"it is locked\n")
    assert "the report can't be made: it is locked" in caplog.text
    assert get(server)[0] == 200


def test_a_taken_port_says_what_to_do(served, planned):
    with pytest.raises(UsageError, match="--port"):
        ReportServer(LiveReport(planned, lambda _: b""), served[0].server_port)


def test_tokens_are_not_logged(served, caplog):
    server, _ = served
    with caplog.at_level("DEBUG", logger="harness"):
        get(server)
    assert "GET /?token=..." in caplog.text
    assert server.token not in caplog.text


def test_a_stores_state_changes_with_whatever_a_report_shows(store):
    run = store.begin_run(Experiment((), (), ()), {})
    seen = [store.state().version]

    def changed():
        seen.append(store.state().version)
        return seen[-1] != seen[-2]

    store.plan(run, [TRIAL])
    assert changed()
    start(store)
    assert changed()
    assert store.state().running == {TRIAL.key: 0}
    store.apply(ChunkScored(TRIAL.key, (0,), (Prediction("0", "a", "a"),), None))
    assert changed()
    store.plan(run, [replace(TRIAL, key="l" * 64)])
    assert changed()
    assert not changed()
