"""Text escaping for Mermaid: anything its grammar or HTML could interpret becomes an entity."""

from __future__ import annotations

import re

from farscope.views.labels import visible

PLAIN = frozenset(" ()+,-./=?_'!|*[]")
"""Punctuation that means nothing inside a label; all other ASCII punctuation is written as an entity."""

_PLACEHOLDERS = frozenset("\ufb02\u00b0\u00b6\u00df")
"""Mermaid marks entities with these while it parses, so that in a text they would be taken for marks."""

_WORDS = re.compile(r"end|style|classdef|direction", re.IGNORECASE)
"""Words that Mermaid acts on wherever in a line they stand; an entity in place of a letter hides them."""


def mermaid(text: str) -> str:
    """Return ``text`` as Mermaid source that shows it as it is, in one line, control characters visible."""
    words = _WORDS.sub(lambda word: f"\0{word[0]}", visible(text))
    source = []
    hidden = False
    for character in words:
        if character == "\0":
            hidden = True
        elif hidden or not _harmless(character):
            source.append(f"#{ord(character)};")
            hidden = False
        else:
            source.append(character)
    return "".join(source)


def _harmless(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in PLAIN
    return character not in _PLACEHOLDERS
