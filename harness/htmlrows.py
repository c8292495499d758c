"""HTML pages -> rows: a row a paragraph, with the heading that it stands under. Pure."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = frozenset(
    {"p", "li", "dt", "dd", "td", "th", "blockquote", "pre", "div", "section", "article", "header", "body"}
    | {"ul", "ol", "dl", "table", "tr", "main", "footer", "aside", "figure", "figcaption", "nav", "address", "br"}
)
"""Elements that begin and end a paragraph; others, such as `em`, stand within one."""
_UNSEEN = frozenset({"head", "script", "style", "template"})


def paragraphs(page: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line and columns of each paragraph of a page that holds any text, in their order.

    The columns: `text` with white space folded, `heading` (the text of the heading before it), `section` (how many
    headings stand before it) and `paragraph` (which one it is behind that heading, from 1).
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    reader.end()
    yield from reader.rows


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self._text: list[str] = []
        self._line = 0
        self._unseen = 0
        self._heading, self._section, self._paragraph = "", 0, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in _UNSEEN:
            self._unseen += 1
        if tag in _BLOCKS or tag in _HEADINGS:
            self.end()

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        if tag in _HEADINGS:
            self._heading, self._section, self._paragraph = self._taken(), self._section + 1, 0
        elif tag in _BLOCKS:
            self.end()

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if not self._text and data.strip():
            self._line = self.getpos()[0] + data[: -len(data.lstrip())].count("\n")
        if self._text or data.strip():
            self._text.append(data)

    def end(self) -> None:
        """A paragraph ends here, if one has begun."""
        text = self._taken()
        if not text:
            return
        self._paragraph += 1
        place = {"heading": self._heading, "section": self._section, "paragraph": self._paragraph}
        self.rows.append((self._line, {"text": text, **place}))

    def _taken(self) -> str:
        text = " ".join("".join(self._text).split())
        self._text.clear()
        return text
