"""BIG-bench's JSON tasks: found, refused, asked and graded as BIG-bench's own code does it."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import harness_big_bench
from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.components import parse_component
from harness.errors import AssetError, ConfigError, DataError, UnknownNameError
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Experiment, Generate, Generated, LogLikelihood, LogLikelihoods
from harness.runner import run_experiment
from harness.testing import ToyModel
from harness_big_bench import places
from harness_big_bench.answering import answer, may_go_on
from harness_big_bench.bridged import BridgedTask
from harness_big_bench.collection import TASKS
from harness_big_bench.reading import define

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

BASE = {"canary": "", "name": "mine", "description": "d", "keywords": ["k"]}
CHOOSE = {
    **BASE,
    "metrics": ["multiple_choice_grade"],
    "preferred_score": "multiple_choice_grade",
    "examples": [{"input": f"Is {n} even?", "target_scores": {"yes": 1 - n % 2, "no": n % 2}} for n in range(4)],
}
WRITE = {
    **BASE,
    "metrics": ["exact_str_match"],
    "preferred_score": "exact_str_match",
    "examples": [{"input": f"{n} + 1 =", "target": [str(n + 1), f"{n + 1}.0"]} for n in range(4)],
}


@pytest.fixture
def catalogue(tmp_path, faulty_parts) -> Catalogue:
    """A catalogue with the bridge, installed or not, and toy models."""
    installed = any(info.name == "big-bench" for info in Plugins().infos())
    files = (harness_big_bench.__file__, faulty_parts)
    plugins = Plugins(PluginChoice(files=files, without=("big-bench",) if installed else ()))
    return Catalogue(plugins, Assets(plugins.registry("source"), root=tmp_path / "cache", offline=True))


def task_of(folder: Path, data: dict, assets: Assets | None = None, **params) -> BridgedTask:
    """The task of a file with these data."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.json").write_text(json.dumps(data))
    return BridgedTask(places.place(str(folder), assets, ()), **params)


def graded(task: BridgedTask, replies, shots: int | None = 0):
    """The scores of a task, and its predictions, for a function from a request to a response."""
    asked = task.asking(shots, 0)
    predictions = [
        asked.decide(sample, [replies(request) for request in asked.requests(sample)])
        for sample in task.samples("test")
    ]
    scores = {name: metric.compute(predictions, task.spec) for name, metric in task.metrics(predictions).items()}
    return {name: estimate.value for name, estimate in scores.items()}, predictions


def likelihoods(*values):
    return lambda request: LogLikelihoods(values[: len(request.continuations)])


def says(text: str):
    return lambda request: Generated(text, "stop")


# --- prompts -----------------------------------------------------------------------------------------


def test_a_prompt_has_every_prefix_in_its_place(tmp_path):
    data = CHOOSE | {
        "task_prefix": "Answer.\n",
        "example_input_prefix": "Q: ",
        "example_output_prefix": "\nA: ",
        "choice_prefix": "\n- ",
        "few_shot_example_separator": "\n##\n",
    }
    task = task_of(tmp_path / "t", data)
    first = task.samples("test")[0]
    (plain,) = task.asking(0, 0).requests(first)
    assert isinstance(plain, LogLikelihood)
    assert plain.continuations == ("yes", "no")
    assert plain.prompt.text in {
        "Answer.\nQ: Is 0 even?\n- yes\n- no\nA: ",
        "Answer.\nQ: Is 0 even?\n- no\n- yes\nA: ",
    }
    (shown,) = task.asking(2, 0).requests(first)
    assert shown.prompt.query == plain.prompt.query
    assert len(shown.prompt.demonstrations) == 2
    for one in shown.prompt.demonstrations:
        assert one.startswith("Q: Is ")
        assert one.endswith(("\nA: yes\n##\n", "\nA: no\n##\n"))


def test_choices_can_be_left_out_of_the_input(tmp_path):
    task = task_of(tmp_path / "t", CHOOSE | {"append_choices_to_input": False})
    (request,) = task.asking(0, 0).requests(task.samples("test")[0])
    assert request.prompt.text == "\nQ: Is 0 even?\nA: "


