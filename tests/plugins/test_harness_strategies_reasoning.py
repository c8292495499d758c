"""Chain of thought: what is asked, how the answer is found, and how several texts vote."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.declared import reads
from harness.errors import ModelError, ParameterError, UnknownNameError
from harness.interfaces import Setting
from harness.records import (
    Component,
    ExtractSpec,
    Generated,
    GenerationSpec,
    LabelBudget,
    LogLikelihoods,
    PromptSpec,
    Sample,
    TaskSpec,
    Usage,
    Written,
)
from harness.taskdata import TaskData
from harness.testing import ToyModel, ToyTask, check_strategy
from harness_strategies.extraction import Extraction
from harness_strategies.reasoning import ChainOfThought

REVIEWS = TaskSpec(
    "reviews",
    "classification",
    PromptSpec("Review: {{ text }}\nSentiment:", rationale="{{ why }}"),
    {"neg": " bad", "pos": " good", "best": " very good"},
)
QUIZ = TaskSpec("quiz", "multiple-choice", PromptSpec("Question: {{ text }}\nAnswer:"))
SUMS = TaskSpec(
    "sums",
    "generation",
    PromptSpec("Question: {{ text }}\nAnswer:", rationale="{{ why }}"),
    generation=GenerationSpec(stop=("Question:",)),
    extract=ExtractSpec(type="number", take="last"),
)
WORDS = dataclasses.replace(SUMS, extract=ExtractSpec())
CAPITAL = Sample("1", {"text": "Of France?"}, "1", choices=("Rome", "Paris", "New York"))


class Rows:
    def __init__(self, spec, train, test):
        self.spec = spec
        self._rows = {"train": train, "validation": [], "test": test}

    def samples(self, split):
        return self._rows[split]


def row(number, target, why="", choices=()):
    return Sample(str(number), {"text": f"text {number}", "why": why}, target, choices=choices)


def asked(strategy, spec, train, sample, **setting):
    task = Rows(spec, train, [sample])
    view = TaskData(task).view("test", reads(strategy))
    made = strategy.adapt(ToyModel(), view, Setting(0, "cpu", Path("unused"), **setting))
    (request,) = made.requests(sample)
    return made, request


def decided(strategy, spec, sample, *texts, finish="stop"):
    made, _ = asked(strategy, spec, [row(7, sample.target, choices=sample.choices)], sample)
    first, *more = texts
    return made.decide(sample, [Generated(first, finish, Usage(5, 9), tuple(Written(text, finish) for text in more))])


# --- what is asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [ChainOfThought(), ChainOfThought(k=2), ChainOfThought(k=3, self_consistency=3)])
def test_the_contract_is_kept(strategy):
    check_strategy(strategy)


def test_without_demonstrations_it_is_told_to_think_and_how_to_end():
    _, request = asked(ChainOfThought(), SUMS, [], row(1, "3"))
    assert request.prompt.text == (
        'Think step by step, then end with "The answer is ...".\n\nQuestion: text 1\nAnswer: Let\'s think step by step.'
    )
    assert (request.n, request.temperature, request.stop, request.max_tokens) == (1, 0.0, ("Question:",), 256)


def test_demonstrations_show_their_reasoning_before_the_answer():
    strategy = ChainOfThought(k=2, select="first")
    train = [row(1, "neg", "It is dull"), row(2, "pos", " It is fun. "), row(3, "pos")]
    made, request = asked(strategy, REVIEWS, train, row(9, "pos"))
    assert request.prompt.text == (
        "Possible answers: bad, good, very good.\n\n"
        "Review: text 1\nSentiment: It is dull. The answer is bad.\n\n"
        "Review: text 2\nSentiment: It is fun. The answer is good.\n\n"
        "Review: text 9\nSentiment:"
    )
    assert request.stop == ("\n\n",)
    assert made.budget == LabelBudget(train=2)
    assert not made.notes


def test_an_answer_does_not_end_at_a_separator_that_reasoning_holds():
    _, request = asked(ChainOfThought(k=1), SUMS, [row(1, "3", "One.\n\nTwo.")], row(2, "3"))
    assert request.stop == ("Question:",)
    _, request = asked(ChainOfThought(k=1), SUMS, [row(1, "3", "One.\nTwo.")], row(2, "3"))
    assert request.stop == ("Question:", "\n\n")


def test_choices_have_letters_unless_the_template_shows_them():
    shown = dataclasses.replace(CAPITAL, id="2", target="2")
    made, request = asked(ChainOfThought(k=1), QUIZ, [dataclasses.replace(shown, fields={"text": "Of what?"})], CAPITAL)
    listed = "Choices: (A) Rome (B) Paris (C) New York\n"
    assert request.prompt.text == (
        f"{listed}Question: Of what?\nAnswer: The answer is (C).\n\n{listed}Question: Of France?\nAnswer:"
    )
    assert "without reasoning" in made.notes[0]
    lettered = dataclasses.replace(QUIZ, prompt=PromptSpec("{{ text }} {{ choices | join('/') }}:"))
    sample = dataclasses.replace(CAPITAL, fields={"text": "Of France?", "choices": CAPITAL.choices})
    _, request = asked(ChainOfThought(), lettered, [], sample)
    assert "(A)" not in request.prompt.text
    _, request = asked(ChainOfThought(options="no"), QUIZ, [], CAPITAL)
    assert "(A)" not in request.prompt.text
    many = dataclasses.replace(CAPITAL, choices=tuple(map(str, range(27))))
    with pytest.raises(ModelError, match="27 choices, more than there are letters"):
        asked(ChainOfThought(), QUIZ, [], many)


def test_turns_hold_reasoning_and_answer():
    class Chatting(ToyModel):
        chats = True

        def written(self, prompts):
            return []

    strategy = ChainOfThought(k=1, chat="turns")
    assert strategy.refuses(Chatting(), SUMS) is None
    assert "needs a chat template" in (strategy.refuses(ToyModel(), SUMS) or "")
    _, request = asked(strategy, SUMS, [row(1, "3", "1 + 2.")], row(2, "4"))
    assert request.prompt.messages == (
        ("user", "Question: text 1\nAnswer:"),
        ("assistant", "1 + 2. The answer is 3."),
        ("user", "Question: text 2\nAnswer:"),
    )


def test_several_texts_are_drawn_by_seeds_of_each_sample():
    strategy = ChainOfThought(self_consistency=5, temperature=0.5)
    (_, one), (_, other) = (asked(strategy, SUMS, [], row(number, "3")) for number in (1, 2))
    assert (one.n, one.temperature) == (5, 0.5)
    assert one.seed != other.seed
    assert one.seed == asked(strategy, SUMS, [], row(1, "3"))[1].seed


# --- the answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "text", "answer"),
    [
        (SUMS, "2 + 2 = 4. The answer is 4.", "4"),
        (SUMS, "So the ANSWER is: $1,234.50. Question 7: The answer is 9.", "1234.5"),
        (SUMS, "the  answer\nis 12 dollars and 5 cents", "12"),
        (SUMS, "The answer is **-3**.", "-3"),
        (SUMS, "The answer is unknown. So 5 and 7.", "7"),
        (SUMS, "First 3, then 5 more: 8", "8"),
        (SUMS, "I don't know.", None),
        (WORDS, 'The answer is "New York". Indeed.', "new york"),
        (WORDS, "It is New York.", None),
        (WORDS, "The answer is", None),
        (REVIEWS, "The plot is good but slow. The answer is bad.", "neg"),
        (REVIEWS, "The answer is Very Good, not good.", "best"),
        (REVIEWS, "The answer is 'pos'.", "pos"),
        (REVIEWS, "The answer is goodness. It is bad.", "neg"),
        (REVIEWS, "It is very good.", "best"),
        (REVIEWS, "It is good or bad.", None),
        (REVIEWS, "The answer is badly needed.", None),
        (QUIZ, "The answer is (B).", "1"),
        (QUIZ, "The answer is B.", "1"),
        (QUIZ, "The answer is: C", "2"),
        (QUIZ, "The answer is new york.", "2"),
        (QUIZ, "The answer is A city that I forget.", None),
        (QUIZ, "The answer is (Z).", None),
        (QUIZ, "Paris is the capital, (B).", "1"),
        (QUIZ, "Not (A), so (B).", None),
        (QUIZ, "Of course Paris.", "1"),
        (QUIZ, "Paris or Rome.", None),
        (QUIZ, "The answer is **B**.", "1"),
        (SUMS, "The answer is .5", "0.5"),
        (SUMS, "The answer is 3.50.\nNext: 9", "3.5"),
    ],
)
def test_answers_are_found_where_they_are_meant_and_nowhere_else(spec, text, answer):
    assert Extraction(spec, CAPITAL, "The answer is")(text) == answer


def test_a_pattern_finds_the_last_match():
    found = Extraction(SUMS, CAPITAL, "The answer is", r"#### *(\S+)")
    assert found("The answer is 3. #### 4\n#### 1,000") == "1000"
    assert found("The answer is 3.") is None
    assert Extraction(REVIEWS, CAPITAL, "x", r"\[.*?\]")("[good] [bad]") == "neg"


def test_the_tasks_own_pattern_finds_what_no_marker_shows():
    spec = dataclasses.replace(SUMS, extract=ExtractSpec(r"= (\d+)", "first", "number"))
    assert Extraction(spec, CAPITAL, "The answer is")("1 + 1 = 2, and 2 + 3 = 5, 8") == "2"


def test_names_that_mean_two_labels_mean_none():
    spec = dataclasses.replace(REVIEWS, labels={"a": " b", "b": " a", "c": " Same", "d": " same"})
    find = Extraction(spec, CAPITAL, "The answer is")
    assert find("The answer is b.") == "a"
    assert find("The answer is same.") is None
    assert find("The answer is d.") == "d"


@given(st.text(max_size=60), st.sampled_from([SUMS, WORDS, REVIEWS, QUIZ]))
def test_whatever_is_written_is_an_answer_of_the_task_or_none(text, spec):
    found = Extraction(spec, CAPITAL, "The answer is")("The answer is " + text)
    known = {"classification": {*spec.labels}, "multiple-choice": {"0", "1", "2"}}.get(spec.kind)
    assert found is None or (found in known if known else found)


@given(st.lists(st.sampled_from(["4", "5", None]), min_size=1, max_size=7))
def test_the_answer_that_most_texts_give_counts_and_the_first_of_equals(answers):
    strategy = ChainOfThought(self_consistency=len(answers))
    texts = ["I wonder." if one is None else f"Hm. The answer is {one}." for one in answers]
    said = decided(strategy, SUMS, row(1, "5.0"), *texts)
    given_ = [one for one in answers if one is not None]
    expected = max(given_, key=given_.count) if given_ else None  # max takes the first of equals
    assert said.prediction == expected
    assert said.correct == (expected == "5")
    assert said.status == ("answered" if given_ else "unparsed")
    lacking = answers.count(None)
    if not given_:
        assert said.reason.startswith("no answer was found in")
    else:
        assert said.reason == (f"{lacking} of {len(answers)} texts had no answer" if lacking else "")
        assert said.text == texts[answers.index(expected)]


def test_what_has_no_answer_is_counted_and_says_so():
    assert decided(ChainOfThought(), REVIEWS, row(1, "pos"), "good, bad").status == "unparsed"
    assert decided(ChainOfThought(), REVIEWS, row(1, "pos"), " ").status == "empty"
    assert (
        decided(ChainOfThought(), REVIEWS, row(1, "pos"), "The answer is good", finish="length").status == "truncated"
    )
    said = decided(ChainOfThought(k=1), QUIZ, CAPITAL, "The answer is (B).")
    assert (said.prediction, said.correct, said.scores) == ("1", True, ())


def test_answers_that_are_no_texts_or_too_few_are_errors():
    made, _ = asked(ChainOfThought(), SUMS, [], row(1, "3"))
    with pytest.raises(ModelError, match="LogLikelihoods is no text"):
        made.decide(row(1, "3"), [LogLikelihoods((1.0,))])
    with pytest.raises(ModelError, match="1 texts where 3 were asked for"):
        decided(ChainOfThought(self_consistency=3), SUMS, row(1, "3"), "4")


# --- parameters ------------------------------------------------------------------------------------


def test_baselines_are_one_greedy_text_and_the_plain_prompt():
    assert ChainOfThought().baselines == (Component("zero-shot", None, {"chat": "auto"}),)
    greedy, plain = ChainOfThought(k=4, select="bm25", self_consistency=5).baselines
    assert plain.name == "few-shot"
    assert (plain.params["k"], plain.params["select"]) == (4, "bm25")
    assert ChainOfThought(**greedy.params) == ChainOfThought(k=4, select="bm25")


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"select": "bm25"}, ParameterError, "k=0 shows no demonstrations"),
        ({"k": 2, "order": "similar-last"}, ParameterError, "needs a search"),
        ({"pattern": "("}, ParameterError, "is no regular expression"),
        ({"k": 1, "select": "bm26"}, UnknownNameError, "unknown selector 'bm26'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters, error, message):
    with pytest.raises(error, match=message):
        ChainOfThought(**parameters)


def test_a_model_that_writes_nothing_is_refused():
    class Scoring(ToyModel):
        answers = frozenset({"LogLikelihood"})

    assert "can't reason in words" in ChainOfThought().refuses(Scoring(), ToyTask.spec)
    assert "needs embeddings" in ChainOfThought(k=2, select="knn").refuses(ToyModel(), ToyTask.spec)


# --- a real model ----------------------------------------------------------------------------------


@pytest.mark.model
def test_smollm2_reasons_about_a_few_problems(tmp_path):
    import harness

    results = harness.run(
        models=["smollm2-135m"],
        tasks=["gsm8k-100"],
        strategies=["chain-of-thought,k=2,max_tokens=96", "chain-of-thought,k=2,max_tokens=96,self_consistency=3"],
        limit=4,
        scenarios=[],
        store=str(tmp_path / "results.db"),
    )
    for trial in results.trials:
        assert trial.status == "finished"
        found = trial.coverage
        assert found.answered + found.truncated + found.unparsed + found.empty == 4
        assert found.answered >= 1, "an answer that ends as the demonstrations do"
