r"""A sequence diagram in characters, as the miros example draws it.

::

    [ Chart: door ]
         top        closed        open
          +start_at()->|            |
          |    (1)     |            |
          |            +--open()--->|
          |            |    (2)     |
          |            |<--close()--+
          |            |    (3)     |
          |            +            |
          |             \ (4)       |
          |             knock()     |

Lanes stand 13 cells apart and move further apart for whatever would not fit: nothing is ever cut.
"""

from __future__ import annotations

from itertools import pairwise

from farscope.errors import UsageError
from farscope.views.labels import visible
from farscope.views.outcomes import NOTES
from farscope.views.sequence.folding import FOLD_FROM, fold
from farscope.views.sequence.layout import Room, arrows_in, place_lanes
from farscope.views.sequence.model import BORDER, Arrow, Diagram, Loop, Row
from farscope.views.terminal_width import Canvas, width

LEAST_DISTANCE = 13
MARGIN = 5
"""Cells to the left of the first label, for the frames of loops."""
FIRST_LANE = 6
SPACE_BETWEEN_LABELS = 2

MAX_CELLS = 4_000_000
"""Maximum number of cells in a picture, some 100 MB; a larger one is an error."""


def ascii_sequence(diagram: Diagram, *, fold_from: int = FOLD_FROM) -> str:
    """Return the diagram as text, a block for each chart where they are separate, ending in a newline.

    Trailing spaces are left out. ``fold_from`` is the number of repetitions from which on a loop is
    drawn once with its count; 0 draws every arrow.
    """
    blocks = [_Block(part, fold_from).lines() for part in diagram.parts()]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks)


class _Block:
    """Draws one group of lanes; the border, if an arrow comes from it, is a lane without a line."""

    def __init__(self, diagram: Diagram, fold_from: int) -> None:
        self._title = f"[ {visible(diagram.groups[0])} ]" if diagram.separate else ""
        self._shift = int(diagram.has_border)
        self._labels = [""] * self._shift + [visible(lane.label) for lane in diagram.lanes]
        self._rows = fold([self._moved(arrow) for arrow in diagram.arrows], fold_from)
        self._columns = self._place()
        self._canvas = Canvas()

    def _moved(self, arrow: Arrow) -> Arrow:
        source = 0 if arrow.source == BORDER else arrow.source + self._shift
        plain = not arrow.note or arrow.note in NOTES.values()
        note = arrow.note if plain else f"<{visible(arrow.note)}>"
        return arrow._replace(
            source=source, target=arrow.target + self._shift, label=visible(arrow.label), note=note
        )

    def _place(self) -> list[int]:
        if not self._labels:
            return []
        halves = [0] * len(self._labels)
        rooms = []
        for arrow, number in arrows_in(self._rows):
            left, right = sorted((arrow.source, arrow.target))
            if left != right:
                rooms.append(
                    Room(left, right, _span(max(width(arrow.label), width(number))) + (left < self._shift))
                )
            elif right + 1 < len(self._labels):
                rooms.append(Room(right, right + 1, max(width(arrow.label), width(number) + 2) + 2))
            halves[arrow.target] = max(halves[arrow.target], (width(arrow.note) + 1) // 2)
        for left, (label, following) in enumerate(pairwise(self._labels)):
            labels = width(label) - width(label) // 2 + SPACE_BETWEEN_LABELS + width(following) // 2
            notes = max(halves[left], halves[left + 1]) + 1
            rooms.append(Room(left, left + 1, max(labels, notes)))
        first = max(FIRST_LANE, MARGIN + max(width(self._labels[0]) // 2, halves[0]))
        return place_lanes(len(self._labels), first, LEAST_DISTANCE, rooms)

    def lines(self) -> list[str]:
        rows, columns = len(self._rows), self._columns[-1] if self._columns else 0
        if rows * columns > MAX_CELLS:
            raise UsageError(
                f"{rows:,} arrows between {len(self._labels):,} lanes are too many for a picture in letters",
                "choose fewer with --last, --from and --to, or --chart, or take --format svg",
            )
        if self._title:
            self._canvas.put(self._canvas.row(), 0, self._title)
        header = self._canvas.row()
        for column, label in zip(self._columns, self._labels, strict=True):
            self._canvas.put(header, column - width(label) // 2, label)
        self._draw(self._rows, depth=0)
        return self._canvas.lines()

    def _draw(self, rows: tuple[Row, ...], depth: int) -> None:
        for row in rows:
            if isinstance(row, Loop) and len(row.body) > 1:
                self._frame(row, depth)
                continue
            for arrow, number in arrows_in((row,)):
                if arrow.source == arrow.target:
                    self._self_arrow(arrow, number, depth)
                else:
                    self._arrow(arrow, number, depth)
                if arrow.note:
                    row_number = self._lifelines(depth)
                    self._canvas.put(
                        row_number, self._columns[arrow.target] - width(arrow.note) // 2, arrow.note
                    )

    def _lifelines(self, depth: int, without: int = -1) -> int:
        row = self._canvas.row()
        for level in range(depth):
            self._canvas.put(row, 2 * level, ":")
        for lane in range(self._shift, len(self._columns)):
            if lane != without:
                self._canvas.put(row, self._columns[lane], "|")
        return row

    def _arrow(self, arrow: Arrow, number: str, depth: int) -> None:
        """Draw an arrow between two lanes: label centred in the shaft, number centred below it."""
        source, target = self._columns[arrow.source], self._columns[arrow.target]
        left = min(source, target)
        room = abs(target - source) - 1
        spare = room - 1 - width(arrow.label)
        line = "." if arrow.claimed else "-"
        shaft = line * (spare // 2) + arrow.label + line * (spare - spare // 2)
        if source > target:
            shaft = line * (spare - spare // 2) + arrow.label + line * (spare // 2)
        row = self._lifelines(depth)
        self._canvas.put(row, left + 1, f"{shaft}>" if source < target else f"<{shaft}")
        self._canvas.put(row, source, "+" if arrow.source >= self._shift else "o")
        below = self._lifelines(depth)
        self._canvas.put(below, left + 1 + (room - width(number)) // 2, number)

    def _self_arrow(self, arrow: Arrow, number: str, depth: int) -> None:
        column = self._columns[arrow.source]
        for offset, text in ((0, "+"), (1, f"\\ {number}"), (1, arrow.label), (1, "/"), (0, "<")):
            self._canvas.put(self._lifelines(depth, without=arrow.source), column + offset, text)

    def _frame(self, loop: Loop, depth: int) -> None:
        edge = max(self._columns[-1] + 2, 2 * depth + width(loop.caption) + 8)
        for corner, text in ((".", f"-- {loop.caption} "), ("'", "")):
            if corner == "'":
                self._draw(loop.body, depth + 1)
            row = self._canvas.row()
            for level in range(depth):
                self._canvas.put(row, 2 * level, ":")
            self._canvas.put(row, 2 * depth, f"{corner}{text}".ljust(edge - 2 * depth, "-"))


def _span(text: int) -> int:
    """Return the distance an arrow needs: ends, head, text, and some shaft where lanes must part anyway."""
    closest = text + 3
    return closest if closest <= LEAST_DISTANCE else closest + 2
