"""Trained models in content-addressed folders: whole or not there at all."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

RECORD = "training.json"

log = logging.getLogger(__name__)


def kept(folder: Path, labels: Sequence[str]) -> dict[str, Any] | None:
    """What is recorded of the training whose result the folder holds; None where it holds none for these labels."""
    try:
        known: dict[str, Any] = json.loads((folder / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        log.warning("%s is damaged: training again", folder)
        return None
    return known if known.get("labels") == list(labels) else None


def record(folder: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Write what is to be known of a training beside its result, last of all; given back."""
    (folder / RECORD).write_text(json.dumps(known, indent=1, ensure_ascii=False, allow_nan=False), "utf-8")
    return known


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A sibling to write into, which becomes the folder at the end; nothing is left of it when something is raised."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    shutil.rmtree(folder, ignore_errors=True)  # what is there was found incomplete
    part = folder.parent / f".{folder.name}.{platform.node()}.{os.getpid()}"
    part.mkdir()
    try:
        yield part
        try:
            part.rename(folder)
        except OSError:
            if not (folder / RECORD).is_file():  # else another process was faster with the same training
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes of this machine left that were killed."""
    for part in folder.parent.glob(f".{folder.name}.{platform.node()}.*"):
        pid = int(part.suffix[1:])
        if pid == os.getpid() or not psutil.pid_exists(pid):
            shutil.rmtree(part, ignore_errors=True)