def test_no_question_is_shown_its_own_answer_and_seeds_draw_differently(tmp_path):
    many = CHOOSE | {"examples": [{"input": f"#{n}#", "target_scores": {"a": 1, "b": 0}} for n in range(30)]}
    task = task_of(tmp_path / "t", many)
    seen = {}
    for seed in (0, 1):
        asking = task.asking(3, seed)
        prompts = [asking.requests(sample)[0].prompt for sample in task.samples("test")]
        for number, prompt in enumerate(prompts):
            assert not any(f"#{number}#" in shown for shown in prompt.demonstrations)
            assert len(set(prompt.demonstrations)) == 3
        seen[seed] = [prompt.text for prompt in prompts]
        assert asking.budget.train == len({shown for prompt in prompts for shown in prompt.demonstrations})
    assert seen[0] != seen[1]
    assert seen[0] == [task.asking(3, 0).requests(sample)[0].prompt.text for sample in task.samples("test")]


@pytest.mark.parametrize(
    ("settings", "text", "found"),
    [
        ({}, " 4. And more", " 4"),
        ({}, "\n\n4\nQ: next", "4"),
        ({"stop_string": "\n"}, "4\nQ: next", "4\n"),
        ({"stop_string": "\n"}, "\n4\nQ", "\n4\nQ"),
        ({"stop_string": "\n", "output_regex": r"\d+"}, "it is 4\n or 5", "4"),
        ({"output_regex": r"A(\d)"}, "so A7", "7"),
        ({"output_regex": r"\d+"}, "none", ""),
    ],
)
def test_an_answer_is_read_as_the_file_says(settings, text, found):
    assert answer(text, define(WRITE | settings, "f", "n")) == found


def test_an_answer_that_the_limit_cut_is_told_from_one_that_was_over():
    definition = define(WRITE, "f", "n")
    assert may_go_on("4", definition)
    assert may_go_on("\n", definition)
    assert not may_go_on("4.", definition)
    assert not may_go_on("4\nQ", define(WRITE | {"stop_string": "\n"}, "f", "n"))


def test_answers_may_be_as_long_as_the_longest_target(tmp_path):
    def asked(data, **params):
        task = task_of(tmp_path / "t", data, **params)
        return task.asking(0, 0).requests(task.samples("test")[0])[0]

    assert asked(WRITE).max_tokens == 32
    assert asked(WRITE | {"examples": [{"input": "x", "target": "é" * 50}]}).max_tokens == 100
    assert asked(WRITE | {"examples": [{"input": "x", "target": "e" * 5000}]}).max_tokens == 256
    assert asked(WRITE, max_tokens=7).max_tokens == 7


# --- grades ------------------------------------------------------------------------------------------


def test_a_choice_earns_its_score_and_several_can_be_right(tmp_path):
    examples = [
        {"input": "a", "target_scores": {"x": 1, "y": 1, "z": 0}},
        {"input": "b", "target_scores": {"x": 0.25, "y": 0.5, "z": 0.0}},
        {"input": "c", "target_scores": {"x": 0, "y": 0, "z": 1}},
    ]
    task = task_of(tmp_path / "t", CHOOSE | {"examples": examples})
    scores, predictions = graded(task, likelihoods(-1.0, -2.0, -3.0))
    assert scores["multiple_choice_grade"] == pytest.approx((1 + 0.25 + 0) / 3)
    chance = (2 / 3 + 0.25 + 1 / 3) / 3
    assert scores["normalized_aggregate_score"] == pytest.approx(100 * (1.25 / 3 - chance) / (1 - chance))
    assert [one.judged for one in predictions] == [True, False, False]
    assert [one.prediction for one in predictions] == ["0", "0", "0"]
    assert [one.target for one in predictions] == ["0", "1", "2"]


def test_an_example_that_names_a_target_may_have_no_right_choice(tmp_path):
    examples = [*CHOOSE["examples"], {"input": "x", "target": "a", "target_scores": {"yes": 0, "no": 0}}]
    task = task_of(tmp_path / "t", CHOOSE | {"examples": examples})
    scores, predictions = graded(task, likelihoods(-1.0, -2.0))
    assert scores["multiple_choice_grade"] == pytest.approx(2 / 5)
    assert predictions[-1].judged is False
    assert "1 examples have no choice" in task.asking(0, 0).notes[0]


