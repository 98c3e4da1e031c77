"""Folding: repetitions are drawn once, with a count."""

from __future__ import annotations

from collections.abc import Sequence

from farscope.views.sequence.model import Arrow, Loop, Row

FOLD_FROM = 3
"""Fewer repetitions than this are drawn one by one: folding them would hide more than it saves."""

MAX_LOOP_ARROWS = 8
"""Maximum length of a folded block; a loop of more arrows is drawn arrow by arrow."""

MAX_DEPTH = 2
"""Maximum nesting of loops, so that frames stay readable."""


def fold(arrows: Sequence[Arrow], fold_from: int = FOLD_FROM, depth: int = MAX_DEPTH) -> tuple[Row, ...]:
    """Fold every block of up to ``MAX_LOOP_ARROWS`` arrows that follows itself ``fold_from`` times or more.

    If several block lengths are possible, the one that covers the most arrows is used, and of these the
    shortest. ``fold_from`` below 2 folds nothing.
    """
    if fold_from < 2 or depth == 0:
        return tuple(arrows)
    numbers: dict[tuple[int, int, str, str, bool], int] = {}
    deeds = [numbers.setdefault(arrow.deed, len(numbers)) for arrow in arrows]
    rows: list[Row] = []
    place = 0
    while place < len(arrows):
        length, count = _longest(deeds, place, fold_from)
        if count == 1:
            rows.append(arrows[place])
            place += 1
            continue
        end = place + length * count
        body = fold(arrows[place : place + length], fold_from, depth - 1)
        rows.append(Loop(count, arrows[place].number, arrows[end - 1].number, body))
        place = end
    return tuple(rows)


def _longest(deeds: list[int], place: int, fold_from: int) -> tuple[int, int]:
    """Return (length, count) of the repetition at ``place``; (1, 1) if there is none."""
    best = (1, 1)
    for length in range(1, MAX_LOOP_ARROWS + 1):
        count = _repetitions(deeds, place, length)
        if count >= fold_from and length * count > best[0] * best[1]:
            best = (length, count)
    return best


def _repetitions(deeds: list[int], place: int, length: int) -> int:
    end = place + length
    while end < len(deeds) and deeds[end] == deeds[end - length]:
        end += 1
    return (end - place) // length
