"""A sequence diagram as SVG."""

from __future__ import annotations

from itertools import pairwise

from farscope.views.labels import visible
from farscope.views.sequence.folding import FOLD_FROM, fold
from farscope.views.sequence.layout import Room, arrows_in, place_lanes
from farscope.views.sequence.model import BORDER, Arrow, Diagram, Loop, Row
from farscope.views.svg_text import document, label, wide

MARGIN = 24
LEAST_DISTANCE = 110
ROW = 34
"""Pixels from one arrow to the next."""
SELF_HEIGHT = 18
SELF_WIDTH = 26
NOTE_HEIGHT = 28
PADDING = 10
HEAD = 8


def svg_sequence(diagram: Diagram, *, fold_from: int = FOLD_FROM) -> str:
    """Return the diagram as an SVG document: lanes side by side, time downward, all groups together."""
    return _Drawing(diagram, fold_from).document()


def _caption(arrow: Arrow, number: str) -> str:
    return f"{number} {visible(arrow.label)}"


def _kind(arrow: Arrow) -> str:
    return "arrow claimed" if arrow.claimed else "arrow"


class _Drawing:
    """Draws from top to bottom: ``_y`` is the next position, ``_right`` the rightmost extent."""

    def __init__(self, diagram: Diagram, fold_from: int) -> None:
        self._diagram = diagram
        self._rows = fold(diagram.arrows, fold_from)
        self._labels = [visible(lane.label) for lane in diagram.lanes]
        self._halves = [wide(text) // 2 + PADDING for text in self._labels]
        self._lanes = self._place()
        self._right = MARGIN
        self._y = MARGIN
        self._over: list[str] = []
        self._frames: list[tuple[int, int, int]] = []

    def document(self) -> str:
        heads = self._header()
        top = self._y
        self._draw(self._rows, depth=0)
        self._y += PADDING
        lives = [f'<path class="life" d="M{x} {top}V{self._y}"/>' for x in self._lanes]
        frames = [
            f'<rect class="frame" x="{4 + 6 * depth}" y="{start}" rx="4" '
            f'width="{self._right + PADDING - 12 * depth}" height="{end - start}"/>'
            for start, end, depth in self._frames
        ]
        size = (self._right + MARGIN, self._y + MARGIN)
        return document(
            size, "sequence diagram", [*lives, *frames, *self._over, '<g class="heads">', *heads, "</g>"]
        )

    def _place(self) -> list[int]:
        if not self._labels:
            return []
        rooms = []
        halves = list(self._halves)
        border = 0
        for arrow, number in arrows_in(self._rows):
            text = wide(_caption(arrow, number)) + 4 * PADDING
            left, right = sorted((arrow.source, arrow.target))
            if left == BORDER:
                border = max(border, text)
            elif left != right:
                rooms.append(Room(left, right, text))
            elif right + 1 < len(halves):
                rooms.append(Room(right, right + 1, text + SELF_WIDTH))
            if arrow.note:
                halves[right] = max(halves[right], wide(visible(arrow.note)) // 2 + 2 * PADDING)
        for left, (half, following) in enumerate(pairwise(halves)):
            rooms.append(Room(left, left + 1, half + following + 2 * PADDING))
        starts = [self._members(group)[0] for group in range(len(self._diagram.groups))]
        for title, (start, following) in zip(self._diagram.groups, pairwise(starts), strict=False):
            rooms.append(
                Room(following - 1, following, halves[following - 1] + halves[following] + 4 * PADDING)
            )
            rooms.append(Room(start, following, halves[start] + wide(visible(title)) + halves[following]))
        return place_lanes(len(halves), MARGIN + max(halves[0] + PADDING, border), LEAST_DISTANCE, rooms)

    def _members(self, group: int) -> list[int]:
        return [place for place, lane in enumerate(self._diagram.lanes) if lane.group == group]

    def _reach(self, x: int) -> None:
        self._right = max(self._right, x)

    def _header(self) -> list[str]:
        """Return names and boxes of the lanes together, so that a page can keep them visible."""
        heads: list[str] = []
        titled = any(self._diagram.groups)
        for group, title in enumerate(self._diagram.groups):
            members = self._members(group)
            left = self._lanes[members[0]] - self._halves[members[0]]
            right = self._lanes[members[-1]] + self._halves[members[-1]]
            if title:
                heads.append(label(left, self._y, title, anchor="start", kind="soft"))
                self._reach(left + wide(visible(title)))
            self._reach(right)
        self._y += 14 if titled else 0
        for x, half, text in zip(self._lanes, self._halves, self._labels, strict=True):
            heads += [self._box(x - half, 2 * half, 26), label(x, self._y + 18, text)]
        self._y += 26
        return heads

    def _box(self, x: int, across: int, down: int) -> str:
        return f'<rect class="box" x="{x}" y="{self._y}" width="{across}" height="{down}" rx="5"/>'

    def _draw(self, rows: tuple[Row, ...], depth: int) -> None:
        for row in rows:
            if isinstance(row, Loop) and len(row.body) > 1:
                self._loop(row, depth)
                continue
            for arrow, number in arrows_in((row,)):
                self._arrow(arrow, _caption(arrow, number))
                if arrow.note:
                    self._note(arrow)

    def _loop(self, loop: Loop, depth: int) -> None:
        start = self._y + PADDING
        self._y = start + 18
        self._over.append(label(10 + 6 * depth, self._y - 4, loop.caption, anchor="start", kind="soft"))
        self._reach(10 + 6 * depth + wide(loop.caption))
        self._draw(loop.body, depth + 1)
        self._y += PADDING
        self._frames.append((start, self._y, depth))

    def _arrow(self, arrow: Arrow, caption: str) -> None:
        target = self._lanes[arrow.target]
        if arrow.source == arrow.target:
            self._self_arrow(target, caption, _kind(arrow))
            return
        source = MARGIN // 2 if arrow.source == BORDER else self._lanes[arrow.source]
        self._y += ROW
        back = HEAD if source < target else -HEAD
        self._over += [
            label((source + target) // 2, self._y - 6, caption),
            f'<path class="{_kind(arrow)}" d="M{source} {self._y}H{target - back}"/>',
            f'<path class="head" d="M{target} {self._y}l{-back} -4v8z"/>',
        ]

    def _self_arrow(self, x: int, caption: str, kind: str) -> None:
        self._y += ROW - SELF_HEIGHT
        path = f"M{x} {self._y}h{SELF_WIDTH}v{SELF_HEIGHT}H{x + HEAD}"
        text = x + SELF_WIDTH + 6
        self._over.append(f'<path class="{kind}" d="{path}"/>')
        self._over.append(label(text, self._y + SELF_HEIGHT - 4, caption, anchor="start"))
        self._y += SELF_HEIGHT
        self._over.append(f'<path class="head" d="M{x} {self._y}l{HEAD} -4v8z"/>')
        self._reach(text + wide(caption))

    def _note(self, arrow: Arrow) -> None:
        x = self._lanes[arrow.target]
        half = wide(visible(arrow.note)) // 2 + PADDING
        self._y += 6
        self._over += [self._box(x - half, 2 * half, NOTE_HEIGHT - 6), label(x, self._y + 16, arrow.note)]
        self._y += NOTE_HEIGHT - 6
        self._reach(x + half)
