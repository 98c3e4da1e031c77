"""A scope of a real log that machines with clocks of their own write to."""

import time
from itertools import accumulate

import pytest

from farscope.errors import UsageError
from farscope.logs.url import open_log
from farscope.scope.notice import NoticeKind
from farscope.scope.ordering.clock_offsets import SAME_CLOCK_NS
from farscope.scope.scope import Scope

LONG_S = 30.0
SECOND = 1_000_000_000


class Machine:
    """A probe made by hand whose clock is off."""

    def __init__(self, url, probe, offset_s: float) -> None:
        self.probe = probe
        self.offset_ns = int(offset_s * SECOND)
        self.writer = open_log(url).writer(probe.id.hex())

    def send(self, *ages_s: float, at_ns: int | None = None) -> None:
        """Send a step for each age before ``at_ns``, which is now, or a heartbeat."""
        now = (time.time_ns() if at_ns is None else at_ns) + self.offset_ns
        steps = [self.probe.step() for _ in ages_s]
        steps = [
            (*step[:3], now - int(age * SECOND), *step[4:]) for step, age in zip(steps, ages_s, strict=True)
        ]
        self.probe.sent_ns = now - SECOND
        self.writer.append([self.probe.send(steps)], LONG_S)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path / 'log'}"


@pytest.fixture
def machine(url, hand_probe):
    machines = []

    def make(name, offset_s=0.0, host="far", **more):
        machines.append(Machine(url, hand_probe(name, host=host, **more), offset_s))
        return machines[-1]

    yield make
    for each in machines:
        each.writer.close()


def take(scope, count):
    steps = []
    deadline = time.monotonic() + LONG_S
    while len(steps) < count and time.monotonic() < deadline:
        steps += scope.take(1.0)
    return steps


def order_of(steps):
    return [(step.chart.name, step.number) for step in steps]


def test_steps_that_overtook_each_other_on_the_way_come_by_their_times(url, keyring, machine):
    one, two = machine("one"), machine("two")
    with Scope(url, keyring, window_s=10.0) as scope:
        one.send()
        two.send()
        now_ns = time.time_ns()
        one.send(0.5, 0.3, 0.1, at_ns=now_ns)
        two.send(0.6, 0.4, 0.2, 0.0, at_ns=now_ns)
        assert scope.wait_for(lambda scope: scope.stats.received == 7, LONG_S)
        assert scope.stats.waiting == 7
        assert scope.take(0) == []
        scope.close()
        expected = [("two", 1), ("one", 1), ("two", 2), ("one", 2), ("two", 3), ("one", 3), ("two", 4)]
        assert order_of(take(scope, 7)) == expected
        assert [(step.chart.name, step.number) for step in scope.timeline.steps()] == expected
        assert scope.stats.late == 0


def test_the_past_of_several_machines_comes_by_its_times(url, keyring, machine):
    one, two = machine("one"), machine("two")
    now_ns = time.time_ns()
    one.send(0.5, 0.3, 0.1, at_ns=now_ns)
    two.send(0.6, 0.4, 0.2, at_ns=now_ns)
    with Scope(url, keyring, since="start") as scope:
        assert order_of(take(scope, 6)) == [
            ("two", 1), ("one", 1), ("two", 2), ("one", 2), ("two", 3), ("one", 3),
        ]  # fmt: skip


def test_with_one_probe_alive_a_step_waits_for_nobody(url, keyring, machine):
    one = machine("one", offset_s=3_600)
    with Scope(url, keyring, window_s=60.0) as scope:
        one.send(0.5, 0.1)
        assert order_of(take(scope, 2)) == [("one", 1), ("one", 2)]


def test_a_probe_that_said_goodbye_is_not_waited_for(url, keyring, machine):
    one, two = machine("one"), machine("two")
    with Scope(url, keyring, window_s=60.0) as scope:
        one.send()
        one.writer.append([one.probe.goodbye()], LONG_S)
        two.send(0.1)
        assert order_of(take(scope, 1)) == [("two", 1)]


def test_a_clock_that_is_ahead_is_corrected_at_once(url, keyring, machine):
    one, two = machine("one"), machine("two", offset_s=40)
    with Scope(url, keyring) as scope:
        for _ in range(3):
            one.send(0.0)
            two.send(0.0)
        steps = take(scope, 6)
        times = [scope.corrected_ns(step) for step in steps]
        behind = sum(time < latest for time, latest in zip(times, accumulate(times, max), strict=True))
        assert behind == scope.stats.late
        seen_ns = time.time_ns()
        for step, corrected_ns in zip(steps, times, strict=True):
            true_ns = step.time_ns - (0 if step.chart.name == "one" else 40 * SECOND)
            # Off by no more than the batch took, which was here before the step was seen.
            assert true_ns - SAME_CLOCK_NS <= corrected_ns <= max(true_ns, seen_ns)


def test_a_clock_that_is_off_is_reported_in_notices_and_charts(url, keyring, machine):
    one, two = machine("one", host="here"), machine("two", offset_s=-40, host="there")
    with Scope(url, keyring) as scope:
        reported = []

        def known(scope):
            reported.extend(notice for notice in scope.notices() if notice.kind is NoticeKind.CLOCK_OFF)
            return bool(reported)

        def both_compared(scope):
            return known(scope) and all(chart.clock_offset_s is not None for chart in scope.charts)

        deadline = time.monotonic() + LONG_S
        while not scope.wait_for(both_compared, 0.5) and time.monotonic() < deadline:
            one.send()
            two.send()
        assert [(notice.subject, notice.detail) for notice in reported] == [
            ("there", "40.0 s behind this machine's")
        ]
        offsets = {chart.name: chart.clock_offset_s for chart in scope.charts}
        assert offsets == {"one": pytest.approx(0, abs=0.5), "two": pytest.approx(-40, abs=0.5)}


def test_how_far_off_a_clock_is_is_unknown_at_first(url, keyring, machine):
    with Scope(url, keyring) as scope:
        machine("one").send(0.0)
        assert scope.wait_for(lambda scope: "one" in scope, LONG_S)
        assert scope.charts[0].clock_offset_s is None


@pytest.mark.parametrize("window_s", [-1, 61, float("nan")])
def test_a_window_that_makes_no_sense_is_refused(url, keyring, window_s):
    with pytest.raises(UsageError, match="window"):
        Scope(url, keyring, window_s=window_s)
