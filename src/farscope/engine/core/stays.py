"""Stays: what belongs to a state from its entry to its exit: timeouts, a task, and charts.

The handlers of the state's entry and exit begin and end its stay, so every algorithm that calls these
handlers serves charts that have such things, and a chart without them pays nothing.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import isawaitable
from typing import Any, NamedTuple

from farscope.engine.core.family import halt, is_running, report_stopped, start_child
from farscope.engine.core.handlers import Call, Settling
from farscope.engine.core.work import Run, start
from farscope.engine.event import (
    ENTRY_SIGNAL,
    EXIT_SIGNAL,
    SUPER,
    UNHANDLED,
    Event,
    StateEvent,
    signals,
)
from farscope.engine.timers.schedule import MAX_PERIOD_S, MIN_PERIOD_S
from farscope.engine.timers.timed_posts import TimedPosts
from farscope.errors import ChartBuildError, ChartError
from farscope.records.carried_cause import current_cause
from farscope.records.facts import FactKind
from farscope.records.tally import Tally

_VOIDED = int(FactKind.VOIDED)

_log = logging.getLogger("farscope")


class Timeout(NamedTuple):
    """A timeout of a state."""

    signal: int
    seconds: float
    """From the end of the state's entry action to the timeout, and between two if it repeats."""
    repeats: bool

    @property
    def delay(self) -> str:
        """The seconds as text, such as ``200 ms``."""
        return delay_text(self.seconds)


class Work(NamedTuple):
    """The task of a state."""

    function: Callable[..., Any]
    awaits: bool
    """Whether it is a coroutine function of the chart; otherwise it runs on a thread, with the chart and a
    ``Cancellation``, or with the chart alone."""
    result: int
    error: int
    """Signals of the events that bring its result or its error."""


class Holding(NamedTuple):
    """The timeouts, the task and the charts that each stay in a state has."""

    state: str
    timeouts: tuple[Timeout, ...] = ()
    work: Work | None = None
    charts: tuple[Callable[..., Any], ...] = ()
    """Make the charts that run during the stay."""


class Stay:
    """One stay in a state."""

    __slots__ = ("children", "holding", "promise", "run", "timers")

    def __init__(self, holding: Holding) -> None:
        self.holding = holding
        self.timers: dict[int, int] = {}
        """Ids of the timed posts, by signal."""
        self.run: Run | None = None
        self.promise = 0
        """Id of the post that is to bring the task's outcome; 0 if there is no task."""
        self.children: list[Any] = []
        """The charts that were started for this stay."""


class Left(NamedTuple):
    """The remains of the last stay in a state, in case the step that ended it fails."""

    holding: Holding
    remaining: dict[int, float]
    """By signal: seconds until each timeout that was still to be handled."""
    unfinished: bool
    """Whether the outcome of a task was still to be handled."""
    children: tuple[Any, ...] = ()
    """The charts that ended with the stay, rather than before."""


