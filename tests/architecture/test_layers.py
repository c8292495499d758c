"""The rules of docs/architecture.md that a machine can keep: layers, sizes, imports, entry points."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "harness").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py")) + sorted((ROOT / "tasks").rglob("*.py"))
HEAVY = {"torch", "transformers", "sklearn", "ray", "datasets", "peft"}
SLOW = HEAVY | {"numpy", "pandas", "scipy", "sqlalchemy", "pydantic", "pyarrow", "jinja2", "ruamel"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] in {"plugins", "tasks"} else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(path: Path, *, only_top: bool) -> set[str]:
    """Modules that a file imports; imports for type checkers alone do not count."""

    def visit(node: ast.AST) -> set[str]:
        if type_checking(node) or (only_top and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            return set()
        if isinstance(node, ast.Import):
            return {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        return set().union(*(visit(child) for child in ast.iter_child_nodes(node)))

    return visit(ast.parse(path.read_text(encoding="utf-8")))


def roots(path: Path, *, only_top: bool) -> set[str]:
    return {name.partition(".")[0] for name in imports(path, only_top=only_top)}


@pytest.mark.parametrize("path", CORE, ids=module_of)
def test_the_core_imports_no_plugin_and_no_model_library(path):
    found = roots(path, only_top=False)
    assert not found & HEAVY
    assert not {name for name in found if name.startswith("harness_")}


@pytest.mark.parametrize("path", PLUGINS, ids=module_of)
def test_plugins_never_import_one_another(path):
    own = module_of(path).partition(".")[0]
    assert not {name for name in roots(path, only_top=False) if name.startswith("harness_")} - {own}


@pytest.mark.parametrize("path", [p for p in PLUGINS if p.name == "__init__.py"], ids=module_of)
def test_a_plugin_registers_without_loading_anything_slow(path):
    assert not roots(path, only_top=True) & SLOW


def test_no_module_imports_itself_in_a_circle():
    modules = {module_of(path): path for path in [*CORE, *PLUGINS]}
    graph = {
        name: {found for found in imports(path, only_top=True) if found in modules and found != name}
        for name, path in modules.items()
    }
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above[above.index(name) :], name))
        if name not in done:
            for below in graph[name]:
                walk(below, (*above, name))
            done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize("path", [*CORE, *PLUGINS], ids=module_of)
def test_modules_and_functions_keep_their_size(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is longer than 60 lines"


def test_no_grab_bags():
    bags = {"utils", "util", "helpers", "common", "misc", "manager"}
    assert not [path for path in [*CORE, *PLUGINS] if path.stem in bags]


def test_each_plugin_package_has_an_entry_point_and_the_reverse():
    packages = {path.parent.name for root in ("plugins", "tasks") for path in (ROOT / root).glob("*/__init__.py")}
    points = importlib.metadata.distribution("adapt-harness").entry_points.select(group="harness")
    assert {point.value for point in points} == packages
    assert not list((ROOT / "plugins").glob("__init__.py")) + list((ROOT / "tasks").glob("__init__.py"))


def test_each_core_module_imports_alone_with_warnings_as_errors():
    names = [module_of(path) for path in CORE if path.stem != "__main__"]
    for name in names:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", f"import {name}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"


@pytest.mark.parametrize("arguments", [["--help"], ["list", "tasks"], ["list"], ["--version"]], ids=" ".join)
def test_the_light_commands_load_nothing_slow(arguments):
    script = (
        "import sys, json; from harness.cli import call; status = call(sys.argv[1:]);"
        "print('\\n' + json.dumps([status, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    status, loaded = __import__("json").loads(done.stdout.splitlines()[-1])
    assert status == 0
    assert not set(loaded) & SLOW


def test_listing_ten_thousand_tasks_reads_no_file_and_loads_nothing_slow(tmp_path):
    plugin = tmp_path / "ten_thousand.py"
    plugin.write_text(
        "from harness import hookimpl\n\n@hookimpl\ndef register_tasks(register):\n    for number in range(10_000):\n"
        "        register(f'made-{number}', f'nowhere:tasks/{number}.yaml', summary=f'task {number}')\n"
    )
    test_the_light_commands_load_nothing_slow(["--plugin", str(plugin), "list", "tasks"])


def test_the_public_names_are_exactly_those_that_can_be_imported():
    import harness

    for name in harness.__all__:
        assert getattr(harness, name) is not None
    assert sorted(harness._HOME) == sorted(harness.__all__)
