"""The core of a chart: runs one step after another, from the start to the end, and records each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import time_ns
from typing import Any
from weakref import ref

from farscope.engine.core.algorithm import START_SIGNAL
from farscope.engine.core.breakdown import Attempt, failed, forgotten, unrecorded
from farscope.engine.core.cached_walk import CachedWalk
from farscope.engine.core.completions import completions
from farscope.engine.core.family import Children, halt, parent_of
from farscope.engine.core.life import Life
from farscope.engine.core.mailbox import Mailbox, Posted
from farscope.engine.core.open_step import OpenStep
from farscope.engine.core.recorder import RING_STEPS, LiveLines, Recorder
from farscope.engine.core.reserved import refuse_taken_in
from farscope.engine.core.snapshots import Restoring, prepare, resume
from farscope.engine.core.stays import Stays
from farscope.engine.event import Event
from farscope.engine.options import (
    QUEUE_CAPACITY,
    ChartOptions,
    checked_queue_size,
    checked_ring_size,
    drops,
    refuse_unknown,
)
from farscope.engine.pubsub import Fabric, process_fabric
from farscope.engine.timers.schedule import Clock
from farscope.engine.timers.thread_clock import process_clock
from farscope.errors import AlreadyStarted, ChartError, ChartStopped, NotStarted
from farscope.records.carried_cause import current_cause
from farscope.records.configuration import TOP
from farscope.records.current_step import StepContext, enter_step, leave_step, running
from farscope.records.observable import Standing, next_serial
from farscope.records.structure import ChartStatus

DIRECT = 0
"""Stands for the posting time of an event that never waited, or whose post was not recorded."""

START = Event(START_SIGNAL)
"""The event of the first step."""

RESTING, STEPPING = Life.RESTING, Life.STEPPING


class Core:
    """The parts of a chart, apart from its public face and its driver.

    Only one thread at a time may run steps. Methods that call handlers are given the chart: the core does not
    refer to it, so a chart is freed as soon as nothing else refers to it.

    Args:
        name: name of the chart; None for the name of its class and its serial number.
        kind: name of its class.
        instrumented: whether its steps are recorded.
        live: receives lines as the steps end.
        options: as for every chart.
    """

    __slots__ = (
        "__weakref__",
        "algorithm",
        "children",
        "clock",
        "completing",
        "context",
        "due",
        "fabric",
        "failed",
        "failed_number",
        "is_named",
        "is_self_driven",
        "life",
        "mailbox",
        "make_ready",
        "make_up_name",
        "observers",
        "parent",
        "queue",
        "recorder",
        "restoring",
        "stays",
        "step",
        "stop_asked",
        "temp",
    )

    def __init__(
        self, name: str | None, kind: str, live: LiveLines, options: ChartOptions, *, instrumented: bool
    ) -> None:
        refuse_unknown(options)
        self.life = Life.NEW
        self.is_self_driven = False
        """Whether the chart's driver runs its steps, rather than its caller."""
        self.stop_asked = False
        """Whether the chart is to end as soon as no step runs. Set by any thread, at any moment."""
        self.failed = False
        """Whether one of the chart's own errors ends it."""
        self.due = False
        """Whether something may follow a step: in charts with regions, history or final states, and before
        the end."""
        self.completing = False
        """Whether a step and the completions that follow from it are being processed."""
        self.context = context = StepContext(next_serial())
        context.owner = ref(self)
        self.step = step = OpenStep(context)
        self.is_named = name is not None
        """Whether the name was given, rather than made up."""
        self.make_ready: Callable[[Any, Any], Any] | None = None
        """Called with the chart and the given initial state when the start begins; returns the state in which
        to start."""
        self.make_up_name: Callable[[str], str] | None = None
        """Makes up a name from that of the initial state, if the class's name and a number do not do."""
        events: tuple[deque[Posted], deque[Event]] = deque(), deque()
        self.recorder = recorder = Recorder(
            f"{kind.lower()}{context.serial}" if name is None else name,
            context,
            live,
            checked_ring_size(options.get("ring_size", RING_STEPS)),
            events,
        )
        self.observers = recorder.observers
        recorder.keep_steps(instrumented)
        self.fabric: Fabric = options.get("fabric", process_fabric)
        self.clock: Clock = options.get("clock", process_clock)
        self.mailbox = Mailbox(
            step,
            recorder,
            events,
            size=checked_queue_size(options.get("queue_size", QUEUE_CAPACITY)),
            drops=drops(options.get("on_full", "raise")),
            clock=self.clock,
        )
        self.queue = events[0]
        self.algorithm = CachedWalk(step, recorder)
        self.temp = self.algorithm.temp
        """Where handlers write the target of a transition."""
        self.restoring: Restoring | None = None
        """The snapshot in which the start has to begin, while the start runs."""
        self.stays: Stays | None = None
        """The stays in states with timeouts or tasks; None as long as there was none."""
        self.parent = parent_of(
            self.name, options.get("parent"), outlives=options.get("outlives_parent", False)
        )
        """The link to the chart that contains this one, if any."""
        recorder.parent = None if self.parent is None else self.parent.ref
        self.children: Children | None = None
        """The running charts that this one contains; None if there never was one."""
        self.failed_number = 0
        """Number of the last step that was recorded as failed."""

    @property
    def name(self) -> str:
        """The chart's name."""
        return self.recorder.id.name

    @property
    def has_started(self) -> bool:
        """Whether the chart has been started, and rests or rested in a state."""
        return self.algorithm.leaf is not None

    @property
    def at_rest(self) -> bool:
        """Whether no step runs and no event waits; also true before the start and after the end."""
        if self.stop_asked or not self.has_started:
            return True
        return self.life is RESTING and not self.queue and not self.completing

    @property
    def end_status(self) -> ChartStatus:
        """The status with which the chart ends, if it ends now."""
        if self.failed:
            return ChartStatus.FAILED
        return ChartStatus.FINISHED if self.algorithm.is_finished else ChartStatus.STOPPED

    def standing(self) -> Standing | None:
        """Return what there is to announce; None before the start."""
        return self.algorithm.standing() if self.has_started else None

    @property
    def log_level(self) -> int:
        """The lowest level of the log records that become facts of steps; ``NO_LOGS`` for none."""
        return self.observers.log_level

    def acting_state(self) -> str:
        """Return the name of the state whose code is running; ``top`` if there is none."""
        acting = self.algorithm.acting()
        return TOP if acting is None else acting[0]

    def add_log(self, logger: str, level: str, text: str) -> None:
        """Add a log record to the running step."""
        self.step.log(logger, level, text)

    def scribble(self, text: object) -> None:
        """Add a free text to the running step; outside a step, to the next one that calls a handler."""
        if self.context.is_current():
            self.step.scribble(text)
        elif self.observers.wanted and self.life not in (Life.STOPPING, Life.ENDED):
            self.step.put_aside(text)

    def start(self, chart: Any, target: Any) -> None:
        """Run the first step: enter ``target`` and rest where its initial transitions lead.

        Raises:
            AlreadyStarted: the chart was started or stopped before.
            ChartError: the states are invalid.
        """
        self.prepare(chart, target)
        algorithm = self.algorithm
        ident = get_ident()
        outer = running.get(ident)
        recorded = self.observers.wanted
        cause = current_cause()
        begin_ns = time_ns()
        if recorded:
            enter_step(ident, self.context)
            self.context.caused = cause
        try:
            if recorded:
                algorithm.announce()
            if recorded and self.step.refused:
                self.step.note_refused()
            shape, algorithm.leaf, algorithm.roots, texts = algorithm.follow(chart, START, algorithm.roots)
        except BaseException as error:  # noqa: BLE001 - re-raised
            leave_step(ident, outer)
            try:
                if recorded:
                    blamed = failed(self, chart, error, Attempt(START, begin_ns, DIRECT, cause))
                else:
                    blamed = forgotten(self, chart, error)
            finally:
                self._start_over(chart)
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        leave_step(ident, outer)
        try:
            if recorded:
                self.recorder.record(
                    shape, begin_ns, DIRECT, cause, self.step.take_texts(texts), chart, START
                )
        except BaseException as error:  # noqa: BLE001 - re-raised
            algorithm.rewind()
            try:
                blamed = unrecorded(self, chart, error, Attempt(START, begin_ns, DIRECT, cause))
            finally:
                self._start_over(chart)
            raise blamed  # noqa: B904 - same
        self.started(chart)

    def prepare(self, chart: Any, target: Any) -> None:
        """Check that the chart can start in ``target``, and begin its start.

        Raises:
            AlreadyStarted: the chart was started or stopped before.
            ChartError: the states are invalid.
        """
        refuse_taken_in(chart, self)
        if self.make_ready is not None:
            target = self.make_ready(chart, target)
        if self.life is not Life.NEW or self.stop_asked:
            raise AlreadyStarted(f"chart {self.name} was started before", "make a new chart for a new start")
        if isinstance(target, Restoring):
            goal = self.algorithm.prepare_in(*prepare(chart, self, target))
            self.restoring = target
        else:
            goal = self.algorithm.prepare(chart, target, f"the start of chart {self.name}")
        make_up = None if self.is_named else self.make_up_name
        self.recorder.rename(self.name if make_up is None else make_up(goal))
        if self.parent is not None:
            self.parent.admit(chart)
        self.life = Life.STARTING

    def started(self, chart: Any) -> None:
        """Let events follow the first step, which succeeded. The driver lets completions follow it first."""
        self.algorithm.started()
        if self.restoring is not None:
            resume(chart, self, self.restoring)
            self.restoring = None
        if self.algorithm.states.places is not None:
            # Never the other way round: another thread may ask for the end in the meantime.
            self.due = True
        self.life = RESTING
        if self.stop_asked:
            self.end(chart)

    def _start_over(self, chart: Any) -> None:
        self.restoring = None
        if self.parent is not None:
            self.parent.dismiss(chart)
        self.algorithm.rewind()
        self.life = Life.NEW
        if self.stop_asked:
            self.end(chart)

    def run(self, chart: Any, item: Posted | None) -> bool:
        """Run one step about ``item``, or about the next event in the queue; return whether there was one.

        Raises:
            ChartError: no step may begin now.
            BaseException: what a handler raised; the step is recorded, and the chart rests where it rested.
        """
        if self.life is not RESTING:
            raise self.not_ready()
        try:
            if item is None:
                item = self.queue.popleft()
            e, cause, posted_ns = item
        except IndexError:
            return False
        except ValueError:
            # If it was cancelled, the next one has its turn.
            return self.run(chart, self.mailbox.redeemed(item))
        if not self.observers.wanted:
            return self._run_unrecorded(chart, e)
        algorithm, context, step = self.algorithm, self.context, self.step
        ident = get_ident()
        begin_ns = time_ns()
        outer = running.get(ident) if running else None
        # Nothing may come between here and the try: whatever is raised, thread and chart are restored.
        self.life = STEPPING
        running[ident] = context
        context.outer = outer
        context.caused = cause
        try:
            if step.refused:
                self._note_refused()
            shape, algorithm.leaf, algorithm.roots, texts = algorithm.follow(chart, e, algorithm.roots)
        except BaseException as error:  # noqa: BLE001 - re-raised
            leave_step(ident, outer)
            blamed = self._fail(chart, error, Attempt(e, begin_ns, posted_ns, cause))
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        if outer is None:
            del running[ident]
        else:
            running[ident] = outer
        # Nor may anything come between these two.
        try:
            self.recorder.record(
                shape, begin_ns, posted_ns, cause, step.take_texts(texts) if step.texts else (), chart, e
            )
        except BaseException as error:  # noqa: BLE001 - re-raised
            try:
                blamed = unrecorded(self, chart, error, Attempt(e, begin_ns, posted_ns, cause))
            finally:
                self._rest(chart)
            raise blamed  # noqa: B904 - same
        self.life = RESTING
        if self.due:
            self.follow_up(chart)
        return True

    def _run_unrecorded(self, chart: Any, e: Event) -> bool:
        self.life = STEPPING
        try:
            if self.stop_asked:
                self._refuse_after_end()
            algorithm = self.algorithm
            _, algorithm.leaf, algorithm.roots, _ = algorithm.follow(chart, e, algorithm.roots)
        except BaseException as error:  # noqa: BLE001 - re-raised
            try:
                blamed = forgotten(self, chart, error)
            finally:
                self._rest(chart)
            raise blamed  # noqa: B904 - it is that error, or has it as its cause
        self.life = RESTING
        if self.due:
            self.follow_up(chart)
        return True

    def follow_up(self, chart: Any) -> None:
        """Do what follows a step: process completions, and end the chart if it has finished or is to stop.

        Raises:
            BaseException: the first error that a handler raised about a completion; the others are recorded.
        """
        if self.stop_asked:
            self.end(chart)
        if self.completing or self.stop_asked or self.algorithm.is_settled:
            return
        failure: BaseException | None = None
        self.completing = True
        try:
            for item in completions(self):
                place = self.algorithm.leaf
                try:
                    self.run(chart, item)
                except BaseException as error:
                    self.algorithm.skip_completion(place)
                    if not isinstance(error, Exception):
                        raise
                    failure = failure or error
        finally:
            self.completing = False
        self.end_if_finished(chart)
        if failure is not None:
            # It has been recorded, though perhaps not in the last step.
            self.failed_number = self.context.number
            raise failure

    def end_if_finished(self, chart: Any) -> None:
        """End a chart whose outermost final state was entered."""
        if self.algorithm.is_finished and not self.stop_asked:
            chart.halt()

    def _note_refused(self) -> None:
        self._refuse_after_end()
        self.step.note_refused()

    def _refuse_after_end(self) -> None:
        """Raise ``ChartStopped`` if the chart was stopped when a step was about to begin."""
        if self.observers.ended:
            raise self.ended()

    def _fail(self, chart: Any, error: BaseException, attempt: Attempt) -> BaseException:
        """Record a step that failed, and get ready for the next one; return the error to raise."""
        try:
            return error if self.observers.ended else failed(self, chart, error, attempt)
        finally:
            self._rest(chart)

    def _rest(self, chart: Any) -> None:
        """Get ready for the next step after one that failed, or for the end if the chart was stopped."""
        self.life = RESTING
        if self.stop_asked:
            self.end(chart)

    def stop(self, chart: Any) -> None:
        """End the chart as soon as no step runs, and refuse posts; may be called at any moment."""
        if self.stop_asked:
            return
        self.stop_asked = self.due = True
        self.mailbox.close()
        self.fabric.forget(chart)
        # A running step continues to its end; if it is recorded, watchers are notified after it.
        if self.life in (Life.NEW, RESTING):
            self.end(chart)

    def end(self, chart: Any) -> None:
        """Notify watchers that the chart was stopped, and release what only steps need."""
        if self.life in (Life.STOPPING, Life.ENDED):
            return
        self.life = Life.STOPPING
        status = self.end_status
        for child in () if self.children is None else self.children.dependent():
            halt(child)
        try:
            self.observers.stop(self.recorder.id, status)
            # A step that was about to begin notices it there, without a separate check.
            self.step.refuse_next()
            self.mailbox.clear()
            if self.stays is not None:
                self.stays.end_all()
            self.algorithm.release(chart)
            self.life = Life.ENDED
        finally:
            if self.parent is not None:
                self.parent.report_end(chart, status)

    def ended(self) -> ChartStopped:
        """Return the error for using the chart after its end."""
        if self.algorithm.is_finished:
            return ChartStopped(
                f"chart {self.name} has finished: it entered a final state", "make and start a new chart"
            )
        return self.mailbox.driver.ended(self.name)

    def not_ready(self) -> ChartError:
        """Return the error for running a step when none may begin."""
        if self.stop_asked:
            return self.ended()
        if not self.has_started:
            return NotStarted(f"chart {self.name} was not started", "call chart.start_at(STATE) first")
        return ChartError(
            f"chart {self.name} is in the middle of a step",
            "a step runs to its end before the next begins: post the event instead of dispatching it",
            state=self.algorithm.state_name,
        )