def test_brier_counts_choices_and_calibration_buckets(tmp_path):
    from math import exp

    task = task_of(tmp_path / "t", CHOOSE)
    scores, _ = graded(task, likelihoods(-1.0, -2.0))
    sure = exp(-1) / (exp(-1) + exp(-2))
    right, wrong = 2 * (1 - sure) ** 2, 2 * sure**2
    assert scores["calibration_multiple_choice_brier_score"] == pytest.approx((2 * right + 2 * wrong) / 8)
    assert scores["expected_calibration_error"] == pytest.approx(abs(0.5 - sure))


def test_any_of_several_targets_counts(tmp_path):
    scores, predictions = graded(task_of(tmp_path / "t", WRITE), says("2.0\nmore"))
    assert scores["exact_str_match"] == 0.25
    assert predictions[0].prediction == "2"  # the default pattern ends at a full stop
    data = WRITE | {"output_regex": r"[\d.]+"}
    scores, predictions = graded(task_of(tmp_path / "t", data), says("2.0\nmore"))
    assert scores["exact_str_match"] == 0.25
    assert [one.judged for one in predictions] == [False, True, False, False]
    assert predictions[1].prediction == "2.0"


@pytest.mark.parametrize(
    ("metric", "target", "text", "value"),
    [
        ("case_insensitive_str_match", " Paris", "paRIS", 1.0),
        ("numeric_match_with_0_1_relative_error", "100", "109", 1.0),
        ("numeric_match_with_0_1_relative_error", "100", "111", 0.0),
        ("numeric_match_with_0_1_relative_error", "0", "0.05", 1.0),
        ("numeric_match_with_0_1_relative_error", "100", "many", 0.0),
        ("sequence_f1", "A B O O", "A C", 75.0),
        ("sequence_f1", "A", "A B C", 100.0),
    ],
)
def test_texts_are_graded(metric, target, text, value, tmp_path):
    data = WRITE | {
        "metrics": [metric],
        "preferred_score": metric,
        "output_regex": ".+",
        "examples": [{"input": "x", "target": target}, {"input": "y", "target": "nothing near"}],
    }
    if metric.startswith("numeric"):
        data["examples"][1]["target"] = "-1e9"
    scores, predictions = graded(task_of(tmp_path / "t", data), says(text))
    assert predictions[0].measured[metric] == value
    assert predictions[0].judged is (value in {1.0, 100.0})
    assert scores[metric] == pytest.approx(sum(one.measured[metric] for one in predictions) / 2)


def test_bleu_and_rouge_take_the_best_of_several_targets(tmp_path):
    pytest.importorskip("rouge_score")
    sacrebleu = pytest.importorskip("sacrebleu")
    data = WRITE | {
        "metrics": ["bleu", "rouge"],
        "preferred_score": "rougeLsum",
        "output_regex": ".+",
        "examples": [
            {"input": "x", "target": ["the cat sat on the mat", "a cat was sitting on a mat"]},
            {"input": "y", "target": "the dog sat on the log"},
        ],
    }
    scores, _ = graded(task_of(tmp_path / "t", data), says("the cat sat on the log"))
    assert scores["rouge1"] == pytest.approx(100 * (5 / 6 + 5 / 6) / 2)
    references = [
        ["the cat sat on the mat", "the dog sat on the log"],
        ["a cat was sitting on a mat", "the dog sat on the log"],
    ]
    expected = sacrebleu.corpus_bleu(["the cat sat on the log"] * 2, references, tokenize="intl").score
    assert scores["bleu"] == pytest.approx(expected)
    assert next(iter(scores)) == "rougeLsum"


def test_likelihoods_of_single_targets_are_told_by_word_and_character(tmp_path):
    data = WRITE | {
        "metrics": ["log_likelihood"],
        "preferred_score": "log_likelihood",
        "examples": [{"input": "x", "target": "two words"}, {"input": "y", "target": "one"}],
    }
    scores, _ = graded(task_of(tmp_path / "t", data), likelihoods(-6.0))
    assert scores["log_likelihood"] == -6
    assert scores["log_likelihood_per_word"] == pytest.approx((-3 - 6) / 2)
    assert scores["log_likelihood_per_char"] == pytest.approx((-6 / 9 - 6 / 3) / 2)
    assert scores["normalized_aggregate_score"] == pytest.approx(40)
    data["examples"][0]["target"] = ["two words", "another"]
    scores, _ = graded(task_of(tmp_path / "t", data), likelihoods(-6.0, -6.0))
    assert "log_likelihood_per_word" not in scores
    from math import log

    assert scores["log_likelihood"] == pytest.approx((-6 + log(2) - 6) / 2)


