"""The renderer-independent model of a state diagram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from farscope.errors import UsageError
from farscope.records.configuration import TOP
from farscope.records.facts import FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.structure import AnyStateKind, ChartStructure, Reaction, StateKind
from farscope.views.labels import chart_labels
from farscope.views.outcomes import FAILED, HANDLED, PASSED_ON, REFUSED
from farscope.views.statechart.captions import HISTORIES, caption
from farscope.views.statechart.transitions_seen import InitialTaken, Moves, moves

MAX_NESTING = 64
"""Maximum nesting; deeper states are drawn outermost, so that forged charts cannot exhaust memory."""

MAX_PASSED = 10_000
"""Pairs of a state and an unhandled signal counted per chart; further refusals may be shown as not seen."""

MAX_TAKEN = 10_000
"""Pairs of an arrow and a leaf counted per chart; further ones are counted with the arrow only."""

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


class Taken(NamedTuple):
    """An arrow out of a composite state, and the active leaf it was taken from."""

    edge: Edge
    leaf: str


class Remark(NamedTuple):
    """A state's reaction to a signal that has no outgoing arrow."""

    signal: str
    """The signal, with guard or delay if known."""
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
        self._kinds: dict[str, AnyStateKind] = {}
        self._announced: dict[Reaction, None] = {}
        self._reactions: dict[tuple[str, str], dict[Reaction, None]] = {}
        """The same by state and signal."""
        self.seen: Counter[Edge] = Counter()
        """Transitions that were seen, and how often."""
        self.taken: Counter[Taken] = Counter()
        """The same transitions by leaf, if they were taken from a leaf inside their source. A transition from
        around regions belongs to no single leaf, and is not among them."""
        self.active: tuple[str, ...] = ()
        """The active leaves after the last step, in document order; empty if unknown."""
        self.finished = False
        """Whether the chart has reached its final state."""
        self.hooked: Counter[tuple[str, str]] = Counter()
        """(state, signal) handled without a transition, and how often."""
        self.failed: Counter[tuple[str, str]] = Counter()
        """(state, signal) whose reaction was cut short because a handler raised, and how often."""
        self._guarded: Counter[Turn] = Counter()
        self._let_pass: Counter[Turn] = Counter()
        """Events that states did not handle and reported nothing about, as states built of parts do."""
        self._passed: set[tuple[str, str]] = set()
        """(state, inner signal) for states that were entered, left, or asked for an initial transition."""
        self._initials: dict[str | None, InitialTaken] = {}
        self._announced_initials: dict[str | None, str] = {}

    def add_structure(self, structure: ChartStructure) -> None:
        """Add the announced structure of the chart; it may be announced again, larger."""
        for state in structure.states:
            self._parents[state.name] = state.parent
            self._kinds[state.name] = state.kind
            if state.parent:
                self._parents.setdefault(state.parent, "")
        if structure.initial:
            self._know(structure.initial)
            self._announced_initials[None] = structure.initial
        for reaction in structure.reactions:
            self._announced[reaction] = None
            self._reactions.setdefault((reaction.state, reaction.signal), {})[reaction] = None
            for name in (reaction.state, *targets_of(reaction)):
                self._know(name)
            if reaction.target and reaction.signal == _INIT:
                self._announced_initials.setdefault(reaction.state, reaction.target)

    def add(self, step: Step) -> None:
        """Add the next step of this chart."""
        self.add_shape(step.shape, 1)
        self.rest(step.shape)

    def add_shape(self, shape: Shape, times: int) -> None:
        """Add ``times`` steps of one shape at once; the active leaves stay those of the last ``rest``."""
        seen = moves(shape)
        self._passed.update((fact.name, _INNER[fact.kind]) for fact in shape.facts if fact.kind in _INNER)
        if seen.transitions or seen.initials:
            for state in (
                *(transition.target for transition in seen.transitions),
                *shape.end_states,
                *seen.entries,
                *(target for taken in seen.initials for target in taken.targets),
            ):
                self._know(state)
        for taken in seen.initials:
            self._initials[taken.holder] = taken
        self._turn_down(shape, seen, times)
        for edge in self._edges(shape, seen):
            self._know(edge.source)
            self.seen[edge] += times
            self._count_leaf(edge, shape, times)
        for state in seen.hooked:
            self._know(state)
            self.hooked[state, shape.signal] += times

    def rest(self, shape: Shape) -> None:
        """Note that the chart rests in the configuration in which a step of this shape ended."""
        for leaf in shape.end_states:
            self._know(leaf)
        self.active = shape.end_states
        self.finished = not shape.end_states and any(
            fact.kind is FactKind.DONE and fact.name == TOP for fact in shape.facts
        )

    def draws(self, shape: Shape) -> bool:
        """Return whether a step of this shape would only increase counts that are there already."""
        seen, signal = moves(shape), shape.signal
        edges = self._edges(shape, seen)
        return (
            bool(edges or seen.hooked or seen.failed)
            and all(edge in self.seen for edge in edges)
            and all((state, signal) in self.hooked for state in seen.hooked)
            and all((state, signal) in self.failed for state in seen.failed)
        )

    def _edges(self, shape: Shape, seen: Moves) -> list[Edge]:
        """Return the arrows of a step; without a signal where only an eventless reaction leads."""

        def signal_of(source: str, target: str) -> str:
            if not self._reactions_of(source, target, shape.signal) and self._reactions_of(
                source, target, ""
            ):
                return ""
            return shape.signal

        return [Edge(source, target, signal_of(source, target)) for source, target in seen.transitions]

    def _count_leaf(self, edge: Edge, shape: Shape, times: int) -> None:
        taken = Taken(edge, self._leaf_of(edge, shape))
        if taken.leaf and (taken in self.taken or len(self.taken) < MAX_TAKEN):
            self._know(taken.leaf)
            self.taken[taken] += times

    def _leaf_of(self, edge: Edge, shape: Shape) -> str:
        """Return the only active leaf inside the source of a transition; empty if it is the source itself."""
        leaves = shape.start_states
        inside = leaves if len(leaves) == 1 else [leaf for leaf in leaves if edge.source in self.path(leaf)]
        return inside[0] if len(inside) == 1 and inside[0] != edge.source else ""

    def arrows_of(self, shape: Shape) -> list[Taken]:
        """Return the arrows of a step; a leaf is empty if the arrow was taken from its source or several."""
        return [Taken(edge, self._leaf_of(edge, shape)) for edge in self._edges(shape, moves(shape))]

    def _turn_down(self, shape: Shape, seen: Moves, times: int) -> None:
        for state in seen.failed:
            self._know(state)
            self.failed[state, shape.signal] += times
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

    def kind(self, state: str) -> AnyStateKind:
        """Return the kind of a state; plain if it was not announced."""
        return self._kinds.get(state, StateKind.PLAIN)

    def is_region(self, state: str) -> bool:
        """Return whether a state is one of the regions of a parallel state."""
        holder = self.holder(state)
        return (
            holder is not None
            and self.kind(holder) is StateKind.PARALLEL
            and self.kind(state) not in HISTORIES
        )

    def initial(self, holder: str | None) -> Initial | None:
        """Return the initial transition of ``holder``; for None, the chart's own start.

        What was seen goes before what was announced, unless that is a history state, which is never entered
        itself. None if there is neither, or it leads outside.
        """
        announced = self._announced_initials.get(holder)
        taken = self._initials.get(holder)
        targets = () if taken is None else taken.targets
        if announced is not None and (taken is None or self.kind(announced) in HISTORIES):
            targets = (announced, *targets)
        for target in targets:
            initial = self._initial(holder, target, seen=taken is not None)
            if initial is not None:
                return initial
        return None

    def _initial(self, holder: str | None, target: str, *, seen: bool) -> Initial | None:
        # A transition to a parallel state enters a region next, and only that is recorded.
        while self.is_region(target) and (around := self.holder(target)) != holder and around is not None:
            target = around
        child = target
        while (above := self.holder(child)) != holder:
            if above is None:
                return None
            child = above
        return Initial(child, target, seen=seen)

    @property
    def initials(self) -> dict[str | None, tuple[str, bool]]:
        """Initial transitions by the state that has them: where they lead, and whether they were taken."""
        found = {holder: self.initial(holder) for holder in {**self._initials, **self._announced_initials}}
        return {
            holder: (initial.target, initial.seen) for holder, initial in found.items() if initial is not None
        }

    @property
    def unseen(self) -> tuple[Reaction, ...]:
        """Reactions that were announced and have not been seen to run, but for initial transitions."""
        arrows = {(edge.source, edge.signal) for edge in self.seen}
        reacted = arrows | set(self.hooked) | self._passed
        reacted |= {(state, _INIT) for state in self._announced_initials if state and self.initial(state)}
        # A guard's refusal does not show where the transition would have led.
        tried = reacted | {(turn.state, turn.signal) for turn in self.turned}
        ways = Counter((reaction.state, reaction.signal) for reaction in self._announced if reaction.target)

        def was_seen(reaction: Reaction) -> bool:
            pair = reaction.state, reaction.signal
            if not reaction.target:
                return pair in tried
            if ways[pair] > 1 and pair in arrows:
                # Guards decide between the ways, and one of them shows nothing about the others.
                return any(
                    Edge(reaction.state, target, reaction.signal) in self.seen
                    for target in targets_of(reaction)
                )
            return pair in reacted

        return tuple(reaction for reaction in self._announced if not was_seen(reaction))

    def caption(self, edge: Edge) -> str:
        """Return the text of an arrow: its signal, or its delay, with guards and flags."""
        return caption(edge.signal, self._reactions_of(edge.source, edge.target, edge.signal))

    def _reactions_of(self, state: str, target: str, signal: str) -> tuple[Reaction, ...]:
        """Return the announced reactions that an arrow, or a remark if ``target`` is empty, stands for."""
        return tuple(
            reaction
            for reaction in self._reactions.get((state, signal), ())
            if target in targets_of(reaction) or not reaction.target
        )

    def remarks(self) -> dict[str, list[Remark]]:
        """Return the remarks on each state that has some."""
        remarks: dict[str, list[Remark]] = {}

        for (state, signal), times in self.hooked.items():
            text = caption(signal, self._reactions_of(state, "", signal))
            remarks.setdefault(state, []).append(Remark(text, times))
        for (state, signal, outcome), times in self.turned.items():
            text = caption(signal, self._reactions.get((state, signal), ()))
            remarks.setdefault(state, []).append(Remark(text, times, outcome))
        for reaction in self.unseen:
            if not reaction.target:
                text = caption(reaction.signal, (reaction,))
                remarks.setdefault(reaction.state, []).append(Remark(text, 0))
        return remarks


def targets_of(reaction: Reaction) -> tuple[str, ...]:
    """Return all targets of a reaction; none if its target is unknown."""
    return (reaction.target, *reaction.more_targets) if reaction.target else ()


class _Seen:
    """The shapes seen of all charts, mostly few; they are drawn when all are known."""

    def __init__(self) -> None:
        self.charts: dict[ChartId, Statechart] = {}
        self.waiting: Counter[tuple[ChartId, Shape]] = Counter()
        self.last: dict[ChartId, Shape] = {}
        """Shape of the last step of each chart."""
        self._waiting_bytes = 0
        self._drawn: set[int] = set()
        self._drawn_bytes = 0

    def add(self, step: Step) -> None:
        """Add a step.

        Raises:
            UsageError: there is too much to draw.
        """
        key = step.chart, step.shape
        self.last[step.chart] = step.shape
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
    for chart, shape in seen.last.items():
        charts[chart].rest(shape)
    labels = chart_labels(charts)
    return {labels[chart]: statechart for chart, statechart in charts.items()}
