"""Text escaping for PlantUML: anything its grammar or markup could interpret is written by code point."""

from __future__ import annotations

import unicodedata

from farscope.views.labels import visible

PLAIN = frozenset(" (),.:?")
"""Punctuation that means nothing inside a label; all other punctuation is written by code point."""


def plantuml(text: str) -> str:
    """Return ``text`` as PlantUML source that shows it as it is, in one line, control characters visible."""
    shown = visible(text)
    return "".join(
        character if _harmless(character) or _lone_underscore(shown, place) else f"<U+{ord(character):04X}>"
        for place, character in enumerate(shown)
    )


def _harmless(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in PLAIN
    return not unicodedata.category(character).startswith("P")


def _lone_underscore(text: str, place: int) -> bool:
    """Two in a row would underline what follows; one is part of a name, and easier to read as it is."""
    return text[place] == "_" and "__" not in text[max(place - 1, 0) : place + 2]
