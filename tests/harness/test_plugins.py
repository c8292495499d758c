"""Plugins: broken ones are set aside and harm nothing else; names are unique; hooks are checked."""

import textwrap

import pytest

from harness.errors import PluginError, UnknownNameError
from harness.plugins import KINDS, PluginChoice, Plugins


@pytest.fixture
def plugin_file(tmp_path):
    """Write a plugin file of a unique name and give its path."""

    def write(name: str, body: str) -> str:
        path = tmp_path / f"{name}.py"
        path.write_text("from harness import hookimpl\n" + textwrap.dedent(body))
        return str(path)

    return write


def test_a_plugin_that_raises_at_import_is_set_aside_with_its_traceback(plugin_file):
    broken = plugin_file("plugin_raises", "raise RuntimeError('no such luck')")
    plugins = Plugins(PluginChoice(files=(broken,)))
    info = {info.name: info for info in plugins.infos()}["plugin_raises"]
    assert "RuntimeError: no such luck" in info.error
    assert "zero-shot" in plugins.registry("strategy")
    assert "plugin_raises" not in plugins.versions()


def test_strict_raises_instead(plugin_file):
    broken = plugin_file("plugin_strict", "raise RuntimeError('no such luck')")
    with pytest.raises(PluginError, match=r"plugin_strict.*no such luck"):
        Plugins(PluginChoice(files=(broken,), strict=True))


def test_a_misspelt_hook_is_an_error_of_its_plugin(plugin_file):
    misspelt = plugin_file("plugin_misspelt", "@hookimpl\ndef register_modles(register): ...")
    plugins = Plugins(PluginChoice(files=(misspelt,)))
    info = {info.name: info for info in plugins.infos()}["plugin_misspelt"]
    assert "register_modles" in info.error


def test_registering_may_fail_without_harm(plugin_file):
    failing = plugin_file("plugin_fails", "@hookimpl\ndef register_models(register): raise ValueError('x')")
    plugins = Plugins(PluginChoice(files=(failing,)))
    assert "majority" in plugins.registry("model")
    assert "ValueError: x" in {info.name: info for info in plugins.infos()}["plugin_fails"].error


def test_two_plugins_with_one_name_are_both_named(plugin_file):
    twice = plugin_file(
        "plugin_twice", "@hookimpl\ndef register_strategies(register): register('zero-shot', 'plugin_twice:X')"
    )
    with pytest.raises(PluginError, match=r"'zero-shot' is registered by plugin .*plugin_twice.*--without"):
        Plugins(PluginChoice(files=(twice,))).registry("strategy")


def test_registering_imports_nothing_and_a_missing_target_says_so(plugin_file):
    lazy = plugin_file(
        "plugin_lazy", "@hookimpl\ndef register_models(register): register('lazy', 'a_package_nobody_has.model:Model')"
    )
    entry = Plugins(PluginChoice(files=(lazy,))).registry("model").get("lazy")
    with pytest.raises(PluginError, match=r"needs 'a_package_nobody_has', which can't be imported"):
        entry.load()


def test_a_file_plugin_has_its_content_as_version(plugin_file):
    first = Plugins(PluginChoice(files=(plugin_file("plugin_version", "X = 1"),))).versions()["plugin_version"]
    second = Plugins(PluginChoice(files=(plugin_file("plugin_version", "X = 2"),))).versions()["plugin_version"]
    assert first != second


def test_without_leaves_a_plugin_out():
    plugins = Plugins(PluginChoice(without=("strategies",)))
    assert len(plugins.registry("strategy")) == 0
    with pytest.raises(UnknownNameError, match=r"unknown plugin 'strategeis'.*strategies"):
        Plugins(PluginChoice(without=("strategeis",)))


def test_without_all_plugins_the_core_starts_and_lists_nothing():
    names = tuple(info.name for info in Plugins().infos())
    plugins = Plugins(PluginChoice(without=names))
    assert [len(plugins.registry(kind)) for kind in KINDS] == [0] * len(KINDS)


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown strategy 'fewshot' \(did you mean few-shot"):
        Plugins().registry("strategy").get("fewshot")


def test_an_observer_that_fails_changes_nothing(plugin_file, caplog):
    observer = plugin_file("plugin_observer", "@hookimpl\ndef run_started(run): raise OSError('tracker is down')")
    Plugins(PluginChoice(files=(observer,))).notify("run_started", run=None)
    assert "plugin plugin_observer failed in run_started" in caplog.text
