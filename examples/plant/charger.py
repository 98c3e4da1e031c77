"""A charger: the session with a car, its contactor and its bills. ``python -m plant.charger c1`` runs one."""

from __future__ import annotations

import random
import sys
import time
from typing import Any

from farscope import Event, Factory, broadcast
from farscope.engine import Chart, State
from plant import bus
from plant.billing import Billing
from plant.contactor import make_contactor

AUTHORIZATION_S = 0.9
TOO_HOT = 60
COOL_AGAIN = 45


class Charger(Chart):
    """From the plug to the bill, and what to do when it gets hot."""

    contactor: Factory
    billing: Billing
    authorization: Any = None
    celsius = peak = 25.0
    amps = 16
    energy = 0.0
    sessions = 0

    with State(initial=True) as operative:
        available = State(initial=True)
        with State() as occupied:
            plugged = State(initial=True)
            with State() as charging:
                closing = State(initial=True)
                delivering = State()
    faulted = State()

    available.on("PLUG", to=plugged)
    plugged.on("AUTHORIZED", to=charging)
    closing.on("CONTACTOR_CLOSED", to=delivering)
    occupied.on("AUTH_TIMEOUT", "UNPLUG", to=available)
    operative.on("OVERTEMP", to=faulted)
    faulted.on("TEMP", to=available, guard=lambda self, e: max(self.peak, e.payload) < COOL_AGAIN)

    @plugged.entry
    def ask(self) -> None:
        self.authorization = self.post_fifo(
            Event("AUTH_TIMEOUT"), period=AUTHORIZATION_S, times=1, deferred=True
        )
        bus.send("gateway", "AUTHORIZE", charger=self.name)

    @charging.entry
    def close_contactor(self) -> None:
        self.contactor.post_fifo(Event("CLOSE"))

    @charging.exit
    def open_contactor(self) -> None:
        self.contactor.post_fifo(Event("OPEN"))
        bus.send("meter", "LOAD", charger=self.name, kw=0)

    @delivering.entry
    def begin(self) -> None:
        self.cancel_event(self.authorization)
        self.energy = 0.0

    @delivering.on("TEMP")
    def measure(self, e: Event) -> None:
        self.celsius = e.payload
        self.peak = max(self.peak, self.celsius)
        self.energy += self.amps * 0.023
        bus.send("meter", "LOAD", charger=self.name, kw=self.amps * 0.69)
        if self.celsius > TOO_HOT:
            self.post_lifo(Event("OVERTEMP"))

    @delivering.exit
    def settle(self) -> None:
        self.sessions += 1
        tariff = "night2" if self.name == "c1" and self.sessions > 7 else random.choice(["day", "night"])
        self.billing.post_fifo(Event("SESSION_END", {"kwh": self.energy, "tariff": tariff}))

    @operative.on("LIMIT")
    def limit(self, e: Event) -> None:
        self.amps = e.payload["amps"]
        self.scribble(f"limit {self.amps} A by {e.payload['by']}")

    @operative.entry
    def tell_operative(self) -> None:
        bus.send("site", "STATUS", charger=self.name, state="operative")

    @faulted.entry
    def tell_faulted(self) -> None:
        bus.send("site", "STATUS", charger=self.name, state="faulted")


def serve_cars(charger: Charger, heating: float) -> None:
    """Let cars come and go for ever; delivering heats by up to so many degrees a tenth of a second."""
    celsius = 25.0
    while True:
        time.sleep(random.uniform(0.3, 1.2))
        charger.post_fifo(Event("PLUG"))
        for _ in range(random.randint(8, 30)):
            time.sleep(0.1)
            delivering = charger.current_state() == "delivering"
            celsius = max(25.0, celsius + (random.uniform(0.1, heating) if delivering else -1.5))
            charger.post_fifo(Event("TEMP", celsius))
        charger.post_fifo(Event("UNPLUG"))


def main(name: str) -> None:
    """Run the charger of that name until the program is ended."""
    bus.leave_in_order()
    random.seed(name)
    charger = Charger(name)
    charger.contactor = make_contactor(charger, f"{name}.contactor")
    charger.billing = Billing(f"{name}.billing")

    def deliver(signal: str, payload: dict[str, object]) -> None:
        (charger.billing if signal == "ACK" else charger).post_fifo(Event(signal, payload))

    with broadcast(charger, charger.contactor, charger.billing):
        charger.contactor.start_at("opened")
        charger.billing.start_at()
        charger.start_at()
        bus.listen(name, deliver)
        serve_cars(charger, heating=2.6 if name == "c2" else 0.5)


if __name__ == "__main__":
    main(sys.argv[1])
