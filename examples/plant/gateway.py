"""The gateway to the back end, on an event loop: it authorises, takes bills, and loses its link at times."""

from __future__ import annotations

import asyncio
import random

from farscope import Event, broadcast
from farscope.engine import AsyncChart, State
from plant import bus


class Gateway(AsyncChart):
    """Puts aside what comes while the link is down."""

    with State(initial=True) as up:
        online = State(initial=True)
        offline = State()

    online.on("LINK_LOST", to=offline)
    offline.on("LINK_BACK", to=online)

    @online.entry
    def catch_up(self) -> None:
        self.recall()

    @online.on("AUTHORIZE")
    async def authorize(self, e: Event) -> None:
        answer_s = random.uniform(0.2, 0.85)
        asyncio.get_running_loop().call_later(answer_s, bus.send, e.payload["charger"], "AUTHORIZED")

    @online.on("BILL")
    async def forward(self, e: Event) -> None:
        await asyncio.sleep(random.uniform(0.01, 0.05))
        bus.send(e.payload["charger"], "ACK")

    @offline.on("BILL", "AUTHORIZE")
    def keep(self, e: Event) -> None:
        self.defer(e)


class Uplink(AsyncChart):
    """The connection itself, which comes and goes."""

    gateway: Gateway

    with State(initial=True) as link:
        connected = State(initial=True)
        with State() as down:
            waiting = State(initial=True)
            dialling = State()

    connected.on("DROP", to=down)
    waiting.on("DIAL", to=dialling)
    dialling.on("FAILED", to=waiting)

    @down.entry
    def tell(self) -> None:
        self.gateway.post_fifo(Event("LINK_LOST"))

    @waiting.entry
    def back_off(self) -> None:
        self.post_fifo(Event("DIAL"), period=0.4, times=1, deferred=True)

    @dialling.entry
    async def dial(self) -> None:
        await asyncio.sleep(0.1)
        self.post_fifo(Event("UP" if random.random() < 0.6 else "FAILED"))

    @dialling.on("UP")
    def tell_back(self) -> State:
        self.gateway.post_fifo(Event("LINK_BACK"))
        return self.connected


async def main() -> None:
    """Run until the program is ended; the link goes every few seconds."""
    bus.leave_in_order()
    random.seed(7)
    gateway, uplink = Gateway("gateway"), Uplink("uplink")
    uplink.gateway = gateway
    with broadcast(gateway, uplink):
        async with gateway, uplink:
            bus.listen("gateway", lambda signal, payload: gateway.post_fifo(Event(signal, payload)))
            while True:
                await asyncio.sleep(random.uniform(3, 6))
                await uplink.post(Event("DROP"))


if __name__ == "__main__":
    asyncio.run(main())
