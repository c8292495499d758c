"""lm-eval's tasks by their names: found, loaded, refused, asked and scored as lm-eval does it."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.cli import call
from harness.components import parse_component
from harness.errors import AssetError, ConfigError, PluginError, UnknownNameError, UsageError
from harness.planning import plan
from harness.plugins import Plugins
from harness.records import Component, Experiment
from harness.registry import Entry
from harness.runner import run_experiment
from harness.testing import ToyModel
from harness_lm_eval import index
from harness_lm_eval.collection import TASKS
from harness_lm_eval.values import back, plain

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

needs_lm_eval = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="lm-eval is not installed: pip install 'adapt-harness[lm-eval]'"
)

LOCAL = ["arc_easy", "arc_challenge", "lambada_openai", "gsm8k", "wikitext", "wmdp_bio", "wmdp_chem", "wmdp_cyber"]
COMPARED = [
    ("arc_easy", 5),
    ("mmlu_abstract_algebra", 5),
    ("winogrande", 5),
    ("truthfulqa_mc2", 0),
    ("blimp_adjunct_island", 0),
    ("cola", 5),
    ("crows_pairs_english", 0),
    ("lambada_openai", 5),
    ("wikitext", 0),
    ("gsm8k", None),
    ("triviaqa", 5),
    ("squad_completion", 0),
    ("wmt16-en-de", 0),
    ("wmdp", 0),
]


def benchmark(name: str):
    """A script of the benchmarks, as a module."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A cache that keeps the index of lm-eval's own tasks for all tests."""
    return tmp_path_factory.mktemp("lm-eval-cache")


@pytest.fixture(scope="session")
def local(tmp_path_factory) -> Path:
    """lm-eval's own tasks with made-up rows."""
    folder = tmp_path_factory.mktemp("lm-eval-tasks")
    benchmark("lm_eval_tasks").write(folder, sorted({*LOCAL, *(name for name, _ in COMPARED)} - {"wmdp"}), 6)
    return folder


def catalogue_of(cache, *folders) -> Catalogue:
    plugins = Plugins()
    return Catalogue(plugins, Assets(plugins.registry("source"), root=cache, offline=True), folders)


@pytest.fixture
def lm_eval(cache, local) -> Catalogue:
    """A catalogue with lm-eval's tasks, some of them with made-up rows."""
    return catalogue_of(cache, local)


@pytest.fixture(scope="session")
def wide_checkpoint(tiny_checkpoint, tmp_path_factory) -> Path:
    """A tiny random model with a window that no prompt here exceeds, but wikitext's rows do."""
    folder = tmp_path_factory.mktemp("wide") / "llama"
    shutil.copytree(tiny_checkpoint("llama"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 4096}))
    return folder


def task_file(folder: Path, name: str, rows=(), **config) -> Path:
    """A task of one's own with rows of one's own."""
    folder.mkdir(exist_ok=True, parents=True)
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    defaults = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
        "doc_to_choice": ["yes", "no"],
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in (defaults | config).items() if value is not None}))
    return path


ROWS = [{"q": f"Is {n} even?", "a": n % 2} for n in range(6)]

# --- as lm-eval scores -------------------------------------------------------------------------------


