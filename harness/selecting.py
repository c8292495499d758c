"""Stored trials by the names that people give them: the start of a key, or `MODEL/STRATEGY[/TASK][/SEED]`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from harness.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records import TrialResult
    from harness.store import Store

FORMS = "MODEL/STRATEGY[/TASK][/SEED], or the start of a key"


def trial_name(result: TrialResult) -> str:
    """`MODEL/STRATEGY/TASK/SEED`, as people wrote the parts."""
    trial = result.trial
    return f"{trial.model}/{trial.strategy}/{trial.task}/{trial.seed}"


def select_pair(store: Store, a: str, b: str) -> tuple[TrialResult, TrialResult]:
    """The two trials that are meant. Where names fit several, those that have task, rows and seed in common.

    Args:
        store: holds them; of trials of the same name the newest counts.
        a: the first, see `FORMS`; the parts may be globs.
        b: the second.

    Raises:
        UsageError: when a name fits none, or two names fit several pairs.
    """
    results = store.results()
    first, second = _matching(store, results, a), _matching(store, results, b)
    if len(first) == len(second) == 1:
        return first[0], second[0]
    pairs = [(one, other) for one in first for other in second if one is not other and _alike(one, other)]
    if len(pairs) == 1:
        return pairs[0]
    if not pairs:
        message = f"of the trials named {a!r} ({len(first)}) and {b!r} ({len(second)}) no two are of one task and seed"
        raise UsageError(message, hint=_listed([*first, *second]))
    raise UsageError(f"{a!r} and {b!r} fit {len(pairs)} pairs of trials", hint=_listed([one for one, _ in pairs]))


def _matching(store: Store, results: Sequence[TrialResult], name: str) -> list[TrialResult]:
    if "/" not in name:
        return store.results(keys=[store.resolve(name)])
    found = [result for result in results if name in _names(result)]
    found = found or [result for result in results if any(fnmatchcase(one, name) for one in _names(result))]
    if not found:
        known = {one for result in results for one in _names(result)}
        raise UsageError(f"no stored trial is called {name!r}", hint=f"{nearest(name, known)} A trial is {FORMS}")
    return found


def _names(result: TrialResult) -> tuple[str, ...]:
    trial = result.trial
    short = f"{trial.model}/{trial.strategy}"
    return short, f"{short}/{trial.task}", f"{short}/{trial.seed}", trial_name(result)


def _alike(a: TrialResult, b: TrialResult) -> bool:
    parts = ("task", "split", "samples", "seed")
    return all(getattr(a.trial, part) == getattr(b.trial, part) for part in parts)


def _listed(results: Sequence[TrialResult]) -> str:
    """What a person may write instead."""
    names = [f"{trial_name(result)} ({result.trial.key[:8]})" for result in results]
    return "say which: " + ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
