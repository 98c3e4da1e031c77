"""Charts with regions, history and timeouts, as our engine runs them."""

from __future__ import annotations

from itertools import cycle

from farscope.engine import Chart, Event, History, State
from parts.charts import Once, posted


class Lamps(Chart):
    """Two lamps, both switched by the same event."""

    with State(parallel=True) as both:
        with State() as left:
            left_off = State(initial=True)
            left_on = State()
        with State() as right:
            right_off = State(initial=True)
            right_on = State()

    left_off.on("SWITCH", to=left_on)
    left_on.on("SWITCH", to=left_off)
    right_off.on("SWITCH", to=right_on)
    right_on.on("SWITCH", to=right_off)


class Radio(Chart):
    """A radio that plays what it played before it was paused."""

    paused = State(initial=True)
    with State() as playing:
        fm = State(initial=True)
        am = State()
        before = History(default=am)

    paused.on("PLAY", to=before)
    playing.on("PAUSE", to=paused)


class Watchdog(Chart):
    """A watchdog that starts its time again at every sign of life."""

    watching = State(initial=True)
    barking = State()

    watching.on("ALIVE", to=watching)
    watching.after(60, to=barking)


def two_regions(*, instrumented: bool) -> Once:
    """Return what makes one step of two transitions."""
    chart = Lamps("lamps", instrumented=instrumented, threaded=False)
    chart.start_at()
    return posted(chart.post_fifo, chart.next_rtc, Event("SWITCH"))


def history(*, instrumented: bool) -> Once:
    """Return what makes one step, which in turns leaves a state and returns to it by its history."""
    chart = Radio("radio", instrumented=instrumented, threaded=False)
    chart.start_at()
    events = cycle((Event("PLAY"), Event("PAUSE")))

    def once() -> None:
        chart.post_fifo(next(events))
        chart.next_rtc()

    return once


def timeout(*, instrumented: bool) -> Once:
    """Return what makes one step that leaves and enters a state with a timeout."""
    chart = Watchdog("watchdog", instrumented=instrumented, threaded=False)
    chart.start_at()
    return posted(chart.post_fifo, chart.next_rtc, Event("ALIVE"))
