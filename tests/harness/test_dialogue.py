"""Dialogues: from the file to the messages of a chat, and to lines."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.answers import decide
from harness.assets import Assets
from harness.checking import check_task
from harness.dialogue import dialogue, lines
from harness.errors import ConfigError, DataError, TemplateError
from harness.plugins import Plugins
from harness.promptparts import Question
from harness.records import Generate, Generated, Prompt
from harness.taskfile import load_task

TALK = """\
name: talk
kind: dialogue
data:
  files: {train: train.jsonl, test: test.jsonl}
  fields: {turns: talk}
"""
TRAIN = [["Hi", "Hello."]]
TEST = [
    ["Good evening.", "What do you want?", "A cup of sugar.", "I have none."],
    [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Hi!"},
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "Arr, a pirate."},
        {"role": "user", "content": "Bye."},
    ],
]


@pytest.fixture
def load(tmp_path):
    def load(text=TALK + "prompt: {}\n", test=TEST):
        for name, rows in (("train", TRAIN), ("test", test)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"talk": row}) + "\n" for row in rows))
        (tmp_path / "task.yaml").write_text(text)
        assets = Assets(Plugins().registry("source"), root=tmp_path / "cache", offline=True)
        return load_task(tmp_path / "task.yaml", assets)

    return load


def asked(task, at=0, chat="auto", shown=False):
    examples = tuple(task.samples("train")) if shown else ()
    head = "Be kind.\n\n"
    return Question(task.spec, task.samples("test")[at], head, examples, frozenset({"Generate"}), 0, chat).request


def test_the_last_reply_is_the_target_and_what_stands_before_it_the_prompt(load):
    task = load()
    first, second = task.samples("test")
    assert (first.fields["turns"], first.target) == (
        ("Good evening.", "What do you want?", "A cup of sugar."),
        "I have none.",
    )
    assert (second.fields["turns"], second.fields["system"]) == (("Hi!\nWho are you?",), "You are a pirate.")
    assert second.target == "Arr, a pirate."
    assert task.spec.metrics == ("chrf", "rougeL")
    assert [line for line in check_task(task) if "warning" in line] == []


def test_without_a_chat_template_turns_are_lines(load):
    task = load()
    request = asked(task, 1, shown=True)
    assert isinstance(request, Generate)
    assert request.prompt.text == (
        "Be kind.\n\nUser: Hi\nAssistant: Hello.\n\nYou are a pirate.\n\nUser: Hi!\nWho are you?\nAssistant:"
    )
    assert request.stop == ("\n",)
    assert decide(task.spec, task.samples("test")[0], [Generated(" I have none.", "stop")]).correct


@pytest.mark.parametrize("chat", ["auto", "turns"])
def test_in_a_chat_the_samples_own_turns_are_messages(load, chat):
    assert asked(load(), 0, chat, shown=True).prompt.messages == (
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "Good evening."),
        ("assistant", "What do you want?"),
        ("user", "A cup of sugar."),
    )
    assert asked(load(), 1, chat).prompt.messages[0] == ("system", "Be kind.\n\nYou are a pirate.")


def test_as_one_message_it_is_the_lines(load):
    prompt = asked(load(), 0, "message", shown=True).prompt
    assert prompt.messages == (("user", prompt.text),)


def test_a_prompt_without_its_first_demonstration_lacks_its_turns(load):
    prompt = asked(load(), 0, "turns", shown=True).prompt.without(1)
    assert [role for role, _ in prompt.messages] == ["system", "user", "assistant", "user"]


def test_the_task_may_say_how_it_is_asked(load):
    task = load(TALK + "prompt: {template: \"{{ turns | lines('Q', 'A') }}A:\"}\ngeneration: {max_tokens: 5}\n")
    assert asked(task).prompt.query == "Q: Good evening.\nA: What do you want?\nQ: A cup of sugar.\nA:"
    assert (task.spec.generation.max_tokens, task.spec.generation.stop) == (5, ("\n",))


def test_a_column_may_hold_what_the_system_says(load, tmp_path):
    task = load(TALK.replace("turns: talk", "turns: talk, system: file") + "prompt: {}\n")
    assert task.samples("test")[1].fields["system"] == "test\nYou are a pirate."


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Hi", "is no list"),
        (["Hi"], "has no reply"),
        ([], "has no reply"),
        ([{"role": "user", "content": "Hi"}], "has no reply"),
        ([{"role": "bot", "content": "Hi"}, "x"], "turn 1: a dialogue is"),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant"}], "turn 2: a dialogue is"),
    ],
)
def test_what_is_no_dialogue_is_named(load, row, said):
    with pytest.raises(DataError, match=said) as caught:
        load(test=[row]).samples("test")
    assert "test.jsonl:1: talk" in str(caught.value)


def test_faults_of_the_file(load):
    with pytest.raises(ConfigError, match="'turns' is missing"):
        load(TALK.replace("turns: talk", "text: talk") + "prompt: {}\n")
    with pytest.raises(ConfigError, match="target is the last reply"):
        load(TALK.replace("turns: talk", "turns: talk, target: file"))
    with pytest.raises(TemplateError, match="'turn' is no field"):
        load(TALK + 'prompt: {template: "{{ turn }}"}\n')
    with pytest.raises(ConfigError, match="prompt"):
        load(TALK + "prompt: 3\n")


@given(st.lists(st.text(), min_size=2))
def test_texts_take_turns_up_to_the_last(turns):
    found = dialogue(turns)
    assert [*found.turns, found.reply] == turns
    last = "user" if len(turns) > 1 else "assistant"
    assert Prompt("", chat="turns", turns=found.turns).messages[-1] == (last, turns[-2])
    assert lines(found.turns).endswith(f"User: {turns[-2]}\n")
