"""Posts to charts that are never started are reported; nothing else is."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys

import pytest

from farscope.engine import ActiveObject, AsyncChart, Event, Fabric, Factory, Hsm, Runner, return_status

SOON_S = 60.0
MESSAGE = "chart door was never started: nobody reacted to what was posted to it (call chart.start_at)"


def state(chart, e):
    chart.temp.fun = chart.top
    return return_status.SUPER


@pytest.mark.parametrize("cls", [ActiveObject, Factory, AsyncChart])
def test_a_chart_that_goes_with_posts_and_was_never_started_is_told_of(cls, caplog):
    chart = cls("door")
    chart.post_fifo(Event("PUSH"))
    chart.post_lifo(Event("PULL"))
    assert not caplog.records
    del chart
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == [MESSAGE]


def test_what_was_published_to_it_counts_as_posted(caplog):
    fabric = Fabric()
    chart, speaker = ActiveObject("door", fabric=fabric), Hsm(fabric=fabric)
    chart.subscribe("PUSH")
    speaker.publish(Event("PUSH"))
    del chart
    gc.collect()
    assert MESSAGE in caplog.text


def test_a_start_that_fails_leaves_its_posts_to_be_told_of(caplog):
    chart = ActiveObject("door")
    with pytest.raises(ZeroDivisionError):
        chart.start_at(lambda _chart, _e: 1 / 0)
    chart.post_fifo(Event("PUSH"))
    del chart
    gc.collect()
    assert MESSAGE in caplog.text


def test_an_unstarted_chart_whose_posts_hold_it_goes_all_the_same(caplog):
    chart = ActiveObject("door")
    chart.post_fifo(Event("PUSH", payload=chart))
    del chart
    gc.collect()
    assert MESSAGE in caplog.text


def test_charts_that_were_started_or_stopped_or_got_nothing_are_not_told_of(caplog):
    with Runner(1) as runner:
        for options in ({}, {"runner": runner}):
            chart = ActiveObject("door", **options)
            chart.post_fifo(Event("PUSH"))
            chart.start_at(state)
            chart.post_fifo(Event("PUSH"))
            chart.stop()
    quiet = ActiveObject()
    stopped = ActiveObject()
    stopped.post_fifo(Event("PUSH"))
    stopped.stop()
    # Their caller drives them, and is told when it does.
    driven, built = Hsm(), Factory(threaded=False)
    driven.post_fifo(Event("PUSH"))
    built.post_fifo(Event("PUSH"))
    del chart, quiet, stopped, driven, built
    gc.collect()
    assert not caplog.records


def test_a_chart_on_a_loop_that_was_posted_to_before_its_start_is_not_told_of(caplog):
    async def live() -> None:
        chart = AsyncChart("door")
        chart.post_fifo(Event("PUSH"))
        chart.start_at(state)
        async with chart:
            await chart.settled()
            assert chart.spy()[-2:] == ["PUSH:state", "<- Queued:(0) Deferred:(0)"]

    asyncio.run(live())
    gc.collect()
    assert not caplog.records


PROGRAM = """
import os, sys
from farscope import ActiveObject, Event
chart = ActiveObject("door")
chart.post_fifo(Event("PUSH"))
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_the_end_of_the_program_tells_of_it_once_and_a_forked_child_does_not():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=SOON_S, check=True
    )
    assert done.stderr == f"{MESSAGE}\n"
