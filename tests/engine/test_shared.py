"""Attributes that several threads use."""

from __future__ import annotations

import threading

from farscope.engine import ActiveObject, Event, Hsm, return_status, signals
from farscope.engine.shared import Shared, locked

SOON_S = 20.0


class Counter(ActiveObject):
    hits = Shared(int)
    names = Shared(list[str])
    limit = Shared(lambda: 5)

    def counting(self, e):
        if e.signal == signals.HIT:
            for _ in range(e.payload):
                with locked(self):
                    self.hits += 1
            return return_status.HANDLED
        self.temp.fun = self.top
        return return_status.SUPER


def test_each_chart_has_values_of_its_own_made_at_first_use():
    one, other = Counter(), Counter()
    one.names.append("x")
    one.hits = 7
    assert (one.hits, one.names, one.limit) == (7, ["x"], 5)
    assert (other.hits, other.names, other.limit) == (0, [], 5)
    assert isinstance(Counter.hits, Shared)


def test_no_change_is_lost_between_a_chart_and_other_threads():
    with Counter("counter") as chart:
        chart.start_at(chart.counting)

        def hit():
            for _ in range(2_000):
                with locked(chart):
                    chart.hits += 1

        threads = [threading.Thread(target=hit) for _ in range(3)]
        for thread in threads:
            thread.start()
        chart.post_fifo(Event("HIT", payload=2_000))
        for thread in threads:
            thread.join()
        chart.post_fifo(Event("HIT", payload=0))
        while not chart.at_rest:
            threading.Event().wait(0.001)
        assert chart.hits == 8_000


def test_a_reader_waits_for_the_end_of_a_change_of_several_attributes():
    chart = Counter()
    seen = []
    reading = threading.Event()

    def read():
        reading.set()
        seen.append((chart.hits, chart.limit))

    with locked(chart):
        chart.hits = 1
        thread = threading.Thread(target=read)
        thread.start()
        assert reading.wait(SOON_S)
        with locked(chart):
            chart.limit = 1
        assert not seen
    thread.join()
    assert seen == [(1, 1)]


def test_it_serves_any_class():
    class Other:
        value = Shared(dict)

    other = Other()
    other.value["a"] = 1
    assert other.value == {"a": 1}
    assert Hsm().__dict__ == {}
