"""The special characters of the table, limited to those in the terminal's encoding."""

from __future__ import annotations

from typing import Final, NamedTuple

from farscope.records.text import encodable
from farscope.views.humanize import BLOCKS
from farscope.views.remember import remembered
from farscope.views.text import escape


class Glyphs(NamedTuple):
    """Characters to draw with; the default is for terminals that have all of Unicode."""

    encoding: str | None = None
    """What texts are written in; None has every character."""
    cut: str = "…"
    """Stands where a text was cut."""
    up: str = "▲"
    down: str = "▼"
    """Which way round the table is sorted."""
    blocks: str = BLOCKS
    """Heights of a spark line."""

    def text(self, text: str) -> str:
        """Return ``text`` with everything visible that would act on a terminal, in letters it has."""
        return _visible(_Asked(text, self.encoding))


FULL: Final = Glyphs()


def glyphs_of(encoding: str | None) -> Glyphs:
    """Return the characters to draw with where texts are written in an encoding."""
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
