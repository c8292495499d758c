"""A store's report over HTTP, for this machine's own browsers alone, kept up to date while runs go on (`harness view`).

Whoever asks has to know the token: other users of the machine can reach the port, and so can pages of other sites, by
their scripts or by a name of theirs that they let resolve to 127.0.0.1. The last is why `Host` is looked at as well.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.store import Store

log = logging.getLogger(__name__)

HOST = "127.0.0.1"

REST = 5.0
"""A report is made anew no sooner than after so many times the seconds that making it took: a run needs the cores."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer; what a page may do beyond that stands in the page."""


class LiveReport:
    """A store's report, made anew when the store has changed and somebody asks.

    Args:
        store: what is reported.
        render: makes the page; it is given the version of the store that the page will be of.
    """

    def __init__(self, store: Store, render: Callable[[str], bytes]) -> None:
        self._store = store
        self._render = render
        self._lock = threading.Lock()
        self._version, self._page = "", b""
        self._again_at = 0.0

    def page(self) -> bytes:
        """The page, of the version that `state` tells, or a newer one."""
        with self._lock:
            version = self._store.state().version
            if not self._page or (version != self._version and monotonic() >= self._again_at):
                started = monotonic()
                self._page, self._version = self._render(version), version
                self._again_at = monotonic() + REST * (monotonic() - started)
            return self._page

    def state(self) -> bytes:
        """As JSON: the version of the newest page that can be had, and the trials that are running, in words."""
        state = self._store.state()
        newest = self._version and monotonic() < self._again_at
        results = self._store.results(keys=list(state.running)) if state.running else []
        running = [
            f"{one.trial.model} · {one.trial.strategy} on {one.trial.task}: "
            f"{state.running[one.trial.key]:,} of {one.trial.n:,} samples"
            for one in results
        ]
        return json.dumps({"version": self._version if newest else state.version, "running": running}).encode()


class ReportServer(ThreadingHTTPServer):
    """Serves a live report on 127.0.0.1.

    Args:
        report: what is served.
        port: 0 takes a free one.

    Raises:
        UsageError: when the port is taken or may not be used.
    """

    daemon_threads = True  # a browser that holds its connection open doesn't hold the program

    def __init__(self, report: LiveReport, port: int = 0) -> None:
        self.report = report
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"port {port} can't be used: {error.strerror}", hint="--port names another, 0 takes a free one"
            ) from error

    @property
    def address(self) -> str:
        """Where the report is, token included."""
        return f"http://{HOST}:{self.server_port}/?{urlencode({'token': self.token})}"


class _Handler(BaseHTTPRequestHandler):
    """Answers one browser."""

    server: ReportServer
    protocol_version = "HTTP/1.1"
    server_version = "harness"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        """Give the page or the state to those who know the token."""
        url = urlsplit(self.path)
        token = parse_qs(url.query).get("token", [""])[0]
        if self.headers.get("Host", "").lower() not in self._names():
            self._answer(HTTPStatus.FORBIDDEN, b"another host was asked for\n")
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._answer(HTTPStatus.FORBIDDEN, b"open the address that harness view printed: it ends in a token\n")
        elif url.path not in ("/", "/state"):
            self._answer(HTTPStatus.NOT_FOUND, b"there is nothing here\n")
        else:
            self._serve(is_page=url.path == "/")

    def _names(self) -> set[str]:
        return {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}

    def _serve(self, *, is_page: bool) -> None:
        report = self.server.report
        try:
            content = report.page() if is_page else report.state()
        except HarnessError as error:
            log.warning("the report can't be made: %s", error)
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error}\n".encode())
        else:
            self._answer(HTTPStatus.OK, content, "text/html; charset=utf-8" if is_page else "application/json")

    def _answer(self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Requests are told with --debug only, without their token."""
        log.debug("%s", (format % args).replace(self.server.token, "..."))