def test_macro_f1_is_sklearns(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    data = CHOOSE | {"metrics": ["macro_f1"], "preferred_score": "macro_f1"}
    scores, _ = graded(task_of(tmp_path / "t", data), likelihoods(-1.0, -2.0))
    expected = metrics.f1_score(["yes", "no", "yes", "no"], ["yes"] * 4, average="macro")
    assert scores["macro_f1"] == pytest.approx(expected)


@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("task", ["emoji_movie", "rephrase", "social_support", "operators", "real_or_fake_text/easy"])
def test_prompts_and_grades_are_big_benchs(task, shots):
    """What `benchmarks/big_bench_equality.py` does, for some of its tasks."""
    for library in ("rouge_score", "sacrebleu", "sklearn", "absl", "typing_extensions"):
        pytest.importorskip(library)
    assets = Assets(Plugins().registry("source"), offline=True)
    root = places.package(assets)
    if root is None:
        pytest.skip("BIG-bench's package is not in the cache: harness fetch big-bench:emoji_movie (358 MB)")
    name = "big_bench_equality"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    script = sys.modules[name]
    before, path = dict(sys.modules), list(sys.path)
    try:
        modules = script.api(root, assets.path(script.T5))
        found = script.compare(modules, root, task, shots, assets)
    except AssetError as error:
        pytest.skip(str(error))
    finally:
        for made in set(sys.modules) - set(before):
            if made.partition(".")[0] in {"bigbench", "t5", "tensorflow", "datasets", "editdistance"}:
                del sys.modules[made]
        sys.path[:] = path
    assert found["wrong"] == []


# --- subtasks ----------------------------------------------------------------------------------------


def test_subtasks_are_contexts_and_each_counts_once(tmp_path):
    task_of(tmp_path / "both" / "easy", CHOOSE)
    task_of(tmp_path / "both" / "hard", CHOOSE | {"examples": CHOOSE["examples"][1:3]})
    task = task_of(tmp_path / "both", BASE)
    assert task.spec.name == "big-bench:both"
    assert [sample.id for sample in task.samples("test")] == [*(f"easy/{n}" for n in range(4)), "hard/0", "hard/1"]
    scores, predictions = graded(task, likelihoods(-1.0, -2.0))
    assert {one.context for one in predictions} == {"easy", "hard"}
    assert next(iter(scores)) == "multiple_choice_grade"
    assert scores["multiple_choice_grade"] == pytest.approx((0.5 + 0.5) / 2)


def test_subtasks_that_prefer_different_scores_are_ranked_by_the_normalised_one(tmp_path):
    task_of(tmp_path / "both" / "choose", CHOOSE)
    task_of(tmp_path / "both" / "write", WRITE)
    task = task_of(tmp_path / "both", BASE)
    scores, _ = graded(
        task,
        lambda one: Generated("1", "stop") if isinstance(one, Generate) else LogLikelihoods((-1.0, -2.0)),
    )
    assert next(iter(scores)) == "normalized_aggregate_score"
    assert scores["normalized_aggregate_score"] == pytest.approx((0 + 25) / 2)
    assert scores["exact_str_match"] == 0.25


def test_subtasks_may_stand_in_the_file_and_a_subtask_runs_alone(tmp_path):
    inline = BASE | {"subtasks": [CHOOSE | {"name": "a"}, CHOOSE | {"name": "b"}]}
    assert len(task_of(tmp_path / "inline", inline).samples("test")) == 8
    task_of(tmp_path / "both", BASE)
    assert task_of(tmp_path / "both" / "easy", CHOOSE).spec.name == "big-bench:both/easy"


# --- names -------------------------------------------------------------------------------------------


def test_a_folder_of_tasks_a_glob_and_a_folder_to_look_in(tmp_path, catalogue):
    for name in ("a1", "a2", "b"):
        task_of(tmp_path / "tasks" / name, CHOOSE)
    task_of(tmp_path / "tasks" / "b" / "sub", CHOOSE)

    def expanded(reference, *folders):
        return [Path(one).name for one in TASKS.members(reference, catalogue.assets, folders)]

    assert expanded(str(tmp_path / "tasks")) == ["a1", "a2", "b"]
    assert expanded(str(tmp_path / "tasks" / "a*")) == ["a1", "a2"]
    assert expanded("a*", tmp_path / "tasks") == ["a1", "a2"]
    assert expanded("a1", tmp_path / "tasks") == ["a1"]
    assert places.place("a1", catalogue.assets, (tmp_path / "tasks",)).path == tmp_path / "tasks" / "a1" / "task.json"
    assert [name for name, _ in TASKS.listing(catalogue.assets, (tmp_path / "tasks",))] == ["a1", "a2", "b"]
    with pytest.raises(ConfigError, match=r"no folder with a task\.json is called so"):
        expanded("z*", tmp_path / "tasks")


def test_a_bare_name_is_downloaded_only_on_request(catalogue):
    task = catalogue.task(parse_component("big-bench:emoji_movie")).task
    with pytest.raises(AssetError, match=r"358 MB.*harness fetch big-bench:emoji_movie"):
        _ = task.spec


def test_a_name_of_the_package_is_found_in_the_cache(tmp_path, catalogue, monkeypatch):
    package = tmp_path / "package"
    task_of(package / "emoji_movie", CHOOSE)
    (package / "program").mkdir()
    (package / "program" / "task.py").write_text("")
    monkeypatch.setattr(places, "PACKAGE", str(package))
    monkeypatch.setattr(places, "SHA256", None)
    task = catalogue.task(parse_component("big-bench:emoji_movie")).task
    assert task.spec.name == "big-bench:emoji_movie"
    assert task.fetch() == package / "emoji_movie" / "task.json"
    with pytest.raises(UnknownNameError, match="emoji_movie"):
        _ = BridgedTask(places.place("emoji_movi", catalogue.assets, ())).spec
    with pytest.raises(ConfigError, match="a program"):
        _ = BridgedTask(places.place("program", catalogue.assets, ())).spec
    assert TASKS.members("emoji*", catalogue.assets, ()) == ["emoji_movie"]


@pytest.mark.parametrize("reference", ["./nowhere", "/nowhere/at/all", "nowhere.json"])
def test_a_path_to_nothing_is_said_to_be_one(reference, catalogue):
    with pytest.raises(ConfigError, match="no file or folder"):
        places.place(reference, catalogue.assets, ())


# --- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "key", "said"),
    [
        ({key: one for key, one in CHOOSE.items() if key != "name"}, "name", "missing"),
        ({key: one for key, one in CHOOSE.items() if key != "metrics"}, "metrics", "missing"),
        ({key: one for key, one in CHOOSE.items() if key != "preferred_score"}, "preferred_score", "missing"),
        ([], "", "object"),
        (BASE, "examples", "neither examples nor subtasks"),
        (CHOOSE | {"subtasks": []}, "subtasks", "not both"),
        (BASE | {"subtasks": []}, "subtasks", "a list of tasks"),
        (BASE | {"subtasks": [CHOOSE, CHOOSE]}, "subtasks[1].name", "two subtasks"),
        (CHOOSE | {"examples": []}, "examples", "no examples"),
        (CHOOSE | {"examples": {}}, "examples", "a list"),
        (CHOOSE | {"examples": ["x"]}, "examples[0]", "an object"),
        (CHOOSE | {"examples": [{"target_scores": {"a": 1}}]}, "examples[0].input", "missing"),
        (CHOOSE | {"examples": [*CHOOSE["examples"], {"input": "x"}]}, "examples[4].target", "neither a target"),
        (CHOOSE | {"examples": [{"input": "x", "target": "y"}]}, "examples[0].target_scores", "needs target_scores"),
        (CHOOSE | {"examples": [{"input": "x", "target_scores": {}}]}, "examples[0].target_scores", "at least one"),
        (
            CHOOSE | {"examples": [{"input": "x", "target_scores": {"a": 0, "b": 0}}]},
            "examples[0].target_scores",
            "above 0",
        ),
        (
            CHOOSE | {"examples": [{"input": "x", "target_scores": {"a": 1, "b": 1}}]},
            "examples[0].target_scores",
            "same score",
        ),
        (
            CHOOSE | {"examples": [{"input": "x", "target_scores": {"a": "1"}}]},
            "examples[0].target_scores",
            "no number",
        ),
        (CHOOSE | {"examples": [{"input": "x", "target_scores": {"a": 1}}]}, "examples", "nothing can be told"),
        (
            WRITE | {"examples": [{"input": "x", "target_scores": {"a": 1, "b": 0}}]},
            "examples[0].target",
            "exact_str_match needs a target",
        ),
        (WRITE | {"examples": [{"input": "x", "target": 4}]}, "examples[0].target", "a number"),
        (WRITE | {"examples": [{"input": "x", "target": []}]}, "examples[0].target", "empty"),
        (WRITE | {"metrics": ["exact_str_mach"]}, "metrics", "exact_str_match"),
        (WRITE | {"metrics": []}, "metrics", "a list"),
        (WRITE | {"preferred_score": "bleu"}, "preferred_score", "none of the metrics"),
        (WRITE | {"metrics": ["rouge"], "preferred_score": "rouge"}, "preferred_score", "rougeLsum"),
        (WRITE | {"metrics": ["bleurt"], "preferred_score": "bleurt"}, "preferred_score", "2 GB"),
        (WRITE | {"output_regex": "("}, "output_regex", "no regular expression"),
        (WRITE | {"output_regex": "(a)(b)"}, "output_regex", "2 groups"),
        (WRITE | {"task_prefix": 3}, "task_prefix", "a text"),
    ],
)
def test_a_broken_file_is_refused_with_its_key(data, key, said, tmp_path):
    with pytest.raises((ConfigError, DataError)) as raised:
        _ = task_of(tmp_path / "t", data).spec
    assert raised.value.where == f"{tmp_path / 't' / 'task.json'}{': ' if key else ''}{key}"
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_no_json_is_refused_with_its_line(tmp_path):
    (tmp_path / "task.json").write_text('{\n "name": }')
    with pytest.raises(ConfigError, match=r"task.json:2: this is not JSON"):
        _ = BridgedTask(places.place(str(tmp_path), None, ())).spec