@needs_lm_eval
@pytest.mark.parametrize(("task", "shots"), COMPARED)
def test_every_row_and_number_is_lm_evals(task, shots, local, wide_checkpoint, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    found = benchmark("lm_eval_equality").compare(str(wide_checkpoint), local, task, shots, tmp_path / "h.db")
    assert found["wrong"] == []
    assert found["rows"] >= 6


@needs_lm_eval
def test_groups_pool_their_tasks_as_lm_eval_does(wide_checkpoint, cache, tmp_path, monkeypatch):
    """Tasks of different sizes, by size and not, and a group in the group."""
    folder = tmp_path / "tasks"
    for name, count in (("one_t", 6), ("two_t", 3), ("three_t", 5)):
        task_file(folder, name, ROWS[:count])
    by_size = [{"metric": "acc", "weight_by_size": True}]
    each_alike = [{"metric": "acc", "weight_by_size": False}]
    inner = {"group": "inner_g", "task": ["two_t", "three_t"], "aggregate_metric_list": each_alike}
    outer = {"group": "outer_g", "task": ["one_t", "inner_g"], "aggregate_metric_list": by_size}
    for group in (inner, outer):
        (folder / f"{group['group']}.yaml").write_text(yaml.safe_dump(group))
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    equality = benchmark("lm_eval_equality")
    monkeypatch.setattr(equality, "GROUPS", {"outer_g": ""})
    assert equality.compare(str(wide_checkpoint), folder, "outer_g", 0, tmp_path / "h.db")["wrong"] == []
    trial, predictions = equality.by_harness(str(wide_checkpoint), folder, "outer_g", 0, tmp_path / "h.db")
    theirs = equality.by_lm_eval(str(wide_checkpoint), folder, "outer_g", 0)["results"]
    assert trial.metrics["acc (inner_g)"].value == pytest.approx(theirs["inner_g"]["acc,none"])
    assert trial.metrics["acc"].low <= trial.metrics["acc"].value <= trial.metrics["acc"].high
    assert {name: score.n for name, score in trial.contexts.items()} == {"one_t": 6, "three_t": 5, "two_t": 3}
    assert predictions[0].sample_id == "one_t/0"


# --- asking ------------------------------------------------------------------------------------------


@needs_lm_eval
def test_a_row_is_asked_the_same_alone_and_among_others(lm_eval):
    """lm-eval draws demonstrations row by row from one stream; a trial that goes on in the middle asks no other."""
    task = lm_eval.task(parse_component("lm-eval:arc_easy")).task
    rows = task.samples("test")
    all_rows = [task.asking(3, 0).requests(row) for row in rows]
    assert task.asking(3, 0).requests(rows[-1]) == all_rows[-1]
    backwards = task.asking(3, 0)
    assert [backwards.requests(row) for row in reversed(rows)] == all_rows[::-1]
    assert [task.asking(3, 1).requests(row) for row in rows] != all_rows, "another seed shows others"
    assert task.asking(0, 0).requests(rows[0]) != all_rows[0]


@needs_lm_eval
def test_what_a_task_is_asked_and_measures_is_stored(lm_eval, store):
    chosen = [Component("zero-shot"), Component("few-shot", None, {"k": "2"})]
    tasks = (Component("lm-eval", "gsm8k"), Component("lm-eval", "lambada_openai"))
    experiment = Experiment((Component("toy"),), tasks, tuple(chosen))
    plugins = lm_eval.plugins
    plugins.registry("model").add(Entry("model", "toy", "harness.testing:ToyModel", "test", "1"))
    results = run_experiment(experiment, lm_eval, store)
    assert [result.status for result in results] == ["finished"] * 4
    maths = results[0]
    assert list(maths.metrics) == ["exact_match,strict-match", "exact_match,flexible-extract"]
    (one, *_) = store.predictions(maths.trial.key)
    assert one.measured["filtered_resps,strict-match"] == "[invalid]"
    assert one.correct is bool(one.measured["exact_match,strict-match"])
    words = results[2]
    assert words.trial.losses == ("perplexity",)
    assert list(words.metrics) == ["perplexity", "acc"]
    assert words.metrics["perplexity"].low <= words.metrics["perplexity"].value
    assert results[3].budget.train > 0
    assert "may hold the answer" in " ".join(results[3].notes)


@needs_lm_eval
def test_strategies_that_change_prompts_are_refused_with_the_reason(lm_eval):
    def refusal(task, strategy):
        models, tasks = (Component("random"),), (Component("lm-eval", task),)
        (job,) = plan(Experiment(models, tasks, (parse_component(strategy),)), lm_eval)
        return job.trial.refusal

    assert "makes its own prompts" in refusal("arc_easy", "finetune")
    assert "chooses its demonstrations" in refusal("arc_easy", "few-shot,k=2,select=first")
    assert "num_fewshot to 0" in refusal("wmdp_bio", "few-shot,k=2")
    assert "6 rows to draw 7 demonstrations from" in refusal("arc_easy", "few-shot,k=7")
    wikitext = lm_eval.task(parse_component("lm-eval:wikitext")).task
    assert "no place for demonstrations" in wikitext.refuses(ToyModel(), 2)
    assert "does not answer" in refusal("gsm8k", "zero-shot")
    assert refusal("arc_easy", "few-shot,k=2") == ""
    assert refusal("arc_easy", "native") == ""


@needs_lm_eval
def test_another_prompt_or_demonstration_is_another_key(cache, tmp_path):
    def key(**config):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        task_file(folder, "keyed", ROWS, **config)
        catalogue = catalogue_of(cache, folder)
        component = Component("lm-eval", "keyed")
        (job,) = plan(Experiment((Component("random"),), (component,), (Component("zero-shot"),)), catalogue)
        return job.trial.key

    plain_key = key()
    assert plain_key != key(doc_to_text="Q: {{q}}")
    assert plain_key != key(metric_list=[{"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True}])


# --- finding -----------------------------------------------------------------------------------------


@needs_lm_eval
def test_the_index_is_read_once_and_again_when_a_file_changes(cache, tmp_path, monkeypatch):
    folder = tmp_path / "tasks"
    path = task_file(folder, "first_one", tag=["my_tag"])
    assert index.find([folder], cache).names["first_one"].output == "multiple_choice"
    reading = index.read_yaml

    def refuse(*_, **__):
        raise AssertionError("it is in the cache")

    monkeypatch.setattr(index, "read_yaml", refuse)
    found = index.find([folder], cache)
    assert found.names["my_tag"] == index.Listed("tag", members=("first_one",))
    assert len(found.names) > 10_000
    monkeypatch.setattr(index, "read_yaml", reading)
    path.rename(folder / "other.yaml")
    task_file(folder, "second_one", tag="my_tag")
    assert index.find([folder], cache).names["my_tag"].members == ("first_one", "second_one")


@needs_lm_eval
def test_tags_globs_and_lists_spread_to_tasks_and_groups_with_an_aggregate_stay(lm_eval, cache, tmp_path):
    def members(reference, *folders):
        return list(TASKS.members(reference, lm_eval.assets, folders))

    assert members("ai2_arc") == ["arc_challenge", "arc_easy"]
    assert members("arc_[e]as?") == ["arc_easy"]
    assert members("wmdp") == ["wmdp"]
    task_file(tmp_path, "mine_a")
    task_file(tmp_path, "mine_b")
    (tmp_path / "both.yaml").write_text("group: both\ntask: [mine_a, mine_b]\n")
    assert members("both", tmp_path) == ["mine_a", "mine_b"]
    with pytest.raises(UsageError, match="several tasks"):
        lm_eval.task(parse_component("lm-eval:ai2_arc"))


@needs_lm_eval
def test_a_file_is_a_task_too(cache, tmp_path):
    path = task_file(tmp_path, "from_a_file", ROWS)
    data = catalogue_of(cache).task(parse_component(f"lm-eval:{path}"))
    assert data.spec.name == "lm-eval:from_a_file"
    assert [row.target for row in data.scored("test", None)] == [str(row["a"]) for row in ROWS]


@needs_lm_eval
def test_the_command_line_lists_shows_and_runs(cache, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    task_file(tmp_path / "tasks", "of_mine", ROWS)
    path = ("--tasks-path", "tasks")
    assert call(["list", "tasks", "--in", "lm-eval", "--match", "lm-eval:of_m*", *path]) == 0
    assert capsys.readouterr().out.split() == ["lm-eval:of_mine", "multiple_choice"]
    assert call(["show", "-t", "lm-eval:of_mine", "-n", "1", *path]) == 0
    assert "Is 0 even?" in capsys.readouterr().out
    assert call(["check", "lm-eval:of_mine", *path]) == 0
    assert "test: 6 rows" in capsys.readouterr().out
    run = ("run", "-m", "random", "-t", "lm-eval:of_mine", "--no-latency", "--format", "json")
    assert call([*run, *path]) == 0
    (trial,) = json.loads(capsys.readouterr().out)["trials"]
    assert (trial["task"], trial["n"], list(trial["metrics"])) == ("lm-eval:of_mine", 6, ["acc"])
    assert call(["report", "--format", "markdown"]) == 0
    assert "lm-eval:of_mine" in capsys.readouterr().out


# --- what is wrong -----------------------------------------------------------------------------------


@needs_lm_eval
def test_unknown_names_are_told_the_nearest_and_files_that_could_not_be_read(cache, tmp_path):
    (tmp_path / "broken.yaml").write_text("task: a\n  b: [\n")
    with pytest.raises(UnknownNameError, match="arc_easy") as raised:
        catalogue_of(cache, tmp_path).expand(parse_component("lm-eval:arc_eazy"))
    assert f"{tmp_path / 'broken.yaml'}:2" in str(raised.value)
    with pytest.raises(UnknownNameError):
        catalogue_of(cache).expand(parse_component("lm-eval:no_such_*"))


@needs_lm_eval
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"shuffle": True}, r"broken_one\.yaml:\d+: shuffle: lm-eval knows no key"),
        ({"output_type": "guess"}, "guess"),
        ({"doc_to_text": "{{ q"}, "broken_one"),
        ({"metric_list": [{"metric": "no_such_metric"}]}, "broken_one"),
    ],
)
def test_a_wrong_file_is_named(config, said, cache, tmp_path):
    path = task_file(tmp_path, "broken_one", ROWS, **config)
    with pytest.raises(ConfigError, match=said) as raised:
        catalogue_of(cache, tmp_path).task(parse_component("lm-eval:broken_one"))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@needs_lm_eval
def test_yaml_that_is_none_is_named_with_its_line(cache, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("task: odd\ndoc_to_text: 'open\n")
    with pytest.raises(ConfigError, match=rf"{path}:\d: no YAML"):
        catalogue_of(cache).task(parse_component(f"lm-eval:{path}"))
    with pytest.raises(ConfigError, match="there is no lm-eval task file"):
        catalogue_of(cache).task(parse_component("lm-eval:nowhere.yaml"))


@needs_lm_eval
def test_a_data_set_that_can_not_be_had_is_named(cache):
    with pytest.raises(AssetError, match=r"'openbookqa': its data set allenai/openbookqa:main can't be loaded"):
        catalogue_of(cache).task(parse_component("lm-eval:openbookqa"))


@needs_lm_eval
def test_code_is_run_only_when_that_is_said(cache, tmp_path):
    task_file(tmp_path, "runs_code", ROWS, unsafe_code=True)
    catalogue = catalogue_of(cache, tmp_path)
    with pytest.raises(UsageError, match=r"unsafe_code=true"):
        catalogue.task(parse_component("lm-eval:runs_code"))
    assert catalogue.task(parse_component("lm-eval:runs_code,unsafe_code=true")).scored("test", None)


@needs_lm_eval
def test_pictures_are_refused(cache, tmp_path):
    task_file(tmp_path, "with_pictures", ROWS, doc_to_image="q")
    with pytest.raises(UsageError, match="pictures"):
        catalogue_of(cache, tmp_path).task(parse_component("lm-eval:with_pictures"))


@needs_lm_eval
def test_generation_that_can_not_be_said_is_refused(cache, tmp_path):
    beams = {"until": ["\n"], "num_beams": 4}
    task_file(
        tmp_path,
        "beams",
        ROWS,
        output_type="generate_until",
        doc_to_choice=None,
        generation_kwargs=beams,
        metric_list=[{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    )
    task = catalogue_of(cache, tmp_path).task(parse_component("lm-eval:beams")).task

    class Anything:
        answers = frozenset({"Generate"})

    assert "num_beams=4" in task.refuses(Anything(), 0)


def test_without_lm_eval_one_line_says_what_to_install(catalogue, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PluginError, match=r"pip install 'adapt-harness\[lm-eval\]'"):
        catalogue.expand(parse_component("lm-eval:arc_easy"))


# --- values ------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers() | st.tuples(st.text(), st.integers()), inner)
        | st.frozensets(st.integers() | st.text()).map(set)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_values_survive_the_database(value):
    assert back(json.loads(json.dumps(plain(value), allow_nan=False))) == value


def test_numpys_values_become_python():
    import numpy as np

    assert back(plain((np.float64(0.5), np.array([1, 2]), np.bool_(True), float("nan"))))[:3] == (0.5, [1, 2], True)
