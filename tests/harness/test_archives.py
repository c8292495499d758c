import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives import unpack
from harness.errors import AssetError

FILES = {
    "top.txt": b"one",
    "folder/inner.csv": b"a,b\r\n1,2\r\n" * 1000,
    "folder/deep/empty": b"",
    "folder/naïve.txt": b"\xff\x00",
}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path, files):
    mode = {".gz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            add(archive, name, content=content)


def add(archive, name, *, kind=tarfile.REGTYPE, target="", content=b""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    archive.addfile(info, io.BytesIO(content))


def write(path, files):
    (write_zip if path.suffix in {".zip", ".whl"} else write_tar)(path, files)
    return path


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path):
    """The folder to unpack into, with room around it where nothing may land."""
    folder = tmp_path / "around" / "target"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["x.zip", "x.whl", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz"])
def test_what_was_packed_comes_out(tmp_path, target, name):
    sizes = unpack(write(tmp_path / name, FILES), target)

    assert content(target) == FILES
    assert sizes == {name: len(data) for name, data in FILES.items()}


def test_a_single_gzip_file_loses_its_suffix(tmp_path, target):
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n'))

    assert unpack(tmp_path / "rows.jsonl.gz", target) == {"rows.jsonl": 9}
    assert content(target) == {"rows.jsonl": b'{"a": 1}\n'}


parts = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\:\0", exclude_categories=["Cc"]), min_size=1, max_size=20
)


@given(st.dictionaries(parts.filter(lambda part: part not in {".", ".."}), st.binary(max_size=200), max_size=5))
def test_any_names_and_bytes_survive(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("any")
    (folder / "out").mkdir()
    files = {f"folder/{name}": data for name, data in files.items()}
    unpack(write(folder / "x.zip", files), folder / "out")
    assert content(folder / "out") == files


# --- what wants out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/../../evil", "a/b/../../../evil", "C:\\evil", "..\\evil", "\\\\host\\evil"]
)
@pytest.mark.parametrize("archive", ["x.zip", "x.tar.gz"])
def test_a_path_that_leads_outside_is_refused(tmp_path, target, archive, name):
    with pytest.raises(AssetError, match=r"unsafe.*leads outside"):
        unpack(write(tmp_path / archive, {"good": b"1", name: b"2"}), target)

    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("link", ["/etc/passwd", "../../outside", "folder/../../../outside"])
def test_a_tar_link_that_leads_outside_is_refused(tmp_path, target, kind, link):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add(archive, "folder/link", kind=kind, target=link)

    with pytest.raises(AssetError, match="the link 'folder/link' leads outside"):
        unpack(tmp_path / "x.tar", target)


def test_nothing_is_written_through_a_link(tmp_path, target):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add(archive, "door", kind=tarfile.SYMTYPE, target=str(target.parent))
        add(archive, "door/evil", content=b"out")

    with pytest.raises(AssetError, match="leads outside"):
        unpack(tmp_path / "x.tar", target)
    assert list(target.parent.iterdir()) == [target]


def test_a_zip_link_that_leads_outside_is_refused(tmp_path, target):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "../../../etc/passwd")

    with pytest.raises(AssetError, match="leads outside"):
        unpack(tmp_path / "x.zip", target)


def test_links_inside_become_copies(tmp_path, target):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        add(archive, "a/second", kind=tarfile.SYMTYPE, target="../a/first")
        add(archive, "a/first", kind=tarfile.SYMTYPE, target="../b/real")
        add(archive, "hard", kind=tarfile.LNKTYPE, target="b/real")
        add(archive, "b/real", content=b"data")

    sizes = unpack(tmp_path / "x.tar.gz", target)

    assert content(target) == dict.fromkeys(["a/first", "a/second", "hard", "b/real"], b"data")
    assert set(sizes.values()) == {4}
    assert not any(path.is_symlink() for path in target.rglob("*"))


def test_a_link_to_no_file_is_left_out_and_said(tmp_path, target, caplog):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add(archive, "round", kind=tarfile.SYMTYPE, target="about")
        add(archive, "about", kind=tarfile.SYMTYPE, target="round")
        add(archive, "real", content=b"data")

    assert unpack(tmp_path / "x.tar", target) == {"real": 4}
    assert "link round leads to no file" in caplog.text


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path, target, kind):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add(archive, "device", kind=kind)

    with pytest.raises(AssetError, match="neither a file, a folder nor a link"):
        unpack(tmp_path / "x.tar", target)


# --- what is too much ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.gz"])
def test_a_bomb_is_stopped_before_it_fills_the_disk(tmp_path, target, name):
    zeros = bytes(20_000_000)
    if name == "x.gz":
        (tmp_path / name).write_bytes(gzip.compress(zeros))
    else:
        write(tmp_path / name, {"zeros": zeros})
    assert (tmp_path / name).stat().st_size < 100_000

    with pytest.raises(AssetError, match="more bytes than are allowed"):
        unpack(tmp_path / name, target, max_bytes=5_000_000)
    assert sum(map(len, content(target).values())) <= 5_000_000


def test_the_limit_is_for_all_files_together(tmp_path, target):
    archive = write(tmp_path / "x.zip", {str(number): bytes(1000) for number in range(10)})

    with pytest.raises(AssetError, match="more bytes than are allowed"):
        unpack(archive, target, max_bytes=9_999)
    assert len(unpack(archive, target, max_bytes=10_000)) == 10


def test_links_count_too(tmp_path, target):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        add(archive, "real", content=bytes(1000))
        for number in range(10):
            add(archive, f"copy{number}", kind=tarfile.LNKTYPE, target="real")

    with pytest.raises(AssetError, match="more bytes than are allowed"):
        unpack(tmp_path / "x.tar", target, max_bytes=5000)


def test_too_many_files_are_refused(tmp_path, target):
    archive = write(tmp_path / "x.zip", {str(number): b"" for number in range(11)})

    with pytest.raises(AssetError, match="more than 10 files"):
        unpack(archive, target, max_members=10)


# --- what is broken --------------------------------------------------------------------------------


@given(st.integers(min_value=0), st.sampled_from(["x.zip", "x.tar.gz", "x.tar.xz"]))
def test_a_cut_archive_is_an_error_or_whole(tmp_path_factory, cut, name):
    folder = tmp_path_factory.mktemp("cut")
    (folder / "out").mkdir()
    archive = write(folder / name, FILES)
    data = archive.read_bytes()
    archive.write_bytes(data[: cut % len(data)])
    try:
        unpack(archive, folder / "out")
    except AssetError:
        return
    assert content(folder / "out") == FILES


def test_a_flipped_bit_is_noticed(tmp_path, target):
    archive = write(tmp_path / "x.zip", {"data": os.urandom(1000)})
    data = bytearray(archive.read_bytes())
    data[500] ^= 1
    archive.write_bytes(data)

    with pytest.raises(AssetError, match=r"archive x\.zip is broken"):
        unpack(archive, target)


def test_a_path_that_is_a_file_and_a_folder_is_broken(tmp_path, target):
    with pytest.raises(AssetError, match="is broken"):
        unpack(write(tmp_path / "x.zip", {"a": b"1", "a/b": b"2"}), target)


def test_another_file_is_no_archive(tmp_path, target):
    (tmp_path / "rows.csv").write_text("a,b\n")

    with pytest.raises(AssetError, match=r"rows\.csv is no archive"):
        unpack(tmp_path / "rows.csv", target)
