"""The timeline at screen resolution: each lane has at most one item per pixel."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from farscope.records.facts import FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import AnyStepKind, Shape, StepKind
from farscope.views.regions import Regions
from farscope.views.web.serialize import Plain
from farscope.views.web.step_history import StepHistory, StepPosition
from farscope.views.web.time_travel import Past

_BAD = frozenset({StepKind.REFUSED, StepKind.FAILED})

NO_REGIONS: Final = Regions()

NOTHING: Final = -1
"""Index of a missing name."""


class Window(NamedTuple):
    """A span of time, in nanoseconds since the epoch, and the pixels it is drawn on."""

    from_ns: int
    to_ns: int
    width: int

    def pixel(self, time_ns: int) -> int:
        """Return the pixel a moment in the window falls on."""
        return (time_ns - self.from_ns) * self.width // max(1, self.to_ns - self.from_ns)

    def start_of(self, pixel: int) -> int:
        """Return the first nanosecond that falls on a pixel."""
        span = max(1, self.to_ns - self.from_ns)
        return self.from_ns + -(-pixel * span // self.width)


class Rest(NamedTuple):
    """The state of a chart between two steps."""

    text: str
    """Text of its configuration; empty before its start."""
    states: tuple[str, ...] = ()


class _Names:
    """Names listed once per lane and referenced by index."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def of(self, name: str | None) -> int:
        return NOTHING if name is None else self.places.setdefault(name, len(self.places))


class _Rests:
    """Configurations listed once per lane and referenced by index."""

    def __init__(self) -> None:
        self.places: dict[Rest, int] = {}

    def of(self, rest: Rest | None) -> int:
        return NOTHING if rest is None else self.places.setdefault(rest, len(self.places))


class TimelineLane:
    """A chart's lane, assembled from the known parts in order of time.

    ``items`` are [time, steps, state, signal, kind, mark], at most one per pixel: if several steps fall on a
    pixel, the first one's time, the last one's state, signal and mark, and the worst kind of any. Each state
    lasts up to the next item. An item without steps starts another part, in that state if it is known. A mark
    tells what else a step did: which history state it followed, and what it completed.
    ``busy`` are [begin, end] of steps that took longer than a pixel, at most one per pixel.
    """

    def __init__(self, window: Window, origin_ns: int, regions: Regions = NO_REGIONS) -> None:
        """``regions`` are those of the chart, in each of which a state is active."""
        self._window = window
        self._origin_ns = origin_ns
        self._regions = regions
        self._states, self._signals, self._marks = _Rests(), _Names(), _Names()
        self._items: list[list[Any]] = []
        self._busy: list[list[int]] = []
        self._before = NOTHING
        self._kinds: dict[int, str] = {}

    def plain(self) -> dict[str, Plain]:
        """Return the lane; ``before`` is the state that it begins with, -1 if that is not known.

        ``split`` has for each of the ``states``, which are configurations, what is active in the chart itself
        and in each of its regions; None for a chart without regions. ``finals`` are the final ones of these,
        and ``kinds`` the names of kinds of steps that a later release defined, by number.
        """
        split = None
        if self._regions.names:
            split = [self._regions.split(rest.states) for rest in self._states.places]
        active = {leaf for rest in self._states.places for leaf in rest.states}
        return {
            "states": [rest.text for rest in self._states.places],
            "split": split,
            "finals": sorted(filter(self._regions.is_final, active)),
            "signals": list(self._signals.places),
            "marks": list(self._marks.places),
            "kinds": self._kinds,
            "before": self._before,
            "items": self._items,
            "busy": self._busy,
        }

    def begin(self, stored: StepHistory) -> None:
        """Begin with the state of the chart at the start of the window."""
        self._before = self._states.of(_state_before(stored, self._window.from_ns))

    def add_gap(self, time_ns: int) -> None:
        """Add the start of a gap, in which nothing is known."""
        self._change(time_ns, None)

    def add_around(self, past: Past, stored: StepHistory | None, rest: Rest | None, from_ns: int) -> None:
        """Add the data around a moment, from ``from_ns`` on: steps, or the state without steps."""
        begin_ns = max(from_ns, past.from_ns)
        end_ns = min(past.to_ns, self._window.to_ns)
        if end_ns < max(begin_ns, self._window.from_ns):
            return
        self._change(begin_ns, rest if stored is None else _state_before(stored, begin_ns, guess=True))
        if stored is not None:
            self.add_steps(stored, begin_ns, end_ns)
        if past.to_ns < self._window.to_ns:
            self.add_gap(past.to_ns)

    def end(self, time_ns: int) -> None:
        """End the lane at a moment, after which the chart made no step."""
        if time_ns <= self._window.to_ns:
            end_ns = time_ns - self._origin_ns
            self._items = [item for item in self._items if item[0] <= end_ns or item[1]]
            self.add_gap(time_ns)

    def add_steps(self, stored: StepHistory, from_ns: int, to_ns: int) -> None:
        """Add the steps between two moments, both included, that lie in the window."""
        window = self._window
        to_ns = min(to_ns, window.to_ns)
        place = stored.first_from(max(from_ns, window.from_ns))
        while place is not None:
            time_ns = stored.time_at(place)
            # A step that ends beyond the window may have begun in it.
            self._add_busy(time_ns, stored.took_at(place))
            if time_ns > to_ns:
                break
            end_ns = window.start_of(window.pixel(time_ns) + 1)
            last = stored.last_until(min(end_ns - 1, to_ns)) or place
            shape = stored.shape_at(last)
            count = _distance(stored, place, last) + 1
            if isinstance(shape.kind, UnknownKind):
                self._kinds[int(shape.kind)] = shape.kind.name.lower()
            self._items.append(
                [
                    time_ns - self._origin_ns,
                    count,
                    self._states.of(Rest(shape.end, shape.end_states)),
                    self._signals.of(shape.signal),
                    _kind(stored, place, last, count),
                    self._marks.of(self._mark(shape)),
                ]
            )
            place = _following(stored, last)

    def _add_busy(self, time_ns: int, took_ns: int) -> None:
        window = self._window
        if took_ns * window.width > window.to_ns - window.from_ns and time_ns - took_ns <= window.to_ns:
            self._busy.append([time_ns - took_ns - self._origin_ns, time_ns - self._origin_ns])

    def _mark(self, shape: Shape) -> str | None:
        """Return which history states a step followed, and what it completed; None if it did neither."""
        history = self._regions.history
        parts = [
            f"by {history[fact.detail]}"
            for fact in shape.facts
            if fact.kind is FactKind.TRAN and fact.detail in history
        ]
        parts += [f"completed {fact.name}" for fact in shape.facts if fact.kind is FactKind.DONE]
        return ", ".join(dict.fromkeys(parts)) or None

    def _change(self, time_ns: int, state: Rest | None) -> None:
        time_ns = max(time_ns, self._window.from_ns)
        if time_ns == self._window.from_ns and not self._items:
            self._before = self._states.of(state)
        elif time_ns <= self._window.to_ns:
            self._items.append([time_ns - self._origin_ns, 0, self._states.of(state), NOTHING, 0, NOTHING])


