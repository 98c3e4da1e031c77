"""Constructor options of charts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, Final, Literal, TypedDict

from farscope.engine.event import Event
from farscope.engine.pubsub import Fabric
from farscope.engine.timers.schedule import Clock
from farscope.errors import UsageError

QUEUE_CAPACITY = 500
"""Default ``queue_size``: the maximum number of events in a chart's queue, and of deferred events.
``on_full`` determines what happens to further posts."""

OnFull = Literal["raise", "drop"]

Verdict = Literal["stop", "continue"]

OnError = Verdict | Callable[[Any, Event, Exception], Verdict]


class ChartOptions(TypedDict, total=False):
    """The options of every chart, given by keyword."""

    queue_size: int
    """Maximum number of events in the queue, and of deferred events; 500 by default."""
    ring_size: int
    """Maximum number of steps kept for ``spy``, of steps with a transition kept for ``trace``, and of lines
    that ``spy`` returns; 500 by default."""
    on_full: OnFull
    """What happens to a post that finds no room: ``"raise"`` raises ``QueueFull`` to the poster; ``"drop"``
    discards the event. Either way ``chart.rejected`` counts it and watchers see it."""
    fabric: Fabric
    """The fabric through which the chart publishes and subscribes; by default that of the process."""
    clock: Clock
    """The clock that makes the chart's timed posts; by default that of the process."""
    parent: Any
    """The chart that contains this one, for example ``self`` in a handler: watchers see it, it receives an
    event when this chart ends (``CHILD_FINISHED``, ``CHILD_FAILED`` or ``CHILD_STOPPED``), and this chart
    ends with it."""
    outlives_parent: bool
    """Whether the chart continues when its parent ends; it does not by default."""


_OF_EVERY_CHART: Final = frozenset(ChartOptions.__annotations__)
_OF_ACTIVE_CHARTS: Final = frozenset({"on_error", "runner"})
"""Further options of charts that run by themselves: see ``ActiveOptions``."""


_OF_MIROS: Final = {
    "maxlen": "queue_size= says how many events its queue holds",
    "priority": "leave it out: it has no effect in miros either",
}
"""Options of charts in other libraries, such as miros, and what to use instead."""


def refuse_unknown(options: Iterable[str]) -> None:
    """Raise ``UsageError`` if one of the names is not an option that every chart has."""
    for name in options:
        if name in _OF_ACTIVE_CHARTS:
            raise UsageError(
                f"{name} is not an option of a chart that its caller drives",
                "give it to a chart that runs by itself: ActiveObject, Factory, Chart or AsyncChart",
            )
        if name not in _OF_EVERY_CHART:
            if name in _OF_MIROS:
                raise UsageError(f"a chart has no option {name}", _OF_MIROS[name])
            known = sorted(_OF_EVERY_CHART | _OF_ACTIVE_CHARTS)
            raise UsageError(f"a chart has no option {name}", f"its options are {', '.join(known)}")


def checked_on_error(on_error: OnError) -> OnError:
    """Return ``on_error``.

    Raises:
        UsageError: it is neither a policy nor callable, or it is a coroutine function.
    """
    if on_error in ("stop", "continue") or (callable(on_error) and not iscoroutinefunction(on_error)):
        return on_error
    raise UsageError(
        f"on_error cannot be {on_error!r}",
        "give on_error='stop', on_error='continue', or a plain function of chart, event and error",
    )


def checked_queue_size(size: int) -> int:
    """Return ``size``.

    Raises:
        UsageError: it is not a valid queue size.
    """
    if size < 1:
        raise UsageError(f"a queue cannot hold {size!r} events", "give a queue_size of at least 1")
    return size


def checked_ring_size(size: int) -> int:
    """Return ``size``.

    Raises:
        UsageError: it is not a valid ring size.
    """
    if size < 0:
        raise UsageError(f"a ring cannot hold {size!r} steps", "give a ring_size of 0 or more")
    return size


def drops(on_full: OnFull) -> bool:
    """Return whether a post beyond the queue's size is dropped rather than raised.

    Raises:
        UsageError: ``on_full`` is neither.
    """
    if on_full not in ("raise", "drop"):
        raise UsageError(f"on_full cannot be {on_full!r}", "give on_full='raise' or on_full='drop'")
    return on_full == "drop"
