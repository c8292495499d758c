"""What lm-eval measures on a row, whatever Python object that is -> JSON and back, for the results database."""

from __future__ import annotations

import math
from typing import Any


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any object to any JSON value
    """JSON for a value: numbers and arrays of NumPy are numbers and lists, anything unknown is its text."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, tuple):
        return {"$tuple": [plain(one) for one in value]}
    if isinstance(value, set | frozenset):
        return {"$set": [plain(one) for one in sorted(value, key=repr)]}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and not any(key.startswith("$") for key in value):
            return {key: plain(one) for key, one in value.items()}
        return {"$pairs": [[plain(key), plain(one)] for key, one in value.items()]}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays
        return plain(value.tolist())
    return str(value)


def back(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any JSON value to what it stands for
    """The value that JSON of `plain` stands for."""
    if isinstance(value, list):
        return [back(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, held),) = value.items()
        if key == "$float":
            return float(held)
        if key == "$tuple":
            return tuple(back(one) for one in held)
        if key == "$set":
            return {back(one) for one in held}
        if key == "$pairs":
            return {back(name): back(one) for name, one in held}
    return {key: back(one) for key, one in value.items()}
