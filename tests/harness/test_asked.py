"""What trials asked, kept and read again."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.asked import keep, kept, place
from harness.errors import ModelError
from harness.interfaces import Asked
from harness.records import Classify, Embed, FillMask, Generate, LogLikelihood, Prompt, RollingLogLikelihood

TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
PROMPTS = st.builds(
    Prompt,
    TEXT,
    TEXTS,
    TEXT,
    st.sampled_from(["auto", "turns"]),
    st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
)
REQUESTS = st.one_of(
    st.builds(LogLikelihood, PROMPTS, TEXTS),
    st.builds(Generate, PROMPTS, st.integers(1, 9), TEXTS, st.floats(0, 2), st.integers(0, 9), st.floats(0, 1)),
    st.builds(Classify, TEXT, TEXTS),
    st.builds(Embed, TEXT),
    st.builds(RollingLogLikelihood, TEXT),
    st.builds(FillMask, PROMPTS, TEXTS, TEXT),
)


@given(st.lists(st.tuples(TEXT, st.lists(REQUESTS, max_size=2).map(tuple)), max_size=4), TEXTS, TEXTS)
def test_what_is_kept_is_read_as_it_was(tmp_path_factory, samples, labels, notes):
    path = place(tmp_path_factory.mktemp("cache"), "abc")
    keep(path, Asked(samples, labels, notes))
    found = kept(path)
    assert list(found.samples) == samples
    assert list(found.samples) == samples  # each who goes through them begins anew
    assert (found.labels, found.notes) == (labels, notes)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_demonstrations_are_kept_once(tmp_path):
    demonstrations = tuple(f"{number} " * 200 for number in range(8))
    asked = Asked([(str(n), (LogLikelihood(Prompt(f"Q{n}", demonstrations), (" a", " b")),)) for n in range(500)])
    keep(tmp_path / "a", asked)
    content = gzip.decompress((tmp_path / "a").read_bytes())
    assert len(content) < 500 * 300
    assert list(kept(tmp_path / "a").samples) == asked.samples


@pytest.mark.parametrize("harm", [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"{}"])
def test_what_is_damaged_is_not_there(tmp_path, harm):
    path = tmp_path / "a"
    keep(path, Asked([("1", (Embed("x" * 999),))]))
    path.write_bytes(harm(path.read_bytes()))
    assert kept(path) is None
    assert kept(tmp_path / "nowhere") is None


def test_nothing_is_left_where_the_requests_cant_be_made(tmp_path):
    def samples():
        yield "1", (Embed("x"),)
        raise ModelError("there is no model here")

    with pytest.raises(ModelError):
        keep(tmp_path / "a", Asked(samples()))
    assert not list(tmp_path.iterdir())