class Stays:
    """The current stays of one chart, by the names of their states.

    Only the thread that runs the chart's steps, or ends it, uses them.

    Args:
        timed: the chart's timed posts.
        note: records a fact of the running step.
    """

    __slots__ = ("_current", "_left", "_note", "_runs", "_timed", "voided")

    def __init__(self, timed: TimedPosts, note: Callable[[int, str], object]) -> None:
        self._timed = timed
        self._note = note
        self._current: dict[str, Stay] = {}
        self._left: dict[str, Left] = {}
        self._runs: list[Run] = []
        """Tasks that may still run, also after they were cancelled."""
        self.voided = Tally()
        """Counts timeouts and outcomes of tasks that were discarded because their state had been left."""

    def begin(self, chart: Any, holding: Holding) -> None:
        """Begin a stay: start timeouts, task and charts of a state that was just entered."""
        self._end(holding.state)
        self._left.pop(holding.state, None)
        stay = self._current[holding.state] = Stay(holding)
        for timeout in holding.timeouts:
            self._arm(stay, timeout, timeout.seconds)
        if holding.work is not None:
            self._start(chart, stay, holding.work)
        self._start_children(chart, stay)

    def end(self, state: str) -> None:
        """End the stay in a state that is being left: nothing that belongs to it is handled any more."""
        for signal in self._end(state):
            self._note(_VOIDED, signals.name_for_signal(signal))

    def end_all(self) -> None:
        """End all stays with their chart."""
        for state in list(self._current):
            self._end(state)
        self._left.clear()

    def settle(self, active: Iterable[str]) -> None:
        """Put the stays right after a step failed: the chart rests in the ``active`` states, as before it.

        The timeouts of a state that the step had left go on. Its task was cancelled, which the chart receives
        as the task's error, and its charts were stopped, which it receives as if somebody else had done so.
        """
        resting = set(active)
        for state in list(self._current):
            if state not in resting:
                self._end(state)
        for state in resting - self._current.keys():
            left = self._left.pop(state, None)
            if left is not None:
                self._resume(left)

    def remaining(self) -> dict[str, dict[int, float]]:
        """Return, by state and signal, the seconds until each timeout that is still to fire."""
        return {state: self._remaining_of(stay) for state, stay in self._current.items()}

    def restore(self, chart: Any, holding: Holding, remaining: Mapping[int, float], *, works: bool) -> None:
        """Begin a stay that goes on as in a snapshot: with the ``remaining`` seconds of its timeouts.

        The task starts again if it was running, and so do the state's charts, from their beginning.
        """
        stay = self._current[holding.state] = Stay(holding)
        self._arm_all(stay, remaining)
        if holding.work is not None and works:
            self._start(chart, stay, holding.work)
        self._start_children(chart, stay)

    def numbers(self) -> dict[int, str]:
        """Return the ids of everything that is posted for current stays, with the names of their states."""
        return {
            number: state
            for state, stay in self._current.items()
            for number in (stay.promise, *stay.timers.values())
            if number
        }

    def number_for(self, state: str, signal: int) -> int:
        """Return the id under which a timeout or an outcome is posted for a current stay."""
        stay = self._current[state]
        work = stay.holding.work
        if work is not None and signal in (work.result, work.error):
            stay.promise = stay.promise or self._timed.new_number()
            return stay.promise
        return stay.timers.setdefault(signal, self._timed.new_number())

    def working(self) -> list[str]:
        """Return the names of the states whose tasks have not brought their outcome yet."""
        return [state for state, stay in self._current.items() if self._timed.is_pending(stay.promise)]

    def _arm_all(self, stay: Stay, remaining: Mapping[int, float]) -> None:
        for timeout in stay.holding.timeouts:
            if timeout.signal in remaining:
                self._arm(stay, timeout, remaining[timeout.signal])

    def _arm(self, stay: Stay, timeout: Timeout, first_s: float) -> None:
        # A timeout finds room in any queue. One that repeats might fill it, so it is like any timed post.
        e = Event(timeout.signal) if timeout.repeats else StateEvent(timeout.signal)
        times = 0 if timeout.repeats else 1
        stay.timers[timeout.signal] = self._timed.arm(
            e, current_cause(), timeout.seconds, times, None, lifo=False, first_s=first_s
        )

    def _start(self, chart: Any, stay: Stay, work: Work) -> None:
        stay.promise = self._timed.promise(work.result)
        bring = partial(self._bring, stay, current_cause())
        stay.run = start(chart, stay.holding.state, work, bring, self._runs)

    def _start_children(self, chart: Any, stay: Stay) -> None:
        for make in stay.holding.charts:
            stay.children.append(start_child(chart, make, stay.holding.state))

    def _bring(self, stay: Stay, cause: Any, result: object, error: BaseException | None) -> None:
        """Post the outcome of a task; called on any thread."""
        work = stay.holding.work
        if work is None:
            return
        e = StateEvent(work.result, result) if error is None else StateEvent(work.error, error)
        if not self._timed.keep(stay.promise, e, cause):
            self.voided.add()

    def _end(self, state: str) -> list[int]:
        """End a stay, if there is one; return the signals of events that were waiting to be handled."""
        stay = self._current.pop(state, None)
        if stay is None:
            return []
        timed = self._timed
        remaining = self._remaining_of(stay)
        voided = []
        for timeout in stay.holding.timeouts:
            number = stay.timers.get(timeout.signal, 0)
            timed.abandon(number)
            if timed.withdraw(number):
                voided.append(timeout.signal)
                if not timeout.repeats:
                    remaining[timeout.signal] = 0.0
        unfinished = timed.abandon(stay.promise)
        if stay.run is not None:
            stay.run.cancel()
        outcome = timed.withdraw(stay.promise)
        if outcome:
            unfinished = True
            voided.append(outcome)
        for _ in voided:
            self.voided.add()
        running = tuple(child for child in stay.children if is_running(child))
        for child in running:
            halt(child)
        self._left[state] = Left(stay.holding, remaining, unfinished, running)
        return voided

    def _remaining_of(self, stay: Stay) -> dict[int, float]:
        seconds = {signal: self._timed.remaining_s(number) for signal, number in stay.timers.items()}
        return {signal: left for signal, left in seconds.items() if left is not None}

    def _resume(self, left: Left) -> None:
        holding, remaining, unfinished, children = left
        for child in children:
            report_stopped(child)
        stay = self._current[holding.state] = Stay(holding)
        self._arm_all(stay, remaining)
        if unfinished and holding.work is not None:
            error = ChartError(
                f"the task of state {holding.state} was cancelled by a step that left the state and failed",
                "react to on_error, for example by entering the state once more",
                state=holding.state,
            )
            stay.promise = self._timed.promise(holding.work.error)
            self._bring(stay, current_cause(), None, error)


