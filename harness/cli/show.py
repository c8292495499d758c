"""`harness show`: the exact prompts, requests and token counts that a trial would make."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options
from harness.cli.output import plugins_at_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.cli.session import Session
    from harness.preview import Preview
    from harness.tokenized import Token, Tokenized


@click.command("show")
@click.option("-t", "--task", required=True, metavar="TASK", help="A registered name or a task file.")
@click.option(
    "-s", "--strategy", default="zero-shot", show_default=True, metavar="STRATEGY", help="NAME[,key=value...]"
)
@click.option("-m", "--model", metavar="MODEL", help="Count tokens with this model's tokenizer.")
@click.option("-n", "count", type=click.IntRange(min=1), default=2, show_default=True, help="How many samples.")
@click.option("--seed", default=0, show_default=True, help="The seed of the trial.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True)
@click.option("--tokens", is_flag=True, help="Show them token by token, each with its number; needs -m.")
@options.form("text", "json", default="text")
@options.tasks_path
@click.pass_obj
def command(session: Session, /, *, task: str, form: str, **chosen: Any) -> None:  # noqa: ANN401 - preview's
    """Show what would be asked, to the letter. Nothing is trained and no weights are loaded."""
    from harness.preview import preview

    with plugins_at_work():
        shown = preview(session.catalogue, task, **chosen)
    click.echo(json.dumps(dataclasses.asdict(shown), indent=2, ensure_ascii=False) if form == "json" else _text(shown))


def _text(shown: Preview) -> str:
    lines = [f"{shown.task} by {shown.strategy}", *(f"note: {note}" for note in shown.notes)]
    for sample in shown.samples:
        context = f", context {sample.context}" if sample.context is not None else ""
        lines.append(f"\n=== sample {sample.id}, target {sample.target!r}{context}")
        for asked in sample.requests:
            tokens = "" if asked.tokens is None else f", {asked.tokens} tokens"
            shortened = f", {asked.demonstrations} demonstrations" if asked.demonstrations else ""
            lines += [f"--- {asked.kind}{shortened}{tokens}", asked.text]
            answers = [
                f"    {_said(answer, count)}" for answer, count in zip(asked.answers, asked.answer_tokens, strict=True)
            ]
            lines += answers if asked.tokenized is None else _by_token(asked.tokenized, answers)
            if asked.after:
                lines.append(f"    followed by {asked.after!r}")
            if asked.arguments:
                lines.append("    " + ", ".join(f"{name}={value!r}" for name, value in asked.arguments.items()))
    return "\n".join(lines)


def _by_token(shown: Tokenized, answers: Sequence[str]) -> Iterator[str]:
    """The tokens of what is read, and under each answer its own."""
    left_out = [f"{shown.dropped} demonstrations dropped"] * (shown.dropped > 0) + [f"{shown.cut} cut"] * (
        shown.cut > 0
    )
    yield f"    read, {', '.join([f'{len(shown.read)} tokens', *left_out])}:"
    yield from _wrapped(shown.read)
    for answer, one in zip(answers, shown.answers or [None] * len(answers), strict=True):
        yield answer
        if one is not None:
            yield " " * 8 + (f"{_pieces(one.before)} | " if one.before else "") + _pieces(one.scored)


def _wrapped(tokens: Sequence[Token]) -> list[str]:
    wrapper = textwrap.TextWrapper(110, break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent = wrapper.subsequent_indent = " " * 8
    return wrapper.wrap(_pieces(tokens))


def _pieces(tokens: Sequence[Token]) -> str:
    """`464:The 2646:Ġfilm`; signs that can't be seen are escaped."""
    return " ".join(
        f"{token.id}:{token.piece if token.piece.isprintable() else repr(token.piece)[1:-1]}" for token in tokens
    )


def _said(answer: str, tokens: int | None) -> str:
    return f"-> {answer!r}" + ("" if tokens is None else f" ({tokens} tokens)")
