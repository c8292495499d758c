import hashlib
import logging
import shutil
import tarfile
import zipfile

import pytest

from harness.assets import AssetFile, Assets
from harness.errors import AssetError, OfflineError, UnknownNameError
from harness.registry import Entry, Registry


class Shelf:
    """A source of one folder's files, `shelf://FILE/path`, that counts how often it is asked."""

    keeps = False
    folder = None
    fetched = 0

    def split(self, rest):
        first, *steps = rest.split("!/")
        piece, slash, inner = first.partition("/")
        return piece, ((inner, *steps) if slash else tuple(steps))

    def fetch(self, piece, folder, *, sha256, offline):
        assert not offline
        type(self).fetched += 1
        return shutil.copy(self.folder / piece, folder / piece) and folder / piece


class Here:
    """A source that keeps what it brings where it lies."""

    keeps = True

    def split(self, rest):
        piece, *steps = rest.split("!/")
        return piece, tuple(steps)

    def fetch(self, piece, folder, *, sha256, offline):
        return folder / piece


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with a package that holds a table, two articles, and an archive with ratings."""
    folder = tmp_path / "shelf"
    (folder / "nested").mkdir(parents=True)
    (folder / "ratings.txt").write_text("1\tgood\n")
    with tarfile.open(folder / "more.tar.gz", "w:gz") as archive:
        archive.add(folder / "ratings.txt", "more/film_ratings.txt")
        archive.add(folder / "ratings.txt", "more/readme.md")
    with zipfile.ZipFile(folder / "package.whl", "w") as wheel:
        wheel.writestr("data/table.csv", "a,b\n")
        wheel.writestr("data/topics/sport/2.txt", "ball")
        wheel.writestr("data/topics/film/1.txt", "star")
        wheel.write(folder / "more.tar.gz", "data/more.tar.gz")
    monkeypatch.setattr(Shelf, "folder", folder)
    monkeypatch.setattr(Shelf, "fetched", 0)
    return folder


@pytest.fixture
def sources():
    registry = Registry("source")
    registry.add(Entry("source", "shelf", f"{__name__}:Shelf", "tests", "1"))
    registry.add(Entry("source", "file", f"{__name__}:Here", "tests", "1"))
    return registry


@pytest.fixture
def assets(sources, shelf, tmp_path):
    return Assets(sources, root=tmp_path / "cache", offline=False)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(assets, address, **arguments):
    return [file.name for file in assets.files(address, **arguments)]


# --- what addresses mean ---------------------------------------------------------------------------


def test_a_file_inside_a_download(assets):
    assert assets.path("shelf://package.whl/data/table.csv").read_text() == "a,b\n"


def test_a_glob_gives_files_by_name(assets):
    files = assets.files("shelf://package.whl/data/topics/*/*.txt")

    assert [file.name for file in files] == ["data/topics/film/1.txt", "data/topics/sport/2.txt"]
    assert [file.path.read_text() for file in files] == ["star", "ball"]


def test_a_folder_is_all_files_below_it(assets):
    assert names(assets, "shelf://package.whl/data/topics") == ["data/topics/film/1.txt", "data/topics/sport/2.txt"]
    assert (assets.path("shelf://package.whl/data/topics") / "film" / "1.txt").read_text() == "star"


def test_an_archive_inside_an_archive(assets):
    address = "shelf://package.whl/data/more.tar.gz!/more/*_ratings.txt"

    assert names(assets, address) == ["more/film_ratings.txt"]
    assert assets.path(address).read_text() == "1\tgood\n"


def test_a_download_is_itself_until_a_path_goes_inside(assets, shelf):
    assert assets.path("shelf://package.whl").read_bytes() == (shelf / "package.whl").read_bytes()
    assert (assets.path("shelf://package.whl/") / "data" / "table.csv").is_file()
    assert names(assets, "shelf://more.tar.gz!/") == ["more/film_ratings.txt", "more/readme.md"]


def test_one_path_is_wanted_where_a_glob_meets_several(assets):
    assert assets.path("shelf://package.whl/data/*.csv").name == "table.csv"
    with pytest.raises(AssetError, match="is 2 files where one is wanted"):
        assets.path("shelf://package.whl/data/topics/**")


def test_several_archives_can_not_be_entered_at_once(assets):
    with pytest.raises(AssetError, match="goes into 2 archives at once"):
        assets.files("shelf://package.whl/data/topics/**!/x")


def test_what_is_not_inside_is_an_error_with_the_nearest_names(assets):
    with pytest.raises(AssetError, match=r"no 'data/tabel\.csv' in package\.whl.*did you mean data/table\.csv"):
        assets.path("shelf://package.whl/data/tabel.csv")


def test_a_path_can_not_leave_the_archive(assets):
    with pytest.raises(AssetError, match="there is no"):
        assets.path("shelf://package.whl/../../../../shelf/ratings.txt")


def test_plain_paths_start_from_the_base(assets, shelf):
    assert assets.files("ratings.txt", base=shelf) == [AssetFile("ratings.txt", shelf / "ratings.txt")]
    assert names(assets, "package.whl!/data/*.csv", base=shelf) == ["data/table.csv"]


def test_an_empty_folder_is_an_error(assets, shelf):
    with pytest.raises(AssetError, match="nested has no files"):
        assets.files("nested", base=shelf)


def test_an_unknown_scheme_is_an_error_with_those_that_there_are(assets):
    with pytest.raises(UnknownNameError, match=r"unknown source 'shelve'.*shelf"):
        assets.path("shelve://package.whl")


def test_a_scheme_without_its_strokes_is_malformed(assets):
    with pytest.raises(AssetError, match=r"is no address.*shelf://"):
        assets.path("shelf:package.whl")


# --- the cache -------------------------------------------------------------------------------------


def test_a_download_is_fetched_once_and_said(assets, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(2):
        assets.files("shelf://package.whl/data/*.csv")
        assets.files("shelf://package.whl/data/topics")

    assert Shelf.fetched == 1
    messages = [record.getMessage() for record in caplog.records if record.name == "harness.assets"]
    assert messages[0] == "fetching shelf://package.whl"
    assert messages[1].startswith("fetched shelf://package.whl: 0.0 MB in ")
    assert messages[2:] == ["unpacking package.whl"]


def test_a_cut_download_is_fetched_again(assets):
    path = assets.path("shelf://ratings.txt")
    path.write_text("1")

    assert assets.path("shelf://ratings.txt").read_text() == "1\tgood\n"
    assert Shelf.fetched == 2


@pytest.mark.parametrize("receipt", ["", "[]", '{"file": "ratings.txt"}'])
def test_a_download_with_a_damaged_receipt_is_fetched_again(assets, receipt):
    path = assets.path("shelf://ratings.txt")
    (path.parent / "receipt.json").write_text(receipt)

    assert assets.path("shelf://ratings.txt").read_text() == "1\tgood\n"


def test_a_file_that_vanished_from_what_was_unpacked_comes_back(assets):
    assets.path("shelf://package.whl/data/topics/film/1.txt").unlink()

    assert len(assets.files("shelf://package.whl/data/topics")) == 2
    assert Shelf.fetched == 1


def test_a_fetch_that_fails_leaves_nothing(assets, shelf, tmp_path):
    with pytest.raises(AssetError, match="can't make downloads"):
        assets.path("shelf://missing.whl")
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


def test_a_broken_archive_leaves_nothing_unpacked(assets, shelf, tmp_path):
    (shelf / "broken.zip").write_bytes((shelf / "package.whl").read_bytes()[:-50])
    with pytest.raises(AssetError, match=r"broken\.zip is broken"):
        assets.files("shelf://broken.zip!/")
    assert list((tmp_path / "cache" / "unpacked").iterdir()) == []


def test_folders_of_others_are_made_once(assets):
    made = assets.made("converted", "abc", lambda folder: (folder / "model").write_text("weights") and None)

    assert assets.has("converted", "abc") == made == assets.root / "converted" / "abc"
    assert assets.has("converted", "def") is None


# --- verifying -------------------------------------------------------------------------------------


def test_the_digest_belongs_to_the_download(assets, shelf):
    address = "shelf://package.whl/data/more.tar.gz!/more/*_ratings.txt"

    assert names(assets, address, sha256=sha256(shelf / "package.whl").upper()) == ["more/film_ratings.txt"]


def test_another_digest_is_an_error_with_both_and_nothing_is_kept(assets, shelf, tmp_path):
    with pytest.raises(AssetError, match=f"SHA-256 {sha256(shelf / 'package.whl')}, not {'0' * 64}"):
        assets.path("shelf://package.whl", sha256="0" * 64)
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


def test_what_is_in_the_cache_is_compared_too(assets, shelf):
    assets.path("shelf://package.whl")

    with pytest.raises(AssetError, match=rf"not {'0' * 64}.*if the one in the cache is wrong, remove"):
        assets.path("shelf://package.whl", sha256="0" * 64)
    assert assets.path("shelf://package.whl", sha256=sha256(shelf / "package.whl")).is_file()


def test_files_of_this_machine_are_verified_every_time(assets, shelf):
    digest = sha256(shelf / "package.whl")
    assert names(assets, "package.whl!/data/table.csv", base=shelf, sha256=digest) == ["data/table.csv"]
    (shelf / "package.whl").write_bytes(b"another")

    with pytest.raises(AssetError, match=f"not {digest}"):
        assets.files("package.whl!/data/table.csv", base=shelf, sha256=digest)


def test_the_digest_of_a_folder_is_refused(assets, shelf):
    with pytest.raises(AssetError, match="a SHA-256 belongs to one"):
        assets.files(".", base=shelf, sha256="0" * 64)


def test_what_is_no_digest_is_an_error(assets):
    with pytest.raises(AssetError, match="'abc' is no SHA-256"):
        assets.path("shelf://package.whl", sha256="abc")


# --- offline and settings --------------------------------------------------------------------------


def test_offline_the_cache_is_used(assets, sources):
    assets.path("shelf://package.whl/data/table.csv")

    offline = Assets(sources, root=assets.root, offline=True)

    assert offline.path("shelf://package.whl/data/table.csv").read_text() == "a,b\n"


def test_offline_what_is_not_in_the_cache_is_an_error_that_says_how_to_get_it(sources, shelf, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_OFFLINE", "1")

    with pytest.raises(OfflineError, match=r"shelf://package.whl is not in the cache.*harness fetch"):
        Assets(sources, root=tmp_path).path("shelf://package.whl/data/table.csv")
    assert Shelf.fetched == 0


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)])
def test_offline_comes_from_the_environment_unless_told(sources, monkeypatch, value, offline):
    monkeypatch.setenv("HARNESS_OFFLINE", value)

    assert Assets(sources).offline is offline
    assert Assets(sources, offline=not offline).offline is not offline


def test_the_root_comes_from_the_environment_unless_told(sources, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "mine"))

    assert Assets(sources).root == tmp_path / "mine"
    assert Assets(sources, root=tmp_path).root == tmp_path
    monkeypatch.delenv("HARNESS_CACHE")
    assert Assets(sources).root.name == "adapt-harness"
