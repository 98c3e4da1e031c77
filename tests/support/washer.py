"""A chart with regions, history and final states that runs in the engine."""

from __future__ import annotations

from farscope.engine import Chart, Final, History, State


class Washer(Chart):
    """Washes in two regions, can be paused, and ends when it is unplugged."""

    with State(initial=True) as plugged_in:
        off = State(initial=True)
        with State(parallel=True) as washing:
            with State() as drum:
                turning = State(initial=True)
                stopped = Final()
            with State() as water:
                filling = State(initial=True)
                draining = State()
                dry = Final()
            where_it_was = History(deep=True)
    unplugged = Final()

    off.on("START", to=washing)
    off.on("RESUME", to=where_it_was)
    plugged_in.on("UNPLUG", to=unplugged)
    washing.on("PAUSE", to=off)
    turning.on("SPUN", to=stopped)
    filling.on("SPUN", to=draining)
    water.on("EMPTY", to=dry)
    washing.on_done(to=off)
