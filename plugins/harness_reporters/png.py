"""The SVG pictures as PNG, for where SVG can't be used: 300 dots an inch, white behind them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from harness.errors import PluginError
from harness.interfaces import Report
from harness_reporters.svg import Svg

if TYPE_CHECKING:
    from harness.leaderboard import Leaderboard

ZOOM = 300 / 96
"""SVG has 96 pixels an inch."""

FAMILIES = ("Helvetica", "Arial", "Liberation Sans", "DejaVu Sans", "Noto Sans", "Segoe UI")

_LETTER = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><text y="30" font-family="{0}">M</text></svg>'


class Png:
    """The pictures of a board, rendered by resvg."""

    def render(self, board: Leaderboard) -> Report:
        """Render them.

        Raises:
            PluginError: when resvg is missing, or there is no font to write with.
        """
        files = {
            name.removesuffix(".svg") + ".png": picture(content.decode())
            for name, content in Svg().render(board).files.items()
        }
        return Report(files, f"{len(files)} pictures; -o DIR writes them: {', '.join(files) or 'none'}\n")


def picture(svg: str) -> bytes:
    """An SVG as PNG.

    Raises:
        PluginError: see `Png.render`.
    """
    family = _family()
    return _rendered(svg, family)


@cache
def _family() -> str:
    """A font without serifs of this machine; where none is known, whatever resvg takes in its place.

    Raises:
        PluginError: when there is no font at all: resvg would leave out all letters.
    """
    otherwise = _letter("no such font")
    known = [family for family in FAMILIES if _letter(family) != otherwise]
    if known:
        return known[0]
    if otherwise == _rendered(_LETTER.format("none").replace("M", ""), "none"):
        hint = "install one, such as fonts-dejavu, or take --format svg"
        raise PluginError("the pictures have letters, and this machine has no font", hint=hint)
    return "no such font"


def _letter(family: str) -> bytes:
    return _rendered(_LETTER.format(family), family)


def _rendered(svg: str, family: str) -> bytes:
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        hint = "pip install 'adapt-harness[png]'"
        raise PluginError(f"PNG needs resvg_py, which can't be imported: {error}", hint=hint) from error
    return bytes(svg_to_bytes(svg_string=svg, background="#ffffff", zoom=ZOOM, sans_serif_family=family))
