"""The renderer-independent model of a sequence diagram."""

from __future__ import annotations

from typing import NamedTuple

from farscope.records.text import encodable

BORDER = -1
"""Used instead of a lane index: the arrow comes from outside the diagram."""


class Lane(NamedTuple):
    """A vertical line."""

    label: str
    """Not yet escaped."""
    group: int
    """Index of its group."""


class Arrow(NamedTuple):
    """One step."""

    number: int
    """From 1, in order of time in the whole diagram."""
    source: int
    """A lane's index, or ``BORDER``."""
    target: int
    label: str
    """Not yet escaped."""
    note: str = ""
    """Written at the target; empty for none. Not yet escaped."""
    claimed: bool = False
    """Whether the source rests on a token that anyone can make up; such an arrow is dashed."""

    @property
    def deed(self) -> tuple[int, int, str, str, bool]:
        """The part that is compared to find repetitions: everything except the number."""
        return self.source, self.target, self.label, self.note, self.claimed


class Loop(NamedTuple):
    """Repeated rows, drawn once."""

    times: int
    first: int
    """Number of the first arrow in it."""
    last: int
    """Number of the last arrow of the last repetition."""
    body: tuple[Arrow | Loop, ...]
    """The rows of the first repetition."""

    @property
    def caption(self) -> str:
        """The number of repetitions and the step numbers."""
        return f"x {self.times} ({self.first}..{self.last})"


Row = Arrow | Loop


class Diagram(NamedTuple):
    """Lanes and arrows; the lanes of a group are adjacent."""

    groups: tuple[str, ...]
    """Titles, not yet escaped."""
    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...]
    separate: bool
    """Whether no arrow leads from one group to another, so that each can be drawn separately."""
    left_out: int = 0
    """Number of selected earlier steps that were left out, because the picture would be too large."""

    @property
    def has_border(self) -> bool:
        """Whether an arrow comes from outside."""
        return any(arrow.source == BORDER for arrow in self.arrows)

    def in_letters_of(self, encoding: str | None) -> Diagram:
        """Return the diagram with all texts in characters of ``encoding``, others as escapes."""
        return self._replace(
            groups=tuple(encodable(title, encoding) for title in self.groups),
            lanes=tuple(lane._replace(label=encodable(lane.label, encoding)) for lane in self.lanes),
            arrows=tuple(
                arrow._replace(label=encodable(arrow.label, encoding), note=encodable(arrow.note, encoding))
                for arrow in self.arrows
            ),
        )

    def parts(self) -> list[Diagram]:
        """Return a diagram for each group, with the arrows' numbers; the whole if not ``separate``."""
        if not self.separate:
            return [self]
        places: dict[int, tuple[int, int]] = {}
        lanes: list[list[Lane]] = [[] for _ in self.groups]
        arrows: list[list[Arrow]] = [[] for _ in self.groups]
        for index, lane in enumerate(self.lanes):
            places[index] = (lane.group, len(lanes[lane.group]))
            lanes[lane.group].append(Lane(lane.label, 0))
        for arrow in self.arrows:
            group, target = places[arrow.target]
            source = BORDER if arrow.source == BORDER else places[arrow.source][1]
            arrows[group].append(arrow._replace(source=source, target=target))
        return [
            Diagram((title,), tuple(lanes[group]), tuple(arrows[group]), separate=True)
            for group, title in enumerate(self.groups)
        ]
