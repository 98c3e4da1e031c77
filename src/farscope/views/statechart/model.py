"""The renderer-independent model of a state diagram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from farscope.errors import UsageError
from farscope.records.facts import FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.structure import ChartStructure, Reaction
from farscope.views.labels import chart_labels
from farscope.views.outcomes import FAILED, HANDLED, PASSED_ON, REFUSED
from farscope.views.statechart.transitions_seen import Moves, moves

MAX_NESTING = 64
"""Maximum nesting; deeper states are drawn outermost, so that forged charts cannot exhaust memory."""

MAX_PASSED = 10_000
"""Pairs of a state and an unhandled signal counted per chart; further refusals may be shown as not seen."""

WAITING_BYTES = 32 << 20
"""Maximum size in bytes of shapes that wait to be drawn."""

DRAWN_BYTES = 96 << 20
"""Maximum size in bytes of all different shapes of a run; a picture of more would be unreadable."""

_INIT = "INIT_SIGNAL"

_INNER: dict[int, str] = {
    FactKind.ENTRY: "ENTRY_SIGNAL",
    FactKind.EXIT: "EXIT_SIGNAL",
    FactKind.INIT: _INIT,
}


class Edge(NamedTuple):
    """An arrow between two states."""

    source: str
    target: str
    signal: str


class Remark(NamedTuple):
    """A state's reaction to a signal that has no outgoing arrow."""

    signal: str
    times: int
    """How often it was seen; 0 for a reaction that was only announced."""
    outcome: str = HANDLED
    """``handled``, or the outcome of a ``Turn``."""

    @property
    def rest(self) -> str:
        """The text after the signal."""
        return f"{self.outcome} x {self.times}" if self.times else "(not seen)"


class Turn(NamedTuple):
    """An event that a state did not handle although it has a reaction to it."""

    state: str
    signal: str
    outcome: str
    """``refused`` by a guard, ``passed on`` to the state around, or ``failed`` because a handler raised."""


class Initial(NamedTuple):
    """An initial transition, drawn as a dot with an arrow."""

    child: str
    """Child of the holder that it leads to or into."""
    target: str
    """State it leads to, which may lie deeper than ``child``."""
    seen: bool
    """Whether it was taken; otherwise it was only announced."""


