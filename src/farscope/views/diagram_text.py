"""Text escaping for Mermaid and PlantUML, so that no name is interpreted as syntax or markup."""

from __future__ import annotations

import re
import unicodedata

from farscope.views.labels import visible

MERMAID_PLAIN = frozenset(" ()+,-./=?_'!|*[]")
"""Punctuation that means nothing inside a label; all other ASCII punctuation is written as an entity."""

_MERMAID_PLACEHOLDERS = frozenset("\ufb02\u00b0\u00b6\u00df")
"""Mermaid marks entities with these while it parses, so that in a text they would be taken for marks."""

_MERMAID_WORDS = re.compile(r"end|style|classdef|direction", re.IGNORECASE)
"""Words that Mermaid acts on wherever in a line they stand; an entity in place of a letter hides them."""

PLANTUML_PLAIN = frozenset(" (),.:?")
"""Punctuation that means nothing inside a label; all other punctuation is written by code point."""


def mermaid(text: str) -> str:
    """Return ``text`` as Mermaid source that shows it as it is, in one line, control characters visible."""
    words = _MERMAID_WORDS.sub(lambda word: f"\0{word[0]}", visible(text))
    source = []
    hidden = False
    for character in words:
        if character == "\0":
            hidden = True
        elif hidden or not _harmless_in_mermaid(character):
            source.append(f"#{ord(character)};")
            hidden = False
        else:
            source.append(character)
    return "".join(source)


def _harmless_in_mermaid(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in MERMAID_PLAIN
    return character not in _MERMAID_PLACEHOLDERS


def plantuml(text: str) -> str:
    """Return ``text`` as PlantUML source that shows it as it is, in one line, control characters visible."""
    shown = visible(text)
    return "".join(
        character
        if _harmless_in_plantuml(character) or _lone_underscore(shown, place)
        else f"<U+{ord(character):04X}>"
        for place, character in enumerate(shown)
    )


def _harmless_in_plantuml(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in PLANTUML_PLAIN
    return not unicodedata.category(character).startswith("P")


def _lone_underscore(text: str, place: int) -> bool:
    """Two in a row would underline what follows; one is part of a name, and easier to read as it is."""
    return text[place] == "_" and "__" not in text[max(place - 1, 0) : place + 2]
