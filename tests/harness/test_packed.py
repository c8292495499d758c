import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import packed
from harness.errors import HarnessError
from harness.packed import Chained, Packed, Places, Selected

values = st.tuples(st.text(), st.integers(), st.lists(st.floats(allow_nan=False)))


def record(plain):
    return ("made", *plain)


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=5), st.data())
def test_chained_records_are_those_of_all_sources_in_order(sources, data):
    found, joined = (
        Chained((len(one), one.__getitem__) for one in sources),
        [number for one in sources for number in one],
    )
    assert found == joined
    part = data.draw(st.slices(len(joined)))
    assert found[part] == joined[part]
    with pytest.raises(IndexError):
        found[len(joined)]


@given(st.lists(values, max_size=300), st.slices(300), st.sampled_from([1, 50, 10**6]))
def test_packed_records_are_a_sequence_like_any_other(plain, part, in_memory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "IN_MEMORY", in_memory)  # on disk, partly on disk, in memory
        found = Packed(iter(plain), record)
    expected = [record(one) for one in plain]
    assert len(found) == len(expected)
    assert list(found) == expected
    assert [found[index] for index in range(-len(expected), len(expected))] == expected * 2
    assert found == expected
    assert list(found[part]) == expected[part]
    assert found[part] == expected[part]
    assert found != [*expected, record(("", 0, []))]
    with pytest.raises(IndexError):
        found[len(expected)]


def test_records_on_disk_are_read_by_several_threads(monkeypatch):
    monkeypatch.setattr(packed, "IN_MEMORY", 100)
    found = Packed(([number, "x" * number] for number in range(1000)), tuple)
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(lambda at: found[at * 7919 % 1000], range(4000)))
    assert read == [(at * 7919 % 1000, "x" * (at * 7919 % 1000)) for at in range(4000)]


def test_a_full_disk_is_told_with_what_to_do(monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packed, "IN_MEMORY", 100)
    monkeypatch.setattr(packed.tempfile, "TemporaryFile", full)
    with pytest.raises(HarnessError, match=r"No space left on device.*TMPDIR"):
        Packed(range(1000), int)


@given(st.lists(st.integers(0, 20)), st.data())
def test_selected_records_stand_in_the_order_of_their_places(records, data):
    places = data.draw(st.lists(st.sampled_from(range(len(records)))) if records else st.just([]))
    found = Selected(records, places)
    assert list(found) == [records[place] for place in places]
    assert found[::-1] == [records[place] for place in reversed(places)]


@given(st.sets(st.integers(0, 200)))
def test_places_are_a_sequence_that_knows_what_it_holds(held):
    places = Places(iter(sorted(held)))
    assert list(places) == sorted(held)
    assert len(places) == len(held)
    assert [place for place in range(-2, 203) if place in places] == sorted(held)
    assert [places[at] for at in range(-len(held), len(held))] == sorted(held) * 2
    assert places[1:-1:2] == sorted(held)[1:-1:2]
    assert pickle.loads(pickle.dumps(places)) == places
    assert hash(places) == hash(Places(sorted(held)))
    assert places != Places([*sorted(held), 300])
    assert "one" not in places
