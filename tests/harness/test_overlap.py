"""Near duplicates: found as brute force finds them; scores without them stand beside the others."""

import dataclasses
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.auditing import AUDITED, audit, repetitions_found
from harness.catalogue import Catalogue
from harness.export import trials_json
from harness.overlap import SIMILAR, jaccard, repetitions
from harness.planning import plan
from harness.records import Component, Experiment, Sample
from harness.reporting import leaderboard_of
from harness.runner import run_experiment
from harness.sampling import question_text
from harness.shingling import LENGTH, shingled, unit_of

WORDS = [f"word{n}" for n in range(400)]
TASK = """\
name: weather
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
labels: {warm: " warm", cold: " cold"}
prompt: {template: "{{ text }}:"}
"""


def a_text(rng, length):
    return " ".join(rng.choices(WORDS, k=length))


def samples(prefix, texts):
    return [Sample(f"{prefix}{n}", {"text": text}, "yes") for n, text in enumerate(texts)]


def changed(rng, text, words):
    parts = text.split()
    for at in rng.sample(range(len(parts)), words):
        parts[at] = "other"
    return " ".join(parts)


def shingles(text, unit):
    """By definition."""
    parts = text.split(" ") if unit == "words" else text
    glue = " " if unit == "words" else ""
    return frozenset(glue.join(parts[at : at + LENGTH]) for at in range(max(1, len(parts) - LENGTH + 1)))


def similarity(one, other):
    return len(one & other) / len(one | other)


def brute_force(scored, pool):
    texts = [question_text(one) for one in scored]
    unit = unit_of(texts)
    found = {}
    for one, text in zip(scored, texts, strict=True):
        similar = [(similarity(shingles(text, unit), shingles(question_text(row), unit)), row.id) for row in pool]
        if max(similar)[0] >= SIMILAR:
            found[one.id] = max(similar)[0]
    return found


@pytest.mark.parametrize("length", [12, 120], ids=["short", "long"])
@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_are_those_that_comparing_all_pairs_finds(length, seed):
    rng = random.Random(seed)
    pool = samples("train-", [a_text(rng, length) for _ in range(150)])
    planted = [changed(rng, row.fields["text"], rng.choice([0, 1, 1, 2, 6])) for row in rng.sample(pool, 30)]
    scored = samples("test-", [*(a_text(rng, length) for _ in range(60)), *planted])
    expected = brute_force(scored, pool)
    found = repetitions(scored, {"train": pool})
    assert {one.sample: one.similarity for one in found} == pytest.approx(expected)
    assert len(found) >= 5
    assert [one.sample for one in found] == [one.id for one in scored if one.id in expected], "in their order"


def test_each_repetition_names_the_closest_row_and_its_split():
    rng = random.Random(1)
    text = a_text(rng, 100)
    pools = {
        "train": samples("train-", [changed(rng, text, 2), "nothing like it"]),
        "validation": samples("dev-", ["else", text.upper() + "!"]),
    }
    first, second = repetitions(samples("test-", [text, a_text(rng, 100), text]), pools)
    assert (first.sample, second.sample) == ("test-0", "test-2")
    assert (first.split, first.other, first.similarity) == ("validation", "dev-1", 1.0)


def test_only_what_a_question_shows_counts():
    scored = [Sample("test-0", {"text": "a b c d e f g h", "number": "17"}, "yes")]
    pool = [Sample("train-0", {"text": "a b c d e f g h", "number": "eighteen and a half"}, "no")]
    assert not repetitions(scored, {"train": pool})
    assert len(repetitions(scored, {"train": pool}, ["text"])) == 1


def test_texts_without_spaces_are_compared_by_characters():
    text = "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少空山不見人但聞人語響返景入深林復照青苔上"
    scored, pool = samples("test-", [text]), samples("train-", [text[:-1] + "下", text[::-1]])
    (found,) = repetitions(scored, {"train": pool})
    assert (found.other, found.similarity) == ("train-0", pytest.approx(brute_force(scored, pool)["test-0"]))


@pytest.mark.parametrize("template", ["{} plus {}", "The sum of {} and {} is asked for. Write a number."])
def test_rows_of_one_template_are_found_as_comparing_all_pairs_finds_them(template):
    """They share most of their shingles: what is rare in them decides."""
    rng = random.Random(0)
    scored, pool = (
        samples(name, [template.format(rng.randint(1, 30), rng.randint(1, 999)) for _ in range(200)])
        for name in ("test-", "train-")
    )
    found = repetitions(scored, {"train": pool})
    assert {one.sample: one.similarity for one in found} == pytest.approx(brute_force(scored, pool))
    assert found


