"""Tasks that come with the harness, each a folder with a task file; their data is fetched when it is first used."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl

# One entry a task, so that listing them reads no files. The summary repeats the file's description.
INDEX = {
    "bbc-articles": "the text of BBC news articles, to be predicted",
    "bbc-cloze": "the word left out of the headline of a BBC news article, 4 choices",
    "bbc-headlines": "headlines of BBC news articles",
    "bbc-news": "topics of BBC news articles, 5 labels",
    "chatterbot-en": "replies in small talk on eighteen subjects (the contexts)",
    "chatterbot-trivia": "trivia questions with short answers, from memory",
    "gsm8k-100": "grade-school maths problems, 100 rows, numeric answers",
    "humaneval": "Python functions to be written from their docstrings, judged by tests",
    "loan-mentions": "which kinds of names a sentence of a loan agreement has, of three",
    "sentiment-ratings": "how positive tweets are, the mean human rating from -4 to 4",
    "hellaswag-100": "the right ending of a described scene, 100 rows, 4 choices",
    "sentiment-domains": "positive or negative sentences in four domains (the contexts)",
    "product-matching": "whether two offers of shops are of the same product, 433 pairs",
    "simlex999": "how similar two English words are, 999 pairs rated from 0 to 10",
    "sms-spam": "spam among text messages",
    "trial-populations": "who took part in a clinical trial, in the words of its abstract",
    "truthfulqa-mc1-100": "the true answer to questions that invite falsehoods, 100 rows",
    "tweet-entities": "people, places, companies and other named entities in tweets, ten types",
    "udhr-en-fr": "paragraphs of the Universal Declaration of Human Rights, English to French",
}

SUITES = {
    "quick": "one small task of each kind, for minutes on a laptop",
    "standard": "every task that comes with the harness",
}


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the tasks of this package."""
    for name, summary in INDEX.items():
        register(name, f"harness_tasks:{name.replace('-', '_')}/task.yaml", summary=summary)


@hookimpl
def register_suites(register: Register) -> None:
    """Add the suites of these tasks."""
    for name, summary in SUITES.items():
        register(name, f"harness_tasks:suites/{name}.yaml", summary=summary)
