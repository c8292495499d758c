"""A task of lm-eval, or a group of them as one task whose contexts are the group's tasks."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Adapted, LabelBudget, PromptSpec, TaskSpec
from harness_lm_eval import scores
from harness_lm_eval.asking import Asking
from harness_lm_eval.part import Part
from harness_lm_eval.questions import needed, unsayable
from harness_lm_eval.rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness import Metric, Model, Prediction, Sample
    from harness.records import Split
    from harness_lm_eval.loading import Loaded


class BridgedTask:
    """lm-eval's task with its own prompts, demonstrations, filters and metrics; a `harness.AsksItself`.

    Args:
        name: of the task or group.
        loaded: lm-eval's objects.
    """

    def __init__(self, name: str, loaded: Loaded) -> None:
        self._name = name
        self._group = loaded.group
        parts = {name: Part(name, task) for name, task in loaded.tasks.items()}
        self._parts: Mapping[str, Part] = parts if self._grouped else {"": next(iter(parts.values()))}

    @property
    def _grouped(self) -> bool:
        return self._group is not None

    # --- as a task ---------------------------------------------------------------------------------

    @cached_property
    def spec(self) -> TaskSpec:
        """Its name and metrics; how it is asked is lm-eval's."""
        return TaskSpec(
            name=f"lm-eval:{self._name}",
            kind="external",
            prompt=PromptSpec(template=""),
            metrics=tuple(self.metrics(())),
            description=self._described(),
            has_context=self._grouped,
        )

    @cached_property
    def _rows(self) -> Sequence[Sample]:
        return rows(self._parts.values(), grouped=self._grouped)

    def samples(self, split: Split) -> Sequence[Sample]:
        """The rows that lm-eval scores, as `test`: its test split, or its validation split where there is none."""
        return self._rows if split == "test" else ()

    # --- as one that asks by itself ------------------------------------------------------------------

    def refuses(self, model: Model, demonstrations: int | None) -> str | None:
        """Why lm-eval's requests can't be made, or not with so many demonstrations."""
        for part in self._parts.values():
            lacking = sorted(needed(part) - model.answers)
            if lacking:
                return f"{part.name} asks for {lacking[0]}, which the model does not answer"
            unsaid = unsayable(part)
            if unsaid:
                return f"{part.name} generates with {unsaid}, which can't be asked of a model here"
        if demonstrations and not any(part.demonstrations(demonstrations) for part in self._parts.values()):
            return "the task sets num_fewshot to 0: lm-eval never shows it demonstrations"
        if demonstrations and all(part.output == "loglikelihood_rolling" for part in self._parts.values()):
            return "a text is scored as a whole: there is no place for demonstrations"
        for part in self._parts.values():
            shots = part.demonstrations(demonstrations)
            if shots > len(part.pool):
                return f"{part.name} has {len(part.pool)} rows to draw {shots} demonstrations from"
        return None

    def asking(self, demonstrations: int | None, seed: int) -> Adapted:
        """lm-eval's requests, and its judgement of the answers; seed 0 draws the demonstrations that lm-eval draws."""
        shots = {name: part.demonstrations(demonstrations) for name, part in self._parts.items()}
        rights = {name: scores.right(part) for name, part in self._parts.items()}
        asking = Asking(self._parts, shots, seed, rights)
        shown = sum(asking.contexts(name).shown for name in self._parts if shots[name])
        notes = tuple(self._notes(demonstrations, shots))
        return Adapted(asking.requests, asking.decide, notes=notes, budget=LabelBudget(train=shown))

    def identity(self) -> str:
        """A digest of lm-eval's version, the configurations, the code beside them, and the rows of demonstrations."""
        found = hashlib.sha256(version("lm_eval").encode())
        for name, part in self._parts.items():
            config = dict(part.task.dump_config())
            source = dict(config.get("metadata") or {}).pop("config_source", "")
            config["metadata"] = {key: one for key, one in (config["metadata"] or {}).items() if key != "config_source"}
            found.update(json.dumps([name, config], sort_keys=True, default=_said).encode())
            for file in sorted(Path(str(source)).parent.glob("*.py")) if source else ():
                found.update(file.read_bytes())
            for doc in part.pool:
                found.update(json.dumps(doc, sort_keys=True, default=_said).encode())
        if self._group is not None:
            found.update(json.dumps(self._group.to_dict(), sort_keys=True, default=_said).encode())
        return found.hexdigest()

    # --- as one that measures by itself --------------------------------------------------------------

    def metrics(self, predictions: Sequence[Prediction]) -> Mapping[str, Metric]:
        """lm-eval's, under the names that it prints."""
        if self._grouped:
            return scores.of_group(self._group, self._parts, predictions)
        return scores.of_task(self._parts[""], predictions)

    # --- words -----------------------------------------------------------------------------------------

    def _described(self) -> str:
        if self._grouped:
            return f"lm-eval's group of {len(self._parts)} tasks"
        part = self._parts[""]
        return f"lm-eval's task of version {part.task.VERSION}, {part.output}"

    def _notes(self, asked: int | None, shots: Mapping[str, int]) -> Iterator[str]:
        if asked is None:
            numbers = sorted(set(shots.values()))
            yield f"demonstrations as lm-eval says: {', '.join(map(str, numbers))}"
        kept = [name for name in shots if asked and not shots[name]]
        if kept:
            yield f"without demonstrations, since they set num_fewshot to 0: {', '.join(kept)}"
        leaky = [part.name for name, part in self._parts.items() if shots[name] and part.draws_from_scored]
        if leaky:
            yield (
                "demonstrations are drawn from the scored rows, as lm-eval does it for want of others, and may hold "
                f"the answer: {', '.join(leaky)}"
            )


def _said(value: Any) -> str:  # noqa: ANN401 - whatever a configuration or a row holds
    """Text that is the same in each process: not where an object happens to lie."""
    return value.__qualname__ if callable(value) and hasattr(value, "__qualname__") else str(value)
