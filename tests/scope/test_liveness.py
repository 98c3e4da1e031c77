from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.heartbeat import SILENT_AFTER_NS
from farscope.records.step import NANOSECONDS
from farscope.scope import liveness as life_module
from farscope.scope.liveness import (
    FEW,
    MAX_SPANS,
    MAX_STOPS,
    LivenessBudget,
    LivenessTracker,
)

S = NANOSECONDS


def pulse_of(*seconds, goodbye=False):
    pulse = LivenessTracker()
    for second in seconds:
        pulse.add_batch(int(second * S), goodbye=goodbye and second == seconds[-1])
    return pulse


def test_a_chart_is_alive_silent_and_alive_again_by_when_it_was_heard():
    life = pulse_of(100, 101, 102, 120, 121).liveness(0)
    asked = {99: None, 100: "alive", 106: "alive", 107: "silent", 119: "silent", 120: "alive", 126: "silent"}
    assert {second: life.status(1, second * S) for second in asked} == asked


def test_from_its_goodbye_on_a_probe_is_closed():
    life = pulse_of(100, 101, goodbye=True).liveness(0)
    assert [life.status(1, second * S) for second in (100, 101, 200)] == ["alive", "closed", "closed"]


def test_a_chart_that_was_stopped_is_so_from_then_on_and_others_are_not():
    pulse = pulse_of(100, 101, 102)
    pulse.stop(1, 101 * S)
    pulse.stop(1, 102 * S)
    life = pulse.liveness(0)
    assert [life.status(1, second * S) for second in (100, 101, 103)] == ["alive", "stopped", "stopped"]
    assert life.status(2, 103 * S) == "alive"


def test_a_chart_that_goes_on_after_it_was_stopped_lives():
    pulse = pulse_of(100, 101, 102)
    pulse.stop(1, 101 * S)
    pulse.resume(1)
    pulse.resume(2)
    assert pulse.liveness(0).status(1, 102 * S) == "alive"


def test_a_clock_that_was_set_is_distinguished_from_one_that_became_better_known():
    assert pulse_of(100, 101, 5_000, 5_001).liveness(0).was_set(4_898 * S)
    assert pulse_of(5_000, 5_001, 102, 103).liveness(0).was_set(-4_900 * S)
    assert not pulse_of(100, 101, 102).liveness(0).was_set(40 * S)
    assert not pulse_of(100, 101, 5_000).liveness(0).was_set(-4_898 * S)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=400))
def test_spans_stay_in_order_and_bounded_whatever_the_clock_does(seconds):
    heard = pulse_of(*seconds).liveness(0).heard
    assert 0 < len(heard) <= MAX_SPANS
    assert all(first <= last for first, last in heard)
    assert list(heard) == sorted(heard)
    assert min(first for first, _ in heard) == min(seconds) * S
    assert max(last for _, last in heard) == max(seconds) * S


@given(st.lists(st.integers(0, 8 * SILENT_AFTER_NS), min_size=1, max_size=60))
def test_of_a_clock_that_does_not_go_back_every_batch_was_alive(times):
    pulse = LivenessTracker()
    for time_ns in sorted(times):
        pulse.add_batch(time_ns, goodbye=False)
    assert {pulse.liveness(0).status(1, time_ns) for time_ns in times} == {"alive"}


def test_stops_are_bounded():
    pulse = pulse_of(1)
    for serial in range(MAX_STOPS + 10):
        pulse.stop(serial, 1)
    assert len(pulse.liveness(0).stopped) == MAX_STOPS


def test_probes_that_share_room_keep_their_newest_spans_and_stops(monkeypatch):
    monkeypatch.setattr(life_module, "ALL_KEPT", 100)
    room = LivenessBudget()
    pulses = [LivenessTracker(room) for _ in range(30)]
    for number in range(1, 51):
        for pulse in pulses:
            pulse.add_batch(number * 10 * S, goodbye=False)
            pulse.stop(number, number * 10 * S)
    lives = [pulse.liveness(0) for pulse in pulses]
    assert sum(len(life.heard) + len(life.stopped) for life in lives) <= 100 + 30 * 2 * (FEW + 1)
    assert all(life.status(50, 500 * S) == "stopped" and len(life.heard) >= FEW for life in lives)
    assert all(life.status(99, 500 * S) == "alive" for life in lives)
    for pulse in pulses:
        pulse.forget()
    assert room.taken == 0
