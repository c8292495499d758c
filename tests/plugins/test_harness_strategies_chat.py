"""How the prompt strategies ask in a chat template."""

from pathlib import Path

import pytest

from harness.declared import reads
from harness.interfaces import Setting
from harness.preview import preview
from harness.records import LogLikelihoods
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask, check_strategy
from harness_strategies.prompting import FewShot, ZeroShot


class Chatting(ToyModel):
    """A toy with a chat template."""

    chats = True

    def written(self, prompts):
        return [str(prompt.messages) for prompt in prompts]


def requests(strategy, model=None, **setting):
    data = TaskData(ToyTask())
    made = strategy.adapt(
        model or Chatting(), data.view("test", reads(strategy)), Setting(0, "cpu", Path("unused"), **setting)
    )
    return made, made.requests(ToyTask().samples("test")[0])


@pytest.mark.parametrize("chat", ["auto", "none", "message", "turns"])
@pytest.mark.parametrize("strategy", [ZeroShot, FewShot])
def test_every_way_to_chat_keeps_the_contract(strategy, chat):
    check_strategy(strategy(chat=chat), model=Chatting())


@pytest.mark.parametrize("chat", ["auto", "none", "message", "turns"])
def test_demonstrations_are_turns_where_they_are_asked_for(chat):
    _, (asked,) = requests(FewShot(k=2, select="first", chat=chat))
    _, (plain,) = requests(FewShot(k=2, select="first"))
    assert asked.prompt.text == plain.prompt.text
    assert asked.prompt.chat == chat
    said = [("user", "Text: train 0: the snow falls\nLabel:"), ("assistant", "cold")]
    assert list(asked.prompt.messages[:2]) == said if chat == "turns" else not asked.prompt.exchanges
    assert asked.continuations == (("warm", "cold") if chat == "turns" else (" warm", " cold"))


def test_bytes_are_those_of_what_is_scored():
    for chat, count in (("message", 5), ("turns", 4)):
        made, _ = requests(ZeroShot(scoring="per-byte", chat=chat))
        row = ToyTask().samples("test")[0]
        assert made.decide(row, [LogLikelihoods((-20.0, -40.0))]).scores == (-20 / count, -40 / count)


def test_the_domain_is_asked_in_the_same_way():
    _, (asked, domain) = requests(ZeroShot(scoring="pmi", chat="turns"))
    assert asked.prompt.chat == domain.prompt.chat == "turns"
    assert domain.prompt.messages == (("user", "Label:"),)
    assert domain.continuations == ("warm", "cold")


@pytest.mark.parametrize(
    ("strategy", "model", "reason"),
    [
        (ZeroShot(chat="turns"), ToyModel(), "chat=turns needs a chat template, which the model does not have"),
        (FewShot(chat="message"), ToyModel(), "chat=message needs a chat template, which the model does not have"),
        (ZeroShot(chat="turns", scoring="channel"), Chatting(), "scoring=channel scores the question"),
        (ZeroShot(chat="none"), ToyModel(), None),
        (ZeroShot(chat="turns"), Chatting(), None),
    ],
)
def test_a_model_without_a_template_is_refused(strategy, model, reason):
    said = strategy.refuses(model, ToyTask.spec)
    assert said is None if reason is None else reason in said


def test_a_preview_without_a_model_says_who_speaks(catalogue):
    (shown,) = preview(catalogue, "toy", strategy="few-shot,k=1,select=first,chat=turns", count=1).samples
    (asked,) = shown.requests
    assert asked.text.startswith("[user] Text: train 0: the snow falls\nLabel:\n[assistant] cold\n[user] Text: test 0")
    assert asked.tokens is None
    (shown,) = preview(catalogue, "toy", strategy="zero-shot,chat=message", count=1).samples
    assert shown.requests[0].text.startswith("[user] Text: test 0")
