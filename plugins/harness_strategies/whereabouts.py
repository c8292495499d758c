"""Where what a training gives is kept: under a digest of all that it follows from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from harness.interfaces import Model, PretrainingJob, Setting, TrainingJob

JobT = TypeVar("JobT", "TrainingJob", "PretrainingJob")


def placed(model: Model, job: JobT, setting: Setting) -> JobT:
    """The job with its folder: of the same model, job and plugins, wherever and on whichever device it is trained."""
    parts = {
        field.name: _plain(getattr(job, field.name))
        for field in dataclasses.fields(job)
        if field.name not in {"folder", "device"}
    }
    whole = [model.fingerprint(), parts, sorted(setting.versions.items())]
    text = json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return dataclasses.replace(job, folder=setting.folder / "checkpoints" / hashlib.sha256(text).hexdigest())


def _plain(value: object) -> object:
    """As JSON has it; the order of mappings counts, as that of labels does."""
    return list(value.items()) if isinstance(value, dict) else value
