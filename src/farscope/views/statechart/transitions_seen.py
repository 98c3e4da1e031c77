"""Derives a chart's arrows from the facts of a step: which states handled the event, and where it led."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind

CACHED_SHAPES = 4096
"""Shapes whose arrows are cached; above that, some are derived again."""

_MOVING = frozenset({FactKind.EXIT, FactKind.ENTRY, FactKind.INIT})

_UNHANDLED = frozenset({StepKind.START, StepKind.IGNORED, StepKind.REFUSED})
"""Kinds of steps whose event no state handled."""


class Transition(NamedTuple):
    """A transition that was taken."""

    source: str
    """State that handled the event."""
    target: str
    """State it led to, before any initial transition."""


class InitialTaken(NamedTuple):
    """An initial transition that was taken."""

    holder: str | None
    """The state that has it; None for the chart's own start."""
    targets: tuple[str, ...]
    """States it may have led to; the first of them that is inside the holder is the right one."""


class Moves(NamedTuple):
    """The arrows of one step, and what states did with its event without a transition."""

    transitions: tuple[Transition, ...]
    """In the order in which they were taken; several only if the chart has regions or needs no event."""
    initials: tuple[InitialTaken, ...]
    entries: tuple[str, ...]
    """States entered, outermost first."""
    hooked: tuple[str, ...]
    """States that handled the event without a transition."""
    failed: tuple[str, ...]
    """States whose reaction failed, or raised an error that was caught."""
    passed: tuple[str, ...]
    """States that were offered the event and did not handle it, innermost first."""
    guarded: tuple[str, ...]
    """States whose guard refused the event."""


@lru_cache(maxsize=CACHED_SHAPES)
def moves(shape: Shape) -> Moves:
    """Return the arrows of a shape; one without facts, as from trace lines, leads from start to end.

    Transitions are those of its TRAN facts. Where it has none, the step took one at most, and the order of
    the other facts shows it. Whether a step moved the chart, or failed, is judged by facts and configurations
    rather than by its kind: a step that failed may have moved, and one that moved may have failed in part.
    """
    facts = shape.facts
    offered, guarded = _names(facts, FactKind.OFFER), _names(facts, FactKind.EMPTY)
    entries = _names(facts, FactKind.ENTRY)
    transitions = _transitions(shape, entries)
    hooked, failed = _hooked(shape), _failed(shape)
    reacted = {transition.source for transition in transitions} | {*hooked, *failed}
    if not reacted and shape.kind not in _UNHANDLED:
        reacted = set(_handlers(shape))
    passed = tuple(state for state in offered if state not in reacted and state not in guarded)
    initials = _initials(shape, entries) if _has_moved(shape) else ()
    return Moves(transitions, initials, entries, hooked, failed, passed, guarded)


def _has_moved(shape: Shape) -> bool:
    return shape.traced or shape.start_states != shape.end_states


def _transitions(shape: Shape, entries: tuple[str, ...]) -> tuple[Transition, ...]:
    if not _has_moved(shape):
        return ()
    recorded = [fact for fact in shape.facts if fact.kind is FactKind.TRAN]
    if recorded:
        return tuple(Transition(fact.name, fact.detail) for fact in recorded if fact.name and fact.detail)
    if shape.kind in _UNHANDLED:
        return ()
    sources, inits = _handlers(shape), _names(shape.facts, FactKind.INIT)
    if inits:
        return tuple(Transition(source, inits[0]) for source in sources[:1])
    targets = _leaves_entered(shape)
    if len(targets) > 1 and entries:
        targets = entries[:1]
    if not sources or not targets:
        return ()
    # Leaves are in document order, so the first left and the first entered belong to one region.
    count = max(len(sources), len(targets))
    return tuple(
        Transition(sources[min(place, len(sources) - 1)], targets[min(place, len(targets) - 1)])
        for place in range(count)
    )


def _leaves_entered(shape: Shape) -> tuple[str, ...]:
    """Return the leaves that a step entered; those it ended in if it entered none for the first time."""
    return tuple(leaf for leaf in shape.end_states if leaf not in shape.start_states) or shape.end_states


def _handlers(shape: Shape) -> tuple[str, ...]:
    """Return the last state that was offered the event before any exit or entry: it handled the event.

    Where no offer was recorded, return the leaves that the step left.
    """
    handler: tuple[str, ...] = ()
    for fact in shape.facts:
        if fact.kind in _MOVING:
            break
        if fact.kind is FactKind.OFFER:
            handler = (fact.name,)
    if handler:
        return handler
    left = tuple(leaf for leaf in shape.start_states if leaf not in shape.end_states)
    return left or shape.start_states


def _hooked(shape: Shape) -> tuple[str, ...]:
    hooked = _names(shape.facts, FactKind.HOOK)
    return _handlers(shape)[:1] if shape.kind is StepKind.HOOK and not hooked else hooked


def _failed(shape: Shape) -> tuple[str, ...]:
    """Return the states whose reactions failed, even if an entry, exit or init of another state raised."""
    handler, failed, moving = None, dict[str, None](), False
    for fact in shape.facts:
        moving = moving or fact.kind in _MOVING
        if fact.kind is FactKind.TRAN or (fact.kind is FactKind.OFFER and not moving):
            handler = fact.name
        elif fact.kind is FactKind.FAILED and handler is not None:
            failed[handler] = None
    if shape.kind is StepKind.FAILED and not failed and handler is not None:
        return (handler,)
    return tuple(failed)


def _initials(shape: Shape, entries: tuple[str, ...]) -> tuple[InitialTaken, ...]:
    """Return the initial transitions taken.

    A state asked for its initial transition has one if a state inside it is entered next. That is usually the
    one asked next, but final states and regions are not asked.
    """
    inits = [place for place, fact in enumerate(shape.facts) if fact.kind is FactKind.INIT]
    taken = []
    if shape.kind is StepKind.START:
        named = shape.facts[inits[0]].name if inits else None
        first = (named,) if named is not None else entries[:1] or shape.end_states[:1]
        taken = [InitialTaken(None, first)] if first else []
    for place, following in pairwise([*inits, len(shape.facts)]):
        between = _names(shape.facts[place:following], FactKind.ENTRY)
        asked = (shape.facts[following].name,) if following < len(shape.facts) else ()
        if between or asked:
            taken.append(InitialTaken(shape.facts[place].name, (*asked, *between)))
    return tuple(taken)


def _names(facts: tuple[Fact, ...], kind: FactKind) -> tuple[str, ...]:
    return tuple(fact.name for fact in facts if fact.kind is kind)
