"""The chart as users see it: the public face of a core and a driver."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn, Self, SupportsIndex, Unpack, overload

from farscope.engine.core.allowed import Allowed, allowed
from farscope.engine.core.core import DIRECT, Core
from farscope.engine.core.family import dependents, wait_for_children
from farscope.engine.core.handlers import adapted, name_of
from farscope.engine.core.life import Life
from farscope.engine.core.mailbox import FIFO, LIFO, checked
from farscope.engine.core.recorder import LineCallback, LiveLines, Rings
from farscope.engine.core.reserved import (
    gives_way,
    guard,
    is_reserved,
    is_users,
    refuse_taken_by,
    switched,
    taken,
)
from farscope.engine.core.snapshots import Restoring, snapshot
from farscope.engine.core.states import BuiltState, StateNode, Template, is_top, outward, top
from farscope.engine.drivers.caller import CALLER, CallerDriver
from farscope.engine.event import TRAN, Event, Signal, signal_of, signals
from farscope.engine.options import ChartOptions
from farscope.engine.pubsub import PRIORITY
from farscope.errors import AlreadyStarted, ChartBuildError, ChartError, ForeignProcess, NotStarted
from farscope.records.carried_cause import carried_causes, current_cause
from farscope.records.current_step import running
from farscope.records.facts import FactKind
from farscope.records.observable import Observable
from farscope.records.sink import Sink
from farscope.records.step import Cause, Step
from farscope.records.text import print_line

STOP_TIMEOUT_S = 5.0
"""How long ``stop`` waits for the running step; a handler that takes longer continues after ``stop``
returns."""

_SUBSCRIBE = int(FactKind.SUBSCRIBE)
_PUBLISH = int(FactKind.PUBLISH)

QueueType = Literal["fifo", "lifo"]

# ruff: noqa: SLF001 - functions for a chart are kept outside its class, where users' names cannot affect them


class Resting:
    """The state in which a chart rests: ``fun`` is the state as the user wrote it."""

    __slots__ = ("fun",)

    def __init__(self, fun: Any) -> None:
        self.fun = fun


class Hsm(Observable):
    """A chart driven by its caller: ``dispatch`` an event, or post events and call ``complete_circuit``.

    Posting is safe from any thread; methods that run steps may only be used by one thread at a time.

    Args:
        name: name of the chart in traces; if None, its class's name and a number.
        instrumented: whether it records its steps; may be changed at any time.
        options: see ``ChartOptions``.
    """

    temp: Any
    """For flat state functions, which write their target or their parent to ``temp.fun``. A chart whose class
    or handlers use the name ``temp`` for something else works normally, but without flat functions."""

    live_spy_callback_default: LineCallback = staticmethod(print_line)
    """Receives each spy line while no callback is registered; intended to be overridden by subclasses."""
    live_trace_callback_default: LineCallback = staticmethod(print_line)
    """Receives each trace line while no callback is registered; intended to be overridden by subclasses."""

    __slots__ = ("__dict__", "__weakref__", "_core", "_driver", "temp")

    def __init__(
        self, name: str | None = None, instrumented: bool | None = True, **options: Unpack[ChartOptions]
    ) -> None:
        live = LiveLines(self.live_spy_callback_default, self.live_trace_callback_default)
        recorded = instrumented is None or bool(instrumented)
        self._core = core = Core(name, type(self).__name__, live, options, instrumented=recorded)
        self._driver: CallerDriver = CALLER
        core.mailbox.driver = CALLER
        # Not assigned: that would hide an attribute that a user's class calls temp.
        vars(Hsm)["temp"].__set__(self, core.temp)
        core.clock.serve(self)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_taken_by(cls)

    def __repr__(self) -> str:
        core = self._core
        state = core.algorithm.state_name if core.has_started else "no state"
        return f"<{type(self).__name__} {core.name} in {state}>"

    # Life.

    @property
    def name(self) -> str:
        """The chart's name, which may be set until the start."""
        return self._core.name

    @name.setter
    def name(self, name: str) -> None:
        if self._core.has_started:
            raise AlreadyStarted(
                f"chart {self._core.name} runs under its name",
                "name a chart before its start; rename an attribute of your own, e.g. name_of_mine",
            )
        if not isinstance(name, str):
            raise ChartError(
                f"a chart cannot be named {name!r}",
                "name it by a string; rename an attribute of your own, e.g. name_of_mine",
            )
        self._core.recorder.rename(name)
        self._core.is_named = True

    def start_at(self, initial_state: Any) -> None:
        """Start the chart: enter ``initial_state`` and follow its initial transitions.

        Raises:
            AlreadyStarted: it was started before.
            ChartError: the states are invalid.
        """
        for name, kind in (("_core", Core), ("_driver", CallerDriver)):
            if not isinstance(getattr(self, name, None), kind):
                raise taken(name, f"a chart of class {type(self).__name__}")
        self._driver.start(self, self._core, initial_state)

    def snapshot(self) -> dict[str, Any]:
        """Return where the chart rests and what waits for it, as plain data that can be written as JSON.

        This includes the active states, what history states stand for, the events in the queue, deferred
        events, subscriptions, timed posts and timeouts with the seconds that remain, and the states whose
        tasks run. It does not include the attributes of the chart, the charts inside it, nor recorded steps.
        It is made between two steps; if another thread runs the chart, it must be at rest.

        Raises:
            SnapshotError: the chart has something to do, is not started or has ended; it is made of flat
                state functions; or the payload of an event is not JSON.
        """
        return snapshot(self, self._core)

    def start_from(self, data: object) -> None:
        """Start the chart where ``snapshot`` was called for another one of the same states.

        No entry or initial actions run. Timeouts and timed posts go on with the seconds that remained, and
        interrupted tasks begin again.

        Raises:
            SnapshotError: it is not a snapshot, or does not fit the states of this chart.
            AlreadyStarted: it was started before.
        """
        self._driver.start(self, self._core, Restoring(data))

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> BaseException | None:
        """End the chart: it runs no more steps, and watchers are notified. Stopping again has no effect.

        The charts that it contains end, too, except those that outlive it.

        Returns:
            The handler's error that ended the chart earlier; always None for a chart driven by its caller,
            because there it was raised to the caller.
        """
        children = dependents(self._core)
        deadline = time.monotonic() + timeout_s
        failure = self._driver.stop(self, self._core, timeout_s)
        if children and self._core.life is Life.ENDED:
            wait_for_children(children, deadline)
        return failure

    def halt(self) -> None:
        """End the chart after the running step, like ``stop``, but without waiting for it."""
        self._driver.halt(self, self._core)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait up to ``timeout_s`` seconds until the chart has ended; return whether it has.

        When called from a handler of this chart, or of any chart of the same runner, it does not wait.
        ``failure`` shows whether a handler's error ended the chart.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        return self._driver.join(self._core, timeout_s)

    @gives_way
    def failure(self) -> BaseException | None:
        """The handler's error that ended the chart; None if there was none."""
        return self._driver.failure

    @gives_way
    def threaded(self) -> bool:
        """Whether the chart runs its steps on its own thread, rather than when its caller says so."""
        return self._driver.thread is not None

    @gives_way
    def thread(self) -> threading.Thread | None:
        """The chart's own thread, or the thread of its runner that ran it last.

        None before the start, and for a chart driven by its caller.
        """
        return self._driver.thread

    @gives_way
    def parent(self) -> Hsm | None:
        """The chart that contains this one; None if there is none, or it was discarded."""
        parent = self._core.parent
        return None if parent is None else parent.chart()

    @gives_way
    def children(self) -> tuple[Hsm, ...]:
        """The running charts that this one contains, in the order of their starts."""
        children = self._core.children
        return () if children is None else children.all()

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and no event waits; also true before the start and after the end.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        return self._driver.at_rest(self._core)

    def __enter__(self) -> Self:
        """Begin a block at whose end the chart is stopped."""
        return self

    def __exit__(self, *_: object) -> None:
        # A forked child that also leaves the block has nothing to end: the chart is the parent's.
        with contextlib.suppress(ForeignProcess):
            self.stop()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise ChartError(
            f"chart {self._core.name} cannot be copied or pickled: it is one running thing",
            "make another chart of the same states, or send events or steps to where they are needed",
        )

    # Steps.

    def dispatch(self, e: Event) -> None:
        """Make the chart react to ``e`` now, before any event in its queue.

        A handler's error is recorded in the step and raised here, and the chart stays in the state in which
        it rested. Exits and entries already made are not undone; a note on the error names them.

        Raises:
            NotStarted: before the start.
            ChartStopped: after the end.
            ChartError: from inside a step of the same chart.
        """
        core = self._core
        if core.is_self_driven:
            raise self._driver.refuse_caller(core.name)
        if e.__class__ is not Event:
            checked(e)
        core.run(self, (e, current_cause() if running or carried_causes else None, DIRECT))

    def next_rtc(self) -> bool:
        """Run one step about the first event in the queue; return whether there was one.

        Raises the same errors as ``dispatch``.
        """
        core = self._core
        if core.is_self_driven:
            raise self._driver.refuse_caller(core.name)
        return core.run(self, None)

    def complete_circuit(self) -> bool:
        """Run steps until the queue is empty or the chart has finished; return whether there was any."""
        step, core = self.next_rtc, self._core
        done = False
        while step():
            done = True
            if core.due and core.algorithm.is_finished:
                break
        return done

    def take_turn(self, steps: int) -> bool:
        """Run at most ``steps`` waiting steps, for the runner; return whether more are waiting."""
        return self._driver.take_turn(self, self._core, steps)

    # What handlers call.

    top = top

    def trans(self, state: Any) -> int:
        """Make ``state`` the target of a transition; the handler must return the result of this call."""
        self._core.temp.fun = state
        return TRAN

    def scribble(self, text: object) -> None:
        """Add a free text to the running step; outside a step, to the next one that calls a handler.

        A chart that is not recorded keeps nothing.
        """
        self._core.scribble(text)

    # Events.

    @overload
    def post_fifo(self, e: Event) -> None: ...
    @overload
    def post_fifo(
        self, e: Event, period: float, times: int | None = None, deferred: bool | None = None
    ) -> int: ...
    def post_fifo(
        self,
        e: Event,
        period: float | None = None,
        times: int | None = None,
        deferred: bool | None = None,
    ) -> int | None:
        """Put ``e`` at the end of the queue: now, or periodically if a period is given.

        Args:
            e: the event to post; the same object each time.
            period: seconds between posts; no post is skipped, and lateness does not accumulate. With
                ``times``, 0 means as soon as possible.
            times: total number of posts; 0 or None for no limit. Has no meaning without a period.
            deferred: whether the first post also waits one period; it does unless this is False.

        Returns:
            None for an immediate post; for timed posts an id for ``cancel_event``.

        Raises:
            QueueFull: there is no room now, and the chart raises rather than drops.
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart's thread or loop is the parent's.
            ChartError: ``e`` is not an event, or the period or the number of posts is invalid.
        """
        if period is not None:
            return self._core.mailbox.arm(e, period, times, deferred, lifo=False)
        self._core.mailbox.put(e, FIFO, None)
        return None

    @overload
    def post_lifo(self, e: Event) -> None: ...
    @overload
    def post_lifo(
        self, e: Event, period: float, times: int | None = None, deferred: bool | None = None
    ) -> int: ...
    def post_lifo(
        self,
        e: Event,
        period: float | None = None,
        times: int | None = None,
        deferred: bool | None = None,
    ) -> int | None:
        """Put ``e`` at the front of the queue; otherwise the same as ``post_fifo``."""
        if period is not None:
            return self._core.mailbox.arm(e, period, times, deferred, lifo=True)
        self._core.mailbox.put(e, LIFO, None)
        return None

    def deliver(self, e: Event, cause: Cause | None, *, lifo: bool = False) -> None:
        """Put ``e`` in the queue on behalf of a fabric, without recording a fact of a post.

        Raises:
            QueueFull: there is no room, and the chart raises rather than drops.
            ChartStopped: after the end.
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        self._core.mailbox.deliver(e, (cause, 0), lifo=lifo)

    def defer(self, e: Event) -> None:
        """Set ``e`` aside until ``recall``.

        A deferred event of a timed post counts as handled: cancelling no longer affects it.

        Raises:
            QueueFull: the maximum number of events, the queue's size, is already deferred, and the chart
                raises rather than drops.
        """
        self._core.mailbox.defer(e)

    def recall(self) -> Event | None:
        """Post the event that was deferred first, and return it.

        None if there is none, or if a chart that drops has no room for it; the event then stays deferred.

        Raises:
            QueueFull: there is no room, and the chart raises rather than drops.
            ChartStopped: after the end.
        """
        return self._core.mailbox.recall()

    def cancel_event(self, uuid: int) -> bool:
        """Cancel the timed posts whose id is ``uuid``: no more of their events are handled.

        This includes events already waiting in the queue, which free their room. An event that a handler has
        set aside with ``defer`` counts as handled and stays deferred.

        Returns:
            Whether anything was cancelled: a future post, or an event waiting in the queue. False if the last
            event was handled, or its handler is running, or there is no such id.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        return self._core.mailbox.cancel(uuid)

    def cancel_events(self, e: Event) -> int:
        """Cancel all timed posts of a signal, as ``cancel_event`` does; return the number of ids."""
        return self._core.mailbox.cancel_all_of(e)

    @gives_way
    def rejected(self) -> int:
        """Number of posts that found no room, whether or not this was raised to their posters."""
        return self._core.mailbox.rejected.value

    @gives_way
    def voided(self) -> int:
        """Number of timeouts and of results of tasks that were discarded because their state was left."""
        stays = self._core.stays
        return 0 if stays is None else stays.voided.value

    def subscribe(self, event_or_signal: Event | Signal, queue_type: QueueType = "fifo") -> None:
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
        core = self._core
        core.mailbox.refuse_ended()
        lifo = queue_type == "lifo"
        if core.context.is_current() and not core.fabric.subscribed(self, signal, lifo=lifo):
            core.step.note(_SUBSCRIBE, signals.name_for_signal(signal), queue_type)
        core.fabric.subscribe(self, signal, lifo=lifo)
        if core.stop_asked:
            # Another thread has stopped the chart in the meantime.
            core.fabric.forget(self)

    def subscribed(self, event_or_signal: Event | Signal, queue_type: QueueType | None = None) -> bool:
        """Return whether the chart is subscribed to a signal, with this ``queue_type`` if one is given."""
        lifo = None if queue_type is None else queue_type == "lifo"
        return self._core.fabric.subscribed(self, signal_of(event_or_signal), lifo=lifo)

    def unsubscribe(self, event_or_signal: Event | Signal) -> bool:
        """End the subscription to a signal; return whether the chart was subscribed."""
        return self._core.fabric.unsubscribe(self, signal_of(event_or_signal))

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
        core = self._core
        core.mailbox.refuse_ended()
        if core.context.is_current():
            core.step.note(_PUBLISH, event.signal_name, str(priority))
        core.fabric.publish(event, current_cause())

    # States.

    def is_in(self, state: Any) -> bool:
        """Return whether ``state`` is active: the chart rests in it or in a state inside it."""
        return any(node.is_called(state) for leaf in _resting(self) for node in outward(leaf))

    def allowed(self, payload: object = None) -> Allowed:
        """Return which signals could do something now, and why others could not.

        Guards are called on the caller's thread, with an event of the signal and this ``payload``; they
        should not change anything. If the chart runs by itself, the answer may be outdated when this returns.
        Of flat state functions nothing is known, so their signals are not listed.

        Raises:
            NotStarted: before the start.
        """
        _resting(self)
        return allowed(self, payload)

    def child_state(self, state: Any) -> Any:
        """Return the child of ``state`` that leads to the state in which the chart rests.

        If the chart rests in ``state`` itself, return ``state``. If ``state`` is parallel, return its first
        region.

        Raises:
            ChartError: the chart is not in ``state``.
        """
        for leaf in _resting(self):
            child = leaf
            for here in outward(leaf):
                if here.is_called(state):
                    return child.fn
                child = here
        raise ChartError(
            f"chart {self._core.name} is not in {getattr(state, '__name__', state)}",
            "ask is_in(state) first",
            state=self._core.algorithm.state_name,
        )

    def current_state(self) -> str:
        """Return the name of the state in which the chart rests; several, in regions, are joined by ``|``.

        ``top`` if the chart has finished.
        """
        _resting(self)
        return self._core.algorithm.state_name

    @gives_way
    def configuration(self) -> tuple[str, ...]:
        """The names of the active leaves, in document order: one, unless the chart has regions.

        Empty if the chart has finished.
        """
        return tuple(leaf.name for leaf in _resting(self))

    @gives_way
    def finished(self) -> bool:
        """Whether the chart ended by itself, because it entered an outermost final state."""
        return self._core.algorithm.is_finished

    @gives_way
    def state(self) -> Resting:
        """The state in which the chart rests, as ``state.fun``; a tuple of several, in regions."""
        _resting(self)
        return Resting(self._core.algorithm.written)

    @gives_way
    def state_name(self) -> str:
        """Name of the state whose code is running; between steps, of the one in which the chart rests."""
        return _acting(self)[0]

    @gives_way
    def state_fn(self) -> Any:
        """The state whose code is running, as the user wrote it; between steps, the resting state."""
        return _acting(self)[1]

    def augment(self, *, other: Any, name: str, relationship: str | None = None) -> None:
        """Set the attribute ``name`` of the chart to ``other``, unless the user already set one of that name.

        With ``relationship="mutual"``, this chart is also set as an attribute of the other, under this
        chart's name.

        Raises:
            ChartBuildError: the engine needs the name for itself.
        """
        if is_reserved(type(self), name):
            raise taken(name, f"chart {self._core.name}")
        if not is_users(self, name):
            setattr(self, name, other)
        if relationship == "mutual":
            other.augment(other=self, name=self._core.name)

    def register_signal_callback(
        self, state_method: BuiltState, signal: Signal, fn: Callable[..., Any]
    ) -> None:
        """Register ``fn`` for ``signal`` in a state made by ``state_method_template`` or ``create``.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: it is not such a state, or ``fn`` cannot be called with a chart and an event.
        """
        state = _registered(self, state_method)
        adapted(fn, self, state.__name__)
        state.handlers_for(self)[signal_of(signal)] = fn

    def register_parent(self, state_method: BuiltState, parent_method: Any) -> None:
        """Nest a state made by ``state_method_template`` or ``create`` in another, or make it outermost.

        Raises:
            AlreadyStarted: the chart was started.
            ChartBuildError: it is not such a state.
        """
        state = _registered(self, state_method)
        outermost = parent_method is None or is_top(parent_method)
        self._core.algorithm.states.moved[state] = None if outermost else parent_method
        state.nested = True

    # Records.

    @property
    def instrumented(self) -> bool:
        """Whether the chart records its steps for ``spy`` and ``trace``; may be changed at any time."""
        return self._core.observers.keeps_steps

    @instrumented.setter
    def instrumented(self, on: bool) -> None:
        self._core.recorder.keep_steps(switched(self, "instrumented", on))

    @property
    def live_spy(self) -> bool:
        """Whether each spy line is passed to the live spy callback at the end of its step."""
        return self._core.recorder.live.spy_on

    @live_spy.setter
    def live_spy(self, on: bool) -> None:
        self._core.recorder.live.spy_on = switched(self, "live_spy", on)
        self._core.observers.arrange()

    @property
    def live_trace(self) -> bool:
        """Whether each trace line is passed to the live trace callback at the end of its step."""
        return self._core.recorder.live.trace_on

    @live_trace.setter
    def live_trace(self, on: bool) -> None:
        self._core.recorder.live.trace_on = switched(self, "live_trace", on)
        self._core.observers.arrange()

    def register_live_spy_callback(self, live_spy_callback: LineCallback) -> None:
        """Pass each spy line to ``live_spy_callback`` on the chart's thread, instead of printing it."""
        self._core.recorder.live.spy_callback = live_spy_callback

    def register_live_trace_callback(self, live_trace_callback: LineCallback) -> None:
        """Pass each trace line to ``live_trace_callback`` on the chart's thread, instead of printing it.

        The line has no trailing newline.
        """
        self._core.recorder.live.trace_callback = live_trace_callback

    def attach(self, sink: Sink) -> None:
        """Pass every further step to ``sink``; attaching it again has no effect.

        A running chart is announced immediately, on the caller's thread. If the chart has its own thread, a
        step may reach the sink at the same time: of two announcements, or of an announcement and a step, the
        one with the higher number is newer.

        Raises:
            ForeignProcess: in a forked child, while the chart runs in the parent.
        """
        self._driver.refuse_elsewhere()
        core = self._core
        core.observers.attach(sink, core.standing)
        for child in () if core.children is None else core.children.all():
            core.observers.follow(child, core.recorder.id)

    def detach(self, sink: Sink) -> None:
        """Stop passing steps to ``sink``; no effect if it is not attached."""
        self._core.observers.detach(sink)

    def spy(self) -> list[str]:
        """Return the last spy lines, oldest first; at most as many lines as steps are kept."""
        return self._core.recorder.spy()

    def spy_full(self) -> list[str]:
        """Return the same as ``spy``."""
        return self._core.recorder.spy()

    def spy_rtc(self) -> list[str]:
        """Return the spy lines of the last step."""
        return self._core.recorder.spy_rtc()

    def print(self, content: object) -> None:
        """Print ``content`` immediately, on the caller's thread."""
        print_line(str(content))

    def trace(self) -> str:
        """Return the last trace lines as one text that begins with a newline."""
        return self._core.recorder.trace()

    def steps(self) -> list[Step]:
        """Return the recorded steps that are kept, oldest first."""
        return self._core.recorder.all_steps()

    @gives_way
    def rings(self) -> Rings:
        """How much of the history is kept, and how much has been dropped."""
        return self._core.recorder.rings()

    @property
    def steps_made(self) -> int:
        """Number of steps the chart has recorded since its start."""
        return self._core.context.number

    def clear_spy(self) -> None:
        """Clear the steps kept for ``spy``."""
        self._core.recorder.clear_spy()

    def clear_trace(self) -> None:
        """Clear the steps kept for ``trace``."""
        self._core.recorder.clear_trace()


