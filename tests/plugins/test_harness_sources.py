import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest

import harness_sources
from harness.assets import Assets
from harness.errors import AssetError, OfflineError
from harness.registry import Entry, Registry
from harness_sources import pypi, sdist
from harness_sources.files import Files
from harness_sources.hub import Hub
from harness_sources.pypi import PackageIndex


@pytest.fixture
def assets(tmp_path):
    registry = Registry("source")
    harness_sources.register_sources(
        lambda name, target, *, summary="": registry.add(Entry("source", name, target, "sources", "1", summary))
    )
    return Assets(registry, root=tmp_path / "cache", offline=False)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- files of this machine -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "piece", "steps"),
    [
        ("data/train.jsonl", "data/train.jsonl", ()),
        ("/abs/folder", "/abs/folder", ()),
        ("data/*/x.csv", "data", ("*/x.csv",)),
        ("*.csv", ".", ("*.csv",)),
        ("/*.csv", "/", ("*.csv",)),
        ("a.zip!/b/*.csv", "a.zip", ("b/*.csv",)),
        ("d/*.zip!/b.gz!/", "d", ("*.zip", "b.gz", "")),
    ],
)
def test_file_addresses(rest, piece, steps):
    assert Files().split(rest) == (piece, steps)


def test_files_are_named_from_the_folder_before_the_first_star(assets, tmp_path):
    for topic in ("sport", "film"):
        (tmp_path / "data" / topic).mkdir(parents=True)
        (tmp_path / "data" / topic / "1.txt").write_text(topic)

    relative = assets.files("data/*/*.txt", base=tmp_path)
    absolute = assets.files(f"file://{tmp_path}/data/*/*.txt")

    assert [file.name for file in relative] == ["film/1.txt", "sport/1.txt"]
    assert relative == absolute
    assert assets.path("file://data/film/1.txt", base=tmp_path).read_text() == "film"
    assert not assets.root.exists()


def test_a_missing_file_is_an_error_with_the_nearest_names(assets, tmp_path):
    (tmp_path / "train.jsonl").write_text("{}\n")

    with pytest.raises(AssetError, match=r"there is no file or folder .*trian\.jsonl.*did you mean train\.jsonl"):
        assets.path("trian.jsonl", base=tmp_path)


# --- the package registry --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "piece", "steps"),
    [
        ("Some_Name==1.0/a/b.csv", "some-name==1.0", ("a/b.csv",)),
        ("name==1.0", "name==1.0", ()),
        ("name==1.0/", "name==1.0", ("",)),
        ("name==1.0?sdist", "name==1.0?sdist", ()),
        ("name==1.0/a/b?sdist", "name==1.0?sdist", ("a/b",)),
        ("name==1.0/a.tar.gz!/b/*.txt?sdist", "name==1.0?sdist", ("a.tar.gz", "b/*.txt")),
        ("name==1.0/a.tar.gz?sdist!/b/*.txt", "name==1.0?sdist", ("a.tar.gz", "b/*.txt")),
        ("name==1!2.0.post1+local-3/x", "name==1!2.0.post1+local-3", ("x",)),
    ],
)
def test_pypi_addresses(rest, piece, steps):
    assert PackageIndex().split(rest) == (piece, steps)


