"""The contract of the command line: output, exit status, errors, interruption."""

import csv
import io
import json
import re
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

RUN = ("run", "-m", "toy", "-t", "toy", "--no-latency")

TASK = """\
name: weather
kind: classification
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {text: text, target: label}
labels: {warm: " warm", cold: " cold"}
prompt:
  template: "{{ text }}:"
"""


def rows(*pairs):
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs)


@pytest.fixture
def weather(tmp_path):
    """A small task folder that tests break."""
    (tmp_path / "task.yaml").write_text(TASK)
    (tmp_path / "train.jsonl").write_text(rows(("sun", "warm"), ("snow", "cold")))
    (tmp_path / "test.jsonl").write_text(rows(("summer", "warm"), ("winter", "cold"), ("ice", "cold")))
    return tmp_path


# --- output ------------------------------------------------------------------------------------------


def test_json_of_a_run_has_the_contracts_keys(cli):
    done = cli(*RUN, "-s", "zero-shot", "--format", "json")
    assert done.status == 0
    (trial,) = done.json["trials"]
    contract = {"key", "model", "task", "strategy", "params", "seed", "status", "reason", "n", "coverage", "metrics"}
    assert contract | {"contexts", "latency", "train_s", "cached"} <= set(trial)
    assert set(trial["metrics"]["accuracy"]) == {"value", "low", "high"}
    assert (trial["n"], trial["status"], trial["cached"]) == (12, "finished", False)


def test_a_second_run_is_cached_and_equal(cli):
    first = cli(*RUN, "--format", "json").json["trials"][0]
    second = cli(*RUN, "--format", "json").json["trials"][0]
    assert second.pop("cached")
    assert not first.pop("cached")
    assert first == second


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "json"])
def test_every_format_prints_the_result_alone(cli, form):
    done = cli(*RUN, "-s", "zero-shot", "-s", "context", "--format", form)
    assert done.status == 0
    assert "zero-shot" in done.out
    assert "trials: 2 to run" in done.err
    assert "to run" not in done.out


