from __future__ import annotations

import logging

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.probe.backoff import (
    FIRST_BACK_OFF_S,
    LEAST_BACK_OFF_S,
    LONGEST_BACK_OFF_S,
    REFUSED_BACK_OFF_S,
    BackOff,
)


@pytest.fixture
def clock(kit):
    return kit.TurnedClock()


def test_waits_double_up_to_the_longest(clock):
    back_off = BackOff(clock, "probe")
    waits = [back_off.failed(LogUnavailable("away"), 0) for _ in range(12)]
    assert waits[:3] == [FIRST_BACK_OFF_S, 2 * FIRST_BACK_OFF_S, 4 * FIRST_BACK_OFF_S]
    assert waits[-1] == LONGEST_BACK_OFF_S


def test_jitter_reaches_down_to_the_least_wait_and_no_further(clock):
    clock.luck = 0.0
    back_off = BackOff(clock, "probe")
    assert back_off.failed(LogUnavailable("away"), 0) == LEAST_BACK_OFF_S
    clock.luck = 0.5
    assert back_off.failed(LogUnavailable("away"), 0) == FIRST_BACK_OFF_S


def test_a_refusal_is_tried_again_slowly(clock):
    assert BackOff(clock, "probe").failed(LogRefused("no right"), 0) == REFUSED_BACK_OFF_S


def test_after_success_the_waits_begin_anew(clock):
    back_off = BackOff(clock, "probe")
    for _ in range(5):
        back_off.failed(LogUnavailable("away"), 0)
    back_off.succeeded(0)
    assert back_off.failed(LogUnavailable("away"), 0) == FIRST_BACK_OFF_S


def test_start_and_end_are_logged_once_each(clock, caplog):
    back_off = BackOff(clock, "probe 7")
    with caplog.at_level(logging.WARNING, "farscope"):
        for _ in range(5):
            back_off.failed(LogUnavailable("away"), 10)
            clock.now_s += 2
        back_off.succeeded(13)
        back_off.succeeded(13)
    assert len(caplog.messages) == 2
    assert "probe 7" in caplog.messages[0]
    assert "away" in caplog.messages[0]
    assert "after 10.0 s and 5 failed attempts; 3 steps were dropped" in caplog.messages[1]


def test_a_refusal_is_an_error_with_its_hint(clock, caplog):
    BackOff(clock, "probe").failed(LogRefused("no right", "grant it"), 0)
    assert caplog.records[0].levelname == "ERROR"
    assert "grant it" in caplog.messages[0]


def test_beginning_and_end_of_drops_are_logged_once_each(clock, caplog):
    back_off = BackOff(clock, "probe")
    for dropped in (0, 5, 9, 12, 12, 12):
        back_off.watch_drops(dropped)
    assert caplog.messages == [
        "probe: steps are being dropped, 5 so far",
        "probe: no steps are dropped any more; 12 were",
    ]
