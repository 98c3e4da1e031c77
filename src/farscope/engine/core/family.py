"""The family of a chart: the chart that contains it, and those it contains, from their start to their end."""

from __future__ import annotations

import contextlib
import logging
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from farscope.engine.core.handlers import name_of
from farscope.engine.event import Event
from farscope.errors import ChartBuildError, ChartError, ChartStopped, ForeignProcess, QueueFull, UsageError
from farscope.records.step import Cause, ChartRef
from farscope.records.structure import AnyChartStatus, ChartStatus

CHILD_FINISHED: Final = "CHILD_FINISHED"
CHILD_FAILED: Final = "CHILD_FAILED"
CHILD_STOPPED: Final = "CHILD_STOPPED"
"""Signals of the events by which a chart learns that one of its children has ended, and how. Their payload is
a ``ChildEnd``."""

_SIGNALS: Final[dict[int, str]] = {ChartStatus.FINISHED: CHILD_FINISHED, ChartStatus.FAILED: CHILD_FAILED}

_log = logging.getLogger("farscope")


class ChildEnd(NamedTuple):
    """The end of a child: the payload of the event that its parent receives."""

    name: str
    """Name of the child."""
    child: Any
    """The child, which has ended; its attributes may hold its results."""
    error: BaseException | None
    """The handler's error that ended it, if any."""


class Parent:
    """A child's link to the chart that contains it; does not keep that chart alive.

    Args:
        chart: the parent.
        outlives: whether the child continues when its parent ends.

    Raises:
        UsageError: ``chart`` is not a chart.
    """

    __slots__ = ("__weakref__", "_child", "chart", "outlives", "ref", "silenced")

    def __init__(self, chart: Any, *, outlives: bool) -> None:
        core = _core_of(chart)
        self.ref = ChartRef(core.context.serial)
        """How records refer to the parent."""
        self.outlives = outlives
        self.silenced = False
        """Whether the parent itself ends the child, and so needs no event about its end."""
        self._child: weakref.ref[Any] | None = None
        self.chart: weakref.ref[Any] = weakref.ref(chart, self._end_orphan)

    def admit(self, child: Any) -> None:
        """Make ``child``, which is about to start, one of the parent's children.

        Raises:
            ChartStopped: the parent has ended, and the child does not outlive it.
            ForeignProcess: in a forked child, while the parent runs in the parent process.
        """
        self._child = weakref.ref(child)
        parent = self.chart()
        if parent is not None and is_running(parent):
            core = _core_of(parent)
            core.mailbox.driver.refuse_elsewhere()
            if core.children is None:
                core.children = Children()
            core.children.add(child)
            # The parent ends its children after it has noted that it is to end: either it sees this one, or
            # its end is seen here.
            if is_running(parent):
                try:
                    core.observers.follow(child, core.recorder.id)
                except BaseException:
                    core.children.discard(child)
                    raise
                return
            core.children.discard(child)
        if not self.outlives:
            raise ChartStopped(
                f"the parent of chart {_core_of(child).name} has ended",
                "start charts while their parent runs, or make them with outlives_parent=True",
            )

    def dismiss(self, child: Any) -> None:
        """Undo ``admit`` for a child whose start failed."""
        parent = self.chart()
        children = None if parent is None else _core_of(parent).children
        if children is not None:
            children.discard(child)

    def report_end(self, child: Any, status: AnyChartStatus) -> None:
        """Report the end of ``child`` to its parent; called on the thread that ends it."""
        self.dismiss(child)
        parent = self.chart()
        core = _core_of(child)
        error = core.mailbox.driver.failure
        if parent is None or self.silenced or not is_running(parent) or not (core.has_started or error):
            return
        self.post_end(child, _SIGNALS.get(status, CHILD_STOPPED), error)

    def post_end(self, child: Any, signal: str, error: BaseException | None) -> None:
        """Post the event about the end of ``child`` to its parent."""
        parent = self.chart()
        if parent is None:
            return
        core = _core_of(child)
        context = core.context
        cause = Cause(context.serial, context.number) if context.number else None
        try:
            e = Event(signal, ChildEnd(core.name, child, error))
            _core_of(parent).mailbox.deliver(e, (cause, 0), lifo=False)
        except (QueueFull, ChartStopped, ForeignProcess) as refusal:
            _log.warning(
                "chart %s did not learn of the end of its child %s: %s",
                _core_of(parent).name,
                core.name,
                refusal,
            )

    def _end_orphan(self, _parent: object) -> None:
        """End the child of a chart that was garbage-collected; called on any thread, at any moment."""
        child = None if self._child is None else self._child()
        if child is not None and not self.outlives:
            halt(child)


