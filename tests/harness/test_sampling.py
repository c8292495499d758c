import hashlib
import random
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.records import Sample
from harness.sampling import balanced, cut, draw, draw_each, duplicate_key, few, normalised, texts_without, without


@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))
def test_few_shot_validation_is_no_larger_than_training(n, train, validation, seed):
    def rows(split, count):
        return [Sample(f"{split}{at}", {"text": f"{split} {at}"}, "ab"[at % 2]) for at in range(count)]

    learned, held_out = few(rows("t", train), rows("v", validation), n, seed)
    assert len(learned) == min(n, train)
    assert len(held_out) == min(len(learned), validation)
    assert {row.id[0] for row in learned} <= {"t"}
    assert {row.id[0] for row in held_out} <= {"v"}


def test_without_a_size_all_rows_are_learned_from():
    rows = [Sample("1", {"text": "a"}, "x")]
    assert few(rows, rows * 3, None, 0) == (rows, rows * 3)


def samples_of(targets):
    return [Sample(f"{number}", {"text": f"text {number}"}, target) for number, target in enumerate(targets)]


def of_target(sample):
    return sample.target


TARGETS = st.lists(st.sampled_from("abc"), max_size=60)

# --- duplicates ----------------------------------------------------------------------------------


def test_duplicates_differ_in_case_punctuation_and_white_space_only():
    assert normalised('He said:  "Stra\u00dfe"\n') == normalised("he said strasse")
    assert normalised("\u201cso\u201d") == normalised("'so'")
    assert normalised("a b") != normalised("ab")
    assert normalised("$5") != normalised("5")
    assert normalised(":)") != normalised(":("), "nothing but punctuation: it is the text"
    assert normalised("\u0915\u093f") != normalised("\u0915\u0940"), "vowel signs are no punctuation"
    assert normalised(" ") == ""


@given(st.text())
def test_normalising_again_changes_nothing_more_than_case_folding_does(text):
    once = normalised(text)
    assert normalised(once) == normalised(normalised(once))
    assert normalised(f"  {text}\n") == once


def test_the_key_of_a_sample_is_that_of_its_inputs():
    one = Sample("1", {"text": "Hello!", "n": 1}, "a", "films")
    assert duplicate_key(one) == duplicate_key(Sample("2", {"n": 1, "text": "hello"}, "b", None))
    assert duplicate_key(one) != duplicate_key(Sample("3", {"text": "Hello!", "n": 2}, "a", "films"))
    assert duplicate_key(Sample("4", {"a": "x", "b": ""}, "t")) != duplicate_key(Sample("5", {"a": "", "b": "x"}, "t"))
    assert duplicate_key(Sample("6", {"q": "?"}, "0", choices=("a",))) == duplicate_key(Sample("7", {"q": "?"}, "0"))


def test_without_leaves_out_what_is_scored():
    pool = [Sample("1", {"text": "One."}, "a"), Sample("2", {"text": "two"}, "a"), Sample("3", {"text": "one"}, "b")]
    assert without(pool, [Sample("9", {"text": "ONE"}, "c")]) == ([pool[1]], 2)
    assert without(pool, []) == (pool, 0)


# --- splits --------------------------------------------------------------------------------------

FRACTIONS = st.sampled_from(
    [
        {"train": 0.6, "validation": 0.1, "test": 0.3},
        {"test": 1.0},
        {"train": 0.5, "test": 0.25},
        {"train": 0.98, "test": 0.01},
    ]
)
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=80)


def cut_pairs(rows, fractions, seed=0):
    """Rows are (stratum, group)."""
    return cut(rows, fractions, seed=seed, stratum=lambda row: row[0], group=lambda row: str(row[1]))


