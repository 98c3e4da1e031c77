"""The special characters of the table, limited to those in the terminal's encoding."""

from __future__ import annotations

from typing import Final, NamedTuple

from farscope.records.text import encodable
from farscope.views.humanize import BLOCKS
from farscope.views.remember import remembered
from farscope.views.text import escape


class Glyphs(NamedTuple):
    """Characters to draw with; the default is for terminals with all of Unicode."""

    encoding: str | None = None
    """Encoding of the output; None for one with every character."""
    cut: str = "…"
    """Marks where a text was truncated."""
    up: str = "▲"
    down: str = "▼"
    """Mark the direction of sorting, with ``up``."""
    blocks: str = BLOCKS
    """Bars of a sparkline."""

    def text(self, text: str) -> str:
        """Return ``text`` with control characters visible, in characters of the encoding."""
        return _visible(_Asked(text, self.encoding))


FULL: Final = Glyphs()


def glyphs_of(encoding: str | None) -> Glyphs:
    """Return the characters to draw with in an encoding."""
    plain = Glyphs(encoding, "~", "^", "v", ".:-=+*%#")
    return Glyphs(
        encoding,
        **{
            name: wanted if encodable(wanted, encoding) == wanted else getattr(plain, name)
            for name, wanted in FULL._asdict().items()
            if name != "encoding"
        },
    )


class _Asked(NamedTuple):
    text: str
    encoding: str | None


def _shown(asked: _Asked) -> str:
    return encodable(escape(asked.text), asked.encoding)


def _length(asked: _Asked) -> int:
    return len(asked.text)


_visible = remembered(_shown, _length)
