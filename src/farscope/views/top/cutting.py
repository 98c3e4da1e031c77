"""Truncates texts to a number of cells; truncated names remain distinct."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from farscope.records.configuration import JOINT
from farscope.views.terminal_width import width as cells_of
from farscope.views.top.glyphs import FULL, Glyphs

_BAR: Final = "|"

LEAST_LEAF: Final = 3
"""Cells of each leaf of a configuration; if there are fewer, the last leaves are counted only."""

TABLES_KEPT: Final = 2
"""Sets of names whose truncations are cached: a table is drawn many times with the same ones."""


def padded(text: str, width: int, *, right: bool = False, glyphs: Glyphs = FULL) -> str:
    """Return ``text``, made visible, in exactly ``width`` cells, truncated at the end if necessary."""
    return _filled(_end_cut(glyphs.text(text), width, glyphs), width, right=right)


def padded_name(text: str, width: int, *, glyphs: Glyphs = FULL) -> str:
    """Return a name in exactly ``width`` cells, truncated in the middle: names mostly differ at an end."""
    return _filled(_middle_cut(glyphs.text(text), width, glyphs), width)


def padded_configuration(states: Sequence[str], width: int, *, glyphs: Glyphs = FULL) -> str:
    """Return the active leaf states of a chart in exactly ``width`` cells, so that every leaf can be seen.

    If they do not fit, the spaces between them go first, then the beginning that all share, then the middles
    of the longest names. Leaves for which there is no room at all are counted: ``idle|hot|+2``.
    """
    texts = [glyphs.text(state) for state in states]
    for shown in (JOINT.join(texts), _BAR.join(texts), _BAR.join(_without_common(texts, glyphs))):
        if cells_of(shown) <= width:
            return _filled(shown, width)
    return _filled(_shared_out(_without_common(texts, glyphs), width, glyphs), width)


def _without_common(texts: list[str], glyphs: Glyphs) -> list[str]:
    """Return texts without the beginning that all share, if leaving it out saves cells."""
    common = min(_common(texts), *(len(text) - 1 for text in texts)) if len(set(texts)) > 1 else 0
    return [glyphs.cut + text[common:] for text in texts] if common > cells_of(glyphs.cut) else texts


def _shared_out(texts: list[str], width: int, glyphs: Glyphs) -> str:
    """Return texts in at most ``width`` cells, of which each gets the same share unless it needs less."""
    shown = texts
    while len(shown) > 1 and _room(shown, texts, width) < len(shown) * LEAST_LEAF:
        shown = shown[:-1]
    rest = f"{_BAR}+{len(texts) - len(shown)}" if len(shown) < len(texts) else ""
    room, cells = _room(shown, texts, width), [0] * len(shown)
    while room > 0 and (short := [n for n, text in enumerate(shown) if cells[n] < cells_of(text)]):
        cells[min(short, key=lambda place: cells[place])] += 1
        room -= 1
    pieces = [_middle_cut(text, size, glyphs) for text, size in zip(shown, cells, strict=True)]
    return _end_cut(_BAR.join(pieces) + rest, width, glyphs)


def _room(shown: list[str], texts: list[str], width: int) -> int:
    """Return the cells left for the names, without what separates them and counts the others."""
    others = len(texts) - len(shown)
    return width - (len(shown) - 1) * len(_BAR) - (len(f"{_BAR}+{others}") if others else 0)


def told_apart(names: Iterable[str], width: int, *, glyphs: Glyphs = FULL) -> dict[str, str]:
    """Return each name as ``padded_name`` does, but distinct if there is enough space.

    If truncated names are the same, they start where they begin to differ.
    """
    return _told_apart(tuple(dict.fromkeys(names)), width, glyphs)


@lru_cache(TABLES_KEPT)
def _told_apart(names: tuple[str, ...], width: int, glyphs: Glyphs) -> dict[str, str]:
    texts = {name: glyphs.text(name) for name in names}
    cut = {name: _middle_cut(text, width, glyphs) for name, text in texts.items()}
    alike = _alike(cut)
    while alike:
        group = alike.pop()
        common = _common([texts[name] for name in group])
        again = {name: _end_cut(glyphs.cut + texts[name][common:], width, glyphs) for name in group}
        cut |= again
        # In each round they differ after a longer common prefix, until none is left.
        alike += [part for part in _alike(again) if len(part) < len(group)]
    return {name: _filled(text, width) for name, text in cut.items()}


def _common(texts: list[str]) -> int:
    """Return the length of the common prefix of all texts."""
    first, last = min(texts), max(texts)
    return next(
        (place for place, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first)
    )


def _alike(cut: dict[str, str]) -> list[list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in cut.items():
        groups[text].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _filled(text: str, width: int, *, right: bool = False) -> str:
    blanks = " " * (width - cells_of(text))
    return blanks + text if right else text + blanks


def _end_cut(text: str, width: int, glyphs: Glyphs) -> str:
    if cells_of(text) <= width:
        return text
    return _beginning(text, width - 1) + glyphs.cut if width > 0 else ""


def _middle_cut(text: str, width: int, glyphs: Glyphs) -> str:
    if cells_of(text) <= width:
        return text
    if width < 1:
        return ""
    front = _beginning(text, (width - 1) // 2)
    back = _beginning(text[::-1], width - 1 - cells_of(front))[::-1]
    return front + glyphs.cut + back


def _beginning(text: Sequence[str], room: int) -> str:
    kept: list[str] = []
    for character in text:
        room -= cells_of(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept)
