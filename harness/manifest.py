"""Where a trial's result comes from, field by field: what its key digests, and what stands beside it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.records import TaskSpec, Trial
    from harness.taskdata import TaskData

LONGEST = 300
"""Characters of a value that stands there as it is; of longer ones there is a digest."""

GIT_S = 10
"""How long git may take to answer."""

log = logging.getLogger(__name__)


def manifest(identity: Mapping[str, Any], data: TaskData, trial: Trial, *, device: str, metrics: str) -> dict[str, str]:
    """Everything that a trial was made of, as field -> value, or digest where that is long.

    Args:
        identity: what planning puts into the trial's key.
        data: the task; the digests of its files are taken where it has files.
        trial: the trial.
        device: the one that was asked for.
        metrics: which metrics score it, at which versions.
    """
    model, reference, settings, weights = identity["model"]
    strategies, parameters = identity["strategy"][::2], identity["strategy"][1::2]
    others = {f"weights of {name}:{ref or ''}".rstrip(":"): one for name, ref, _, one in identity.get("models", [])}
    fields: dict[str, object] = {
        "model": f"{model}:{reference}" if reference else model,
        "model parameters": settings,
        "weights": weights,
        **others,
        "strategy": "+".join(strategies),
        "strategy parameters": parameters[0],
        **{f"{name} parameters": own for name, own in zip(strategies[1:], parameters[1:], strict=True)},
        "seed": trial.seed,
        "split": trial.split,
        "limit": trial.limit,
        "device": device,
        "scored rows": trial.samples,
        **{f"{split} rows": digest for split, digest in identity["pools"].items()},
        **_of_task(data.spec),
        **data.files(),
        "metrics": metrics,
        **{f"plugin {name}": version for name, version in trial.plugins.items()},
    }
    return {name: _shown(value) for name, value in fields.items()}


def _of_task(spec: TaskSpec) -> dict[str, object]:
    """What a task says of its rows, its prompt part by part."""
    prompt = {f"prompt.{name}": value for name, value in asdict(spec.prompt).items()}
    told = {"labels": spec.labels, "contexts": spec.contexts, "generation": spec.generation, "extract": spec.extract}
    if spec.code is not None:
        told["code"] = spec.code
    named = {name: value if isinstance(value, dict) else _plain(value) for name, value in told.items()}
    return {"task": spec.name, "kind": spec.kind, **prompt, **named}


def _plain(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a mapping or a dataclass
    return dict(value) if hasattr(value, "keys") else asdict(value)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= LONGEST:
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


# --- git -----------------------------------------------------------------------------------------------


def revision(file: Path | None) -> dict[str, str]:
    """The git revision that last touched the folder of a task file, as a field; nothing where there is none.

    It is followed by `+` where something in the folder has changed since, or is not under git.
    """
    found = "" if file is None else _revision(str(file.absolute().parent))
    return {"task revision": found} if found else {}


@lru_cache(maxsize=1024)
def _revision(folder: str) -> str:
    if not any((above / ".git").exists() for above in (Path(folder), *Path(folder).parents)):
        return ""
    last = _git(folder, "log", "-1", "--format=%H", "--", ".")
    if not last:
        return ""
    return f"{last}+" if _git(folder, "status", "--porcelain", "--", ".") else last


def _git(folder: str, *arguments: str) -> str:
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing of it comes from data
            ["git", "-C", folder, *arguments],  # noqa: S607 - wherever it is installed
            env=environment,
            capture_output=True,
            text=True,
            timeout=GIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("git tells nothing of %s: %s", folder, error)
        return ""
    return done.stdout.strip()
