"""Facts: the things that happen inside one run-to-completion step."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import NamedTuple


@unique
class FactKind(IntEnum):
    """The kind of a fact. The numbers are part of the wire format and never change meaning."""

    START = 1
    """The chart was started."""
    SEARCH = 2
    """A state was asked for its parent; ``name`` is the state."""
    ENTRY = 3
    """A state was entered, whether or not it handles its entry."""
    EXIT = 4
    """A state was left, whether or not it handles its exit."""
    INIT = 5
    """A state was asked for its initial transition, whether or not it has one."""
    OFFER = 6
    """The step's event was offered to a state."""
    HOOK = 7
    """That state handled the event without a transition."""
    EMPTY = 8
    """A state's guard refused the event, so the state was asked for its parent."""
    POST_FIFO = 9
    """The chart posted a signal to the back of its own queue; ``name`` is the signal."""
    POST_LIFO = 10
    """The chart posted a signal to the front of its own queue; ``name`` is the signal."""
    DEFER = 11
    """The chart deferred an event; ``name`` is its signal."""
    RECALL = 12
    """The chart recalled a deferred event; ``name`` is its signal."""
    SUBSCRIBE = 13
    """The chart subscribed; ``name`` is the signal, ``detail`` the queue type."""
    PUBLISH = 14
    """The chart published; ``name`` is the signal, ``detail`` the priority."""
    SCRIBBLE = 15
    """The user's free text, stored outside the shape in ``Step.texts``."""
    FAILED = 16
    """A handler of the state ``name`` raised; the error's text is stored in ``Step.texts``.

    If the preceding fact is an entry, exit or init of that state, that action raised. Earlier entries and
    exits of the step are not undone, although the chart remains in the state it was in before the step."""
    CUT = 17
    """The step produced more facts than are kept; ``detail`` is the number left out."""
    REFUSED_POST = 18
    """A post found the queue full; ``name`` is the signal, ``detail`` the outcome."""


TEXT_KINDS = frozenset({FactKind.SCRIBBLE, FactKind.FAILED})
"""Kinds of facts whose text is stored in ``Step.texts``, in the order of the facts."""


class Fact(NamedTuple):
    """One thing that happened inside a step."""

    kind: FactKind
    name: str = ""
    """A state, or a signal where the kind says so."""
    detail: str = ""