@given(ROWS, FRACTIONS, st.integers(0, 5))
def test_a_cut_is_a_partition_that_keeps_groups_whole(rows, fractions, seed):
    parts = cut_pairs(rows, fractions, seed)
    assert list(parts) == list(fractions)
    used = [index for indices in parts.values() for index in indices]
    assert len(used) == len(set(used))
    if sum(fractions.values()) == 1:
        assert sorted(used) == list(range(len(rows)))
    side = {rows[index][1]: split for split, indices in parts.items() for index in indices}
    for split, indices in parts.items():
        assert indices == sorted(indices)
        assert all(side[rows[index][1]] == split for index in indices)
    left_out = {group for _, group in rows} - side.keys()
    assert not left_out & {rows[index][1] for index in used}


@given(ROWS, FRACTIONS)
def test_no_split_is_empty_while_there_is_a_group_for_each(rows, fractions):
    assume(len({group for _, group in rows}) >= len(fractions))
    assert all(cut_pairs(rows, fractions).values())


@given(st.integers(20, 200), st.integers(20, 200), FRACTIONS, st.integers(0, 5))
def test_each_split_has_its_share_of_each_stratum(a, b, fractions, seed):
    rows = [("a", n) for n in range(a)] + [("b", a + n) for n in range(b)]
    parts = cut_pairs(rows, fractions, seed)
    for stratum, size in (("a", a), ("b", b)):
        for split, share in fractions.items():
            found = sum(rows[index][0] == stratum for index in parts[split])
            assert abs(found - share * size) <= 3


def test_a_cut_depends_on_the_seed_and_not_on_the_order_of_keys():
    rows = [("a" if n % 3 else "b", n) for n in range(300)]
    one = cut_pairs(rows, {"train": 0.7, "test": 0.3})
    assert cut_pairs(rows, {"test": 0.3, "train": 0.7}) == one
    assert cut_pairs(rows, {"train": 0.7, "test": 0.3}, seed=1) != one
    assert one["test"][:6] == [0, 3, 8, 10, 13, 22], "the same on every machine and in every release"


def test_rows_that_repeat_others_are_as_likely_in_each_split():
    rows = [("a", n // 5 if n < 500 else n) for n in range(2000)]
    parts = cut_pairs(rows, {"train": 0.7, "test": 0.3})
    repeats = {split: sum(index < 500 for index in indices) / len(indices) for split, indices in parts.items()}
    assert repeats["train"] == pytest.approx(repeats["test"], abs=0.08)


# --- draws ---------------------------------------------------------------------------------------


@given(TARGETS, st.integers(0, 70), st.integers(0, 3))
def test_a_draw_is_proportional_and_in_the_original_order(targets, n, seed):
    samples = samples_of(targets)
    drawn = draw(samples, n, of_target, seed)
    assert len(drawn) == min(n, len(samples))
    assert drawn == [sample for sample in samples if sample in drawn]
    whole, part = Counter(targets), Counter(map(of_target, drawn))
    for target, size in whole.items():
        exact = min(n, len(samples)) * size / len(samples)
        assert exact - 1 < part[target] < exact + 1


@given(TARGETS, st.integers(0, 60), st.integers(0, 60))
def test_a_smaller_draw_is_part_of_a_larger_one(targets, n, m):
    samples = samples_of(targets)
    small, large = ({sample.id for sample in draw(samples, size, of_target)} for size in sorted((n, m)))
    assert small <= large
    small, large = ({sample.id for sample in draw_each(samples, size)} for size in sorted((n, m)))
    assert small <= large


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 40))
def test_balanced_sets_of_a_seed_hold_the_smaller_ones(seed, n, m):
    samples = samples_of("aaaaaaaaabbbbbccd" * 2)
    small, large = ({sample.id for sample in balanced(samples, size, random.Random(seed))} for size in sorted((n, m)))
    assert small <= large


def test_shares_never_fall_as_the_draw_grows():
    """Largest remainders would give c 2 of 10 and 1 of 11: the Alabama paradox."""
    samples = samples_of("a" * 60 + "b" * 60 + "c" * 20)
    drawn = [Counter(map(of_target, draw(samples, n, of_target)))["c"] for n in range(141)]
    assert drawn == sorted(drawn)


