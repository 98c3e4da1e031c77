"""The step and chart that posted an event are reported all the way from the chart to a scope."""

from __future__ import annotations

import threading

import pytest

from farscope import ActiveObject, Event, Scope, broadcast, return_status, signals
from farscope.engine import Fabric
from farscope.testing.clock import VirtualClock
from farscope.wire.keyring import Keyring, new_key_text

SOON_S = 20.0


def state(chart, e):
    if e.signal == signals.CALL:
        e.payload(chart)
        return return_status.HANDLED
    if e.signal in (signals.POSTED, signals.PUBLISHED, signals.TIMED, signals.OUTSIDE):
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


@pytest.fixture
def watched(request):
    """Give two running charts, their clock, and a scope that sees them through a log."""
    clock, fabric = VirtualClock(), Fabric()
    url, key = f"memory:{request.node.name}", Keyring.from_text(new_key_text())
    sender = ActiveObject("sender", clock=clock, fabric=fabric)
    receiver = ActiveObject("receiver", clock=clock, fabric=fabric)
    receiver.subscribe("PUBLISHED")
    with (
        Scope(url, key, since="start") as scope,
        sender,
        receiver,
        broadcast(sender, receiver, url=url, key=key),
    ):
        for chart in (sender, receiver):
            chart.start_at(state)
        yield sender, receiver, clock, scope


def causes_seen(scope, clock, count):
    """Return what the scope saw as (chart, signal, chart and signal of the causing step)."""
    clock.settle()
    steps = []
    for _ in range(200):
        steps += scope.take(SOON_S / 200)
        if len(steps) >= count:
            break
    made = {(step.chart.serial, step.number): step for step in steps}
    told = []
    for step in steps:
        cause = made[step.cause[:2]] if step.cause else None
        told.append((step.chart.name, step.signal, cause and (cause.chart.name, cause.signal)))
    return told


def test_posts_publications_and_timed_posts_name_the_step_that_made_them(watched):
    sender, receiver, clock, scope = watched

    def send(chart):
        receiver.post_fifo(Event("POSTED"))
        chart.publish(Event("PUBLISHED"))
        receiver.post_lifo(Event("TIMED"), period=0.5, times=2)
        chart.post_fifo(Event("POSTED"))

    sender.post_fifo(Event("CALL", payload=send))
    clock.advance(1.0)
    told = causes_seen(scope, clock, 8)
    by_call = ("sender", "CALL")
    assert sorted(told, key=repr) == sorted(
        [
            ("sender", "start_at", None),
            ("receiver", "start_at", None),
            ("sender", "CALL", None),
            ("sender", "POSTED", by_call),
            ("receiver", "POSTED", by_call),
            ("receiver", "PUBLISHED", by_call),
            ("receiver", "TIMED", by_call),
            ("receiver", "TIMED", by_call),
        ],
        key=repr,
    )


def test_what_threads_post_from_outside_has_no_cause_even_while_a_step_runs(watched):
    sender, receiver, clock, scope = watched

    def while_a_step_runs(_chart):
        thread = threading.Thread(target=lambda: receiver.post_fifo(Event("OUTSIDE")))
        thread.start()
        thread.join()

    sender.post_fifo(Event("CALL", payload=while_a_step_runs))
    sender.publish(Event("PUBLISHED"))
    told = causes_seen(scope, clock, 5)
    assert {cause for _, _, cause in told} == {None}
    assert {name for _, name, _ in told} >= {"OUTSIDE", "PUBLISHED"}
