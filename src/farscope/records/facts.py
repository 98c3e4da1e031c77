"""Facts: the things that happen inside one run-to-completion step."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import NamedTuple


@unique
class FactKind(IntEnum):
    """What a fact tells. The numbers are part of the wire format and never change meaning."""

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
    """A guard refused the event in a state, so the state was asked for its parent."""
    POST_FIFO = 9
    """The chart posted a signal to the back of its own queue; ``name`` is the signal."""
    POST_LIFO = 10
    """The chart posted a signal to the front of its own queue; ``name`` is the signal."""
    DEFER = 11
    """The chart put an event aside; ``name`` is its signal."""
    RECALL = 12
    """The chart took a deferred event back; ``name`` is its signal."""
    SUBSCRIBE = 13
    """The chart subscribed; ``name`` is the signal, ``detail`` the queue type."""
    PUBLISH = 14
    """The chart published; ``name`` is the signal, ``detail`` the priority."""
    SCRIBBLE = 15
    """The user's free text, which rides beside the shape in ``Step.texts``."""
    FAILED = 16
    """A handler of the state ``name`` raised; the error's text rides in ``Step.texts``.

    If the fact before it is an entry, exit or init of that state, it was that action which raised. Entries
    and exits before it were made and stay so, though the chart rests where it rested before the step."""
    CUT = 17
    """The step made more facts than are kept; ``detail`` says how many were left out."""
    REFUSED_POST = 18
    """A post found its queue full; ``name`` is the signal, ``detail`` what became of it."""


TEXT_KINDS = frozenset({FactKind.SCRIBBLE, FactKind.FAILED})
"""Facts whose text rides in ``Step.texts``, in the order of the facts."""


class Fact(NamedTuple):
    """One thing that happened inside a step."""

    kind: FactKind
    name: str = ""
    """A state, or a signal where the kind says so."""
    detail: str = ""