def test_csv_is_csv(cli):
    done = cli(*RUN, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert row["model"] == "toy"
    assert row["task"] == "toy"


def test_report_writes_all_files(cli, tmp_path):
    cli(*RUN)
    done = cli("report", "--format", "html,markdown,csv,json", "-o", "out")
    assert done.status == 0, done.err
    files = {path.suffix: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert set(files) == {".html", ".md", ".csv", ".json"}
    assert "http://" not in files[".html"].replace("http://www.w3.org", "")
    assert not re.search(r"(src|href)=.?https?:|@import|url\(", files[".html"])  # what it names is never fetched


def test_an_experiment_file_runs_and_writes_its_report(cli, tmp_path):
    (tmp_path / "e.yaml").write_text(
        "models: [toy]\ntasks: [toy]\nscenarios: []\nreport: {folder: out, formats: [csv]}\n"
    )
    assert cli("run", "e.yaml").status == 0
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".csv"]


def test_export_has_one_row_a_sample_in_order(cli, tmp_path):
    key = cli(*RUN, "--format", "json").json["trials"][0]["key"]
    assert cli("export", "--trial", key[:10], "-o", "p.jsonl").status == 0
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    columns = (
        "trial sample_id target prediction correct scores text context prompt_tokens output_tokens latency_ms status"
    )
    assert list(lines[0]) == columns.split()
    assert [line["sample_id"] for line in lines] == [f"test-{number}" for number in range(12)]


def test_show_prints_the_exact_prompt(cli):
    done = cli("show", "-t", "toy", "-s", "few-shot,k=1,select=first", "-n", "1")
    assert "Text: train 0: the snow falls\nLabel: cold\n\nText: test 0: the snow falls\nLabel:\n" in done.out
    assert "-> ' warm'" in done.out
    shown = cli("show", "-t", "toy", "-n", "3", "--format", "json").json
    assert len(shown["samples"]) == 3


def test_show_trains_nothing(cli):
    done = cli("show", "-t", "toy", "-s", "finetune")
    assert "note: would be trained on 12 rows, 12 for validation" in done.out


def test_list_is_a_list(cli):
    names = [entry["name"] for entry in cli("list", "strategies", "--format", "json").json]
    assert names == [
        "bitfit",
        "chain-of-thought",
        "context",
        "few-shot",
        "finetune",
        "knn",
        "linear-probe",
        "lora",
        "native",
        "prefix-tuning",
        "pretrain",
        "prompt-finetune",
        "prompt-search",
        "prompt-tuning",
        "setfit",
        "zero-shot",
    ]
    plugins = {plugin["name"]: plugin for plugin in cli("list", "plugins", "--format", "json").json}
    assert plugins["faulty_parts"]["error"] is None


def test_latency_stands_beside_accuracy(cli):
    trial = cli("run", "-m", "toy", "-t", "toy", "--format", "json").json["trials"][0]
    assert trial["latency"]["offline"]["samples_per_s"] > 0
    assert trial["latency"]["single-stream"]["p50_ms"] > 0


# --- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "-m", "tooy", "-t", "toy"), "unknown model 'tooy' (did you mean toy"),
        (("run", "-m", "toy", "-t", "tooy"), "unknown task 'tooy' (did you mean toy"),
        (("run", "-m", "toy", "-t", "toy", "-s", "fewshot"), "unknown strategy 'fewshot' (did you mean few-shot"),
        (("run", "-m", "toy", "-t", "toy", "-s", "few-shot,shots=3"), "has no parameter 'shots'"),
        (("run", "-m", "toy", "-t", "toy", "-s", "few-shot,k=-1"), "parameter k='-1' is wrong"),
        (("run", "-m", "toy"), "there are no tasks"),
        (("run", "-m", "toy", "-t", "nowhere.yaml"), "there is no task file 'nowhere.yaml'"),
        (("run", "-m", "majority", "-t", "bbc-news,foo=1"), "task 'bbc-news' has no parameter 'foo'"),
        (("report", "--format", "htlm"), "unknown reporter 'htlm' (did you mean html"),
        (("--plugin", "nowhere.py", "list"), "there is no plugin file 'nowhere.py'"),
    ],
    ids=["model", "task", "strategy", "parameter", "value", "no-task", "file", "task-parameter", "format", "plugin"],
)
def test_a_wrong_call_is_one_line_and_exit_2(cli, arguments, said):
    done = cli(*arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "said"),
    [
        ("task.yaml", "kind: class", "kind: [class", "task.yaml:3", "not YAML"),
        ("task.yaml", "labels:", "lables:", "task.yaml:6: lables", "did you mean labels"),
        ("task.yaml", "prompt:", "name: other\nprompt:", "task.yaml:7: name", "stands twice"),
        ("task.yaml", "{{ text }}", "{{ txet }}", "task.yaml:8: prompt.template", "txet"),
        ("task.yaml", "{{ text }}", "{{ text ", "task.yaml:8: prompt.template", ""),
        ("task.yaml", "{text: text,", "{text: body,", "task.yaml:5: data.fields.text", "body"),
        ("test.jsonl", '"warm"', '"hot"', "test.jsonl:1", "hot"),
        ("test.jsonl", "}\n", "\n", "test.jsonl:1", "JSON"),
    ],
)
def test_a_wrong_task_is_told_by_file_line_and_key_before_anything_is_loaded(cli, weather, file, old, new, place, said):
    text = (weather / file).read_text()
    assert old in text
    (weather / file).write_text(text.replace(old, new, 1))
    done = cli("run", "-m", "fake-unloadable", "-t", "task.yaml", "--no-latency")
    assert done.status == 2, done.err
    assert place in done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert cli("check", "task.yaml").status == 2


def test_an_empty_split_is_told(cli, weather):
    (weather / "test.jsonl").write_text("")
    done = cli("run", "-m", "toy", "-t", "task.yaml")
    assert done.status == 2
    assert "test" in done.err


