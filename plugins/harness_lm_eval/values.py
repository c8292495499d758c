"""What lm-eval measures on a row, whatever Python object that is -> JSON and back, for the results database.

What JSON lacks is an object whose only key begins with a `$`.
"""

from __future__ import annotations

import math
from typing import Any


def plain(value: Any) -> Any:  # noqa: ANN401 - any object to any JSON value
    """JSON for a value: numbers and arrays of NumPy are numbers and lists, anything unknown is its text."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            found: Any = value if math.isfinite(value) else {"$float": str(value)}
        case list():
            found = [plain(one) for one in value]
        case tuple():
            found = {"$tuple": [plain(one) for one in value]}
        case set() | frozenset():
            found = {"$set": [plain(one) for one in sorted(value, key=repr)]}
        case dict() if all(isinstance(key, str) and not key.startswith("$") for key in value):
            found = {key: plain(one) for key, one in value.items()}
        case dict():
            found = {"$pairs": [[plain(key), plain(one)] for key, one in value.items()]}
        case _:  # NumPy's scalars and arrays are lists and numbers too
            found = plain(value.tolist()) if hasattr(value, "tolist") else str(value)
    return found


def back(value: Any) -> Any:  # noqa: ANN401 - any JSON value to what it stands for
    """The value that JSON of `plain` stands for."""
    match value:
        case {"$float": text}:
            return float(text)
        case {"$tuple": items}:
            return tuple(back(one) for one in items)
        case {"$set": items}:
            return {back(one) for one in items}
        case {"$pairs": pairs}:
            return {back(key): back(one) for key, one in pairs}
        case dict():
            return {key: back(one) for key, one in value.items()}
    return [back(one) for one in value] if isinstance(value, list) else value