def drive(chart: Hsm, driver: CallerDriver, *, asleep: bool) -> None:
    """Let ``driver`` run a chart that is not started; ``asleep`` if posts are to wake it."""
    chart._driver = driver
    mailbox = chart._core.mailbox
    mailbox.driver = driver
    mailbox.asleep = asleep


def _registered(chart: Hsm, state: object) -> BuiltState:
    if chart._core.has_started:
        raise AlreadyStarted(f"chart {chart._core.name} was started", "build a chart before its start")
    if not isinstance(state, BuiltState) or (state.shared and not isinstance(state, Template)):
        raise ChartBuildError(
            f"{name_of(state)} is not a state that handlers can be given to",
            "make it with state_method_template(NAME), or create(NAME).to_method()",
            state=name_of(state),
        )
    return state


def _acting(chart: Hsm) -> tuple[str, Any]:
    """Return name and function of the state whose code is running, or in which the chart rests."""
    acting = chart._core.algorithm.acting()
    if acting is None:
        raise _not_started(chart)
    return acting


def _resting(chart: Hsm) -> tuple[StateNode, ...]:
    """Return the states in which a chart rests."""
    algorithm = chart._core.algorithm
    if algorithm.leaf is None:
        raise _not_started(chart)
    return algorithm.active()


def _not_started(chart: Hsm) -> NotStarted:
    return NotStarted(f"chart {chart._core.name} was not started", "call chart.start_at(STATE) first")


guard(Hsm)
