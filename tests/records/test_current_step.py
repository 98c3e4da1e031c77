"""The running step of each thread, also when threads come and go."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from farscope.engine import Event, Hsm, return_status
from farscope.records.current_step import current_step, running

SOON_S = 60.0


def state(chart, e):
    if e.signal_name == "CALL":
        e.payload(chart)
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


def started(name):
    chart = Hsm(name)
    chart.start_at(state)
    return chart


def on_another_thread(act):
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(SOON_S)
    assert not thread.is_alive()


def test_each_thread_knows_its_own_step_only_and_forgets_it_with_the_steps_end():
    seen = []

    def step(chart):
        seen.append(current_step().serial == chart.steps()[0].chart.serial)
        on_another_thread(lambda: seen.append(current_step() is None))

    for _ in range(5):
        chart = started("chart")
        on_another_thread(lambda chart=chart: chart.dispatch(Event("CALL", payload=step)))
    assert seen == [True] * 10
    assert not running


def test_posts_of_a_thread_inside_a_step_are_its_doing_and_those_of_others_meanwhile_are_not():
    chart, other = started("chart"), started("other")

    def step(chart):
        on_another_thread(lambda: other.post_fifo(Event("FROM_OUTSIDE")))
        other.post_fifo(Event("FROM_INSIDE"))
        on_another_thread(lambda: chart.post_fifo(Event("FROM_OUTSIDE")))
        chart.post_fifo(Event("FROM_INSIDE"))

    for act in (chart.dispatch, lambda e: on_another_thread(lambda: chart.dispatch(e))):
        act(Event("CALL", payload=step))
        call = chart.steps()[-1]
        assert [line for line in call.spy() if line.startswith("POST")] == ["POST_FIFO:FROM_INSIDE"]
        chart.complete_circuit()
        other.complete_circuit()
        for made in (chart.steps(), other.steps()):
            assert [step.cause and step.cause.number for step in made[-2:]] == [None, call.number]


def test_a_chart_stepped_by_many_threads_in_turns_knows_each_ones_posts():
    chart, other = started("chart"), started("other")

    def one(number):
        chart.dispatch(Event("CALL", payload=lambda _chart: other.post_fifo(Event(f"S{number}"))))
        return chart.steps()[-1].number

    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(one, number).result() for number in range(20)]
    other.complete_circuit()
    assert [step.cause.number for step in other.steps()[1:]] == made


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_child_forked_while_another_thread_steps_takes_no_post_for_that_steps_doing():
    chart, busy = started("chart"), started("busy")
    begun, end = threading.Event(), threading.Event()

    def step(_chart):
        begun.set()
        assert end.wait(SOON_S)

    thread = threading.Thread(target=lambda: busy.dispatch(Event("CALL", payload=step)))
    thread.start()
    assert begun.wait(SOON_S)
    pid = os.fork()
    if pid == 0:
        # The number of the parent's thread is free here, so one of these gets it.
        for _ in range(5):
            worker = threading.Thread(target=lambda: chart.post_fifo(Event("POSTED")))
            worker.start()
            worker.join()
        chart.complete_circuit()
        os._exit(any(step.cause for step in chart.steps()))
    end.set()
    thread.join(SOON_S)
    assert os.waitpid(pid, 0)[1] == 0
