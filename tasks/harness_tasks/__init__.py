"""Tasks that come with the harness, each a folder with a task file; their data is fetched when it is first used."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the tasks of this package: one line each, so that listing them reads no files."""
    register("bbc-news", "harness_tasks:bbc_news/task.yaml", summary="topics of BBC news articles (5 labels)")
    register("gsm8k-100", "harness_tasks:gsm8k_100/task.yaml", summary="grade-school maths problems, generated answers")
    register(
        "sentiment-domains",
        "harness_tasks:sentiment_domains/task.yaml",
        summary="positive or negative, in four domains (the contexts)",
    )
    register("sms-spam", "harness_tasks:sms_spam/task.yaml", summary="spam among text messages")