def test_all_are_found_that_minhash_finds_and_its_bands_miss():
    """Candidates by datasketch, as in Lee et al. (2022), each verified: none that they find is missed."""
    from datasketch import MinHash, MinHashLSH

    def signature(found):
        made = MinHash(num_perm=126)
        made.update_batch([one.encode() for one in found])
        return made

    rng = random.Random(7)
    pool = samples("train-", [a_text(rng, 60) for _ in range(300)])
    planted = [changed(rng, row.fields["text"], 1) for row in rng.sample(pool, 100)]
    scored = samples("test-", [*planted, *(a_text(rng, 60) for _ in range(100))])
    index = MinHashLSH(num_perm=126, params=(21, 6))
    sets = {row.id: shingles(question_text(row), "words") for row in pool}
    for name, one in sets.items():
        index.insert(name, signature(one))
    expected = {}
    for row in scored:
        own = shingles(question_text(row), "words")
        close = [similarity(own, sets[name]) for name in index.query(signature(own))]
        if max(close, default=0) >= SIMILAR:
            expected[row.id] = max(close)
    found = {one.sample: one.similarity for one in repetitions(scored, {"train": pool})}
    assert len(expected) >= 50
    assert {name: found.get(name) for name in expected} == pytest.approx(expected)


def test_batches_change_nothing(monkeypatch):
    from harness import overlap

    rng = random.Random(3)
    pool = samples("train-", [a_text(rng, 12) for _ in range(100)])
    scored = samples("test-", [changed(rng, row.fields["text"], rng.choice([0, 1])) for row in pool])
    whole = repetitions(scored, {"train": pool})
    monkeypatch.setattr(overlap, "TOGETHER", 1)
    monkeypatch.setattr(overlap, "COMPARED", 1)
    assert repetitions(scored, {"train": pool}) == whole
    assert len(whole) >= 50


@pytest.mark.parametrize("unit", ["words", "characters"])
@given(st.lists(st.text(alphabet=st.sampled_from("ab \n\0\ud800é𝄞"), max_size=40), max_size=6))
def test_texts_have_as_many_shingles_as_by_definition_and_share_as_many(unit, texts):
    found = shingled(texts, unit)
    sets, expected = list(found), [shingles(text, unit) for text in texts]
    assert found.sizes.tolist() == [len(one) for one in expected]
    assert [len(one) for one in sets] == found.sizes.tolist()
    wholes = found.wholes.tolist()
    for one, mine, whole in zip(sets, expected, wholes, strict=True):
        assert jaccard(one, sets).tolist() == [similarity(mine, other) for other in expected]
        assert [whole == other for other in wholes] == [texts[wholes.index(whole)] == text for text in texts]


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=8))
def test_whatever_a_text_holds_it_repeats_itself(texts):
    found = repetitions(samples("test-", texts), {"train": samples("train-", texts)})
    assert [one.similarity for one in found] == [1.0] * len(texts)
    assert repetitions(samples("test-", texts), {}) == ()


# --- in a run ------------------------------------------------------------------------------------------


@pytest.fixture
def planted(tmp_path):
    """A task of which test row 3 nearly repeats training row 5, and test row 7 repeats training row 9."""
    rng = random.Random(4)
    rows = {
        split: [{"text": a_text(rng, 80), "label": ("warm", "cold")[n % 2]} for n in range(count)]
        for split, count in (("train", 30), ("test", 20))
    }
    rows["test"][3] = dict(rows["train"][5], text=rows["train"][5]["text"] + " and then")
    rows["test"][7] = dict(rows["train"][9])
    for split, found in rows.items():
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    (tmp_path / "task.yaml").write_text(TASK)
    return Component(str(tmp_path / "task.yaml"))


def an_experiment(task, *strategies):
    return Experiment((Component("toy"), Component("tfidf-lr")), (task,), tuple(map(Component, strategies)))


def test_a_planted_duplicate_is_found_and_the_score_without_it_given(planted, catalogue, store):
    results = run_experiment(an_experiment(planted, "zero-shot", "finetune"), catalogue, store)
    finished = [result for result in results if result.status == "finished"]
    assert len(finished) == 3
    for result in finished:
        assert result.clean.n == 18
        assert list(result.clean.left_out) == ["test:4", "test:8"]
        assert result.clean.left_out["test:8"] == "train train:10 (1.00)"
        predictions = [one for one in store.predictions(result.trial.key) if one.sample_id not in result.clean.left_out]
        assert result.clean.metrics["accuracy"].value == sum(one.correct for one in predictions) / 18
    told = trials_json(finished)["trials"][0]["clean"]
    assert (told["n"], list(told["left_out"])) == (18, ["test:4", "test:8"])
    board = leaderboard_of(results, store, catalogue)
    row = board.tables[0].rows[0]
    best = next(result for result in finished if result.trial.key in row.keys)
    assert (row.clean_n, row.clean) == (18, best.clean.metrics["accuracy"])
    assert "clean accuracy" in catalogue.reporter("markdown").render(board).text
    assert "clean_n" in catalogue.reporter("csv").render(board).text


