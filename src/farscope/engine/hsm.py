"""The synchronous chart: driven by its caller, one step at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Literal, NoReturn, Self, SupportsIndex, Unpack

from farscope.engine.core.current_step import per_thread
from farscope.engine.core.mailbox import Mailbox, checked
from farscope.engine.core.reserved import (
    gives_way,
    guard,
    is_engine,
    is_reserved,
    is_users,
    mended,
    refuse_taken_by,
    taken,
)
from farscope.engine.core.step_runner import DIRECT
from farscope.engine.definition.handlers import adapted, name_of
from farscope.engine.definition.states import BuiltState, State, Template, is_top
from farscope.engine.event import Event, signal_of, signals
from farscope.engine.options import ChartOptions
from farscope.engine.pubsub import PRIORITY
from farscope.errors import AlreadyStarted, ChartBuildError, ChartError, ForeignProcess, NotStarted
from farscope.records.facts import FactKind

STOP_TIMEOUT_S = 5.0
"""How long ``stop`` waits for the running step; a handler that takes longer continues after ``stop``
returns."""

_SUBSCRIBE = int(FactKind.SUBSCRIBE)
_PUBLISH = int(FactKind.PUBLISH)

QueueType = Literal["fifo", "lifo"]


class Resting:
    """The state in which a chart rests: ``fun`` is the state as the user wrote it."""

    __slots__ = ("fun",)

    def __init__(self, fun: Any) -> None:
        self.fun = fun


class Hsm(Mailbox):
    """A chart driven by its caller: ``dispatch`` an event, or post events and call ``complete_circuit``.

    Posting is safe from any thread; methods that run steps may only be used by one thread at a time.

    Args:
        name: name of the chart in traces; if None, its class's name and a number.
        instrumented: whether it records its steps; may be changed at any time.
        options: see ``ChartOptions``.
    """

    __slots__ = ("_thread",)

    def __init__(
        self, name: str | None = None, instrumented: bool | None = True, **options: Unpack[ChartOptions]
    ) -> None:
        super().__init__(name, instrumented, **options)
        self._thread: threading.Thread | None = None
        """The chart's own thread; None if it is driven by its caller."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_taken_by(cls)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name} in {self._leaf.name if self._leaf else 'no state'}>"

    @property
    def name(self) -> str:
        """The chart's name, which may be set until the start."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if self._leaf is not None:
            raise AlreadyStarted(
                f"chart {self._name} runs under its name",
                "name a chart before its start; rename an attribute of your own, e.g. name_of_mine",
            )
        if not isinstance(name, str):
            raise ChartError(
                f"a chart cannot be named {name!r}",
                "name it by a string; rename an attribute of your own, e.g. name_of_mine",
            )
        self._name = name
        self._is_named = True
        self._id = self._make_id()

    def start_at(self, initial_state: Any) -> None:
        """Start the chart: enter ``initial_state`` and follow its initial transitions.

        Raises:
            AlreadyStarted: it was started before.
            ChartError: the states are invalid.
        """
        self._start(initial_state)

    def dispatch(self, e: Event) -> None:
        """Make the chart react to ``e`` now, before any event in its queue.

        A handler's error is recorded in the step and raised here, and the chart stays in the state in which
        it rested. Exits and entries already made are not undone; a note on the error names them.

        Raises:
            NotStarted: before the start.
            ChartStopped: after the end.
            ChartError: from inside a step of the same chart.
        """
        if self._thread is not None:
            raise self._self_driven()
        if e.__class__ is not Event:
            checked(e)
        here = per_thread.cell.here
        self._run(e, None if here is None else here.cause(), DIRECT)

    def next_rtc(self) -> bool:
        """Run one step about the first event in the queue; return whether there was one.

        Raises the same errors as ``dispatch``.
        """
        if self._thread is not None:
            raise self._self_driven()
        if self._roots is None:
            raise self._not_ready()
        try:
            item = self._queue.popleft()
            e, cause, posted_ns = item
        except IndexError:
            return False
        except AttributeError as error:
            raise (mended(self) or error) from None
        except ValueError:
            timed = self._redeemed(item)
            if timed is None:
                return self.next_rtc()
            e, cause, posted_ns = timed
        self._run(e, cause, posted_ns)
        return True

    def complete_circuit(self) -> bool:
        """Run steps until the queue is empty; return whether there was anything to do."""
        step = self.next_rtc
        done = False
        while step():
            done = True
        return done

    @gives_way
    def threaded(self) -> bool:
        """Whether the chart runs its steps on its own thread, rather than when its caller says so."""
        return self._thread is not None

    def subscribe(self, event_or_signal: Event | int | str, queue_type: QueueType = "fifo") -> None:
        """Subscribe to a signal: published events are put at the end of the queue, or at its front.

        Subscribing again changes which end is used. Works before and after the start, from any thread. The
        subscription ends with the chart.

        Raises:
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart runs in the parent.
            ChartError: ``queue_type`` is neither ``"fifo"`` nor ``"lifo"``, or the signal does not exist.
        """
        if queue_type not in ("fifo", "lifo"):
            raise ChartError(f"queue_type cannot be {queue_type!r}", "give 'fifo' or 'lifo'")
        signal = signal_of(event_or_signal)
        self._refuse_elsewhere()
        if self._stopped:
            raise self._ended()
        lifo = queue_type == "lifo"
        if self._inside() and not self._fabric.subscribed(self, signal, lifo=lifo):
            self._note(_SUBSCRIBE, signals.name_for_signal(signal), queue_type)
        self._fabric.subscribe(self, signal, lifo=lifo)
        if self._stopped:
            # Another thread has stopped the chart in the meantime.
            self._fabric.forget(self)  # type: ignore[unreachable]

    def subscribed(self, event_or_signal: Event | int | str, queue_type: QueueType | None = None) -> bool:
        """Return whether the chart is subscribed to a signal, with this ``queue_type`` if one is given."""
        lifo = None if queue_type is None else queue_type == "lifo"
        return self._fabric.subscribed(self, signal_of(event_or_signal), lifo=lifo)

    def unsubscribe(self, event_or_signal: Event | int | str) -> bool:
        """End the subscription to a signal; return whether the chart was subscribed."""
        return self._fabric.unsubscribe(self, signal_of(event_or_signal))

    def publish(self, event: Event, priority: int = PRIORITY) -> None:
        """Put ``event`` in the queues of all charts that subscribed to its signal, before this returns.

        A full queue does not keep other subscribers from receiving it. No events wait between charts, so
        ``priority`` has nothing to reorder: it is shown in the spy and does not change the order.

        Raises:
            QueueFull: subscribers that raise rather than drop had no room; all others have received it.
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart or a subscriber runs in the parent; all others
                have received it.
        """
        checked(event)
        self._refuse_elsewhere()
        if self._stopped:
            raise self._ended()
        if self._inside():
            self._note(_PUBLISH, event.signal_name, str(priority))
        here = per_thread.cell.here
        self._fabric.publish(event, None if here is None else here.cause())

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:  # noqa: ARG002 - for charts with a thread
        """End the chart: it runs no more steps, and watchers are notified. Stopping again has no effect.

        Returns:
            The handler's error that ended the chart earlier; always None for a chart driven by its caller,
            because there it was raised to the caller.
        """
        if not self._stopped:
            self._stopped = True
            self._capacity = -1
            self._timed.cancel_all()
            self._fabric.forget(self)
            # A running step continues to its end; if it is recorded, watchers are notified after it.
            if not self._is_busy():
                self._end()
        return None

    def __enter__(self) -> Self:
        """Begin a block at whose end the chart is stopped."""
        return self

    def __exit__(self, *_: object) -> None:
        # A forked child that also leaves the block has nothing to end: the chart is the parent's.
        with contextlib.suppress(ForeignProcess):
            self.stop()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise ChartError(
            f"chart {self._name} cannot be copied or pickled: it is one running thing",
            "make another chart of the same states, or send events or steps to where they are needed",
        )

    def is_in(self, state: Any) -> bool:
        """Return whether the chart rests in ``state`` or in a state inside it."""
        here: State | None = self._resting()
        while here is not None:
            if here.is_called(state):
                return True
            here = here.parent
        return False

    def child_state(self, state: Any) -> Any:
        """Return the child of ``state`` that leads to the state in which the chart rests.

        If the chart rests in ``state`` itself, return ``state``.

        Raises:
            ChartError: the chart is not in ``state``.
        """
        child: State = self._resting()
        here: State | None = child
        while here is not None:
            if here.is_called(state):
                return child.fn
            child, here = here, here.parent
        raise ChartError(
            f"chart {self._name} is not in {getattr(state, '__name__', state)}",
            "ask is_in(state) first",
            state=self._resting().name,
        )

    def current_state(self) -> str:
        """Return the name of the state in which the chart rests."""
        return self._resting().name

    @gives_way
    def state_name(self) -> str:
        """Name of the state whose code is running; between steps, of the one in which the chart rests."""
        return self._acting()[0]

    @gives_way
    def state_fn(self) -> Any:
        """The state whose code is running, as the user wrote it; between steps, the resting state."""
        return self._acting()[1]

    @gives_way
    def state(self) -> Resting:
        """The state in which the chart rests, as ``state.fun``."""
        return Resting(self._resting().fn)

    def augment(self, *, other: Any, name: str, relationship: str | None = None) -> None:
        """Set the attribute ``name`` of the chart to ``other``, unless the user already set one of that name.

        With ``relationship="mutual"``, this chart is also set as an attribute of the other, under this
        chart's name.

        Raises:
            ChartBuildError: the engine needs the name for itself.
        """
        if is_reserved(type(self), name):
            raise taken(name, f"chart {self._name}")
        if not is_users(self, name):
            setattr(self, name, other)
        if relationship == "mutual":
            other.augment(other=self, name=self._name)

    def register_signal_callback(
        self, state_method: BuiltState, signal: int | str, fn: Callable[..., Any]
    ) -> None:
        """Register ``fn`` for ``signal`` in a state made by ``state_method_template`` or ``create``.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: it is not such a state, or ``fn`` cannot be called with a chart and an event.
        """
        state = self._registered(state_method)
        adapted(fn, self, state.__name__)
        state.handlers_for(self)[signal_of(signal)] = fn

    def register_parent(self, state_method: BuiltState, parent_method: Any) -> None:
        """Nest a state made by ``state_method_template`` or ``create`` in another, or make it outermost.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: it is not such a state.
        """
        state = self._registered(state_method)
        self._states.moved[state] = None if parent_method is None or is_top(parent_method) else parent_method
        state.nested = True

    def _registered(self, state: object) -> BuiltState:
        if self._leaf is not None:
            raise AlreadyStarted(f"chart {self._name} was started", "build a chart before its start")
        if not isinstance(state, BuiltState) or (state.shared and not isinstance(state, Template)):
            raise ChartBuildError(
                f"{name_of(state)} is not a state that handlers can be given to",
                "make it with state_method_template(NAME), or create(NAME).to_method()",
                state=name_of(state),
            )
        return state

    def _acting(self) -> tuple[str, Any]:
        """Return name and function of the state whose code is running, or in which the chart rests."""
        asked = self._asked
        if asked is not None:
            return name_of(asked), asked
        state = self._resting() if self._place is None else self._place.state
        return state.name, state.fn

    def _resting(self) -> State:
        leaf = self._leaf
        if leaf is None:
            raise NotStarted(f"chart {self._name} was not started", "call chart.start_at(STATE) first")
        return leaf

    def _self_driven(self) -> ChartError:
        self._refuse_elsewhere()
        return ChartError(
            f"chart {self._name} runs on its own thread",
            "post the event, or make a Factory with threaded=False to drive it yourself",
        )


for _base in Hsm.__mro__:
    if is_engine(_base):
        guard(_base)
