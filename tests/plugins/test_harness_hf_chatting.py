"""Prompts in a chat template, against transformers' own `apply_chat_template`."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.declared import reads
from harness.errors import ModelError
from harness.interfaces import Chats, Setting
from harness.preview import preview
from harness.records import Generate, LogLikelihood, Prompt
from harness.taskdata import TaskData
from harness.testing import ToyTask
from harness_hf.chatting import ChatTemplate, has_chat_template
from harness_hf.models import hf, smollm2_135m
from harness_hf.prompts import PromptEncoder
from harness_strategies.prompting import FewShot

NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
SILENT = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}<assistant>"
STRICT = NO_SYSTEM + SILENT


class Tokens:
    """Stands for a tokenizer: a template, applied by transformers' own code; letters are tokens."""

    bos_token_id = eos_token_id = 0

    def __init__(self, template):
        self.chat_template = template

    def apply_chat_template(self, conversation, **options):
        from transformers.utils.chat_template_utils import render_jinja_template

        assert options == {"tokenize": False, "add_generation_prompt": True}
        rendered, _ = render_jinja_template([conversation], chat_template=self.chat_template, tools=None)
        return rendered[0]

    def __call__(self, texts, *, add_special_tokens=True, **_):
        return {"input_ids": [[1] * add_special_tokens + [ord(letter) for letter in text] for text in texts]}


def prompt(chat, shown=2, head="Judge.\n\n"):
    pairs = [(f"Text: {word}\nLabel:", " warm") for word in ("sun", "heat", "fire")[:shown]]
    return Prompt(
        "Text: snow\nLabel:",
        tuple(f"{question}{answer}\n\n" for question, answer in pairs),
        head,
        chat,
        tuple((question, answer.strip()) for question, answer in pairs) if chat == "turns" else (),
    )


def test_messages_of_turns_and_of_one_message():
    assert prompt("turns", 1).messages == (
        ("system", "Judge."),
        ("user", "Text: sun\nLabel:"),
        ("assistant", "warm"),
        ("user", "Text: snow\nLabel:"),
    )
    assert prompt("turns", 0, "").messages == (("user", "Text: snow\nLabel:"),)
    assert prompt("message").messages == (("user", prompt("none").text),)
    assert prompt("turns").without(1) == prompt("turns").without(0).without(1)
    assert prompt("turns").without(2).messages == (("system", "Judge."), ("user", "Text: snow\nLabel:"))


@pytest.mark.parametrize("template", [STRICT, SILENT])
@pytest.mark.parametrize("shown", [0, 2])
def test_without_a_place_for_the_system_the_head_stands_in_the_first_turn_of_the_user(template, shown):
    text, _ = ChatTemplate(Tokens(template), always=False).render(prompt("turns", shown))
    first = "Text: sun\nLabel:<assistant>warm<user>Text: heat\nLabel:<assistant>warm<user>" if shown else ""
    assert text == f"<user>Judge.\n\n{first}Text: snow\nLabel:<assistant>"


TALK = Prompt(
    "User: Hi\nAssistant:", ("User: A\nAssistant: B\n\n",), "Judge.\n\n", "auto", (("A", "B"),), ("Hi", "Ho", "Hi")
)


def test_a_dialogue_has_its_own_turns_where_the_model_is_asked_in_its_template():
    chat = ChatTemplate(Tokens(SILENT), always=True)
    text, before = chat.render(dataclasses.replace(TALK, system="You are Ho."))
    assert text == "<user>Judge.\n\nYou are Ho.\n\nA<assistant>B<user>Hi<assistant>Ho<user>Hi<assistant>"
    assert text[before:] == "Hi<assistant>Ho<user>Hi<assistant>", "what is cut first are its first turns"
    assert chat.render(dataclasses.replace(TALK, chat="message"))[0] == f"<user>{TALK.text}<assistant>"
    assert not ChatTemplate(Tokens(SILENT), always=False).takes(TALK), "the model reads lines"


def test_a_template_that_refuses_the_turns_says_why():
    template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(ModelError, match="does not accept the prompt: roles must alternate"):
        ChatTemplate(Tokens(template), always=False).render(prompt("turns"))


@pytest.mark.parametrize(
    ("always", "chat", "takes"),
    [
        (False, "auto", False),
        (True, "auto", True),
        (True, "none", False),
        (False, "message", True),
        (False, "turns", True),
    ],
)
def test_what_a_prompt_says_goes_before_what_the_model_is_set_to(always, chat, takes):
    assert ChatTemplate(Tokens(SILENT), always=always).takes(prompt(chat)) is takes