def test_check_says_ok(cli, weather):
    done = cli("check", "task.yaml", "toy", "strategies")
    assert done.status == 0, done.out
    assert done.out.count(": ok") == 3


def test_one_failed_trial_leaves_the_others_whole_and_exits_1(cli):
    done = cli(
        "run",
        "-m",
        "fake-unloadable",
        "-m",
        "fake-choking",
        "-m",
        "toy",
        "-t",
        "toy",
        "--no-latency",
        "--format",
        "json",
    )
    assert done.status == 1
    assert [trial["status"] for trial in done.json["trials"]] == ["failed", "partial", "finished"]
    assert done.json["trials"][0]["reason"] == "the weights are gone on auto"


def test_pairs_that_cannot_work_are_no_error(cli):
    done = cli(
        "run", "-m", "majority", "-t", "toy", "-s", "zero-shot", "-s", "finetune", "--no-latency", "--format", "json"
    )
    assert done.status == 0
    assert [trial["status"] for trial in done.json["trials"]] == ["not-applicable", "finished"]


def test_more_demonstrations_than_rows_are_handled_and_said(cli, weather):
    done = cli("run", "-m", "toy", "-t", "task.yaml", "-s", "few-shot,k=50", "--no-latency", "--format", "json")
    assert done.status == 0, done.err
    assert "2 demonstrations: the training rows are no more than that" in done.json["trials"][0]["notes"]


def test_odd_data_is_handled_and_said(cli, weather):
    (weather / "train.jsonl").write_bytes(b'{"text": "caf\xe9", "label": "warm"}\n{"text": "", "label": "warm"}\n')
    done = cli(
        "run",
        "-m",
        "majority",
        "-t",
        "task.yaml",
        "-s",
        "finetune",
        "--limit",
        "99",
        "--no-latency",
        "--format",
        "json",
    )
    assert done.status == 0, done.err
    assert "not UTF-8" in done.err
    assert "empty" in done.err
    assert done.json["trials"][0]["n"] == 3


def test_a_broken_plugin_is_shown_with_its_traceback_and_harms_nothing(cli, tmp_path):
    (tmp_path / "broken_one.py").write_text("raise RuntimeError('no such luck')\n")
    listed = cli("--plugin", "broken_one.py", "list", "plugins")
    assert "RuntimeError: no such luck" in listed.out
    assert cli("--plugin", "broken_one.py", *RUN).status == 0
    assert cli("--plugin", "broken_one.py", "--strict", *RUN).status == 2


def test_a_store_that_is_none_is_told(cli, tmp_path):
    (tmp_path / "harness.db").write_text("this is no database, however long it goes on " * 50)
    done = cli(*RUN)
    assert done.status == 1
    assert "harness.db" in done.err
    assert "Traceback" not in done.err


# --- interruption ------------------------------------------------------------------------------------


def untimed(found):
    """The trials of a run without the seconds that adapting took."""
    return [{name: value for name, value in trial.items() if name != "adapt_s"} for trial in found["trials"]]


def test_killed_with_9_and_run_again_asks_nothing_stored_twice_and_ends_the_same(cli, tmp_path):
    arguments = ("run", "-m", "fake-dying", "-t", "long-toy", "--no-latency", "--format", "json")
    killed = cli(*arguments, FAKE_DEATH="3")
    assert killed.status == -signal.SIGKILL
    assert len(cli.asked()) == 128
    resumed = cli(*arguments)
    assert resumed.status == 0, resumed.err
    assert len(cli.asked()) == len(set(cli.asked())) == 300
    undisturbed = cli(*arguments, "--store", "other.db")
    assert untimed(undisturbed.json) == untimed(resumed.json)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_exits_130_and_keeps_what_was_done(cli, sign):
    arguments = ("run", "-m", "fake-counting", "-t", "long-toy", "--no-latency")
    process = cli.start(*arguments, FAKE_SLEEP="0.4")
    deadline = time.monotonic() + 60
    while len(cli.asked()) < 128 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sign)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: what was done is kept" in err
    asked_before = len(cli.asked())
    assert cli(*arguments).status == 0
    # At most the chunk that was being answered is asked again.
    assert 300 <= len(cli.asked()) <= 300 + 64
    assert asked_before < 300


