"""The site: a controller that curtails the chargers, and a balancer that shares what the grid has left."""

from __future__ import annotations

import random
import threading
import time

from farscope import Event, broadcast
from farscope.engine import Chart, State
from plant import bus

CURTAIL_ABOVE_KW = 100
RELEASE_BELOW_KW = 85
LEAST_AMPS = 6
MOST_AMPS = 32


class Site(Chart):
    """Decides, reading by reading, whether the chargers may take what they want."""

    with State(initial=True) as connected:
        normal = State(initial=True)
        curtailed = State()

    normal.on("READING", to=curtailed, guard=lambda _site, e: e.payload["kw"] > CURTAIL_ABOVE_KW)
    curtailed.on("READING", to=normal, guard=lambda _site, e: e.payload["kw"] < RELEASE_BELOW_KW)

    @connected.on("STATUS")
    def note(self, e: Event) -> None:
        self.scribble(f"{e.payload['charger']} is {e.payload['state']}")

    @curtailed.entry
    def curtail(self) -> None:
        for charger in bus.CHARGERS:
            bus.send(charger, "LIMIT", amps=LEAST_AMPS, by="site")

    @normal.entry
    def release(self) -> None:
        self.publish(Event("RELEASED"))


class Balancer(Chart):
    """Shares what the grid has left; its optimiser takes its time."""

    with State(initial=True) as on:
        idle = State(initial=True)
        held = State()

    held.on("RELEASED", to=idle)

    @on.entry
    def hear(self) -> None:
        self.subscribe("READING")
        self.subscribe("RELEASED")

    @idle.on("READING")
    def share(self, e: Event) -> State | None:
        if e.payload["kw"] > CURTAIL_ABOVE_KW:
            return self.held
        time.sleep(random.uniform(0.05, 0.3))  # the optimiser
        amps = max(LEAST_AMPS, min(MOST_AMPS, int((150 - e.payload["kw"]) * 1.4 / len(bus.CHARGERS))))
        for charger in bus.CHARGERS:
            bus.send(charger, "LIMIT", amps=amps, by="balancer")
        self.scribble(f"limit {amps} A")
        return None


def main() -> None:
    """Run until the program is ended."""
    bus.leave_in_order()
    random.seed(5)
    site, balancer = Site("site"), Balancer("balancer")

    def deliver(signal: str, payload: dict[str, object]) -> None:
        event = Event(signal, payload)
        site.post_fifo(event)
        if signal == "READING":
            balancer.publish(event)

    with broadcast(site, balancer):
        site.start_at()
        balancer.start_at()
        bus.listen("site", deliver)
        threading.Event().wait()


if __name__ == "__main__":
    main()