class Children:
    """The running children of one chart, in the order of their starts. Any thread may use it."""

    __slots__ = ("_by_serial",)

    def __init__(self) -> None:
        self._by_serial: dict[int, Any] = {}
        """Changed by single operations only, because children end on threads of their own."""

    def __len__(self) -> int:
        return len(self._by_serial)

    def add(self, child: Any) -> None:
        """Add a child that is about to start."""
        self._by_serial[_core_of(child).context.serial] = child

    def discard(self, child: Any) -> None:
        """Remove a child that has ended; no effect if it is not there."""
        self._by_serial.pop(_core_of(child).context.serial, None)

    def all(self) -> tuple[Any, ...]:
        """Return the children."""
        return (*list(self._by_serial.values()),)

    def dependent(self) -> tuple[Any, ...]:
        """Return the children that do not outlive their parent."""
        return tuple(child for child in self.all() if not _core_of(child).parent.outlives)


def parent_of(chart: Any, parent: Any, *, outlives: bool) -> Parent | None:
    """Return the link of a new chart to its parent, if it is given one.

    Raises:
        UsageError: ``parent`` is not a chart, or there is none to outlive.
    """
    if parent is not None:
        return Parent(parent, outlives=outlives)
    if outlives:
        raise UsageError(
            f"chart {chart} has no parent that it could outlive", "give parent= as well, or leave it out"
        )
    return None


def halt(child: Any) -> None:
    """End a child after its running step, on behalf of its parent, without waiting for it."""
    _core_of(child).parent.silenced = True
    try:
        child.halt()
    except ForeignProcess:
        # A copy in a forked process: the child continues where it was started.
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, parent and siblings end
        _log.error("chart %s could not end in order", _core_of(child).name, exc_info=error)


def start_child(chart: Any, make: Callable[..., Any], state: str) -> Any:
    """Start and return the chart that ``make`` returns, as a child of ``chart`` that belongs to a state.

    Raises:
        ChartBuildError: it is not a chart, has another parent, or does not say where it starts.
    """
    child = make(parent=chart) if isinstance(make, type) else make(chart)
    core = getattr(child, "_core", None)
    if core is None or child is chart:
        raise ChartBuildError(
            f"{name_of(make)}, which makes a chart for state {state}, returned {child!r}",
            "return a new chart",
            state=state,
        )
    begun = core.has_started or core.mailbox.driver.thread is not None
    if core.parent is None and not begun:
        core.parent = Parent(chart, outlives=False)
        core.recorder.parent = core.parent.ref
    if core.parent is None or core.parent.chart() is not chart:
        raise ChartBuildError(
            f"chart {core.name}, which {name_of(make)} made for state {state}, is not in chart "
            f"{_core_of(chart).name}",
            "make it with parent=self, or leave its start and its parent to the state",
            state=state,
        )
    if not begun:
        if not hasattr(type(child), "_declaration"):
            raise ChartBuildError(
                f"chart {core.name}, which {name_of(make)} made for state {state}, does not say where it "
                "starts",
                "declare it as a Chart, or make it with parent=self and start it: chart.start_at(STATE)",
                state=state,
            )
        child.start_at()
    return child


def report_stopped(child: Any) -> None:
    """Report to its parent that a child was stopped by a step that left its state and failed."""
    core = _core_of(child)
    error = ChartError(
        f"chart {core.name} was stopped by a step that left its state and failed",
        "react to CHILD_STOPPED, for example by entering the state once more",
    )
    core.parent.post_end(child, CHILD_STOPPED, error)


def dependents(core: Any) -> tuple[Any, ...]:
    """Return the running children of a chart that end with it."""
    return () if core.children is None else core.children.dependent()


def wait_for_children(children: Iterable[Any], deadline: float) -> None:
    """Wait until children that were asked to end have ended, or until a monotonic deadline."""
    for child in children:
        # Its own thread does not wait for its end.
        with contextlib.suppress(ForeignProcess):
            child.join(max(0.0, deadline - time.monotonic()))


def _core_of(chart: Any) -> Any:
    core = getattr(chart, "_core", None)
    if core is None or not hasattr(core, "mailbox"):
        raise UsageError(f"{chart!r} is not a chart, and cannot contain one", "give parent= a chart")
    return core


def is_running(chart: Any) -> bool:
    """Return whether a chart has not been asked to end, as far as its steps are concerned."""
    return not _core_of(chart).stop_asked