def test_draws_depend_on_the_seed_and_not_on_what_stands_around():
    samples = samples_of("ab" * 50)
    drawn = draw(samples, 10, of_target)
    assert draw(samples, 10, of_target, seed=1) != drawn
    assert draw(samples[::-1], 10, of_target) == drawn[::-1]
    by_hash = sorted(samples, key=lambda sample: hashlib.sha256(f"0\0{sample.id}".encode()).digest())
    first = {target: [sample for sample in by_hash if sample.target == target][:5] for target in "ab"}
    assert sorted(drawn, key=of_target) == sorted(first["a"] + first["b"], key=lambda s: (s.target, int(s.id)))
    assert draw(samples, 1000, of_target) == samples
    assert draw(samples, 0, of_target) == []


@given(TARGETS, st.integers(0, 70), st.integers())
def test_balanced_takes_as_equal_numbers_as_there_are(targets, k, seed):
    samples = samples_of(targets)
    chosen = balanced(samples, k, random.Random(seed))
    assert len(chosen) == min(k, len(samples))
    assert len({sample.id for sample in chosen}) == len(chosen)
    whole, part = Counter(targets), Counter(map(of_target, chosen))
    most = max(part.values(), default=0)
    for target, size in whole.items():
        assert part[target] >= min(size, most - 1)


def test_balanced_draws_targets_samples_and_order():
    samples = samples_of("aaaaabbbbbcc")
    draws = {seed: balanced(samples, 4, random.Random(seed)) for seed in range(20)}
    assert balanced(samples, 4, random.Random(3)) == draws[3]
    assert {Counter(map(of_target, chosen)).most_common(1)[0] for chosen in draws.values()} == {
        ("a", 2),
        ("b", 2),
        ("c", 2),
    }
    assert len({tuple(map(of_target, chosen)) for chosen in draws.values()}) > 5


def test_what_no_question_shows_makes_no_difference_between_duplicates():
    one = Sample("1", {"question": "2 + 2?", "solution": "Add them."}, "4")
    other = Sample("2", {"question": "2 + 2?", "solution": "Count on your fingers."}, "4")
    assert duplicate_key(one) != duplicate_key(other)
    assert duplicate_key(one, {"question"}) == duplicate_key(other, {"question"})
    assert without([other], [one], {"question"}) == ([], 1)
    assert duplicate_key(one, {"elsewhere"}) == duplicate_key(one), "a question that shows no field is told by all"


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 6), st.integers(0, 9))
def test_so_many_of_each_target_are_drawn(targets, n, seed):
    samples = [Sample(str(at), {"text": str(at)}, target) for at, target in enumerate(targets)]
    drawn = list(draw_each(samples, n, seed))
    whole, part = Counter(targets), Counter(map(of_target, drawn))
    assert part == {target: min(n, size) for target, size in whole.items()}
    assert drawn == [sample for sample in samples if sample in drawn]
    more = {sample.id for sample in draw_each(samples, n + 1, seed)}
    assert {sample.id for sample in drawn} <= more
    alone = [sample for sample in samples if sample.target == "a"]
    assert list(draw_each(alone, n, seed)) == [sample for sample in drawn if sample.target == "a"]


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "B.", "c"]), max_size=14), max_size=5),
    st.lists(st.lists(st.sampled_from(["a", "b", "c!"]), max_size=11), max_size=4),
    st.integers(0, 30),
)
def test_texts_are_left_out_that_repeat_one_or_hold_a_long_one(texts, told, at):
    if told:  # one that holds another, however it is drawn
        texts = [*texts, ["a", *told[at % len(told)], "b"]]
    texts, told = [" ".join(words) for words in texts], [" ".join(words) for words in told]

    def repeats(text, other):
        whole, part = normalised(text).split(), normalised(other).split()
        inside = any(whole[begin : begin + len(part)] == part for begin in range(len(whole)))
        return whole == part or (len(part) >= 8 and inside)

    assert texts_without(texts, told) == [text for text in texts if not any(repeats(text, one) for one in told)]
