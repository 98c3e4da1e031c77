"""Eight threads post to four charts that post to one another: nothing lost, nothing doubled, all in order.

Each message travels a path of charts. Where a chart passes one on, it may also post twice to its own
front. What came where, and in what order, is noted by the handlers and compared with the plan.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.engine import ActiveObject, Event, Fabric, return_status, signals

POSTERS = 8
CHARTS = 4
PATIENCE_S = 20.0
SOAK_S = 60.0


@pytest.fixture(autouse=True, scope="module")
def hasty_threads():
    """Let threads take turns as often as they can, which is when their races show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Message(NamedTuple):
    """One message: who sends it, its number there, the charts it visits, and how it is sent on."""

    poster: int
    number: int
    path: tuple[int, ...]
    fronts: bool
    """Whether each chart it visits also posts two events to its own front."""


paths = st.tuples(st.lists(st.integers(0, CHARTS - 1), min_size=1, max_size=5).map(tuple), st.booleans())
plans = st.lists(st.lists(paths, min_size=1, max_size=12), min_size=POSTERS, max_size=POSTERS)


class Crowd:
    """Four running charts and what they saw."""

    def __init__(self, expected: int) -> None:
        self.charts = [
            ActiveObject(f"chart{number}", queue_size=1_000_000, fabric=Fabric()) for number in range(CHARTS)
        ]
        self.seen: list[list[Any]] = [[] for _ in range(CHARTS)]
        self.inside = [0] * CHARTS
        self.overlaps = 0
        self.left = expected
        self.lock = threading.Lock()
        self.done = threading.Event()
        for number, chart in enumerate(self.charts):
            chart.start_at(self.state(number))

    def state(self, number: int) -> Any:
        def visited(chart, e):
            if e.signal not in (signals.VISIT, signals.FRONT):
                chart.temp.fun = chart.top
                return return_status.SUPER
            self.inside[number] += 1
            self.overlaps += self.inside[number] != 1
            self.seen[number].append(e.payload)
            if e.signal == signals.VISIT:
                self.pass_on(chart, *e.payload)
            self.inside[number] -= 1
            self.count()
            return return_status.HANDLED

        return visited

    def pass_on(self, chart: Any, message: Message, stop: int) -> None:
        if message.fronts:
            for which in ("first", "second"):
                chart.post_lifo(Event("FRONT", payload=(message, stop, which)))
        if stop + 1 < len(message.path):
            self.charts[message.path[stop + 1]].post_fifo(Event("VISIT", payload=(message, stop + 1)))

    def count(self) -> None:
        with self.lock:
            self.left -= 1
            if not self.left:
                self.done.set()

    def send(self, messages: list[Message]) -> None:
        for message in messages:
            self.charts[message.path[0]].post_fifo(Event("VISIT", payload=(message, 0)))

    def stop(self) -> None:
        for chart in self.charts:
            chart.stop()


def run(plan: list[list[tuple[tuple[int, ...], bool]]]) -> None:
    messages = [
        [Message(poster, number, path, fronts) for number, (path, fronts) in enumerate(sent)]
        for poster, sent in enumerate(plan)
    ]
    every = [message for sent in messages for message in sent]
    expected = sum(len(message.path) * (3 if message.fronts else 1) for message in every)
    crowd = Crowd(expected)
    threads = [threading.Thread(target=crowd.send, args=(sent,)) for sent in messages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arrived = crowd.done.wait(PATIENCE_S)
    crowd.stop()
    assert arrived, f"{crowd.left} of {expected} never came"
    assert not crowd.overlaps
    check_arrivals(crowd, every)
    check_orders(crowd)


def check_arrivals(crowd: Crowd, every: list[Message]) -> None:
    for number, seen in enumerate(crowd.seen):
        due: list[Any] = []
        for message in every:
            for stop, visited in enumerate(message.path):
                if visited == number:
                    due.append((message, stop))
                    due += [(message, stop, which) for which in ("first", "second") if message.fronts]
        assert sorted(map(repr, seen)) == sorted(map(repr, due))


def check_orders(crowd: Crowd) -> None:
    passed_on: dict[tuple[int, int], list[Any]] = {}
    for number, seen in enumerate(crowd.seen):
        visits = [item for item in seen if len(item) == 2]
        for poster in range(POSTERS):
            direct = [message.number for message, stop in visits if message.poster == poster and stop == 0]
            assert direct == sorted(direct)
        for message, stop in visits:
            if stop + 1 < len(message.path):
                passed_on.setdefault((number, message.path[stop + 1]), []).append((message, stop + 1))
        # Nobody else posts to a chart's front, so what it posts there itself comes right behind, last first.
        for place, item in enumerate(seen):
            if len(item) == 2 and item[0].fronts:
                assert seen[place + 1 : place + 3] == [(*item, "second"), (*item, "first")]
    for (start, end), sent in passed_on.items():
        came = [
            item
            for item in crowd.seen[end]
            if len(item) == 2 and item[1] and item[0].path[item[1] - 1] == start
        ]
        assert came == sent


@settings(max_examples=25, deadline=None)
@given(plans)
def test_whatever_eight_threads_post_comes_once_and_in_order(plan):
    run(plan)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_for_a_minute_whatever_eight_threads_post_comes_once_and_in_order():
    deadline = time.monotonic() + SOAK_S
    rounds = 0
    while time.monotonic() < deadline:
        plan = [
            [
                (
                    tuple((poster + step * (number % 3 + 1)) % CHARTS for step in range(number % 5 + 1)),
                    number % 7 == rounds % 7,
                )
                for number in range(400)
            ]
            for poster in range(POSTERS)
        ]
        run(plan)
        rounds += 1
    assert rounds