def test_where_nothing_repeats_the_score_without_repetitions_is_the_score(catalogue, store, toy_experiment):
    parts = {"tasks": (Component("long-toy"),), "strategies": (Component("finetune"),)}
    experiment = dataclasses.replace(toy_experiment, **parts)
    (result,) = run_experiment(experiment, catalogue, store)
    assert (result.clean.n, result.clean.left_out, result.clean.metrics) == (300, {}, result.metrics)
    board = leaderboard_of([result], store, catalogue)
    assert "clean" not in catalogue.reporter("markdown").render(board).text


def test_nobody_looks_where_nothing_is_adapted_on_rows(planted, catalogue, store):
    (zero,) = run_experiment(Experiment((Component("toy"),), (planted,), (Component("zero-shot"),)), catalogue, store)
    assert zero.clean is None
    both = run_experiment(an_experiment(planted, "zero-shot", "finetune"), catalogue, store)
    again = next(result for result in both if result.trial.key == zero.trial.key)
    assert again.cached
    assert again.clean.n == 18, "it is compared with what adapts, on the same samples"


def test_what_was_audited_is_not_audited_again_unless_its_answers_changed(planted, catalogue, store, monkeypatch):
    experiment = an_experiment(planted, "finetune")
    run_experiment(experiment, catalogue, store)
    marks = []
    monkeypatch.setattr(store, "audit", lambda key, mark, clean: marks.append(mark))
    run_experiment(experiment, catalogue, store)
    assert marks == []
    run_experiment(experiment, catalogue, store, rerun=True)
    assert len(marks) == 2


def test_large_tasks_are_left_to_those_who_ask(planted, catalogue, store, monkeypatch):
    jobs = plan(an_experiment(planted, "finetune"), catalogue)
    data = catalogue.task(planted)
    assert data.repetitions("test", None, most=49) is None
    assert len(data.repetitions("test", None, most=50)) == 2
    assert len(data.repetitions("test", None, most=1)) == 2, "it is known now"
    fresh = Catalogue(catalogue.plugins, catalogue.assets).task(planted)
    assert len(fresh.repetitions("test", None, most=1)) == 2, "and remembered"
    drawn = {row.id for row in fresh.scored("test", 15)}
    assert {one.sample for one in fresh.repetitions("test", 15, most=1)} == {"test:4", "test:8"} & drawn
    assert AUDITED >= 10_000
    audit(jobs, catalogue, store)  # nothing is stored of them: there is nothing to score


def test_a_metric_that_fails_on_what_is_left_costs_no_score(planted, catalogue, store, monkeypatch, caplog):
    from harness import auditing

    def fail(*arguments):
        raise ZeroDivisionError("nothing is left")

    monkeypatch.setattr(auditing, "score", fail)
    results = run_experiment(an_experiment(planted, "finetune"), catalogue, store)
    assert {result.status for result in results} == {"finished"}
    assert "there is no score without repeated samples: nothing is left" in caplog.text


def test_check_names_the_rows(planted, catalogue, toy_experiment):
    lines = repetitions_found(catalogue.task(planted))
    assert lines[0] == (
        "overlap: of 20 test rows 1 repeat rows that may be adapted on and 1 nearly do (similarity 0.8 or more)"
    )
    assert lines[1].startswith("  test:4 ~ train train:6 (0.9")
    assert lines[2] == "  test:8 ~ train train:10 (1.00)"


def test_a_finished_run_of_a_large_task_reads_no_rows(planted, catalogue, store, monkeypatch):
    from harness import auditing
    from harness.taskfile import FileTask

    monkeypatch.setattr(auditing, "AUDITED", 49)
    run_experiment(an_experiment(planted, "finetune"), catalogue, store)

    read, samples = [], FileTask.samples
    monkeypatch.setattr(FileTask, "samples", lambda task, split: read.append(split) or samples(task, split))
    (result, *_) = run_experiment(
        an_experiment(planted, "finetune"), Catalogue(catalogue.plugins, catalogue.assets), store
    )
    assert (result.cached, result.clean, read) == (True, None, [])