# --- plugins' commands -------------------------------------------------------------------------------


def test_a_plugin_may_add_a_command(cli, tmp_path):
    (tmp_path / "adds_command.py").write_text(
        "import click\nfrom harness import hookimpl\n\n@hookimpl\ndef register_commands(register):\n"
        "    register('hello', 'adds_command:hello')\n\n@click.command('hello')\ndef hello():\n    click.echo('hi')\n"
    )
    done = cli("--plugin", "adds_command.py", "hello")
    assert (done.status, done.out) == (0, "hi\n")
    assert "hello" in cli("--plugin", "adds_command.py", "--help").out
    assert cli("--plugin", "adds_command.py", "check", "adds_command.py").status == 0


def test_debug_shows_where_a_trial_failed(cli):
    done = cli("--debug", "run", "-m", "fake-unloadable", "-t", "toy", "--no-latency")
    assert done.status == 1
    assert "in load" in done.err


def test_exporting_nothing_is_told(cli):
    cli(*RUN)
    done = cli("export", "-m", "none-of-these", "-o", "p.jsonl")
    assert done.status == 2
    assert "no stored trial matches" in done.err


# --- what plugins do to it -----------------------------------------------------------------------------

TALKER = """
import os, sys
print("from the import")
from harness import hookimpl
from harness.testing import ToyModel

@hookimpl
def register_models(register):
    register("talker", "noisy:Talker")
    register("quitter", "noisy:Quitter")
    register("hollow", "noisy:Hollow")

class Talker(ToyModel):
    def run(self, requests):
        print("from Python")
        os.system("echo from a child")
        return super().run(requests)

class Quitter(ToyModel):
    def run(self, requests):
        sys.exit(5)

class Hollow:
    pass

@hookimpl
def register_metrics(register):
    register("hollow", "noisy:Hollow")
"""


@pytest.fixture
def noisy(tmp_path):
    (tmp_path / "noisy.py").write_text(TALKER)
    return ("--plugin", "noisy.py")


def test_what_a_plugin_prints_goes_to_standard_error(cli, noisy):
    done = cli(*noisy, "run", "-m", "talker", "-t", "toy", "--no-latency", "--format", "json")
    assert done.json["trials"][0]["status"] == "finished"
    assert "from Python" in done.err
    assert "from the import" in done.err
    assert json.loads(cli(*noisy, "list", "models", "--format", "json").out)
    assert cli(*noisy, "check", "toy").out.startswith("toy: ok")
    assert "from a child" in done.err


def test_a_plugin_that_exits_fails_its_trial_alone(cli, noisy):
    done = cli(*noisy, "run", "-m", "quitter", "-m", "toy", "-t", "toy", "--no-latency", "--format", "json")
    assert done.status == 1
    assert [trial["status"] for trial in done.json["trials"]] == ["failed", "finished"]


def test_a_plugin_that_exits_at_import_is_set_aside(cli, tmp_path):
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    done = cli("--plugin", "leaving.py", "list", "plugins")
    assert done.status == 0
    assert "SystemExit: 3" in done.out


def test_a_part_that_lacks_a_member_is_named_by_run_and_check(cli, noisy):
    done = cli(*noisy, "run", "-m", "hollow", "-t", "toy")
    assert done.status == 2
    assert "model 'hollow' has no 'answers': Hollow is no Model" in done.err
    assert "Traceback" not in done.err
    assert "has no 'answers'" in cli("check", "noisy.py").out


def test_a_metric_that_lacks_a_member_is_named_too(cli, noisy, weather):
    (weather / "task.yaml").write_text(TASK + "metrics: [hollow]\n")
    done = cli(*noisy, "run", "-m", "toy", "-t", "task.yaml")
    assert done.status == 2
    assert "metric 'hollow' has no" in done.err
    assert "Traceback" not in done.err