class Statechart:
    """A chart's states, and the arrows that were announced or seen; grows as steps and structures are added.

    Memory grows with the number of different states and arrows, not with the number of steps. Not
    thread-safe.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._announced: dict[Reaction, None] = {}
        self.seen: Counter[Edge] = Counter()
        """Transitions that were seen, and how often."""
        self.hooked: Counter[tuple[str, str]] = Counter()
        """(state, signal) handled without a transition, and how often."""
        self.failed: Counter[tuple[str, str]] = Counter()
        """(state, signal) whose reaction was cut short because a handler raised, and how often."""
        self._guarded: Counter[Turn] = Counter()
        self._let_pass: Counter[Turn] = Counter()
        """Events that states did not handle and reported nothing about, as states built of parts do."""
        self._passed: set[tuple[str, str]] = set()
        """(state, inner signal) for states that were entered, left, or asked for an initial transition."""
        self._initials: dict[str | None, str] = {}
        self._announced_initials: dict[str | None, str] = {}

    def add_structure(self, structure: ChartStructure) -> None:
        """Add the announced structure of the chart; it may be announced again, larger."""
        for state in structure.states:
            self._parents[state.name] = state.parent
            if state.parent:
                self._parents.setdefault(state.parent, "")
        for reaction in structure.reactions:
            self._announced[reaction] = None
            self._know(reaction.state)
            if reaction.target:
                self._know(reaction.target)
                if reaction.signal == _INIT:
                    self._announced_initials.setdefault(reaction.state, reaction.target)

    def add(self, step: Step) -> None:
        """Add a step of this chart."""
        self.add_shape(step.shape, 1)

    def add_shape(self, shape: Shape, times: int) -> None:
        """Add ``times`` steps of one shape at once."""
        seen = moves(shape)
        self._passed.update((fact.name, _INNER[fact.kind]) for fact in shape.facts if fact.kind in _INNER)
        if seen.target is not None:
            for holder, target in seen.initials:
                self._initials[holder] = target
            for state in (seen.target, shape.end, *seen.entries):
                self._know(state)
        self._turn_down(shape, seen, times)
        if seen.source is None:
            return
        self._know(seen.source)
        if seen.target is not None:
            self.seen[Edge(seen.source, seen.target, shape.signal)] += times
        elif shape.kind is StepKind.HOOK:
            self.hooked[seen.source, shape.signal] += times

    def _turn_down(self, shape: Shape, seen: Moves, times: int) -> None:
        if seen.failed is not None:
            self._know(seen.failed)
            self.failed[seen.failed, shape.signal] += times
        silent = REFUSED if shape.kind is StepKind.REFUSED else PASSED_ON
        for counts, states, outcome in (
            (self._let_pass, seen.passed, silent),
            (self._guarded, seen.guarded, REFUSED),
        ):
            for state in states:
                turn = Turn(state, shape.signal, outcome)
                if turn in counts or len(counts) < MAX_PASSED:
                    counts[turn] += times

    @property
    def turned(self) -> dict[Turn, int]:
        """Events that known states with a matching reaction did not handle, and how often."""
        reactions = {(reaction.state, reaction.signal) for reaction in self._announced}
        turned = {turn: times for turn, times in self._let_pass.items() if turn[:2] in reactions}
        for turn, times in self._guarded.items():
            if turn.state in self._parents:
                turned[turn] = turned.get(turn, 0) + times
        return turned | {Turn(*pair, FAILED): times for pair, times in self.failed.items()}

    def _know(self, state: str) -> None:
        self._parents.setdefault(state, "")

    @property
    def states(self) -> tuple[str, ...]:
        """All known states, in the order in which they became known."""
        return tuple(self._parents)

    def path(self, state: str) -> tuple[str, ...]:
        """Return the states that hold ``state``, outermost first, itself last.

        Announcements come from elsewhere and may be nonsense: a circle of parents is cut where it closes,
        and nesting at ``MAX_NESTING``.
        """
        path = [state]
        parent = self._parents.get(state, "")
        while parent and parent not in path and len(path) < MAX_NESTING:
            path.append(parent)
            parent = self._parents.get(parent, "")
        return tuple(reversed(path))

    def children(self) -> Mapping[str | None, tuple[str, ...]]:
        """Return the children of each state; under None the outermost ones. Always a tree."""
        children: dict[str | None, list[str]] = {None: []}
        for state in self._parents:
            children.setdefault(self.holder(state), []).append(state)
        return {parent: tuple(states) for parent, states in children.items()}

    def holder(self, state: str) -> str | None:
        """Return the state that holds ``state`` in the tree ``children`` gives; None for an outermost one."""
        path = self.path(state)
        cut = self._parents.get(path[0], "") != ""
        return None if len(path) == 1 or cut else path[-2]

    def initial(self, holder: str | None) -> Initial | None:
        """Return the initial transition of ``holder``; for None, the chart's own start.

        What was seen goes before what was announced. None if there is neither, or it leads outside.
        """
        target = self._initials.get(holder, self._announced_initials.get(holder))
        if target is None:
            return None
        child = target
        while (above := self.holder(child)) != holder:
            if above is None:
                return None
            child = above
        return Initial(child, target, seen=holder in self._initials)

    @property
    def initials(self) -> dict[str | None, tuple[str, bool]]:
        """Initial transitions by the state that has them: where they lead, and whether they were taken."""
        initials = {holder: (target, True) for holder, target in self._initials.items()}
        for holder, target in self._announced_initials.items():
            initial = self.initial(holder)
            if initial is not None and not initial.seen:
                initials[holder] = (target, False)
        return initials

    @property
    def unseen(self) -> tuple[Reaction, ...]:
        """Reactions that were announced and have not been seen to run, but for initial transitions."""
        reacted = {(edge.source, edge.signal) for edge in self.seen} | set(self.hooked) | self._passed
        reacted |= {(state, _INIT) for state in self._announced_initials if state and self.initial(state)}
        # A guard's refusal does not show where the transition would have led.
        tried = reacted | {(turn.state, turn.signal) for turn in self.turned}
        return tuple(
            reaction
            for reaction in self._announced
            if (reaction.state, reaction.signal) not in (reacted if reaction.target else tried)
        )

    def remarks(self) -> dict[str, list[Remark]]:
        """Return the remarks on each state that has some."""
        remarks: dict[str, list[Remark]] = {}
        for (state, signal), times in self.hooked.items():
            remarks.setdefault(state, []).append(Remark(signal, times))
        for (state, signal, outcome), times in self.turned.items():
            remarks.setdefault(state, []).append(Remark(signal, times, outcome))
        for reaction in self.unseen:
            if not reaction.target:
                remarks.setdefault(reaction.state, []).append(Remark(reaction.signal, 0))
        return remarks


class _Seen:
    """The shapes seen of all charts, mostly few; they are drawn when all are known."""

    def __init__(self) -> None:
        self.charts: dict[ChartId, Statechart] = {}
        self.waiting: Counter[tuple[ChartId, Shape]] = Counter()
        self._waiting_bytes = 0
        self._drawn: set[int] = set()
        self._drawn_bytes = 0

    def add(self, step: Step) -> None:
        """Add a step.

        Raises:
            UsageError: there is too much to draw.
        """
        key = step.chart, step.shape
        if key not in self.waiting:
            self._waiting_bytes += step.shape.size
            if self._waiting_bytes > WAITING_BYTES:
                self._draw()
        self.waiting[key] += 1

    def _draw(self) -> None:
        for (chart, shape), times in self.waiting.items():
            if hash((chart, shape)) not in self._drawn:
                self._drawn.add(hash((chart, shape)))
                self._drawn_bytes += shape.size
            if self._drawn_bytes > DRAWN_BYTES:
                raise UsageError(
                    "there are too many different steps for pictures of states", "choose charts with --chart"
                )
            if chart not in self.charts:
                self.charts[chart] = Statechart()
            self.charts[chart].add_shape(shape, times)
        self.waiting.clear()
        self._waiting_bytes = 0


def statecharts(
    steps: Iterable[Step], structures: Mapping[ChartId, ChartStructure | None]
) -> dict[str, Statechart]:
    """Return a statechart for each chart seen or announced, by a label that distinguishes it from the others.

    ``structures`` is looked at when the last step was read, so it may fill while they are.
    """
    seen = _Seen()
    for step in steps:
        seen.add(step)
    charts: dict[ChartId, Statechart] = {}
    for chart, structure in structures.items():
        charts[chart] = seen.charts.pop(chart, Statechart())
        if structure is not None:
            charts[chart].add_structure(structure)
    charts |= seen.charts
    for (chart, shape), times in seen.waiting.items():
        if chart not in charts:
            charts[chart] = Statechart()
        charts[chart].add_shape(shape, times)
    labels = chart_labels(charts)
    return {labels[chart]: statechart for chart, statechart in charts.items()}
