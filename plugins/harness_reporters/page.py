"""One HTML file of markup, style, scripts and data, with a policy that lets it run these and reach nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIBRARIES = ("array", "axis", "color", "format", "interpolate", "path", "scale", "selection", "shape")
"""The modules of D3 that the charts need, in the order in which they build on one another."""

SCRIPTS = (
    "dom", "data", "state", "theme", "controls", "plot", "leaderboard", "tradeoff", "contexts", "curves", "suites",
    "diagnosis", "outcome", "answers", "compare", "about", "live", "main",
)  # fmt: skip
"""Of `page/script/`, in the order in which they build on one another."""

PORTION = 1000
"""Items of a list that are encoded together."""

BARS = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#2457c5" d="%s"/></svg>'
ICON = f"data:image/svg+xml;base64,{base64.b64encode(BARS % b'M1 9h3v6H1zM6 1h4v14H6zM12 6h3v9h-3z').decode()}"


def page(name: str, values: Mapping[str, Any], data: Any, blocks: Mapping[str, str], *, live: str) -> str:  # noqa: ANN401 - any JSON
    """The file.

    Args:
        name: of the template in `page/`.
        values: what the template names beside those that are set here.
        data: what the scripts read when the page is opened.
        blocks: id -> what they read when it is needed, `packed`.
        live: the version of the data, where the page may ask its server for newer ones.
    """
    style, script = _style(), _script()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    return environment.from_string(_resource(name)).render(
        values,
        policy=_policy(style, script, live=bool(live)),
        icon=ICON,
        style=Markup(style),  # noqa: S704 - a file of ours
        script=Markup(script),  # noqa: S704 - files of ours
        data=Markup(_embedded(data)),  # noqa: S704 - has no <
        blocks={name: Markup(block) for name, block in blocks.items()},  # noqa: S704 - Base64
        live=live,
    )


def _policy(style: str, script: str, *, live: bool) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            *(["connect-src 'self'"] if live else []),
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _style() -> str:
    return _resource("style.css")


@cache
def _script() -> str:
    licence = _resource("vendor/d3-array.LICENSE").replace("*/", "")
    libraries = [_resource(f"vendor/d3-{name}.min.js") for name in LIBRARIES]
    ours = [_resource(f"script/{name}.js") for name in SCRIPTS]
    # One scope of their own: the libraries meet at the global `d3`, our names stay inside.
    return "\n".join([f"/*\nD3\n\n{licence}*/", *libraries, '(() => {\n"use strict";', *ours, "})();", ""])


def _resource(name: str) -> str:
    return files("harness_reporters").joinpath("page", *name.split("/")).read_text(encoding="utf-8")


def _embedded(data: Any) -> str:  # noqa: ANN401 - any JSON
    """JSON inside a script element: nothing in it can end that, and no line separator is in it."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed(data: Mapping[str, Any]) -> str:
    """JSON, compressed the same way each time, in Base64.

    It is encoded piece by piece: as one text it would be in memory three times.
    """
    gzipped = zlib.compressobj(6, wbits=16 + zlib.MAX_WBITS)
    return base64.b64encode(b"".join([*map(gzipped.compress, _pieces(data)), gzipped.flush()])).decode()


def _pieces(data: Mapping[str, Any]) -> Iterator[bytes]:
    """The JSON of an object; its members that are lists in portions."""
    encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
    before = "{"
    for name, value in data.items():
        yield f"{before}{encode(name)}:".encode()
        before = ","
        if not isinstance(value, list):
            yield encode(value).encode()
            continue
        yield b"["
        for start in range(0, len(value), PORTION):
            yield ("," * bool(start) + encode(value[start : start + PORTION])[1:-1]).encode()
        yield b"]"
    yield b"}" if data else b"{}"
