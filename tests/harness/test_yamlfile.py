import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.yamlfile import read_yaml, validate


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "file.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_plain_data_by_the_rules_of_yaml_1_2(written):
    text = "a: [yes, true, 0o17, 0x1F, 007, -1.5, 1e3, ~, 2020-01-01, '1']\nb: {}\nc: |\n  two\n  lines\n"
    data = read_yaml(written(text)).data
    assert data["a"] == ["yes", True, 15, 31, 7, -1.5, 1000.0, None, "2020-01-01", "1"]
    assert [type(value) for value in data["a"][2:5]] == [int, int, int]
    assert (data["b"], data["c"]) == ({}, "two\nlines\n")


def test_keys_stay_as_they_are_written(written):
    assert read_yaml(written("labels: {1: one, True: yes, no: 2.0}\n")).data == {
        "labels": {"1": "one", "True": "yes", "no": 2.0}
    }


def test_every_key_has_its_line(written):
    path = written("a:\n  b:\n  - 1\n  - c: 2\n    d: 3\n")
    located = read_yaml(path)
    assert located.where("a", "b", 1, "d") == f"{path}:5: a.b[1].d"
    assert located.where("a", "b", 0) == f"{path}:3: a.b[0]"
    assert located.where("a", "x", "y") == f"{path}:1: a.x.y", "what is not there is where it should be"
    assert located.where() == f"{path}:1"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' stands twice (first in line 1)"),
        ("a:\n  1: x\n  '1': y\n", 3, "key '1' stands twice"),
        ("a: 1\nb:\n\tc: 2\n", 3, "indent with spaces"),
        ("a: [1\nb: 2\n", 2, "is not YAML"),
        ("a: b: c\n", 1, "is not YAML"),
        ("a: 1\n--- \nb: 1\n", 2, "is not YAML"),
        ("a: &x [1, 2]\nb: *x\n", 2, "aliases"),
        ("a: &x [*x]\n", 1, "aliases"),
        ("a: *nowhere\n", 1, "is not YAML"),
        ("a: 1\n<<: {b: 2}\n", 2, "merge keys"),
        ("a: 1\n? [x, y]\n: 2\n", 2, "lists or mappings"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "python/object"),
        ("a: !!set {x, y}\n", 1, "set"),
        ("%YAML 1.1\n---\na: yes\n", 3, "'yes'"),
        ("- a\n- b\n", 1, "no mapping"),
        ("", 1, "no mapping"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(written, text, line, said):
    path = written(text)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert caught.value.where.split(": ")[0] == f"{path}:{line}"
    assert said in str(caught.value)


def test_files_that_can_not_be_read(written, tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_yaml(written(b"a: \xff\n"))
    with pytest.raises(ConfigError, match="is not YAML"):
        read_yaml(written("a: \x01\n"))
    with pytest.raises(ConfigError, match="is not YAML"):
        read_yaml(written("a: " + "[" * 10_000))


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]))
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, DATA, max_size=3))
def test_json_is_read_as_json(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("yaml") / "file.yaml"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    assert read_yaml(path).data == json.loads(json.dumps(data))


# --- models --------------------------------------------------------------------------------------


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(ge=1)] = 1
    colour: Literal["red", "blue"] = "red"
    share: float = 0.5


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    parts: list[str | dict[str, Any]] = []


def test_a_valid_file_becomes_the_model(written):
    located = read_yaml(written("name: x\ninner: {size: 2, share: 1}\nmany: [{colour: blue}]\nparts: [a, {name: b}]\n"))
    expected = Outer(name="x", inner=Inner(size=2, share=1.0), many=(Inner(colour="blue"),), parts=["a", {"name": "b"}])
    assert validate(located, Outer) == expected


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("name: x\ninner:\n  sise: 2\n", "3: inner.sise", "unknown key 'sise' (did you mean size?)"),
        ("nane: x\n", "1: nane", "unknown key 'nane' (did you mean name"),
        ("name: x\nmany:\n- size: 2\n- color: red\n", "4: many[1].color", "did you mean colour?"),
        ("inner: {size: 2}\n", "1: name", "key 'name' is missing"),
        ("name: 5\n", "1: name", "should be a valid string (put it in quotes if it is text)"),
        ("name: x\ninner:\n  size: 0\n", "3: inner.size", "greater than or equal to 1"),
        ("name: x\ninner:\n  size: '2'\n", "3: inner.size", "valid integer"),
        ("name: x\ninner: {size: true}\n", "2: inner.size", "valid integer"),
        ("name: x\ninner: {colour: green}\n", "2: inner.colour", "'red' or 'blue'"),
        ("name: x\nparts:\n- a\n- 5\n", "4: parts[1]", "should be a valid string or should be an object"),
        ("name: x\ninner: 5\n", "2: inner", "should be an object"),
    ],
)
def test_the_first_fault_is_named_with_line_and_key(written, text, place, said):
    path = written(text)
    with pytest.raises(ConfigError) as caught:
        validate(read_yaml(path), Outer)
    assert caught.value.where == f"{path}:{place}"
    assert said in str(caught.value)
