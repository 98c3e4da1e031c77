"""The clock by which a scope measures how long something has lasted."""

from __future__ import annotations

import time

import pytest

from farscope.records.boot_time import boot_time_ns


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has a clock of that name")
def test_it_counts_the_time_a_machine_sleeps():
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before_ns <= boot_time_ns() <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_it_does_not_go_back():
    times = [boot_time_ns() for _ in range(1_000)]
    assert times == sorted(times)
