"""What the examples of a training job must have for anything to be learnt from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import TrainingError

if TYPE_CHECKING:
    from harness.interfaces import TrainingJob


def check_examples(job: TrainingJob) -> None:
    """There are examples, of two labels (numbers, sets of labels) at least, and all labels are the job's.

    Raises:
        TrainingError: where it is not so.
    """
    seen = {label for _, label in job.examples}
    if job.learnt != "label":
        if not job.examples:
            raise TrainingError("there are no training examples")
        if len(seen) == 1:
            raise TrainingError(
                f"all {len(job.examples)} training examples have the target {min(seen)}: nothing to learn"
            )
        return
    unknown = sorted((seen | {label for _, label in (*job.validation, *job.ordinary)}) - set(job.labels))
    if not job.examples:
        raise TrainingError("there are no training examples")
    if unknown:
        raise TrainingError(f"label {unknown[0]!r} of the examples is not among {', '.join(job.labels)}")
    if len(seen) == 1:
        raise TrainingError(f"all {len(job.examples)} training examples have the label {min(seen)!r}: nothing to learn")


def check_answers(job: TrainingJob) -> None:
    """Each label is said after a prompt, and no two in the same way.

    Raises:
        TrainingError: where it is not so.
    """
    said: dict[str, str] = {}
    for label in job.labels:
        answer = job.answers.get(label, "")
        if not answer.strip():
            raise TrainingError(f"label {label!r} has no words that say it after a prompt", hint="give them in labels")
        if answer in said:
            raise TrainingError(
                f"labels {said[answer]!r} and {label!r} are both said {answer!r}: nothing to tell apart"
            )
        said[answer] = label
