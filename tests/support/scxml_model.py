"""A model of the algorithm of the W3C recommendation SCXML (2015), written from its pseudo-code.

It shares no code with farscope, and is meant to be read next to the recommendation rather than to be fast.
Procedure names are the recommendation's. Where our charts follow Samek instead, a comment begins with
"Samek". States are numbered in document order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

ROOT = -1
PLAIN, PARALLEL, HISTORY, DEEP, FINAL = "plain", "parallel", "history", "deep history", "final"

MICROSTEPS = 21
"""Maximum number of microsteps about one external event: more are taken for an endless chain."""


@dataclass(frozen=True)
class Arrow:
    """A transition of a state."""

    event: str
    target: int | None
    """None: only an action, no transition."""
    refuses: frozenset[int] = frozenset()
    """The numbers of the external events at whose time its guard is false."""


@dataclass(frozen=True)
class Node:
    """A state of a chart."""

    kind: str
    parent: int
    initial: int | None = None
    """Of a plain state with children: a state inside it. Of a history state: its default."""
    arrows: tuple[Arrow, ...] = ()


@dataclass
class Microstep:
    """What one event did."""

    event: str
    exited: list[int] = field(default_factory=list)
    entered: list[int] = field(default_factory=list)
    exited_at_the_end: list[int] = field(default_factory=list)
    """The states left because the chart ended."""
    done: list[int] = field(default_factory=list)
    """Completed states, in order; ROOT for the chart."""
    leaves: tuple[int, ...] = ()


@dataclass(frozen=True)
class Enabled:
    """An arrow that was selected, with the state that has it."""

    source: int
    arrow: Arrow


class Interpreter:
    """An interpreter of one chart."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes
        self.configuration: set[int] = set()
        self.history_value: dict[int, list[int]] = {}
        self.internal: list[str] = []
        self.running = True
        self.now = 0
        self.step = Microstep("")

    # Structure

    def children(self, state: int) -> list[int]:
        return [
            index
            for index, node in enumerate(self.nodes)
            if node.parent == state and node.kind not in (HISTORY, DEEP)
        ]

    def histories(self, state: int) -> list[int]:
        return [
            i for i, node in enumerate(self.nodes) if node.parent == state and node.kind in (HISTORY, DEEP)
        ]

    def kind(self, state: int) -> str:
        return PLAIN if state == ROOT else self.nodes[state].kind

    def proper_ancestors(self, state: int, up_to: int | None = None) -> list[int]:
        found = []
        while state != ROOT:
            state = self.nodes[state].parent
            if state == up_to:
                break
            found.append(state)
        return found

    def is_descendant(self, state: int, of: int) -> bool:
        return of in self.proper_ancestors(state)

    # Samek: a composite state without an initial state may itself be the place to rest.
    def atomic_states(self) -> list[int]:
        return sorted(
            s for s in self.configuration if not any(c in self.configuration for c in self.children(s))
        )

    # The main loop

    def start(self, target: int) -> list[Microstep]:
        self.step = Microstep("start")
        self.enter_states([Enabled(ROOT, Arrow("start", target))], domain=lambda _: ROOT)
        return self.finish_macrostep([self.finish_microstep()])

    def external(self, event: str) -> list[Microstep]:
        self.now += 1
        return self.finish_macrostep([self.microstep(event)])

    def finish_macrostep(self, steps: list[Microstep], limit: int = MICROSTEPS) -> list[Microstep]:
        while self.running and self.internal and len(steps) < limit:
            steps.append(self.microstep(self.internal.pop(0)))
        return steps

    def microstep(self, event: str) -> Microstep:
        self.step = Microstep(event)
        enabled = self.select_transitions(event)
        self.exit_states(enabled)
        self.enter_states(enabled, self.transition_domain)
        return self.finish_microstep()

    def finish_microstep(self) -> Microstep:
        if not self.running:
            self.exit_interpreter()
        self.step.leaves = tuple(self.atomic_states())
        return self.step

    # Selection

    def select_transitions(self, event: str) -> list[Enabled]:
        enabled: list[Enabled] = []
        for state in self.atomic_states():
            found = self.first_match([state, *self.proper_ancestors(state)], event)
            if found is not None and found not in enabled:
                enabled.append(found)
        return self.remove_conflicting(enabled)

    def first_match(self, states: Iterable[int], event: str) -> Enabled | None:
        for state in states:
            if state != ROOT:
                for arrow in self.nodes[state].arrows:
                    if arrow.event == event and self.now not in arrow.refuses:
                        return Enabled(state, arrow)
        return None

    def remove_conflicting(self, enabled: list[Enabled]) -> list[Enabled]:
        kept: list[Enabled] = []
        for one in enabled:
            preempted, to_remove = False, []
            for other in kept:
                if self.claims(one) & self.claims(other):
                    if self.is_descendant(one.source, other.source):
                        to_remove.append(other)
                    else:
                        preempted = True
                        break
            if not preempted:
                kept = [other for other in kept if other not in to_remove]
                kept.append(one)
        return kept

    # Samek: a composite state at rest that goes to a state inside it leaves nothing, and yet stops resting.
    def claims(self, one: Enabled) -> set[int]:
        if one.arrow.target is None:
            return set()
        domain = self.transition_domain(one)
        return self.exit_set([one]) | ({domain} & set(self.atomic_states()))

    # Leaving

    def transition_domain(self, one: Enabled) -> int:
        """Samek: the least common ancestor, even if it is the source or the target, unless it is both.

        A history state counts as the place where it is drawn, whatever it stands for.
        """
        target = one.arrow.target
        assert target is not None
        if target == one.source:
            return self.nodes[target].parent
        around = [target, *self.proper_ancestors(target)]
        return next(s for s in [one.source, *self.proper_ancestors(one.source)] if s in around)

    def exit_set(self, enabled: list[Enabled]) -> set[int]:
        left: set[int] = set()
        for one in enabled:
            if one.arrow.target is not None:
                domain = self.transition_domain(one)
                left |= {s for s in self.configuration if self.is_descendant(s, domain)}
        return left

    def exit_states(self, enabled: list[Enabled]) -> None:
        left = sorted(self.exit_set(enabled), reverse=True)
        for state in left:
            for history in self.histories(state):
                if self.kind(history) == DEEP:
                    value = [s for s in self.atomic_states() if self.is_descendant(s, state)]
                else:
                    value = [s for s in sorted(self.configuration) if self.nodes[s].parent == state]
                self.history_value[history] = value
        for state in left:
            self.step.exited.append(state)
            self.configuration.discard(state)

    def exit_interpreter(self) -> None:
        self.step.exited_at_the_end += sorted(self.configuration, reverse=True)
        self.configuration.clear()
        self.internal.clear()

    # Entering

    def enter_states(self, enabled: list[Enabled], domain: Callable[[Enabled], int]) -> None:
        to_enter: set[int] = set()
        for one in enabled:
            if one.arrow.target is None:
                continue
            top = domain(one)
            self.add_descendants(one.arrow.target, to_enter)
            for state in self.effective_targets(one.arrow.target):
                self.add_ancestors(state, top, to_enter)
            # Samek: the domain can be a parallel state, whose regions were all left.
            if self.kind(top) == PARALLEL:
                self.add_regions(top, to_enter)
        for state in sorted(to_enter - self.configuration - {ROOT}):
            self.step.entered.append(state)
            self.configuration.add(state)
            if self.kind(state) == FINAL:
                self.complete(self.nodes[state].parent)

    def complete(self, state: int) -> None:
        self.step.done.append(state)
        if state == ROOT:
            self.running = False
            return
        # An event to which no state reacts changes nothing; we make no step for it.
        if any(arrow.event == f"done {state}" for node in self.nodes for arrow in node.arrows):
            self.internal.append(f"done {state}")
        around = self.nodes[state].parent
        # The pseudo-code looks one level up; its prose, and we, also at parallel states directly around.
        if self.kind(around) == PARALLEL and all(self.in_final_state(s) for s in self.children(around)):
            self.complete(around)

    def in_final_state(self, state: int) -> bool:
        if self.kind(state) == PARALLEL:
            return all(self.in_final_state(child) for child in self.children(state))
        return any(
            self.kind(child) == FINAL and child in self.configuration for child in self.children(state)
        )

    def effective_targets(self, state: int) -> list[int]:
        if self.kind(state) not in (HISTORY, DEEP):
            return [state]
        if self.history_value.get(state):
            return self.history_value[state]
        default = self.nodes[state].initial
        return [self.nodes[state].parent] if default is None else [default]

    def add_descendants(self, state: int, to_enter: set[int]) -> None:
        node = self.nodes[state]
        if node.kind in (HISTORY, DEEP):
            for inner in self.effective_targets(state):
                self.add_descendants(inner, to_enter)
            for inner in self.effective_targets(state):
                self.add_ancestors(inner, node.parent, to_enter)
            return
        to_enter.add(state)
        if node.kind == PARALLEL:
            self.add_regions(state, to_enter)
        elif node.initial is not None:
            self.add_descendants(node.initial, to_enter)
            for inner in self.effective_targets(node.initial):
                self.add_ancestors(inner, state, to_enter)

    def add_ancestors(self, state: int, up_to: int, to_enter: set[int]) -> None:
        if state == up_to:
            return
        for ancestor in self.proper_ancestors(state, up_to):
            to_enter.add(ancestor)
            if self.kind(ancestor) == PARALLEL:
                self.add_regions(ancestor, to_enter)

    def add_regions(self, parallel: int, to_enter: set[int]) -> None:
        for region in self.children(parallel):
            if not any(s == region or self.is_descendant(s, region) for s in to_enter):
                self.add_descendants(region, to_enter)
