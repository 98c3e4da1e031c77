"""The life of a chart, from its making to its end."""

from __future__ import annotations

from enum import Enum, unique


@unique
class Life(Enum):
    """Where a chart is in its life.

    Only the thread that runs a chart's steps, or ends it between two steps, moves it on. Every other thread,
    finalizer or signal handler that wants it to end leaves a request (``Core.stop_asked``), which is read
    after each move. No request is lost that way: there is no operation in Python that compares and replaces
    an attribute at once.
    """

    NEW = "new"
    """Not started, or the start failed."""
    STARTING = "starting"
    """The first step is running."""
    RESTING = "resting"
    """Between two steps: the only time at which a step may begin."""
    STEPPING = "stepping"
    """A step is running, or waits for an answer of a handler."""
    STOPPING = "stopping"
    """The watchers are being notified of the end, and what only steps need is released."""
    ENDED = "ended"