def test_what_a_file_says_in_vain_and_repeats_is_noted(tmp_path):
    data = CHOOSE | {"prefix": "x", "append_choices_to_input": "false"}
    data["examples"] = [*CHOOSE["examples"], CHOOSE["examples"][0]]
    task = task_of(tmp_path / "t", data)
    assert len(task.samples("test")) == 4
    notes = " ".join(task.asking(None, 0).notes)
    assert "does not read prefix" in notes
    assert "takes for yes" in notes
    assert "1 examples that repeat" in notes
    assert "none are shown" in notes


def test_models_and_demonstrations_that_do_not_fit_are_refused(tmp_path):
    task = task_of(tmp_path / "t", CHOOSE)
    assert "3 other examples" in task.refuses(ToyModel(), 4)
    assert task.refuses(ToyModel(), 3) is None

    class Embeds:
        answers = frozenset({"Embed"})

    assert "LogLikelihood" in task.refuses(Embeds(), 0)


# --- as a whole --------------------------------------------------------------------------------------


def test_a_whole_run_by_every_strategy_that_fits(tmp_path, catalogue, store):
    task_of(tmp_path / "mine", CHOOSE)
    strategies = [parse_component(one) for one in ("zero-shot", "few-shot,k=2", "native", "knn")]
    task = Component("big-bench", str(tmp_path / "mine"))
    experiment = Experiment((Component("toy"),), (task,), tuple(strategies))
    done = run_experiment(experiment, catalogue, store)
    found = {str(one.trial.strategy): one for one in done}
    for name in ("zero-shot", "few-shot,k=2", "native"):
        assert found[name].status == "finished", found[name].reason
        assert next(iter(found[name].metrics)) == "multiple_choice_grade"
        assert found[name].coverage.answered == 4
    assert found["knn"].status == "not-applicable"
    assert found["few-shot,k=2"].budget.train in {3, 4}


def test_identity_covers_the_file_and_the_length_of_answers(tmp_path):
    first = task_of(tmp_path / "t", WRITE).identity()
    assert first == task_of(tmp_path / "t", WRITE).identity()
    assert first != task_of(tmp_path / "t", WRITE, max_tokens=9).identity()
    assert first != task_of(tmp_path / "t", WRITE | {"task_prefix": "x"}).identity()
