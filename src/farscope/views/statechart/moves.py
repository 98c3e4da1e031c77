"""What a step's facts tell about the chart's arrows: who handled the event, and where it led."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind

CACHED_SHAPES = 4096
"""Shapes whose reading is remembered; a run with more of them reads some again."""

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


@lru_cache(maxsize=CACHED_SHAPES)
def moves(shape: Shape) -> Moves:
    """Read a shape; one without facts, as from trace lines, leads from its start to its end."""
    names = {kind: _names(shape.facts, kind) for kind in (*_MOVING, FactKind.OFFER, FactKind.HOOK)}
    inits = names[FactKind.INIT]
    source = _handler(shape)
    if not shape.traced:
        return Moves(source, None, (), names[FactKind.EXIT], names[FactKind.ENTRY])
    target = inits[0] if inits else shape.end
    initials: tuple[tuple[str | None, str], ...] = tuple(pairwise(inits))
    if shape.kind is StepKind.START:
        initials = ((None, target), *initials)
    return Moves(source, target, initials, names[FactKind.EXIT], names[FactKind.ENTRY])


def _names(facts: tuple[Fact, ...], kind: FactKind) -> tuple[str, ...]:
    return tuple(fact.name for fact in facts if fact.kind is kind)


def _handler(shape: Shape) -> str | None:
    """Return the last state the event was offered to before anything moved: that one took it."""
    if shape.kind in {StepKind.START, StepKind.IGNORED, StepKind.REFUSED, StepKind.FAILED}:
        return None
    handler = shape.start
    for fact in shape.facts:
        if fact.kind in _MOVING:
            break
        if fact.kind is FactKind.OFFER:
            handler = fact.name
    return handler