@pytest.mark.parametrize(
    "rest", ["", "name", "name/a", "name>=1/a", "==1/a", "-r==1", "name==/a", "name==1 --pre/a", "name==1/a?wheel"]
)
def test_malformed_pypi_addresses_show_the_grammar(assets, rest):
    with pytest.raises(AssetError, match=r"is no address.*pypi://NAME==VERSION/path"):
        assets.path(f"pypi://{rest}")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for its only index: `words` in both forms, `only-source` without a wheel."""
    folder = tmp_path / "index"
    folder.mkdir()
    mark = f"open({str(tmp_path / 'ran')!r}, 'w')"
    with zipfile.ZipFile(folder / "words-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("words/list.txt", "from the wheel")
        wheel.writestr("words/__init__.py", mark)
        metadata = "Metadata-Version: 2.1\nName: words\nVersion: 1.0\nRequires-Python: <3\n"
        wheel.writestr("words-1.0.dist-info/METADATA", metadata)
        wheel.writestr("words-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("words-1.0.dist-info/RECORD", "")
    for name in ("words", "only_source"):
        files = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            "setup.py": f"{mark}; import setuptools; setuptools.setup(name={name!r}, version='1.0')",
            "pyproject.toml": "[build-system]\nrequires = ['not-there']\nbuild-backend = 'setuptools.build_meta'\n",
            "list.txt": "from the source",
        }
        with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
            for file, text in files.items():
                info = tarfile.TarInfo(f"{name}-1.0/{file}")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
    use_pip(monkeypatch, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    return folder


def use_pip(monkeypatch, **settings):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in ({"PIP_CONFIG_FILE": os.devnull} | settings).items():
        monkeypatch.setenv(name, value)


def test_a_wheel_and_a_source_distribution(assets, index, tmp_path):
    assert assets.path("pypi://words==1.0/words/list.txt").read_text() == "from the wheel"
    assert assets.path("pypi://words==1.0/words-1.0/list.txt?sdist").read_text() == "from the source"
    assert not (tmp_path / "ran").exists()


def test_the_digest_is_given_to_pip_and_verified(assets, index, tmp_path):
    wheel, source = sha256(index / "words-1.0-py3-none-any.whl"), sha256(index / "words-1.0.tar.gz")

    assert assets.path("pypi://words==1.0/words/list.txt", sha256=wheel).is_file()
    assert assets.path("pypi://words==1.0/words-1.0/list.txt?sdist", sha256=source).is_file()


@pytest.mark.parametrize("form", ["", "?sdist"])
def test_a_wrong_digest_names_both_and_keeps_nothing(assets, index, form):
    with pytest.raises(AssetError, match=f"has SHA-256 [0-9a-f]{{64}}, not {'0' * 64}"):
        assets.path(f"pypi://words==1.0{form}", sha256="0" * 64)
    assert list((assets.root / "downloads").iterdir()) == []


def test_nothing_of_a_source_distribution_can_run(index, tmp_path):
    # `pip wheel` would have to run setup.py: what stops it here also stops `pip download`, should it ever try.
    program = [
        sys.executable,
        "-P",
        sdist.__file__,
        "words",
        "1.0",
        "wheel",
        "--no-deps",
        "--no-binary",
        "words",
        "words==1.0",
    ]
    result = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert result.returncode != 0
    assert "run code of the source distribution" in result.stderr
    assert not (tmp_path / "ran").exists()


def test_an_unknown_version_is_an_error_with_the_nearest(assets, index):
    with pytest.raises(AssetError, match=r"no such wheel.*1\.0"):
        assets.path("pypi://words==1.1")


def test_a_package_without_a_wheel_is_an_error_that_shows_how_to_ask(assets, index):
    with pytest.raises(AssetError, match=r"no such wheel.*\?sdist"):
        assets.path("pypi://only-source==1.0/x")
    assert assets.path("pypi://only-source==1.0/only_source-1.0/list.txt?sdist").is_file()


def test_an_index_that_can_not_be_reached_is_an_offline_error(assets, monkeypatch):
    use_pip(monkeypatch, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="1", NO_PROXY="127.0.0.1")

    with pytest.raises(OfflineError, match=r"package index can't be reached: .*refused.*harness fetch"):
        assets.path("pypi://words==1.0/words/list.txt")
    assert list((assets.root / "downloads").iterdir()) == []


def test_a_disk_that_is_full_for_pip_is_said_in_words():
    said = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"

    assert "disk is full" in str(pypi._explained(said, "words==1.0"))


def test_what_else_pip_says_is_passed_on_in_one_line():
    error = pypi._explained("noise\nWARNING: noise\nERROR: Something new\nERROR: more\n", "words==1.0")

    assert error.message == "pypi://words==1.0: pip failed: Something new"
    assert "it said nothing" in pypi._explained("", "words==1.0").message


@pytest.mark.network
def test_a_real_package(assets):
    digest = "b6a85871a79d2e3b22d2d1b94ac2824226a63c6b741c88f7ae975f18b6778374"
    text = assets.path("pypi://iniconfig==2.0.0/iniconfig/py.typed", sha256=digest).read_text()

    assert text == ""


# --- the hub ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "piece", "steps"),
    [
        ("org/name", "org/name", ()),
        ("org/name/model.safetensors", "org/name/model.safetensors", ("model.safetensors",)),
        ("datasets/org/name@v1/data/*.csv", "datasets/org/name@v1/data/*.csv", ("data/*.csv",)),
        ("datasets/org/name/a.zip!/b.csv", "datasets/org/name/a.zip", ("a.zip", "b.csv")),
    ],
)
def test_hub_addresses(rest, piece, steps):
    assert Hub().split(rest) == (piece, steps)


@pytest.mark.parametrize("rest", ["", "name", "a b/c", "org/name@/x", "datasets/name"])
def test_malformed_hub_addresses_show_the_grammar(assets, rest):
    with pytest.raises(AssetError, match=r"is no address.*hf://ORG/NAME/path"):
        assets.path(f"hf://{rest}")


COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "README.md": b"# rows",
    "data/train.csv": b"a,b\n1,2\n",
    "data/test.csv": b"a,b\n3,4\n",
    "data/deep/x.csv": b"",
}


class HubOnThisMachine(http.server.BaseHTTPRequestHandler):
    """As much of the hub as fetching a data set's files takes."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path in {"/api/datasets/org/rows/revision/main", f"/api/datasets/org/rows/revision/{COMMIT}"}:
            self.answer(json.dumps({"id": "org/rows", "sha": COMMIT, "siblings": []}).encode())
        elif path == f"/api/datasets/org/rows/tree/{COMMIT}":
            tree = [{"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in FILES.items()]
            self.answer(json.dumps(tree).encode())
        elif path.startswith(f"/datasets/org/rows/resolve/{COMMIT}/"):
            self.answer(FILES[path.partition(f"{COMMIT}/")[2]])
        elif "org/rows/revision/" in path:
            self.answer(b"", 404, {"X-Error-Code": "RevisionNotFound"})
        elif "org/gated" in path:
            self.answer(b"", 403, {"X-Error-Code": "GatedRepo"})
        else:
            self.answer(b"", 404, {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def answer(self, body, status=200, headers=None):
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(status)
        etag = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(body).hexdigest()}"'}
        for name, value in (etag | {"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HubOnThisMachine)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(
        constants.ENDPOINT, f"http://127.0.0.1:{server.server_port}"
    )
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()


def test_files_of_the_hub(assets, hub, tmp_path):
    files = assets.files("hf://datasets/org/rows/data/*.csv")

    assert [file.name for file in files] == ["data/test.csv", "data/train.csv"]
    assert assets.path("hf://datasets/org/rows/data/train.csv").read_bytes() == FILES["data/train.csv"]
    assert not any("README" in asked for asked in hub.asked)
    assert not assets.root.exists()
    assert [file.name for file in assets.files("hf://datasets/org/rows/data")] == [
        "data/deep/x.csv",
        "data/test.csv",
        "data/train.csv",
    ]
    assert {file.name for file in assets.files("hf://datasets/org/rows")} == set(FILES)


def test_a_split_of_a_configuration_of_the_hub(assets, hub, monkeypatch):
    head = "---\nconfigs:\n- {config_name: plain, data_files: [{split: test, path: data/test*.csv}]}\n---\n"
    monkeypatch.setitem(FILES, "README.md", head.encode())
    (file,) = assets.files("hf://datasets/org/rows?config=plain&split=test")

    assert (file.name, file.path.read_bytes()) == ("data/test.csv", FILES["data/test.csv"])
    assert not any("train.csv" in asked for asked in hub.asked)
    offline = Assets(assets._sources, root=assets.root, offline=True)
    assert offline.files("hf://datasets/org/rows?config=plain&split=test") == [file]
    assert offline.path("hf://datasets/org/rows?config=plain&split=test") == file.path
    with pytest.raises(AssetError, match=r"no split 'train' .*test"):
        assets.files("hf://datasets/org/rows?split=train")


def test_a_split_of_the_hub_is_told_by_names(assets, hub):
    assert [file.name for file in assets.files("hf://datasets/org/rows?split=train")] == ["data/train.csv"]


@pytest.mark.parametrize("rest", ["datasets/org/rows?splt=x", "datasets/org/rows/data?split=x", "org/rows?split=x"])
def test_malformed_parts_of_the_hub(assets, rest):
    with pytest.raises(AssetError, match=r"no address .*hf://datasets/ORG/NAME\?config=NAME&split=NAME"):
        assets.files(f"hf://{rest}")


def test_a_digest_of_a_file_of_the_hub(assets, hub):
    digest = hashlib.sha256(FILES["data/train.csv"]).hexdigest()

    assert assets.path("hf://datasets/org/rows/data/train.csv", sha256=digest).is_file()
    with pytest.raises(AssetError, match=f"has SHA-256 {digest}, not {'0' * 64}"):
        assets.path("hf://datasets/org/rows/data/train.csv", sha256="0" * 64)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("datasets/org/none/x.csv", "no such repository"),
        ("datasets/org/gated/x.csv", "is gated.*hf auth login"),
        ("datasets/org/rows@v9/x.csv", "no such revision"),
        ("datasets/org/rows/nothing.csv", "no such path"),
    ],
)
def test_what_the_hub_does_not_have_is_said(assets, hub, address, message):
    with pytest.raises(AssetError, match=message):
        assets.files(f"hf://{address}")


def test_offline_only_a_whole_answer_from_the_hubs_cache_will_do(assets, hub):
    assets.path("hf://datasets/org/rows/data/train.csv")
    offline = Assets(assets._sources, root=assets.root, offline=True)
    asked = len(hub.asked)

    assert offline.path("hf://datasets/org/rows/data/train.csv").read_bytes() == FILES["data/train.csv"]
    with pytest.raises(OfflineError, match="not in the hub's cache"):
        offline.files("hf://datasets/org/rows/data/*.csv")
    assert len(hub.asked) == asked


def test_a_hub_that_can_not_be_reached_is_an_offline_error(assets, hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(OfflineError, match="hub can't be reached"):
        assets.path("hf://datasets/org/rows/data/train.csv")


def test_without_the_hubs_library_its_extra_is_named(assets, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    with pytest.raises(AssetError, match=r"needs huggingface_hub.*adapt-harness\[hf\]"):
        assets.path("hf://org/name/x")


def test_the_plugin_is_light():
    script = "import sys, harness_sources.pypi, harness_sources.hub; print('huggingface_hub' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert result.stdout == "False\n"
