"""Components: what people write, checked against what a part declares."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from harness.components import build, parse_component, settings
from harness.errors import ParameterError, UsageError
from harness.records import Component

word = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)


@dataclass(frozen=True)
class Part:
    k: Annotated[int, Field(ge=1)] = 8
    select: Literal["first", "random"] = "random"


@dataclass(frozen=True)
class Referring:
    reference: str
    dtype: str = "auto"


@given(name=word, reference=st.none() | word, params=st.dictionaries(word, word, max_size=4))
def test_reads_what_it_prints(name, reference, params):
    component = Component(name, reference, params)
    assert parse_component(str(component)) == component


def test_a_reference_may_hold_colons_and_slashes():
    component = parse_component("openai:gpt,base_url=http://localhost:8000/v1")
    assert component == Component("openai", "gpt", {"base_url": "http://localhost:8000/v1"})


@pytest.mark.parametrize("text", ["", ",k=1", "few-shot,k", "few-shot,=3", "few-shot,k=1,k=2"])
def test_refuses_malformed_text(text):
    with pytest.raises(UsageError):
        parse_component(text)


def test_parameters_are_converted_and_defaults_filled():
    assert settings(Part, parse_component("part,k=3"), kind="strategy") == {"k": 3, "select": "random"}


def test_an_unknown_parameter_is_told_the_nearest():
    with pytest.raises(ParameterError, match=r"'part' has no parameter 'selcet' \(did you mean select\?\)"):
        build(Part, parse_component("part,selcet=first"), kind="strategy")


@pytest.mark.parametrize("text", ["part,k=0", "part,k=many", "part,select=last"])
def test_a_wrong_value_is_refused_with_its_name(text):
    name = text.split(",")[1].split("=")[0]
    with pytest.raises(ParameterError, match=f"parameter {name}="):
        build(Part, parse_component(text), kind="strategy", where="exp.yaml:3: strategies[0]")


def test_references_go_where_they_are_declared():
    assert build(Referring, parse_component("hf:org/name"), kind="model") == Referring("org/name")
    with pytest.raises(ParameterError, match="needs a reference"):
        build(Referring, parse_component("hf"), kind="model")
    with pytest.raises(ParameterError, match="takes no reference"):
        build(Part, parse_component("part:x"), kind="strategy")


def test_provided_objects_are_passed_and_cannot_be_set():
    def needs(assets: object, k: int = 1) -> tuple[object, int]:
        return assets, k

    assert build(needs, parse_component("m,k=2"), kind="model", provided={"assets": "cache"}) == ("cache", 2)
    with pytest.raises(ParameterError, match="no parameter 'assets'"):
        build(needs, parse_component("m,assets=mine"), kind="model", provided={"assets": "cache"})
