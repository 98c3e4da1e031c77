"""Derives a chart's arrows from the facts of a step: which state handled the event, and where it led."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind

CACHED_SHAPES = 4096
"""Shapes whose arrows are cached; above that, some are derived again."""

_MOVING = frozenset({FactKind.EXIT, FactKind.ENTRY, FactKind.INIT})


class Moves(NamedTuple):
    """The arrows of one step."""

    source: str | None
    """State that handled the event; None if none did."""
    target: str | None
    """State the transition led to, before any initial transition; None if there was none."""
    initials: tuple[tuple[str | None, str], ...]
    """Initial transitions taken, (holder, target); the holder None is the chart's own start."""
    exits: tuple[str, ...]
    """States left, innermost first."""
    entries: tuple[str, ...]
    """States entered, outermost first."""
    failed: str | None
    """State whose reaction was cut short because a handler raised; None if none was."""
    passed: tuple[str, ...]
    """States that were offered the event and did not handle it, innermost first."""
    guarded: tuple[str, ...]
    """States whose guard refused the event."""


@lru_cache(maxsize=CACHED_SHAPES)
def moves(shape: Shape) -> Moves:
    """Return the arrows of a shape; one without facts, as from trace lines, leads from start to end."""
    names = {kind: _names(shape.facts, kind) for kind in (*_MOVING, FactKind.OFFER, FactKind.EMPTY)}
    inits = names[FactKind.INIT]
    offered = names[FactKind.OFFER]
    handler = _handler(shape)
    failed = handler if shape.kind is StepKind.FAILED and offered else None
    source = None if shape.kind is StepKind.FAILED else handler
    guarded = names[FactKind.EMPTY]
    passed = tuple(state for state in offered if state not in {source, failed, *guarded})
    exits, entries = names[FactKind.EXIT], names[FactKind.ENTRY]
    if not shape.traced:
        return Moves(source, None, (), exits, entries, failed, passed, guarded)
    target = inits[0] if inits else shape.end
    initials: tuple[tuple[str | None, str], ...] = tuple(pairwise(inits))
    if shape.kind is StepKind.START:
        initials = ((None, target), *initials)
    return Moves(source, target, initials, exits, entries, failed, passed, guarded)


def _names(facts: tuple[Fact, ...], kind: FactKind) -> tuple[str, ...]:
    return tuple(fact.name for fact in facts if fact.kind is kind)


def _handler(shape: Shape) -> str | None:
    """Return the last state that was offered the event before any exit or entry: it handled the event."""
    if shape.kind in {StepKind.START, StepKind.IGNORED, StepKind.REFUSED}:
        return None
    handler = shape.start
    for fact in shape.facts:
        if fact.kind in _MOVING:
            break
        if fact.kind is FactKind.OFFER:
            handler = fact.name
    return handler
