"""What a chart may be given at its making."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, Final, Literal, TypedDict

from farscope.engine.drivers.pool import Runner
from farscope.engine.event import Event
from farscope.engine.pubsub import Fabric
from farscope.engine.timers.schedule import Clock
from farscope.errors import UsageError

QUEUE_CAPACITY = 500
"""Events a chart's queue holds, and events it may have put aside, unless it is given a ``queue_size``; what
becomes of a post beyond it, ``on_full`` says."""

OnFull = Literal["raise", "drop"]

Verdict = Literal["stop", "continue"]

OnError = Verdict | Callable[[Any, Event, Exception], Verdict]


class ChartOptions(TypedDict, total=False):
    """The options of every chart, given by keyword."""

    queue_size: int
    """Events the queue holds, and events the chart may put aside; 500 unless given."""
    ring_size: int
    """Steps kept for ``spy``, steps with a transition kept for ``trace``, and lines that ``spy`` gives;
    500 unless given."""
    on_full: OnFull
    """What comes of a post that finds no room: ``"raise"``, which raises ``QueueFull`` to the poster, or
    ``"drop"``, which loses the event. Either way ``chart.rejected`` counts it and watchers see it."""
    fabric: Fabric
    """Through what the chart publishes and subscribes, if not through that of the process."""
    clock: Clock
    """What makes the chart's timed posts, if not the clock of the process."""


class ActiveOptions(ChartOptions, total=False):
    """The options of a chart that runs by itself, given by keyword."""

    on_error: OnError
    """What comes of the chart when a handler raises; see ``ActiveObject``."""
    runner: Runner | None
    """Whose threads run the chart, together with other charts."""


_OF_EVERY_CHART: Final = frozenset(ChartOptions.__annotations__)
_OF_ACTIVE_CHARTS: Final = frozenset(ActiveOptions.__annotations__) - _OF_EVERY_CHART


_OF_MIROS: Final = {
    "maxlen": "queue_size= says how many events its queue holds",
    "priority": "leave it out: it has no effect in miros either",
}
"""Options of other libraries' charts, and what to do about them."""


def refuse_unknown(options: Iterable[str]) -> None:
    """Raise ``UsageError`` if one of the names is no option of every chart."""
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
        UsageError: it is neither a policy nor callable, or it would have to be awaited.
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
        UsageError: it is no size of a queue.
    """
    if size < 1:
        raise UsageError(f"a queue cannot hold {size!r} events", "give a queue_size of at least 1")
    return size


def checked_ring_size(size: int) -> int:
    """Return ``size``.

    Raises:
        UsageError: it is no size of a ring.
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
