"""A comparison of two trials as text, Markdown or JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from harness.pairing import RIGHT_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.comparing import Comparison, Difference, Flip
    from harness.records import Estimate, Prediction, Trial

NONE = "—"
ALIGNED = ("left", "right", "right", "right", "right")


def as_text(comparison: Comparison) -> str:
    """For a terminal."""
    blocks = [
        "\n".join(f"{name}  {_trial(trial)}" for name, trial in (("A", comparison.a), ("B", comparison.b))),
        tabulate(*_table(comparison.metrics), tablefmt="simple", disable_numparse=True, colalign=ALIGNED),
        _headline(comparison),
    ]
    if comparison.contexts:
        table = _table(comparison.contexts, contexts=True)
        blocks.append(tabulate(*table, tablefmt="simple", disable_numparse=True, colalign=("left", *ALIGNED)))
    blocks += [f"note: {note}" for note in comparison.notes]
    for title, flips in _directions(comparison):
        blocks.append(f"=== {title}")
        blocks += [_flip(flip) for flip in flips]
    return _visible("\n\n".join(blocks))


def as_markdown(comparison: Comparison) -> str:
    """For a page or a comment."""
    names = [f"- **{name}**: {_escaped(_trial(trial))}" for name, trial in (("A", comparison.a), ("B", comparison.b))]
    blocks = ["\n".join(names), _pipes(*_table(comparison.metrics), 0), _escaped(_headline(comparison))]
    if comparison.contexts:
        blocks.append(_pipes(*_table(comparison.contexts, contexts=True), 1))
    blocks += [f"Note: {_escaped(note)}" for note in comparison.notes]
    for title, flips in _directions(comparison):
        blocks.append(f"## {_escaped(title)}")
        for flip in flips:
            content = _flip(flip)
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
            blocks.append(f"{fence}text\n{content}\n{fence}")
    return _visible("\n\n".join(blocks))


def as_json(comparison: Comparison) -> str:
    """For programs; numbers that are not finite are null."""
    told = {
        "a": _named(comparison.a),
        "b": _named(comparison.b),
        "n": comparison.n,
        "by": comparison.by,
        "metrics": [dataclasses.asdict(one) for one in comparison.metrics],
        "contexts": [dataclasses.asdict(one) for one in comparison.contexts],
        "both": comparison.both,
        "only_a": comparison.only_a,
        "only_b": comparison.only_b,
        "neither": comparison.neither,
        "better_a": comparison.better_a,
        "better_b": comparison.better_b,
        "settling": comparison.settling,
        "detectable": comparison.detectable,
        "flips": [_flip_json("a", one) for one in comparison.flips_a]
        + [_flip_json("b", one) for one in comparison.flips_b],
        "notes": comparison.notes,
    }
    return json.dumps(_finite(told), indent=2, ensure_ascii=False, allow_nan=False)


# --- parts -----------------------------------------------------------------------------------------------


def _trial(trial: Trial) -> str:
    return f"{trial.model} · {trial.strategy} · {trial.task} · seed {trial.seed} ({trial.key[:8]})"


def _headline(comparison: Comparison) -> str:
    counted, by = comparison.by in RIGHT_ANSWERS, comparison.by
    said = (
        f"{comparison.n:,} samples: both right {comparison.both:,}, only A {comparison.only_a:,}, "
        f"only B {comparison.only_b:,}, neither {comparison.neither:,}."
    )
    if not counted and comparison.better_a is not None:
        said = f"{comparison.n:,} samples: A better by {by} on {comparison.better_a:,}, B on {comparison.better_b:,}."
    if comparison.settling is not None:
        said += f" About {comparison.settling:,} samples would settle which is better."
    if comparison.detectable is not None and (comparison.detectable < 1 or not counted):
        scores = "accuracies" if counted else f"scores of {by}"
        said += (
            f" {comparison.n:,} samples can't tell {scores} less than {comparison.detectable:.3f} apart from chance."
        )
    return said


def _table(differences: Sequence[Difference], *, contexts: bool = False) -> tuple[list[list[str]], list[str]]:
    headings = ["metric", "A", "B", "A - B", "p (Holm)" if contexts else "p"]
    rows = [
        [
            f"{one.metric} (less is better)" if one.loss else one.metric,
            _estimate(one.a),
            _estimate(one.b),
            _estimate(one.difference, signed=True),
            _p_value(one.p_value),
        ]
        for one in differences
    ]
    if contexts:
        headings[:1] = ["context", "metric"]
        rows = [[f"{one.context} (n={one.n:,})", *row] for one, row in zip(differences, rows, strict=True)]
    return rows, headings


def _directions(comparison: Comparison) -> Iterator[tuple[str, Sequence[Flip]]]:
    by = comparison.by if comparison.better_a is not None and comparison.by not in RIGHT_ANSWERS else ""
    for name, flips, better, only in (
        ("A", comparison.flips_a, comparison.better_a, comparison.only_a),
        ("B", comparison.flips_b, comparison.better_b, comparison.only_b),
    ):
        if flips:
            title, number = (f"{name} is better by {by}", better or 0) if by else (f"only {name} is right", only)
            shown = "" if len(flips) == number else f", {len(flips)} shown{', the farthest apart' if by else ''}"
            yield f"{title}: {number:,} of {comparison.n:,}{shown}", flips


def _flip(flip: Flip) -> str:
    context = f", context {flip.a.context}" if flip.a.context is not None else ""
    lines = [f"--- sample {flip.a.sample_id}, target {flip.a.target!r}{context}"]
    if flip.prompts_a == flip.prompts_b:
        lines += flip.prompts_a
    else:
        for name, prompts in (("A", flip.prompts_a), ("B", flip.prompts_b)):
            lines += [f"{name} was asked:", *(prompts or ("(not known)",))]
    return "\n".join([*lines, f"  A: {_answer(flip.a)}", f"  B: {_answer(flip.b)}"])


def _answer(prediction: Prediction) -> str:
    said = f"{prediction.prediction!r}" if prediction.prediction is not None else f"no answer ({prediction.status})"
    said += ", right" if prediction.correct else ", wrong"
    if prediction.scores:
        said += f", scores {', '.join(f'{score:.3f}' for score in prediction.scores)}"
    return said if prediction.text is None else f"{said}, from {prediction.text!r}"


def _estimate(estimate: Estimate | None, *, signed: bool = False) -> str:
    if estimate is None:
        return NONE
    form = "{:+.3f}" if signed else "{:.3f}"
    value, low, high = (form.format(bound) if math.isfinite(bound) else NONE for bound in dataclasses.astuple(estimate))
    return f"{value} [{low}, {high}]"


def _p_value(value: float | None) -> str:
    return NONE if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _pipes(rows: list[list[str]], headings: list[str], texts: int) -> str:
    rows = [[_escaped(cell) for cell in row] for row in rows]
    return tabulate(rows, headings, tablefmt="pipe", disable_numparse=True, colalign=(*("left",) * texts, *ALIGNED))


def _escaped(text: str) -> str:
    return re.sub(r"[\\`*|<>$&~]", r"\\\g<0>", text)


def _visible(text: str) -> str:
    """Without characters that command a terminal or turn the direction of writing."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)


def _named(trial: Trial) -> dict[str, Any]:
    parts = ("model", "strategy", "task", "split")
    return {"key": trial.key} | {part: str(getattr(trial, part)) for part in parts} | {"seed": trial.seed}


def _flip_json(right: str, flip: Flip) -> dict[str, Any]:
    sides = {
        name: {
            "prediction": one.prediction,
            "status": one.status,
            "scores": list(one.scores),
            "text": one.text,
            "prompts": prompts,
        }
        for name, one, prompts in (("a", flip.a, flip.prompts_a), ("b", flip.b, flip.prompts_b))
    }
    about = {"sample_id": flip.a.sample_id, "target": flip.a.target, "context": flip.a.context}
    return about | {"right": right} | sides


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
