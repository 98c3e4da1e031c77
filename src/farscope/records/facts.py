"""Facts: the things that happen inside one run-to-completion step."""

from __future__ import annotations

from enum import IntEnum, unique
from typing import NamedTuple

from farscope.records.kinds import FIRST_WITH_TEXT, UnknownKind


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
    exits of the step are not undone, although the chart remains in the state it was in before the step.
    ``detail`` is the error's message where the text is not a Python traceback, else empty."""
    CUT = 17
    """The step produced more facts than are kept; ``detail`` is the number left out."""
    REFUSED_POST = 18
    """A post found the queue full; ``name`` is the signal, ``detail`` the outcome."""
    TRAN = 19
    """A transition was taken from the state ``name`` to the state ``detail``; recorded before its exits.

    Recorded if the chart has regions, history or final states, or if a step takes several transitions; it has
    no spy line."""
    LOG = 20
    """A log record made during the step; ``name`` is the logger, ``detail`` the level. Its message is stored
    in ``Step.texts``."""
    DONE = 21
    """A composite state or region completed: it reached its final state. ``name`` is the state; ``top`` if
    the whole chart did."""
    TRANSMIT = 22
    """The chart sent a signal to a chart elsewhere; ``name`` is the signal, ``detail`` the address."""
    VOIDED = 23
    """A timeout, or the outcome of a task, was discarded before it was handled, because its state was left;
    ``name`` is its signal."""


AnyFactKind = FactKind | UnknownKind
"""A kind of fact, or one that a later release defined."""

TEXT_KINDS = frozenset({FactKind.SCRIBBLE, FactKind.FAILED, FactKind.LOG})
"""Kinds of facts whose text is stored in ``Step.texts``, in the order of the facts."""

SILENT_KINDS = frozenset({FactKind.TRAN})
"""Kinds of facts without a spy line: other facts of the step imply them in plain charts."""


def takes_text(kind: AnyFactKind) -> bool:
    """Return whether a fact of this kind takes one of the step's free texts."""
    return kind in TEXT_KINDS or (isinstance(kind, UnknownKind) and kind >= FIRST_WITH_TEXT)


class Fact(NamedTuple):
    """One thing that happened inside a step."""

    kind: AnyFactKind
    name: str = ""
    """A state, or a signal where the kind says so."""
    detail: str = ""
