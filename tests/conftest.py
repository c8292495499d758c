"""Fixtures: plugins with the toy and faulty parts, a catalogue, a store."""

import gc
from pathlib import Path

import pytest

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.plugins import PluginChoice, Plugins
from harness.records import Component, Experiment
from harness.store import Store

FAULTY_PARTS = Path(__file__).with_name("faulty_parts.py")


@pytest.fixture(scope="module", autouse=True)
def small_collections():
    """Leave libraries and tests out of garbage collections: every run asks for some, and each would look at all."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def faulty_parts() -> str:
    """The plugin file with toy and faulty parts."""
    return str(FAULTY_PARTS)


@pytest.fixture
def catalogue(tmp_path) -> Catalogue:
    """Makes all registered parts, the toy and faulty ones too; its cache is empty."""
    plugins = Plugins(PluginChoice(files=(str(FAULTY_PARTS),), strict=True))
    return Catalogue(plugins, Assets(plugins.registry("source"), root=tmp_path / "cache"))


@pytest.fixture
def store(tmp_path):
    """An empty results database."""
    with Store(str(tmp_path / "results.db")) as opened:
        yield opened


@pytest.fixture
def toy_experiment() -> Experiment:
    """One toy trial without latency."""
    return Experiment((Component("toy"),), (Component("toy"),), (Component("zero-shot"),))
