"""The chart as users see it: the public face of a core and a driver."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any, NoReturn, Self, SupportsIndex, Unpack

from farscope.engine.core.core import DIRECT, Core
from farscope.engine.core.family import dependents, wait_for_children
from farscope.engine.core.life import Life
from farscope.engine.core.mailbox import checked
from farscope.engine.core.recorder import LineCallback, LiveLines, Rings
from farscope.engine.core.reserved import (
    gives_way,
    guard,
    refuse_taken_by,
    switched,
    taken,
)
from farscope.engine.core.snapshots import Restoring, snapshot
from farscope.engine.core.states import top
from farscope.engine.drivers.caller import CALLER, CallerDriver
from farscope.engine.event import TRAN, Event
from farscope.engine.face import building, publishing, queue, reading, resting
from farscope.engine.options import ChartOptions
from farscope.errors import AlreadyStarted, ChartError, ForeignProcess
from farscope.records.carried_cause import carried_causes, current_cause
from farscope.records.current_step import running
from farscope.records.observable import Observable
from farscope.records.text import print_line

STOP_TIMEOUT_S = 5.0
"""How long ``stop`` waits for the running step; a handler that takes longer continues after ``stop``
returns."""

# ruff: noqa: SLF001 - functions for a chart are kept outside its class, where users' names cannot affect them


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

    # Events. Methods assigned here and below are defined in engine/face, by subject.

    post_fifo = queue.post_fifo
    post_lifo = queue.post_lifo
    deliver = queue.deliver
    defer = queue.defer
    recall = queue.recall
    cancel_event = queue.cancel_event
    cancel_events = queue.cancel_events

    @gives_way
    def rejected(self) -> int:
        """Number of posts that found no room, whether or not this was raised to their posters."""
        return self._core.mailbox.rejected.value

    @gives_way
    def voided(self) -> int:
        """Number of timeouts and of results of tasks that were discarded because their state was left."""
        stays = self._core.stays
        return 0 if stays is None else stays.voided.value

    subscribe = publishing.subscribe
    subscribed = publishing.subscribed
    unsubscribe = publishing.unsubscribe
    publish = publishing.publish

    # States.

    is_in = resting.is_in
    allowed = resting.allowed
    child_state = resting.child_state
    current_state = resting.current_state

    @gives_way
    def configuration(self) -> tuple[str, ...]:
        """The names of the active leaves, in document order: one, unless the chart has regions.

        Empty if the chart has finished.
        """
        return tuple(leaf.name for leaf in resting.leaves(self))

    @gives_way
    def finished(self) -> bool:
        """Whether the chart ended by itself, because it entered an outermost final state."""
        return self._core.algorithm.is_finished

    @gives_way
    def state(self) -> resting.Resting:
        """The state in which the chart rests, as ``state.fun``; a tuple of several, in regions."""
        resting.leaves(self)
        return resting.Resting(self._core.algorithm.written)

    @gives_way
    def state_name(self) -> str:
        """Name of the state whose code is running; between steps, of the one in which the chart rests."""
        return resting.acting(self)[0]

    @gives_way
    def state_fn(self) -> Any:
        """The state whose code is running, as the user wrote it; between steps, the resting state."""
        return resting.acting(self)[1]

    augment = building.augment
    register_signal_callback = building.register_signal_callback
    register_parent = building.register_parent

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

    register_live_spy_callback = reading.register_live_spy_callback
    register_live_trace_callback = reading.register_live_trace_callback
    attach = reading.attach
    detach = reading.detach
    spy = reading.spy
    spy_full = reading.spy_full
    spy_rtc = reading.spy_rtc

    def print(self, content: object) -> None:
        """Print ``content`` immediately, on the caller's thread."""
        print_line(str(content))

    trace = reading.trace
    steps = reading.steps

    @gives_way
    def rings(self) -> Rings:
        """How much of the history is kept, and how much has been dropped."""
        return self._core.recorder.rings()

    @property
    def steps_made(self) -> int:
        """Number of steps the chart has recorded since its start."""
        return self._core.context.number

    clear_spy = reading.clear_spy
    clear_trace = reading.clear_trace


def drive(chart: Hsm, driver: CallerDriver, *, asleep: bool) -> None:
    """Let ``driver`` run a chart that is not started; ``asleep`` if posts are to wake it."""
    chart._driver = driver
    mailbox = chart._core.mailbox
    mailbox.driver = driver
    mailbox.asleep = asleep


guard(Hsm)
