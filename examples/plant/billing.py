"""Bills of one charger: each is sent until it is acknowledged, four times at most."""

from __future__ import annotations

from typing import Any

from farscope import Event
from farscope.engine import Chart, State
from plant import bus

TARIFFS = {"day": 0.42, "night": 0.21}
TRIES = 4
RETRY_S = 0.3


class Billing(Chart):
    """Puts aside the sessions that end while a bill is on its way."""

    bill: dict[str, Any]
    tries = 0
    retry: Any = None

    with State(initial=True) as working:
        ready = State(initial=True)
        sending = State()
    given_up = State()

    sending.on("ACK", to=ready)
    given_up.on("ACK", to=ready)

    @ready.entry
    def take_next(self) -> None:
        self.recall()

    @ready.on("SESSION_END")
    def make_bill(self, e: Event) -> State:
        self.bill = {"price": round(e.payload["kwh"] * TARIFFS[e.payload["tariff"]], 2)}
        self.tries = 0
        return self.sending

    @sending.entry
    def send(self) -> None:
        self.tries += 1
        bus.send("gateway", "BILL", charger=self.name.split(".")[0], **self.bill)
        self.retry = self.post_fifo(Event("RETRY"), period=RETRY_S, times=1, deferred=True)

    @sending.exit
    def stop_timer(self) -> None:
        self.cancel_event(self.retry)

    @sending.on("RETRY")
    def try_again(self) -> State:
        return self.given_up if self.tries >= TRIES else self.sending

    @sending.on("SESSION_END")
    def keep(self, e: Event) -> None:
        self.defer(e)
