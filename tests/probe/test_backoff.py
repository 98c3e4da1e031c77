from __future__ import annotations

import logging

import pytest

from farscope.errors import LogRefused, LogUnavailable
from farscope.probe.backoff import (
    FIRST_BACK_OFF_S,
    LEAST_BACK_OFF_S,
    LONGEST_BACK_OFF_S,
    REFUSED_BACK_OFF_S,
    Trouble,
)


@pytest.fixture
def clock(kit):
    return kit.TurnedClock()


def test_waits_double_up_to_the_longest(clock):
    trouble = Trouble(clock, "probe")
    waits = [trouble.failed(LogUnavailable("away"), 0) for _ in range(12)]
    assert waits[:3] == [FIRST_BACK_OFF_S, 2 * FIRST_BACK_OFF_S, 4 * FIRST_BACK_OFF_S]
    assert waits[-1] == LONGEST_BACK_OFF_S


def test_jitter_reaches_down_to_the_least_wait_and_no_further(clock):
    clock.luck = 0.0
    trouble = Trouble(clock, "probe")
    assert trouble.failed(LogUnavailable("away"), 0) == LEAST_BACK_OFF_S
    clock.luck = 0.5
    assert trouble.failed(LogUnavailable("away"), 0) == FIRST_BACK_OFF_S


def test_a_refusal_is_tried_again_slowly(clock):
    assert Trouble(clock, "probe").failed(LogRefused("no right"), 0) == REFUSED_BACK_OFF_S


def test_after_success_the_waits_begin_anew(clock):
    trouble = Trouble(clock, "probe")
    for _ in range(5):
        trouble.failed(LogUnavailable("away"), 0)
    trouble.over(0)
    assert trouble.failed(LogUnavailable("away"), 0) == FIRST_BACK_OFF_S


def test_start_and_end_are_logged_once_each(clock, caplog):
    trouble = Trouble(clock, "probe 7")
    with caplog.at_level(logging.WARNING, "farscope"):
        for _ in range(5):
            trouble.failed(LogUnavailable("away"), 10)
            clock.now_s += 2
        trouble.over(13)
        trouble.over(13)
    assert len(caplog.messages) == 2
    assert "probe 7" in caplog.messages[0]
    assert "away" in caplog.messages[0]
    assert "after 10.0 s and 5 failed attempts; 3 steps were dropped" in caplog.messages[1]


def test_a_refusal_is_an_error_with_its_hint(clock, caplog):
    Trouble(clock, "probe").failed(LogRefused("no right", "grant it"), 0)
    assert caplog.records[0].levelname == "ERROR"
    assert "grant it" in caplog.messages[0]


def test_beginning_and_end_of_drops_are_logged_once_each(clock, caplog):
    trouble = Trouble(clock, "probe")
    for dropped in (0, 5, 9, 12, 12, 12):
        trouble.watch(dropped)
    assert caplog.messages == [
        "probe: steps are being dropped, 5 so far",
        "probe: no steps are dropped any more; 12 were",
    ]
