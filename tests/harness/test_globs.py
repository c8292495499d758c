import glob

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.globs import below, select

TREE = [
    "a.csv",
    "b.txt",
    "x/a.csv",
    "x/y/a.csv",
    "x/y/b.csv",
    "xx/a.csv",
    ".hidden/a.csv",
    "x/.hidden.csv",
    "x/c[1]?.csv",
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@given(st.lists(st.sampled_from(["*", "**", "x", "y", "a*", "*.csv", "a.csv", "x*", "*y*"]), min_size=1, max_size=4))
def test_globs_match_what_the_standard_library_matches(tree, parts):
    pattern = "/".join(parts)
    found = glob.glob(pattern, root_dir=tree, recursive=True)  # noqa: PTH207 - the reference
    expected = {name for name in found if (tree / name).is_file() and not name.endswith("/")}
    assert {name for name in select(below(tree, pattern), pattern) if "*" in pattern or name == pattern} == expected


def test_a_folder_means_all_below_it():
    assert select(TREE, "x/y") == ["x/y/a.csv", "x/y/b.csv"]
    assert select(TREE, "x/y/a.csv") == ["x/y/a.csv"]
    assert select(TREE, "") == TREE


def test_only_the_star_is_special():
    assert select(TREE, "x/c[1]?.csv") == ["x/c[1]?.csv"]
    assert select(TREE, "x/c[1]*") == ["x/c[1]?.csv"]
    assert select(TREE, "?.csv") == []


def test_a_glob_without_double_star_does_not_walk_deeper_than_it_can_match(tree):
    assert sorted(below(tree, "*.csv")) == ["a.csv", "b.txt"]
    assert "x/y/a.csv" not in set(below(tree, "x/*.csv"))


def test_braces_hold_alternatives():
    names = ["d/eng.html", "d/fra.html", "d/deu.html", "d/{x}.html"]
    assert select(names, "d/{eng,fra}.html") == ["d/eng.html", "d/fra.html"]
    assert select(names, "{d,e}/*{a,u}.html") == ["d/fra.html", "d/deu.html"]
    assert select(names, "d/{x}.html") == ["d/{x}.html"], "one is no choice"
