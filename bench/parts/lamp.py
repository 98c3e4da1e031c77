"""A chart of two states that a press switches between, and steps of it at a steady pace."""

from __future__ import annotations

import time
from collections.abc import Callable

from farscope import Event, Factory

PACE_S = 0.001


def make_lamp(name: str = "lamp") -> Factory:
    """Return a lamp that is driven by its caller and not started yet; it starts in ``off``."""
    chart = Factory(name, threaded=False)
    off = chart.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = chart.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    return chart.nest(off, parent=None).nest(on, parent=None)


def paced(dispatch: Callable[[Event], object], steps: int) -> list[float]:
    """Press once every ``PACE_S``; return the microseconds each step took."""
    press, clock, taken = Event("PRESS"), time.perf_counter, []
    due = clock()
    for _ in range(steps):
        due += PACE_S
        time.sleep(max(0.0, due - clock()))
        began = clock()
        dispatch(press)
        taken.append((clock() - began) * 1e6)
    return taken
