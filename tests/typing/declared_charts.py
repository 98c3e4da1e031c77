"""Declared charts as mypy reads them: each line that ends with ``# E: code`` is an error, and no other is."""

from __future__ import annotations

import asyncio
from typing import assert_type

from farscope.engine import AsyncChart, Chart, Event, Factory, Final, History, Runner, State, signals


class Oven(Chart):
    left = 0

    off = State(initial=True)
    with State() as on:
        lit = State(initial=True)
        paused = State()

    on.on("OPEN", to=paused)
    paused.on(signals.SHUT, "CLICK", to="lit")

    @off.on("START", to=on, guard=lambda _oven, e: bool(e.payload))
    def set_time(self, e: Event) -> None:
        self.left = e.payload

    @lit.entry
    def light(self) -> None:
        self.left += 1

    @lit.exit
    def put_out(self, e: Event) -> None:
        self.scribble(e.signal_name)

    @lit.on("TICK")
    def count_down(self) -> State | None:
        self.left -= 1
        return None if self.left else self.off

    @on.initial
    def choose(self) -> State:
        return self.lit if self.left else self.paused

    @on.on("X")
    def _(self) -> State:
        self.of  # E: attr-defined  # noqa: B018 - the mistake is the name
        return self.off

    @on.on("Y")
    def _(self) -> None:
        self.lef += 1  # E: attr-defined

    @on.on("Z")  # E: type-var
    def returns_a_name(self) -> str:
        return "off"

    @on.on("S")  # E: type-var
    def returns_a_status(self) -> int:
        return 4

    @on.on("W", to=off)  # E: type-var
    def goes_elsewhere(self) -> State:
        return self.off

    @on.entry  # E: type-var
    def goes_on_entry(self) -> State:
        return self.off

    @on.initial  # E: type-var
    def stays_on_entry(self) -> None: ...

    @on.on("THREE")  # E: type-var
    def takes_three(self, e: Event, other: int) -> None: ...

    on.on("N", to=7)  # E: call-overload
    on.on(Event("N"), to=off)  # E: call-overload
    on.on("G", to=off, guard=lambda oven: oven.left > 3)
    on.on("H", to=off, guard=7)  # E: call-overload
    stop = State()  # E: assignment


class Lab(Oven):
    with Oven.on.extended() as on:
        cooling = State()
    off = Oven.off.extended(initial=True)
    lit = Oven.lit.extended()

    on.on("OPEN", to=cooling)
    off.redefine("START", to=Oven.paused, guard=lambda _oven, e: bool(e.payload))
    lit.inherit("TICK")

    @lit.entry
    def light_gently(self) -> None:
        super().light()

    on.child(Oven)

    @on.child
    def helper(self) -> Chart:
        return Oven("helper", parent=self)

    @on.child  # E: type-var
    def makes_no_chart(self) -> str:
        return "oven"

    @off.redefine("START")
    def set_twice(self, e: Event) -> None:
        self.left = 2 * e.payload

    off.redefine("START", to=7)  # E: arg-type
    paused = Oven.pausd.extended()  # E: attr-defined


class Press(Chart):
    idle = State(initial=True)
    with State(parallel=True) as busy:
        with State() as ram:
            up = State(initial=True)
            parked = Final()
        before = History(deep=True, default=up)
    scrapped = Final()

    idle.on("RESUME", to=before)
    up.on("PARK", to=parked)
    ram.on_done(to="idle", guard=lambda press: press.configuration == ("parked",))

    @busy.on_done
    def finish(self) -> State | None:
        return None if self.finished else self.idle

    @ram.on_done(to=scrapped)
    def scrap(self) -> None: ...

    @ram.on_done  # E: type-var
    def returns_a_name(self) -> str:
        return "idle"

    @ram.on_done(to=scrapped)  # E: type-var
    def goes_elsewhere(self) -> State:
        return self.idle

    History(default=7)  # E: arg-type
    Final(parallel=True)  # E: call-arg


class Fetcher(AsyncChart):
    idle = State(initial=True)

    @idle.on("GET")
    async def get(self, e: Event) -> State | None:
        await asyncio.sleep(e.payload)
        return self.idle

    @idle.on("BAD")  # E: type-var
    async def bad(self) -> str:
        return "idle"

    @idle.exit
    async def leave(self) -> None:
        await asyncio.sleep(0)


async def use() -> None:
    async with Fetcher("f") as fetcher:
        assert_type(fetcher, Fetcher)
        await fetcher.post(Event("GET", 0))
        fetcher.post("GET")  # E: arg-type, unused-coroutine


with Runner(threads=2) as runner:
    oven = Oven("oven", runner=runner, queue_size=10)
    oven.start_at()
    assert_type(oven.on, State)
    assert_type(oven.count_down(), State | None)
    oven.set_time(3)  # E: arg-type
    part = oven.create("part").to_method()
    oven.nest(part, parent=Oven.on)
    Factory("old", runner=4)  # E: arg-type
    assert_type(Press("press").configuration, tuple[str, ...])
