"""The grid meter, as flat state functions: what the site takes from the grid, four times a second."""

from __future__ import annotations

import random
import threading
from typing import Any

from farscope import ActiveObject, Event, broadcast, return_status, signals, spy_on
from plant import bus

PERIOD_S = 0.25
BROWN_OUT = 0.03
"""How many readings in a hundred find no voltage, divided by a hundred."""


class Meter(ActiveObject):
    """Knows the load of the building, which wanders, and of each charger, which says so."""

    def __init__(self, name: str, chance: random.Random, **options: Any) -> None:
        super().__init__(name, **options)
        self.chance = chance
        self.building_kw = 60.0
        self.charging_kw: dict[str, float] = {}


@spy_on
def metering(chart: Meter, e: Event) -> int:
    if e.signal == signals.INIT_SIGNAL:
        return chart.trans(sampling)
    if e.signal == signals.LOAD:
        chart.charging_kw[e.payload["charger"]] = e.payload["kw"]
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


@spy_on
def sampling(chart: Meter, e: Event) -> int:
    if e.signal == signals.ENTRY_SIGNAL:
        chart.sampler = chart.post_fifo(Event(signal=signals.SAMPLE), period=PERIOD_S)
        return return_status.HANDLED
    if e.signal == signals.EXIT_SIGNAL:
        chart.cancel_event(chart.sampler)
        return return_status.HANDLED
    if e.signal == signals.SAMPLE:
        take_reading(chart)
        return return_status.HANDLED
    chart.temp.fun = metering
    return return_status.SUPER


def take_reading(chart: Meter) -> None:
    """Read voltage and load, and tell the site."""
    chart.building_kw = min(90.0, max(30.0, chart.building_kw + chart.chance.uniform(-12, 12)))
    volts = 0 if chart.chance.random() < BROWN_OUT else 230
    kw = chart.building_kw + sum(chart.charging_kw.values())
    chart.scribble(f"{kw:.1f} kW {1000 * kw / volts:.0f} A")
    bus.send("site", "READING", kw=kw)


def main() -> None:
    """Run until the program is ended."""
    bus.leave_in_order()
    meter = Meter("meter", random.Random(73), on_error="continue")
    bus.listen("meter", lambda signal, payload: meter.post_fifo(Event(signal, payload)))
    with broadcast(meter):
        meter.start_at(metering)
        threading.Event().wait()


if __name__ == "__main__":
    main()