def lane(
    stored: StepHistory, window: Window, origin_ns: int, regions: Regions = NO_REGIONS
) -> dict[str, Plain]:
    """Return the lane of a chart whose history is complete."""
    drawn = TimelineLane(window, origin_ns, regions)
    drawn.begin(stored)
    drawn.add_steps(stored, window.from_ns, window.to_ns)
    return drawn.plain()


def _state_before(stored: StepHistory, time_ns: int, *, guess: bool = False) -> Rest | None:
    """Return what the chart was in just before a moment; empty before its start, None if forgotten.

    With ``guess``, the first known step shows the state it started from.
    """
    place = stored.last_until(time_ns - 1)
    if place is not None:
        shape = stored.shape_at(place)
        return Rest(shape.end, shape.end_states)
    first = stored.first_from(time_ns)
    if first is None:
        return None
    shape = stored.shape_at(first)
    if shape.kind is StepKind.START:
        return Rest("")
    return Rest(shape.start, shape.start_states) if guess else None


def _following(stored: StepHistory, place: StepPosition) -> StepPosition | None:
    if place.offset + 1 < len(stored.blocks[place.block]):
        return StepPosition(place.block, place.offset + 1)
    return StepPosition(place.block + 1, 0) if place.block + 1 < len(stored.blocks) else None


def _distance(stored: StepHistory, first: StepPosition, last: StepPosition) -> int:
    start, end = stored.blocks[first.block].first, stored.blocks[last.block].first
    return end + last.offset - start - first.offset


def _kind(stored: StepHistory, first: StepPosition, last: StepPosition, count: int) -> int:
    """Return the kind to draw: failed or refused if a step of the pixel is, otherwise the last one's."""
    kind = stored.shape_at(last).kind
    if count == 1:
        return int(kind)
    bad: set[AnyStepKind] = set()
    for number in range(first.block, last.block + 1):
        block = stored.blocks[number]
        # Few blocks have a failed or refused step; only in those are the pixel's steps checked.
        if any(shape.kind in _BAD for shape in block.table):
            begin = first.offset if number == first.block else 0
            end = last.offset + 1 if number == last.block else len(block)
            bad |= {block.table[shape].kind for shape in set(block.shapes[begin:end])} & _BAD
    return int(max(bad, default=kind))
