"""The synchronous chart: driven by its caller, one step at a time."""

from __future__ import annotations

import threading
from time import time_ns
from typing import Any

from farscope.engine.event import Event
from farscope.engine.here import per_thread
from farscope.engine.states import State
from farscope.engine.stepper import DIRECT, Stepper
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, NotStarted, QueueFull
from farscope.records.facts import FactKind

QUEUE_CAPACITY = 500
"""Events a chart's queue holds, and events it may have put aside; a post beyond it raises ``QueueFull``."""

STOP_TIMEOUT_S = 5.0
"""How long ``stop`` waits for the step that runs; a handler that takes longer goes on without the caller."""

_POST_FIFO = int(FactKind.POST_FIFO)
_POST_LIFO = int(FactKind.POST_LIFO)
_DEFER = int(FactKind.DEFER)
_RECALL = int(FactKind.RECALL)
_REFUSED_POST = int(FactKind.REFUSED_POST)


class Resting:
    """Where a chart rests: ``fun`` is the state as the user wrote it."""

    __slots__ = ("fun",)

    def __init__(self, fun: Any) -> None:
        self.fun = fun


class Hsm(Stepper):
    """A chart whose caller makes it run: ``dispatch`` an event, or post some and ``complete_circuit``.

    Posting is safe from any thread; everything that makes a step belongs to one thread at a time.

    Args:
        name: what the chart is called in traces; a short name is made up if it is None.
        instrumented: whether it records its steps; may be changed at any time.
    """

    __slots__ = ("_capacity", "_idle", "_thread")

    def __init__(self, name: str | None = None, instrumented: bool = True) -> None:
        super().__init__(name, instrumented=instrumented)
        self._capacity = QUEUE_CAPACITY
        self._idle = False
        """Whether a thread of the chart's own sleeps until something is posted."""
        self._thread: threading.Thread | None = None
        """The chart's own thread; None if it is driven by its caller."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name} in {self._leaf.name if self._leaf else 'no state'}>"

    @property
    def name(self) -> str:
        """The chart's name: it may be set until the start."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if self._leaf is not None:
            raise AlreadyStarted(f"chart {self._name} runs under its name", "name a chart before its start")
        self._name = name
        self._id = self._make_id()

    def start_at(self, initial_state: Any) -> None:
        """Start the chart: enter ``initial_state`` and follow its initial transitions.

        Raises:
            AlreadyStarted: it was started before.
            ChartError: the states make no sense.
        """
        self._start(initial_state)

    def dispatch(self, e: Event) -> None:
        """Have the chart react to ``e`` now, before anything that waits in its queue.

        What a handler raises is recorded in the step, leaves the chart in the state it rested in,
        and is raised here.

        Raises:
            NotStarted: before the start.
            ChartStopped: after the end.
            ChartError: from inside a step of the same chart.
        """
        if self._thread is not None:
            raise self._self_driven()
        if e.__class__ is not Event:
            checked(e)
        self._run(e, None, DIRECT)

    def next_rtc(self) -> bool:
        """Make one step about the first event of the queue; return whether there was one.

        It raises what ``dispatch`` raises.
        """
        if self._thread is not None:
            raise self._self_driven()
        if self._roots is None or self._stopped:
            raise self._not_ready()
        try:
            e, cause, posted_ns = self._queue.popleft()
        except IndexError:
            return False
        self._run(e, cause, posted_ns)
        return True

    def complete_circuit(self) -> bool:
        """Make steps until the queue is empty; return whether there was anything to do."""
        done = False
        while self.next_rtc():
            done = True
        return done

    def post_fifo(self, e: Event) -> None:
        """Put ``e`` at the end of the queue.

        Raises:
            QueueFull: there is no room.
            ChartStopped: after the end.
        """
        if e.__class__ is not Event:
            checked(e)
        queue = self._queue
        if len(queue) >= self._capacity:
            raise self._no_room(e)
        here = per_thread.cell.here
        if here is None:
            queue.append((e, None, time_ns() if self._recording else 0))
        else:
            if here is self._here:
                self._note(_POST_FIFO, e.signal_name)
            queue.append((e, here.cause(), time_ns()))
        if self._idle:
            self._wake()

    def post_lifo(self, e: Event) -> None:
        """Put ``e`` before everything else in the queue; it raises what ``post_fifo`` raises."""
        if e.__class__ is not Event:
            checked(e)
        queue = self._queue
        if len(queue) >= self._capacity:
            raise self._no_room(e)
        here = per_thread.cell.here
        if here is None:
            queue.appendleft((e, None, time_ns() if self._recording else 0))
        else:
            if here is self._here:
                self._note(_POST_LIFO, e.signal_name)
            queue.appendleft((e, here.cause(), time_ns()))
        if self._idle:
            self._wake()

    def defer(self, e: Event) -> None:
        """Put ``e`` aside until ``recall``.

        Raises:
            QueueFull: as many events as a queue holds were put aside already.
        """
        checked(e)
        if len(self._deferred) >= QUEUE_CAPACITY:
            raise self._no_room(e)
        if self._here is per_thread.cell.here:
            self._note(_DEFER, e.signal_name)
        self._deferred.append(e)

    def recall(self) -> Event | None:
        """Post the event that was put aside first, and return it; None if there is none."""
        if not self._deferred:
            return None
        e = self._deferred[0]
        if self._here is per_thread.cell.here:
            self._note(_RECALL, e.signal_name)
        self.post_fifo(e)
        return self._deferred.popleft()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:  # noqa: ARG002 - for charts with a thread
        """End the chart: it makes no more steps, and those who watch it are told. Twice changes nothing.

        Returns:
            What a handler raised and so ended the chart before; always None for a chart that its
            caller drives, because there it was raised to the caller.
        """
        if not self._stopped:
            self._stopped = True
            self._capacity = -1
            # The step that runs is recorded first, and tells it then.
            if not self._here.number:
                self._say_stopped()
        return None

    def is_in(self, state: Any) -> bool:
        """Tell whether the chart rests in ``state`` or in a state inside it."""
        here: State | None = self._resting()
        while here is not None:
            if state in (here.fn, here.name):
                return True
            here = here.parent
        return False

    def child_state(self, state: Any) -> Any:
        """Return the state inside ``state`` on the way to where the chart rests.

        That is ``state`` itself if the chart rests right there.

        Raises:
            ChartError: the chart is not in ``state``.
        """
        child: State = self._resting()
        here: State | None = child
        while here is not None:
            if state in (here.fn, here.name):
                return child.fn
            child, here = here, here.parent
        raise ChartError(
            f"chart {self._name} is not in {getattr(state, '__name__', state)}",
            "ask is_in(state) first",
            state=self._resting().name,
        )

    def current_state(self) -> str:
        """Return the name of the state the chart rests in."""
        return self._resting().name

    @property
    def state_name(self) -> str:
        """Name of the state whose handler runs now; between steps, of the one the chart rests in."""
        return self._acting().name

    @property
    def state_fn(self) -> Any:
        """The state whose handler runs now, as the user wrote it; between steps, the one it rests in."""
        return self._acting().fn

    @property
    def state(self) -> Resting:
        """The state the chart rests in, as ``state.fun``."""
        return Resting(self._resting().fn)

    def augment(self, *, other: Any, name: str, relationship: str | None = None) -> None:
        """Give the chart an attribute ``name`` that is ``other``, unless it has one of that name.

        With ``relationship="mutual"`` the other chart also gets this one under this one's name.
        """
        if not hasattr(self, name):
            setattr(self, name, other)
        if relationship == "mutual":
            other.augment(other=self, name=self._name)

    def _acting(self) -> State:
        place = self._place
        return self._resting() if place is None else place.state

    def _resting(self) -> State:
        leaf = self._leaf
        if leaf is None:
            raise NotStarted(f"chart {self._name} was not started", "call chart.start_at(STATE) first")
        return leaf

    def _no_room(self, e: Event) -> ChartError:
        if self._stopped:
            return ChartStopped(f"chart {self._name} was stopped", "make and start a new chart")
        if self._here is per_thread.cell.here:
            self._note(_REFUSED_POST, e.signal_name, "raised")
        return QueueFull(
            f"no room for {e.signal_name} in the queue of chart {self._name}: {QUEUE_CAPACITY} events wait",
            "the chart is slower than those who post to it, or two charts post to each other without end",
            capacity=QUEUE_CAPACITY,
        )

    def _self_driven(self) -> ChartError:
        return ChartError(
            f"chart {self._name} runs on its own thread",
            "post the event, or make a Factory with threaded=False to drive it yourself",
        )

    def _wake(self) -> None:
        """Wake the chart's own thread; a chart without one is never idle."""


def checked(e: object) -> None:
    """Raise ``ChartError`` if ``e`` is no event."""
    if not isinstance(e, Event):
        raise ChartError(f"{e!r} is no event", "write Event(signal=signals.NAME)")