@given(st.integers(10, 400), st.sampled_from(["none", "message", "turns"]))
def test_what_does_not_fit_goes_in_pairs_and_then_from_the_left_of_the_question(window, chat):
    encoder = PromptEncoder(Tokens(SILENT), window=window, chat=False)
    asked = prompt(chat, 3)
    (one,) = encoder.answerable([asked], [4])
    kept = asked.without(one.usage.dropped_demonstrations)
    whole = encoder.render(kept)[0]
    read = "".join(map(chr, one.ids[chat == "none" :]))  # without the special token
    assert len(one.ids) + one.limit <= window
    if not one.usage.cut_tokens:
        assert read == whole
    else:
        assert not kept.demonstrations
        cut = len(whole) - len(read)
        assert any(whole[:at] + whole[at + cut :] == read for at in range(len(read)))


@pytest.mark.parametrize("name", ["llama", "llama-bos"])
def test_turns_are_what_transformers_writes_and_prefixes_are_shared(load, tiny_checkpoint, name):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_checkpoint(name))
    asked = prompt("turns")
    conversation = [{"role": role, "content": said} for role, said in asked.messages]
    text = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    engine = load(name)
    assert engine._prompts.render(asked)[0] == text
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    other = Prompt("Text: rain\nLabel:", asked.demonstrations, asked.instruction, "turns", asked.exchanges)
    first, second = engine.run([Generate(one, max_tokens=2) for one in (asked, other)])
    assert first.usage.prompt_tokens == len(ids)
    common = tokenizer(text[: text.index("Text: snow")], add_special_tokens=False)["input_ids"]
    assert engine.counters["reused"] >= len(common) - 1
    assert first == engine.run([Generate(asked, max_tokens=2)])[0]
    assert second.usage.prompt_tokens > len(common)


def test_a_model_says_whether_it_has_a_template_and_writes_prompts(tiny_checkpoint, empty_assets, tmp_path):
    folder = tiny_checkpoint("llama")
    model = hf(str(folder), empty_assets)
    assert isinstance(model, Chats)
    assert model.chats
    assert model.written([prompt("auto"), prompt("turns", 0)]) == [
        prompt("auto").text,
        "<s>system\nJudge.</s><s>user\nText: snow\nLabel:</s><s>assistant\n",
    ]
    assert hf(str(folder), empty_assets, chat=True).written([prompt("auto", 0), prompt("none", 0)]) == [
        "<s>user\nJudge.\n\nText: snow\nLabel:</s><s>assistant\n",
        "Judge.\n\nText: snow\nLabel:",
    ]
    assert not hf(str(tiny_checkpoint("bert")), empty_assets).chats
    assert not has_chat_template(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "x"}))
    assert has_chat_template(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(ModelError, match="no configuration of a tokenizer"):
        has_chat_template(tmp_path)


def test_an_engine_without_a_template_answers_no_chat(load, tiny_checkpoint, tmp_path, empty_assets):
    for file in tiny_checkpoint("llama").iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    model = hf(str(tmp_path), empty_assets)
    assert not model.chats
    with pytest.raises(ModelError, match="no chat template"):
        model.load("cpu").run([LogLikelihood(prompt("turns"), (" warm",))])
    for strategy in (FewShot(k=2, chat="turns"), FewShot(k=2, chat="message")):
        assert "needs a chat template, which the model does not have" in (strategy.refuses(model, ToyTask.spec) or "")


@pytest.mark.model
@pytest.mark.parametrize("chat", ["message", "turns"])
def test_a_few_shot_chat_of_smollm2_is_what_transformers_writes(assets, chat):
    import transformers

    model = smollm2_135m(assets)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.fetch())
    strategy, data = FewShot(k=2, chat=chat), TaskData(ToyTask())
    made = strategy.adapt(model, data.view("test", reads(strategy)), Setting(0, "cpu", assets.root))
    (row, *_) = ToyTask().samples("test")
    (asked,) = made.requests(row)
    conversation = [{"role": role, "content": said} for role, said in asked.prompt.messages]
    assert len(conversation) == (5 if chat == "turns" else 1)
    expected = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    engine = model.load("cpu")
    assert engine._prompts.render(asked.prompt)[0] == expected == model.written([asked.prompt])[0]
    (found,) = engine.run([asked])
    ids = tokenizer(expected.rstrip(), add_special_tokens=False)["input_ids"]
    assert found.usage.prompt_tokens == len(ids)
    assert made.decide(row, [found]).status == "answered"


@pytest.mark.model
def test_a_preview_shows_the_chat_to_the_letter(catalogue):
    from harness.assets import Assets
    from harness.catalogue import Catalogue

    shared = Catalogue(catalogue.plugins, Assets(catalogue.plugins.registry("source")))
    found = preview(shared, "toy", strategy="zero-shot,chat=turns", model="smollm2-135m", count=1)
    (asked,) = found.samples[0].requests
    assert asked.text.endswith("\nLabel:<|im_end|>\n<|im_start|>assistant\n")
    assert asked.answers == ("warm", "cold")