def test_a_malformed_entry_sets_its_plugin_aside_and_a_misspelt_hook_gets_the_nearest(cli, tmp_path):
    (tmp_path / "bad.py").write_text(
        "from harness import hookimpl\n@hookimpl\ndef register_models(register): register('x', 'nowhere')\n"
    )
    (tmp_path / "misspelt.py").write_text(
        "from harness import hookimpl\n@hookimpl\ndef register_modles(register): ...\n"
    )
    done = cli("--plugin", "bad.py", "--plugin", "misspelt.py", "list", "plugins")
    assert done.status == 0
    assert "target 'nowhere' is not package.module:Object" in done.out
    assert "there is no hook 'register_modles' (did you mean register_models" in done.out
    assert cli("--plugin", "bad.py", *RUN).status == 0


# --- what the machine does to it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "-t", "n" * 300 + ".yaml"),
        ("fetch", "n" * 300 + ".yaml"),
        ("run", "-m", "toy", "-t", "n" * 300 + ".yaml"),
    ],
)
def test_a_name_too_long_for_the_machine_is_one_line(cli, arguments):
    done = cli(*arguments)
    assert done.status == 2
    assert "File name too long" in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_result_that_can_not_be_written_is_one_line(cli):
    cli(*RUN)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*cli.command, "report"],
            cwd=cli.folder,
            env=cli.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert b"error: " in done.stderr
    assert b"Traceback" not in done.stderr


def test_closed_streams(cli):
    script = " ".join(cli.command) + " run -m toy -t toy --no-latency --format csv"
    run = partial(subprocess.run, shell=True, cwd=cli.folder, env=cli.environment, capture_output=True, check=False)
    without_err = run(f"{script} 2>&-")
    assert without_err.returncode == 0
    assert b"toy" in without_err.stdout
    without_out = run(f"{script} >&-")
    assert without_out.returncode == 1
    assert b"standard output is closed" in without_out.stderr


def test_a_reader_that_goes_is_no_failed_trial(cli):
    cli(*RUN)
    command = " ".join(cli.command)
    done = subprocess.run(
        ["bash", "-c", f"{command} report --format json | true; exit ${{PIPESTATUS[0]}}"],
        cwd=cli.folder,
        env=cli.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 141}, "0 where the report was written before the reader went"
    assert done.stderr == b""


# --- what is wrong, and where --------------------------------------------------------------------------


def test_two_tasks_of_one_name_are_refused(cli, weather):
    (weather / "other").mkdir()
    for file in ("task.yaml", "train.jsonl", "test.jsonl"):
        (weather / "other" / file).write_text((weather / file).read_text().replace("winter", "spring"))
    done = cli("run", "-m", "toy", "-t", "task.yaml", "-t", "other/task.yaml")
    assert done.status == 2
    assert "two tasks are called 'weather'" in done.err


def test_a_report_of_nothing_says_so(cli):
    cli(*RUN)
    done = cli("report", "-t", "nope")
    assert done.status == 2
    assert "no stored trial matches" in done.err


def test_an_unknown_report_format_is_found_by_check(cli, tmp_path):
    (tmp_path / "e.yaml").write_text("models: [toy]\ntasks: [toy]\nreport:\n  folder: r\n  formats: [htlm]\n")
    done = cli("check", "e.yaml")
    assert done.status == 2
    assert "e.yaml:5: report.formats[0]: unknown reporter 'htlm'" in done.out


def test_a_variable_that_is_wrong_is_named_and_an_empty_one_says_nothing(cli):
    done = cli(*RUN, HARNESS_LIMIT="x")
    assert done.status == 2
    assert "HARNESS_LIMIT: limit 'x'" in done.err
    assert cli(*RUN, HARNESS_LIMIT="", HARNESS_SEEDS="").status == 0


def test_a_metric_that_is_unknown_has_its_line(cli, weather):
    (weather / "task.yaml").write_text(TASK + "metrics: [acuracy]\n")
    for command in (("check", "task.yaml"), ("run", "-m", "toy", "-t", "task.yaml")):
        done = cli(*command)
        assert done.status == 2
        assert "task.yaml:9: metrics: unknown metric 'acuracy'" in done.out + done.err


