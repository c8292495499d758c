"""Selectors, orders, scorers and calibrators are plugins' parts: found, listed, checked, and in the keys of trials."""

import dataclasses

import pytest

from harness.assets import Assets
from harness.catalogue import Catalogue
from harness.cli import group
from harness.components import parse_component
from harness.errors import PluginError, UnknownNameError
from harness.planning import plan
from harness.plugins import PluginChoice, Plugins
from harness.promptparts import PART_KINDS, Correction, Pool
from harness.records import Component, Experiment
from harness.testing import ToyModel, check_calibrator, check_order, check_scorer, check_selector
from harness_strategies.builtin import PARTS


class Counting(ToyModel):
    """Tells how many tokens its answers have, which a scorer may want."""

    def run(self, requests):
        return [dataclasses.replace(one, tokens=tuple(1 for _ in one.values)) for one in super().run(requests)]


CHECKS = {"selector": check_selector, "order": check_order, "scorer": check_scorer, "calibrator": check_calibrator}

LAST = (
    "from harness import hookimpl\n\n@hookimpl\ndef register_selectors(register):\n"
    "    register('last', 'last_rows:Last')\n\n"
    "class Last:\n    embeds = searches = False\n"
    "    def select(self, pool, k): return list(range(len(pool.samples)))[-k:]\n"
)


def registered():
    plugins = Plugins()
    return [(kind, entry) for kind in PART_KINDS for entry in plugins.registry(kind)]


@pytest.mark.parametrize(("kind", "entry"), registered(), ids=str)
def test_every_registered_part_keeps_its_contract(kind, entry):
    CHECKS[kind](entry.load()(), **({"model": Counting()} if kind == "scorer" else {}))


def test_what_our_strategies_find_without_a_catalogue_is_what_our_plugin_registers():
    ours = {(kind, entry.name): entry.load() for kind, entry in registered() if entry.plugin == "strategies"}
    assert {(kind, name): type(part) for kind, parts in PARTS.items() for name, part in parts.items()} == ours


@pytest.fixture
def with_last(tmp_path):
    """Makes a catalogue with a selector of a plugin file, whose content is its version."""

    def make(text=LAST):
        file = tmp_path / "last_rows.py"
        file.write_text(text)
        plugins = Plugins(PluginChoice(files=(str(file),), strict=True))
        return Catalogue(plugins, Assets(plugins.registry("source"), root=tmp_path / "cache"))

    yield make
    __import__("sys").modules.pop("last_rows", None)


@pytest.mark.parametrize("of", ["few-shot,select=last", "context,of=few-shot,select=last"])
def test_the_version_of_a_parts_plugin_stands_in_the_key_where_it_takes_part(with_last, catalogue, tmp_path, of):
    for split in ("train", "test"):
        rows = [f'{{"text": "{split} {n}", "c": "x", "label": "{"ab"[n % 2]}"}}' for n in range(4)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(rows))
    (tmp_path / "task.yaml").write_text(
        "name: t\nkind: classification\ndata:\n  files: {train: train.jsonl, test: test.jsonl}\n  context: c\n"
        "  fields: {text: text, target: label}\nlabels: {a: ' a', b: ' b'}\nprompt: {template: '{{ text }}:'}\n"
    )

    def trials(text):
        found = with_last(text)
        strategies = (parse_component(of), Component("few-shot"))
        experiment = Experiment((Component("random"),), (Component(str(tmp_path / "task.yaml")),), strategies)
        return [job.trial for job in plan(experiment, found)]

    (using, other), (changed, same) = trials(LAST), trials(LAST + "\n# changed\n")
    assert using.plugins.keys() - other.plugins.keys() == {"last_rows"}
    assert using.key != changed.key
    assert other.key == same.key


def test_a_part_of_another_plugin_is_used_by_name(with_last):
    found = with_last()
    strategy = found.strategy(parse_component("few-shot,k=2,select=last"))
    assert strategy.uses == (("selector", "last"), ("order", "auto"), ("scorer", "sum"))
    assert found.part("selector", "last") is found.part("selector", "last")
    with pytest.raises(UnknownNameError, match=r"e\.yaml:3: unknown selector 'lst' \(did you mean last") as caught:
        found.strategy(parse_component("few-shot,select=lst"), where="e.yaml:3")
    assert caught.value.exit_code == 2


def test_a_part_that_lacks_something_is_refused(with_last):
    with pytest.raises(PluginError, match="selector 'last' has no 'searches': Last is no Selector"):
        with_last(LAST.replace("embeds = searches = False", "embeds = False")).strategy(
            parse_component("few-shot,select=last")
        )


@pytest.mark.parametrize(
    ("kind", "name"),
    [("selectors", "votek"), ("orders", "similar-last"), ("scorers", "per-byte"), ("calibrators", "contextual")],
)
def test_parts_are_listed(capsys, kind, name):
    group.main(["list", kind], prog_name="harness", standalone_mode=False)
    assert any(line.startswith(f"{name} ") for line in capsys.readouterr().out.splitlines())


def test_a_pool_without_an_encoder_says_what_is_missing():
    with pytest.raises(ValueError, match="let its `embeds` be True"):
        Pool(None, [], list, None).vectors()


# --- broken parts ----------------------------------------------------------------------------------


class Selecting:
    embeds = searches = False

    def __init__(self, give):
        self.select = give


class Finding:
    """A search that gives what it is told to."""

    embeds, searches = False, True

    def __init__(self, near):
        self.nearest = near

    def select(self, pool, k):
        return self


class Ordering:
    by_similarity = False

    def order(self, picked, **_):
        return picked[:1]


class Scoring:
    def refuses(self, spec, answers):
        return None

    def requests(self, question):
        return (question.request,)

    def scores(self, question, responses):
        return (1.0,)


@dataclasses.dataclass
class Calibrating:
    draws: bool = True
    apply: object = tuple

    def refuses(self, spec, scoring):
        return None

    def samples(self, spec, pool, count, rng):
        return list(pool)[: count + self.draws] if self.apply is not tuple else list(pool)

    def fit(self, spec, scores):
        return Correction(self.apply)

    def said(self, count):
        return ""


@pytest.mark.parametrize(
    ("check", "part", "message"),
    [
        (check_selector, Selecting(lambda pool, k: [0] * k), "no row twice"),
        (check_selector, Selecting(lambda pool, k: [0, 1, 2]), "no more than 1 rows"),
        (check_selector, Selecting(lambda pool, k: [99]), "numbers of the 12 rows"),
        (check_selector, Selecting(lambda pool, k: Finding(None)), "gives numbers"),
        (check_selector, Finding(lambda sample, text, k: [0]), "never finds the row that is asked for"),
        (check_order, Ordering(), "the rows that were picked"),
        (check_scorer, Scoring(), "one score a choice"),
        (check_calibrator, Calibrating(), "no more samples than it may see"),
        (check_calibrator, Calibrating(draws=False), "at least at one sample"),
    ],
)
def test_broken_parts_are_named(check, part, message):
    with pytest.raises(AssertionError, match=message):
        check(part)
