"""The documentation is true: it names what the code has, no more and no less, and its examples run.

A block after `<!-- test: NAME -->` is the file NAME, written and used by a test; after `<!-- test: output -->` it shows
a command with exactly what it prints. Every YAML block is a whole file; every line `$ harness ...` is parsed, with the
names in it.
"""

import dataclasses
import fnmatch
import inspect
import json
import logging
import os
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

import harness
from harness import hookspecs, messages, planning, records, testing, trial
from harness.assets import Assets
from harness.catalogue import PROVIDED, Catalogue, is_file
from harness.cli import COMMANDS, group
from harness.components import parse_component
from harness.config import ExperimentFile
from harness.export import COLUMNS, trials_json
from harness.hookspecs import Register
from harness.plugins import GROUP, KINDS, PluginChoice, Plugins
from harness.taskschema import TaskFileSchema, read_task
from harness.yamlfile import read_yaml, validate

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
TEXT = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
OURS = ("harness", "plugins", "tasks")

BLOCK = re.compile(
    r"(?:^<!-- test: (?P<mark>[^\n]+) -->\n)?^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
HOOKS = [name for name, hook in vars(hookspecs).items() if hasattr(hook, f"{GROUP}_spec")]
ENVIRONMENT = re.compile(r"\bHARNESS_[A-Z]+(?:_[A-Z]+)*\b")
MACHINE = re.compile(r"(?<![\w.:/])(?:/(?:home|root|work|tmp|opt|mnt|Users|var|usr)\b|[A-Z]:\\)")
ENTRY_POINTS = distribution("adapt-harness").entry_points.select(group=GROUP)
EXEMPLARY = {"shortest", "films"}
"""Names that the pages themselves define."""


# --- reading the pages -----------------------------------------------------------------------------


def blocks(page: str, language: str = r"\w+") -> list[tuple[str | None, str]]:
    """Mark and body of the code blocks of a page."""
    found = [match for match in BLOCK.finditer(TEXT[page]) if re.fullmatch(language, match["language"])]
    return [(match["mark"], match["body"]) for match in found]


def marked(page: str) -> dict[str, str]:
    """The files that a page's blocks are."""
    return {mark: body for mark, body in blocks(page) if mark and mark != "output"}


def section(page: str, heading: str) -> str:
    """What stands below a heading, subsections included."""
    level = heading.count("#", 0, heading.index(" "))
    _, found, rest = TEXT[page].partition(f"\n{heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> list[list[str]]:
    """The cells of the rows of the first table in a text, without its heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return cells[2:]


def code(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", TEXT[page], flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def modules(folder: Path) -> set[str]:
    """`trial`, `cli.run` ...: the modules of a package, those of its subpackages too."""
    found = (path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py"))
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in found} - {"", "__main__"}


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder, with a cache of its own; what a call leaves in this process is undone."""
    level = logging.getLogger("harness").level
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HARNESS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    before = set(sys.modules)
    yield tmp_path
    logging.getLogger("harness").setLevel(level)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def cli(*arguments: str) -> int:
    """Call the command line in this process; its exit status, errors are raised."""
    return group.main(list(arguments), prog_name="harness", standalone_mode=False) or 0


def printed(capsys, *arguments: str) -> str:
    """What a successful call prints."""
    capsys.readouterr()
    assert cli(*arguments) == 0
    return capsys.readouterr().out


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files by their names."""
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(body, encoding="utf-8")


# --- all pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", path.read_text(encoding="utf-8")):
        page = (path.parent / target).resolve() if target else path
        assert page.exists(), target
        assert not anchor or anchor in anchors(page.name), f"{target}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_names_a_folder_of_somebodys_machine(path):
    assert not MACHINE.findall(path.read_text(encoding="utf-8"))


def test_every_page_is_linked_from_another():
    linked = {name for text in TEXT.values() for name in re.findall(r"\]\((?:\w+/)?([\w-]+\.md)", text)}
    assert set(TEXT) - linked == {"README.md"}


def test_everything_registered_by_our_plugins_is_mentioned(plugins):
    ours = {point.name for point in ENTRY_POINTS}
    prose = "\n".join(TEXT[page] for page in ("guide.md", "reference.md", "architecture.md", "systems.md", "tasks.md"))
    for kind in KINDS:
        for entry in plugins.registry(kind):
            if entry.plugin in ours:
                assert re.search(rf"`{re.escape(entry.name)}[`:,]", prose), f"{kind} {entry.name}"


# --- hooks.md --------------------------------------------------------------------------------------


def test_each_hook_has_a_heading_with_its_exact_signature_in_the_order_of_the_code():
    expected = [f"{name}({', '.join(inspect.signature(getattr(hookspecs, name)).parameters)})" for name in HOOKS]
    assert re.findall(r"^### (.+)$", TEXT["hooks.md"], flags=re.MULTILINE) == expected


def test_register_is_documented_with_its_exact_signature():
    _self, *parameters = inspect.signature(Register.__call__, eval_str=True).parameters.values()
    bare = [str(one.replace(annotation=inspect.Parameter.empty)) for one in parameters]
    keyword = next(index for index, one in enumerate(parameters) if one.kind is inspect.Parameter.KEYWORD_ONLY)
    said = f"register({', '.join([*bare[:keyword], '*', *bare[keyword:]])})".replace("=''", '=""')
    assert f"`{said}`" in TEXT["hooks.md"]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_below_each_hook_implements_it(hook):
    heading = next(line for line in TEXT["hooks.md"].splitlines() if line.startswith(f"### {hook}("))
    example = BLOCK.search(section("hooks.md", heading))
    assert example, heading
    assert re.search(rf"@hookimpl\ndef {hook}\(", example["body"])


CHECKS = {
    "register_models": testing.check_model,
    "register_tasks": testing.check_task,
    "register_strategies": testing.check_strategy,
    "register_selectors": testing.check_selector,
    "register_orders": testing.check_order,
    "register_scorers": testing.check_scorer,
    "register_calibrators": testing.check_calibrator,
    "register_metrics": testing.check_metric,
}


@pytest.mark.parametrize(("hook", "check"), CHECKS.items(), ids=CHECKS)
def test_the_parts_of_the_examples_keep_their_contracts(hook, check, folder):
    name = f"hook_{hook.removeprefix('register_')}"
    write(folder, marked("hooks.md"))
    loaded = Plugins(PluginChoice(files=(str(folder / f"{name}.py"),), strict=True))
    kind = next(kind for kind in KINDS if hook.startswith(f"register_{kind[:5]}"))
    (entry,) = [entry for entry in loaded.registry(kind) if entry.plugin == name]
    check(entry.load()())


def test_the_examples_work_together_in_a_run(folder, capsys, caplog, monkeypatch):
    write(folder, marked("hooks.md"))
    with_examples = [part for name in marked("hooks.md") for part in ("--plugin", str(folder / name))]
    called = [*with_examples, "--strict", "--without", "hf"]

    grid = ["-m", "letters", "-t", "parity", "-s", "polite", "--executor", "backwards", "--scenario", "pairs"]
    assert cli(*called, "run", *grid, "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)["trials"]
    assert found["latency"]["pairs"]["pair_ms"] > 0
    assert "1 models on 1 tasks" in caplog.text
    assert "0 of 1 trials failed" in caplog.text

    parts = "few-shot,k=2,select=shortest-rows,scoring=per-letter,calibrate=mean-score"
    found_by_words = "few-shot,k=3,select=bm25,order=outside-in"
    cells = ["-m", "letters", "-t", "parity", "-s", parts, "-s", found_by_words, "--no-latency", "--store", "parts.db"]
    assert cli(*called, "run", *cells, "--format", "json") == 0
    first, second = json.loads(capsys.readouterr().out)["trials"]
    assert "calibrated on 18 training texts, 18 model calls" in first["notes"]
    assert second["status"] == "finished"

    assert cli(*called, "report", "--format", "winners") == 0
    assert capsys.readouterr().out == "parity: letters, polite\n"

    cli(*called, "doctor")
    assert f"hook_diagnose: recursion limit: {sys.getrecursionlimit()}" in capsys.readouterr().out

    monkeypatch.setenv("HOME", str(folder))
    files = tuple(str(folder / name) for name in marked("hooks.md"))
    assets = Assets(Plugins(PluginChoice(files)).registry("source"))
    assert assets.path("home://hook_models.py").read_text() == marked("hooks.md")["hook_models.py"]


def test_the_example_of_a_command_is_one(folder, capsys):
    write(folder, marked("hooks.md"))
    assert int(printed(capsys, "--plugin", "hook_commands.py", "count")) > 1


# --- plugins.md ------------------------------------------------------------------------------------


@pytest.fixture
def nutshell(folder, monkeypatch):
    """The package of plugins.md, installed: its files, and the metadata that pip would write."""
    files = marked("plugins.md")
    files["harness_nutshell/model.py"] = files["shortest.py"]
    write(folder, files)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"][GROUP].items())
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    info = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    write(folder, {f"{info}/METADATA": metadata, f"{info}/entry_points.txt": f"[{GROUP}]\n{points}"})
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_the_plugin_in_one_file_keeps_its_contract(folder):
    write(folder, marked("plugins.md"))
    loaded = Plugins(PluginChoice(files=(str(folder / "shortest.py"),), strict=True))
    catalogue = Catalogue(loaded, Assets(loaded.registry("source")))
    testing.check_model(catalogue.model(parse_component("shortest,scale=0.5")))


def test_the_package_passes_its_own_tests(nutshell):
    names = runpy.run_path(str(nutshell / "tests" / "test_nutshell.py"))
    tests = [function for name, function in names.items() if name.startswith("test_")]
    for test in tests:
        test(**dict.fromkeys(inspect.signature(test).parameters, nutshell))  # tmp_path, the only fixture they use
    assert len(tests) > 1


def test_the_package_is_found_and_its_reporter_and_task_work(nutshell, capsys):
    assert re.search(r"^nutshell +harness-nutshell 0\.1\.0$", printed(capsys, "list", "plugins"), flags=re.MULTILINE)
    assert printed(capsys, "check", "films").startswith("films: ok")
    assert printed(capsys, "check", "nutshell").startswith("nutshell: ok")
    assert cli("run", "-m", "shortest", "-t", "films", "-s", "listed", "--no-latency", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["trials"][0]["metrics"].keys() == {"accuracy", "answered"}
    assert printed(capsys, "report", "--format", "lines") == "1 shortest listed: 0.500\n"


def test_the_public_modules_are_those_that_our_own_plugins_use():
    line = section("plugins.md", "## Good to know")
    public = set(re.findall(r"`(harness\.\w+)`", line[line.index("- Public") :].split("Other modules")[0]))
    assert {name.removeprefix("harness.") for name in public} <= modules(ROOT / "harness")
    sources = [path for root in ("plugins", "tasks", "examples") for path in (ROOT / root).rglob("*.py")]
    imported = re.compile(r"^\s*from (harness\.\w+) import", re.MULTILINE)
    assert {name for path in sources for name in imported.findall(path.read_text(encoding="utf-8"))} <= public


# --- commands --------------------------------------------------------------------------------------


def lines() -> list[tuple[str, str]]:
    found = [(page, line) for page in TEXT for _, body in blocks(page, "console") for line in body.splitlines()]
    return [(page, line.removeprefix("$ harness ")) for page, line in found if line.startswith("$ harness ")]


def parsed(arguments: list[str]) -> click.Context:
    """The context of a call, which is not made."""
    context = group.make_context("harness", list(arguments))
    name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    return command.make_context(name, rest, parent=context)


def named(context: click.Context) -> Iterator[tuple[str, records.Component]]:
    """Kind and component of the parts that a call names, but for files and references: those lie elsewhere."""
    for kind in ("model", "task", "strategy"):
        option = next((one for one in context.command.params if f"--{kind}" in one.opts), None)
        given = context.params[option.name] if option else None
        for text in [given] if isinstance(given, str) else given or ():
            component = parse_component(text)
            if component.reference is None and not is_file(component) and component.name not in EXEMPLARY:
                yield kind, component


@pytest.mark.parametrize(("page", "line"), lines())
def test_each_command_line_parses_and_names_what_there_is(page, line, plugins):
    catalogue = Catalogue(plugins, Assets(plugins.registry("source")))
    for kind, component in named(parsed(shlex.split(line, comments=True))):
        if any(sign in component.name for sign in "*?["):
            assert fnmatch.filter([entry.name for entry in plugins.registry(kind)], component.name)
        else:
            getattr(catalogue, kind)(component)


def check_options(text: str, params: list[click.Parameter], context: click.Context) -> None:
    """A text has a table of exactly these options, as help writes them, and names the arguments."""
    options = [param for param in params if isinstance(param, click.Option)]
    assert {code(row[0])[0] for row in table(text)} == {option.get_help_record(context)[0] for option in options}
    for argument in (param for param in params if isinstance(param, click.Argument)):
        assert argument.make_metavar(context) in text


def test_the_options_before_a_command_are_documented():
    context = click.Context(group)
    check_options(
        section("reference.md", "## Commands and options").split("\n### ")[0], group.get_params(context), context
    )


def leaves() -> dict[str, click.Command]:
    """Name -> command; those of a group have its name before theirs."""
    found = {name: group.get_command(click.Context(group), name) for name in COMMANDS}
    groups = {name: command for name, command in found.items() if isinstance(command, click.Group)}
    inner = {f"{name} {sub}": command for name, one in groups.items() for sub, command in one.commands.items()}
    return {name: command for name, command in found.items() if name not in groups} | inner


@pytest.mark.parametrize(("name", "command"), leaves().items(), ids=leaves())
def test_each_command_is_documented_with_exactly_its_options(name, command):
    check_options(
        section("reference.md", f"### harness {name}"), command.params, click.Context(command, info_name=name)
    )


def test_the_exit_statuses_are_those_of_the_errors():
    from harness import errors

    statuses = {row[0] for row in table(section("reference.md", "## Exit status"))}
    raised = {str(error.exit_code) for error in vars(errors).values() if hasattr(error, "exit_code")}
    assert statuses == raised | {"0", "130", "141"}


def test_exactly_the_environment_variables_that_are_read_are_documented():
    sources = "\n".join(path.read_text() for root in OURS for path in (ROOT / root).rglob("*.py"))
    told = re.findall(r'reader\.components\("(\w+)"|(?:self\._told|reader\.yes)\("(\w+)"', sources)
    dynamic = {f"HARNESS_{(one or other).upper()}" for one, other in told}
    documented = {name for row in table(section("reference.md", "## Environment")) for name in code(row[0])}
    assert documented == set(ENVIRONMENT.findall(sources)) | dynamic


def test_the_outputs_shown_are_those_that_are_printed(folder, capsys):
    write(folder, marked("guide.md"))
    shown = [body for mark, body in blocks("guide.md", "console") if mark == "output"]
    assert shown
    for body in shown:
        command, output = body.split("\n", 1)
        assert printed(capsys, *shlex.split(command.removeprefix("$ harness "))) == output


# --- files and parameters --------------------------------------------------------------------------


def yaml_blocks() -> list[tuple[str, str]]:
    return [(page, body) for page in TEXT for _, body in blocks(page, "yaml")]


@pytest.mark.parametrize(("page", "body"), yaml_blocks())
def test_each_yaml_block_is_a_valid_file(page, body, tmp_path, plugins):
    path = tmp_path / "file.yaml"
    path.write_text(body, encoding="utf-8")
    located = read_yaml(path)
    if "kind" in located.data:
        read_task(path)
        return
    experiment = validate(located, ExperimentFile)
    catalogue = Catalogue(plugins, Assets(plugins.registry("source"), root=tmp_path))
    for strategy in experiment.strategies:
        catalogue.strategy(parse_component(strategy))
    for kind, listed in (("model", experiment.models), ("task", experiment.tasks)):
        for item in listed:
            plugins.registry(kind).get(parse_component(item if isinstance(item, str) else item["name"]).name)


def keys(model: type[BaseModel]) -> set[str]:
    """The dotted keys of a file."""
    found = set()
    for name, field in model.model_fields.items():
        types = [part for part in (field.annotation, *get_args(field.annotation)) if inspect.isclass(part)]
        inside = {key for part in types if issubclass(part, BaseModel) for key in keys(part)}
        found |= {f"{name}.{key}" for key in inside} or {name}
    return found


@pytest.mark.parametrize(
    ("heading", "model"),
    [("## Keys of an experiment file", ExperimentFile), ("## Keys of a task file", TaskFileSchema)],
    ids=["experiment", "task"],
)
def test_the_keys_of_files_are_exactly_those_of_their_schema(heading, model):
    assert {code(row[0])[0] for row in table(section("reference.md", heading))} == keys(model)


def test_the_defaults_of_task_files_are_those_of_the_code():
    said = {code(row[0])[0]: code(row[2]) for row in table(section("reference.md", "## Keys of a task file"))}
    owners = {"prompt": records.PromptSpec, "generation": records.GenerationSpec, "extract": records.ExtractSpec}
    compared = 0
    for section_name, owner in owners.items():
        for field in dataclasses.fields(owner):
            if default := said.get(f"{section_name}.{field.name}"):
                assert default[0].strip('"') == str(field.default), field.name
                compared += 1
    assert compared > 5
    assert said["data.seed"] == [str(TaskFileSchema.model_fields["data"].annotation.model_fields["seed"].default)]


@pytest.mark.parametrize(
    ("heading", "kinds"),
    [("## Parameters", ("model", "strategy", "scenario", "executor")), ("### Parameters of metrics", ("metric",))],
)
def test_parameters_and_their_defaults_are_those_of_the_signatures(heading, kinds, plugins):
    documented: dict[str, dict[str, str]] = {}
    names: list[str] = []
    for row in table(section("reference.md", heading)):
        names = code(row[0]) or names
        for name in names:
            documented.setdefault(name, {})[code(row[1])[0]] = code(row[2])[0]
    ours = {point.name for point in ENTRY_POINTS}
    expected: dict[str, dict[str, str]] = {}
    for kind in kinds:
        for entry in plugins.registry(kind):
            parameters = inspect.signature(entry.load()).parameters.values()
            named = [one for one in parameters if one.kind is not one.VAR_KEYWORD]
            settable = {
                one.name: "required" if one.default is one.empty else str(one.default)
                for one in named
                if one.name not in PROVIDED | {"reference"}
            }
            if settable and entry.plugin in ours:
                expected[entry.name] = settable
    assert documented == expected


def test_the_example_in_python_runs(folder, capsys):
    write(folder, marked("guide.md"))
    exec(compile(marked("guide.md")["python"], "guide.md", "exec"), {})
    printed_table = capsys.readouterr().out
    assert "majority" in printed_table
    assert "not-applicable" in printed_table


def test_what_other_programs_read_has_exactly_these_keys_and_columns():
    text = section("reference.md", "## What other programs read")
    keys_said, columns_said = re.findall(r"^    (.+)$", text, flags=re.MULTILINE)
    component = records.Component("x")
    planned = records.Trial("key", component, component, component, 0, "test", None, "digest", 1, {})
    (found,) = trials_json([records.TrialResult(planned, "planned")])["trials"]
    assert keys_said.split(", ") == list(found)
    assert columns_said.split(", ") == list(COLUMNS)
    assert set(get_args(records.TrialStatus)) | set(get_args(records.Answered)) <= set(code(text))


# --- architecture, systems, decisions --------------------------------------------------------------


def test_the_architecture_names_every_module_once_and_no_other():
    text = section("architecture.md", "## Modules of the core")
    named = [name for line in text.splitlines() if line.startswith("| `") for name in code(line.split("|")[1])]
    revisions = "migrations.versions."  # one line stands for all of them
    assert sorted(named) == sorted(name for name in modules(ROOT / "harness") if not name.startswith(revisions))


def test_the_architecture_names_every_plugin_package():
    named = {code(row[0])[0] for row in table(section("architecture.md", "## Plugins that come with the harness"))}
    assert named == {point.value for point in ENTRY_POINTS}


def test_the_architecture_says_how_large_a_chunk_is_and_how_messages_are_called():
    assert f"in chunks of {trial.CHUNK} " in TEXT["architecture.md"]
    assert all(message.__name__ in TEXT["architecture.md"] for message in get_args(messages.Message))
    assert "`KEY_SCHEMA`" in TEXT["architecture.md"]
    assert isinstance(planning.KEY_SCHEMA, int)


def test_the_tables_of_the_store_are_named():
    from harness.schema import metadata, versions

    named = {code(row[0])[0] for row in table(section("architecture.md", "## What is stored, and when"))}
    assert named == set(metadata.tables) - {versions.name, "alembic_version"}


def test_each_system_is_open_or_shown_by_tests_that_are_there():
    rows = table(TEXT["systems.md"])
    assert [row[0] for row in rows] == [str(number) for number in range(1, 24)]
    for number, *_, now in rows:
        shown_by = re.findall(r"`(tests/[\w/]+\.py)`", now)
        assert now.startswith("not yet") != bool(shown_by), f"row {number}: not yet, or shown by which test?"
        assert all((ROOT / path).is_file() for path in shown_by), f"row {number}: {shown_by}"


def test_decisions_are_numbered_and_short():
    files = sorted((DOCS / "decisions").glob("*.md"))
    for number, path in enumerate(files, start=1):
        assert path.name.startswith(f"{number:04}-")
        assert path.read_text(encoding="utf-8").startswith(f"# {number}. ")
        assert len(path.read_text(encoding="utf-8").split()) <= 300
    assert len(files) >= 6


def test_the_public_names_used_on_the_pages_are_there():
    for text in TEXT.values():
        for name in re.findall(r"`harness\.([A-Z]\w+)`", text):
            assert name in harness.__all__, name