def test_a_data_file_that_is_missing_is_wrong_input(cli, weather):
    (weather / "test.jsonl").unlink()
    done = cli("run", "-m", "toy", "-t", "task.yaml")
    assert done.status == 2
    assert "task.yaml:4: data.files.test" in done.err


# --- replay ------------------------------------------------------------------------------------------


def test_a_trial_is_replayed_and_what_has_changed_is_named(cli, weather):
    key = cli("run", "-m", "toy", "-t", "task.yaml", "--no-latency", "--format", "json").json["trials"][0]["key"]
    done = cli("replay", key[:10])
    assert done.status == 0, done.err
    assert done.out.splitlines()[0] == "nothing that it is made of has changed"
    assert "reproduced: 2 metrics and 3 predictions are the same" in done.out
    (weather / "task.yaml").write_text(TASK.replace("{{ text }}:", "{{ text }};"))
    done = cli("replay", key[:10])
    assert done.status == 1
    assert "changed: prompt.template: {{ text }}: -> {{ text }};" in done.out
    told = cli("replay", key[:10], "--format", "json").json
    assert [change["field"] for change in told["changes"]] == ["prompt.template"]
    assert told["key"] == key
    assert cli("replay", "0" * 12).status == 2


# --- integrity ---------------------------------------------------------------------------------------


def test_check_names_rows_that_nearly_repeat_others(cli, weather):
    text = "the sun shines on the beach and on the harbour all day long in summer"
    (weather / "train.jsonl").write_text(rows((text, "warm"), ("snow falls on the roofs of the town", "cold")))
    (weather / "test.jsonl").write_text(rows((text + "!", "warm"), (text + "s", "warm"), ("it hails", "cold")))
    plain = cli("check", "task.yaml")
    assert (plain.status, "overlap: of" in plain.out) == (0, False)
    assert (
        "warning: task.yaml:4: data.files: 1 rows of test (such as test:2 ~ train:1) nearly repeat others" in plain.out
    )
    assert cli("check", "task.yaml", "--strict").status == 2
    done = cli("check", "task.yaml", "--overlap")
    assert done.status == 0
    assert "of 3 test rows 1 repeat rows that may be adapted on and 1 nearly do" in done.out


def test_baselines_are_added_on_demand_and_to_reports_and_say_so(cli, tmp_path):
    grid = ("run", "-m", "toy", "-t", "toy", "--no-latency", "--format", "json")
    assert len(cli(*grid).json["trials"]) == 1
    trials = cli(*grid, "--baselines").json["trials"]
    added = [(trial["model"], trial["strategy"]) for trial in trials if trial["baseline"]]
    assert added == [
        ("majority", "finetune"), ("stratified", "finetune"), ("random", "zero-shot"), ("tfidf-lr", "finetune"),
    ]  # fmt: skip
    assert [trial["model"] for trial in trials if not trial["baseline"]] == ["toy"]
    assert {trial["status"] for trial in trials} == {"finished"}
    file = "models: [toy, majority]\ntasks: [toy]\nscenarios: []\n"
    (tmp_path / "plain.yaml").write_text(file)
    (tmp_path / "report.yaml").write_text(file + "report: {folder: out, formats: [csv]}\n")
    assert not [one for one in cli("run", "plain.yaml", "--format", "json").json["trials"] if one["baseline"]]
    found = [one["model"] for one in cli("run", "report.yaml", "--format", "json").json["trials"] if one["baseline"]]
    assert found == ["stratified", "random", "tfidf-lr"], "majority is there already"
    without = cli("run", "report.yaml", "--no-baselines", "--format", "json").json["trials"]
    assert not [one for one in without if one["baseline"]]
    said = cli("run", "plain.yaml", "--format", "json", HARNESS_BASELINES="yes").json["trials"]
    assert len([one for one in said if one["baseline"]]) == 3
    assert cli("run", "plain.yaml", HARNESS_BASELINES="perhaps").status == 2