def hold(handlers: dict[int, Call], holding: Holding) -> None:
    """Let the handlers of a state begin and end its stays."""
    handlers[ENTRY_SIGNAL] = _entering(handlers.get(ENTRY_SIGNAL), holding)
    handlers[EXIT_SIGNAL] = _leaving(handlers.get(EXIT_SIGNAL), holding.state)
    if holding.work is not None:
        error = holding.work.error
        handlers[error] = _reporting(handlers.get(error), holding.state)


def checked_timeout(seconds: object, state: str, *, repeats: bool) -> Timeout:
    """Return a timeout, without its signal.

    Raises:
        ChartBuildError: no timer can wait that long.
    """
    if isinstance(seconds, int | float) and MIN_PERIOD_S <= seconds <= MAX_PERIOD_S:
        return Timeout(0, seconds, repeats)
    raise ChartBuildError(
        f"a timeout of state {state} cannot be {seconds!r} seconds",
        f"give a number between {MIN_PERIOD_S:g} and {MAX_PERIOD_S:g} seconds",
        state=state,
    )


def delay_text(seconds: float) -> str:
    """Return a delay as text: ``200 ms``, ``1.5 s``."""
    return f"{seconds * 1000:.12g} ms" if seconds < 1 else f"{seconds:.12g} s"


def _begin(chart: Any, holding: Holding) -> None:
    core = chart._core  # noqa: SLF001 - a chart's own
    if core.stays is None:
        core.stays = Stays(core.mailbox.timed, core.step.note)
    core.stays.begin(chart, holding)


def _entering(entry: Call | None, holding: Holding) -> Call:
    def begun(chart: Any, status: object) -> object:
        _begin(chart, holding)
        return status

    def enter(chart: Any, e: Event) -> Any:
        status = SUPER if entry is None else entry(chart, e)
        if type(status) is not int and isawaitable(status):
            return Settling(status, partial(begun, chart))
        _begin(chart, holding)
        return status

    return enter


def _leaving(leave: Call | None, state: str) -> Call:
    def exit_(chart: Any, e: Event) -> Any:
        stays = chart._core.stays  # noqa: SLF001 - a chart's own
        if stays is not None:
            stays.end(state)
        return SUPER if leave is None else leave(chart, e)

    return exit_


def _reporting(handler: Call | None, state: str) -> Call:
    """Return the handler of a task's error, which records an error to which the state does not react."""

    def report(chart: Any, e: Event) -> Any:
        status = SUPER if handler is None else handler(chart, e)
        if status in (SUPER, UNHANDLED) and isinstance(e.payload, BaseException):
            core = chart._core  # noqa: SLF001 - a chart's own
            core.scribble("".join(traceback.format_exception(e.payload)))
            _log.error("the task of state %s of chart %s raised", state, core.name, exc_info=e.payload)
        return status

    return report
