"""The contactor of one charger, built by parts; it takes a while to close."""

from __future__ import annotations

import random
from typing import Any

from farscope import Event, Factory, return_status
from farscope.engine import Chart


def make_contactor(charger: Chart, name: str) -> Factory:
    """Return a contactor that tells its charger when it has closed."""
    contactor = Factory(name)

    def close(chart: Factory, _e: Event) -> Any:
        return chart.trans(closing)

    def start_travel(chart: Factory, _e: Event) -> Any:
        chart.post_fifo(Event("TRAVELLED"), period=random.uniform(0.1, 0.4), times=1, deferred=True)
        return return_status.HANDLED

    def arrive(chart: Factory, _e: Event) -> Any:
        return chart.trans(closed)

    def tell_closed(_chart: Factory, _e: Event) -> Any:
        charger.post_fifo(Event("CONTACTOR_CLOSED"))
        return return_status.HANDLED

    def let_go(chart: Factory, _e: Event) -> Any:
        return chart.trans(opened)

    opened = contactor.create("opened").catch("CLOSE", close).to_method()
    closing = (
        contactor.create("closing").catch("ENTRY_SIGNAL", start_travel).catch("TRAVELLED", arrive).to_method()
    )
    closed = contactor.create("closed").catch("ENTRY_SIGNAL", tell_closed).catch("OPEN", let_go).to_method()
    contactor.nest(opened, parent=None).nest(closing, parent=None).nest(closed, parent=None)
    return contactor
