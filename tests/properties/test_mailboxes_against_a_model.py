"""Posts, timed posts, deferrals, publications and refusals: charts agree with a simple model.

The model keeps lists where the engine keeps threads, heaps and weak references.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from farscope.engine import Event, Fabric, Hsm, return_status
from farscope.testing.clock import VirtualClock

CHARTS = 3
QUEUE_SIZE = 4
SIGNALS = ("A", "B")

charts = st.integers(0, CHARTS - 1)
signal_names = st.sampled_from(SIGNALS)
ends = st.sampled_from(["fifo", "lifo"])
milliseconds = st.integers(1, 9)


class Model:
    """One chart as the model sees it."""

    def __init__(self) -> None:
        self.queue: deque[int] = deque()
        self.deferred: deque[int] = deque()
        self.heard: list[int] = []
        self.subscriptions: dict[str, str] = {}
        self.rejected = 0
        self.stopped = False

    def post(self, item: int, end: str) -> None:
        if self.stopped:
            return
        if len(self.queue) >= QUEUE_SIZE:
            self.rejected += 1
        elif end == "lifo":
            self.queue.appendleft(item)
        else:
            self.queue.append(item)

    def run(self) -> None:
        self.heard += self.queue
        self.queue.clear()


@dataclass
class ModelTimer:
    """A timed post as the model sees it; times are in milliseconds."""

    chart: int
    item: int
    end: str
    due: int
    period: int
    left: int | None
    order: int = 0


class Mailboxes(RuleBasedStateMachine):
    """Three charts that drop what finds no room, on one fabric and one clock."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.fabric = Fabric()
        self.heard: list[list[int]] = [[] for _ in range(CHARTS)]
        self.charts = [self.chart(number) for number in range(CHARTS)]
        self.models = [Model() for _ in range(CHARTS)]
        self.timers: dict[int, ModelTimer] = {}
        self.armed: dict[int, tuple[int, int]] = {}
        """Chart and item of every timed post by its key, also of those that have ended."""
        self.now = 0
        self.items = 0
        self.orders = 0

    def chart(self, number: int) -> Hsm:
        def state(chart: Any, e: Event) -> Any:
            if e.signal_name in SIGNALS:
                self.heard[number].append(e.payload)
                return return_status.HANDLED
            chart.temp.fun = chart.top
            return return_status.SUPER

        chart = Hsm(
            f"chart{number}", queue_size=QUEUE_SIZE, on_full="drop", clock=self.clock, fabric=self.fabric
        )
        chart.start_at(state)
        return chart

    def event(self, name: str) -> Event:
        self.items += 1
        return Event(name, payload=self.items)

    def alive(self, number: int) -> bool:
        return not self.models[number].stopped

    @rule(number=charts, name=signal_names, end=ends)
    def post(self, number: int, name: str, end: str) -> None:
        if self.alive(number):
            getattr(self.charts[number], f"post_{end}")(self.event(name))
            self.models[number].post(self.items, end)

    @rule(number=charts)
    def step(self, number: int) -> None:
        if self.alive(number):
            model = self.models[number]
            assert self.charts[number].next_rtc() == bool(model.queue)
            if model.queue:
                model.heard.append(model.queue.popleft())

    @rule(number=charts, name=signal_names)
    def defer(self, number: int, name: str) -> None:
        if self.alive(number):
            self.charts[number].defer(self.event(name))
            model = self.models[number]
            if len(model.deferred) < QUEUE_SIZE:
                model.deferred.append(self.items)
            else:
                model.rejected += 1

    @rule(number=charts)
    def recall(self, number: int) -> None:
        model = self.models[number]
        if not (self.alive(number) and model.deferred):
            return
        recalled = self.charts[number].recall()
        if len(model.queue) < QUEUE_SIZE:
            assert recalled is not None
            model.queue.append(model.deferred.popleft())
        else:
            assert recalled is None
            model.rejected += 1

    @rule(
        number=charts,
        name=signal_names,
        end=ends,
        period=milliseconds,
        times=st.integers(0, 3),
        deferred=st.sampled_from([None, True, False]),
    )
    def arm(
        self, *, number: int, name: str, end: str, period: int, times: int, deferred: bool | None
    ) -> None:
        if not self.alive(number):
            return
        post = getattr(self.charts[number], f"post_{end}")
        key = post(self.event(name), period=period / 1000, times=times, deferred=deferred)
        self.armed[key] = number, self.items
        left = times or None
        if deferred is False:
            self.models[number].post(self.items, end)
            left = left and left - 1
        if left != 0:
            timer = ModelTimer(number, self.items, end, self.now + period, period, left)
            self.timers[key] = timer
            self.reorder(timer)

    def reorder(self, timer: ModelTimer) -> None:
        self.orders += 1
        timer.order = self.orders

    @precondition(lambda self: self.armed)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        key = data.draw(st.sampled_from(sorted(self.armed)))
        number, item = self.armed.pop(key)
        chart, model = self.charts[number], self.models[number]
        to_come = self.timers.pop(key, None) is not None
        waiting = [other for other in model.queue if other != item]
        assert chart.cancel_event(key) == (to_come or len(waiting) < len(model.queue))
        model.queue = deque(waiting)
        assert not chart.cancel_event(key)

    @rule(passing=st.integers(0, 12))
    def advance(self, passing: int) -> None:
        self.clock.advance(passing / 1000)
        end = self.now + passing
        self.run_all()
        while due := [timer for timer in self.timers.values() if timer.due <= end]:
            timer = min(due, key=lambda timer: (timer.due, timer.order))
            self.models[timer.chart].post(timer.item, timer.end)
            timer.due += timer.period
            timer.left = timer.left and timer.left - 1
            self.reorder(timer)
            self.timers = {key: kept for key, kept in self.timers.items() if kept.left != 0}
            self.run_all()
        self.now = end

    def run_all(self) -> None:
        for model in self.models:
            if not model.stopped:
                model.run()

    @rule(number=charts, name=signal_names, end=ends)
    def subscribe(self, number: int, name: str, end: str) -> None:
        if self.alive(number):
            self.charts[number].subscribe(name, queue_type=end)
            self.models[number].subscriptions[name] = end

    @rule(number=charts, name=signal_names)
    def unsubscribe(self, number: int, name: str) -> None:
        was = self.models[number].subscriptions.pop(name, None) is not None
        assert self.charts[number].unsubscribe(name) == was

    @rule(number=charts, name=signal_names)
    def publish(self, number: int, name: str) -> None:
        if self.alive(number):
            self.charts[number].publish(self.event(name))
            for model in self.models:
                if name in model.subscriptions:
                    model.post(self.items, model.subscriptions[name])

    @precondition(lambda self: sum(model.stopped for model in self.models) < CHARTS - 1)
    @rule(number=charts)
    def stop(self, number: int) -> None:
        self.charts[number].stop()
        model = self.models[number]
        model.stopped = True
        model.subscriptions.clear()
        model.queue.clear()
        model.deferred.clear()
        self.timers = {key: timer for key, timer in self.timers.items() if timer.chart != number}

    @invariant()
    def charts_are_as_the_model_says(self) -> None:
        for chart, model, heard in zip(self.charts, self.models, self.heard, strict=True):
            assert heard == model.heard
            assert [e.payload for e, *_ in chart._core.queue] == list(model.queue)
            assert [e.payload for e in chart._core.mailbox.deferred] == list(model.deferred)
            assert chart.rejected == model.rejected
        assert self.clock.pending == len(self.timers)

    def teardown(self) -> None:
        for chart in self.charts:
            chart.stop()
        assert self.clock.pending == 0
        assert self.fabric.subscriptions == 0


TestMailboxes = Mailboxes.TestCase
TestMailboxes.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
