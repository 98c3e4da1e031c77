"""Publish and subscribe: everybody who subscribed gets it, once, in order."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from farscope.engine import ActiveObject, Event, Factory, Hsm, return_status, signals
from farscope.engine.pubsub import PRIORITY, Fabric, process_fabric
from farscope.errors import ChartError, ChartStopped, QueueFull
from farscope.records.step import Cause


@pytest.fixture
def fabric():
    return Fabric()


def listener(fabric, name="listener", *, start=True, **options):
    """Give a chart, driven by its caller, that notes the payloads of A and B, and calls that of CALL."""
    chart = Factory(name, threaded=False, fabric=fabric, **options)
    chart.heard = []

    def hear(chart, e):
        chart.heard.append((e.signal_name, e.payload))
        return return_status.HANDLED

    def call(chart, e):
        e.payload(chart)
        return return_status.HANDLED

    listening = chart.create("listening").catch("A", hear).catch("B", hear).catch("CALL", call).to_method()
    chart.nest(listening, parent=None)
    if start:
        chart.start_at(listening)
    return chart


def do(chart, what):
    chart.post_fifo(Event("CALL", what))
    chart.complete_circuit()


def test_any_number_of_subscribers_get_each_event_once_and_the_publisher_too_if_it_subscribed(fabric):
    charts = [listener(fabric, f"l{number}") for number in range(20)]
    for chart in charts:
        chart.subscribe(signals.A)
    do(charts[0], lambda chart: chart.publish(Event("A", payload=1)))
    charts[1].publish(Event("A", payload=2))
    charts[1].publish(Event("B", payload=3))
    for chart in charts:
        chart.complete_circuit()
        assert chart.heard == [("A", 1), ("A", 2)]


@pytest.mark.parametrize("way", [lambda: signals.A, lambda: "A", lambda: Event("A", payload=1)])
def test_a_signal_can_be_named_in_every_way(fabric, way):
    chart = listener(fabric)
    chart.subscribe(way())
    fabric.publish(Event("A", payload=1))
    chart.complete_circuit()
    assert chart.heard == [("A", 1)]


def test_the_facts_are_those_of_the_reference_page_and_from_outside_there_are_none(fabric):
    chart = listener(fabric)
    chart.subscribe("B")
    do(chart, lambda chart: chart.subscribe("A", queue_type="lifo"))
    do(chart, lambda chart: chart.publish(Event("A")))
    do(chart, lambda chart: chart.publish(Event("B"), priority=7))
    told = [line for line in chart.spy() if "SUBSCRIBING" in line or "PUBLISH" in line or "POST" in line]
    assert told == ["SUBSCRIBING TO:(A, TYPE:lifo)", "PUBLISH:(A, PRIORITY:1000)", "PUBLISH:(B, PRIORITY:7)"]
    assert PRIORITY == 1000


def test_a_subscriber_chooses_the_end_of_its_queue_and_may_change_it(fabric):
    first, last = listener(fabric), listener(fabric)
    first.subscribe("A", queue_type="lifo")
    last.subscribe("A", queue_type="lifo")
    last.subscribe("A")
    for chart in (first, last):
        chart.post_fifo(Event("B"))
    fabric.publish(Event("A"))
    for chart in (first, last):
        chart.complete_circuit()
    assert [name for name, _ in first.heard] == ["A", "B"]
    assert [name for name, _ in last.heard] == ["B", "A"]


def test_what_is_no_end_of_a_queue_is_refused(fabric):
    with pytest.raises(ChartError, match="queue_type"):
        listener(fabric).subscribe("A", queue_type="middle")


def test_subscribing_before_the_start_works_and_events_wait_for_the_start(fabric):
    chart = listener(fabric, start=False)
    chart.subscribe("A")
    fabric.publish(Event("A", payload=1))
    chart.start_at("listening")
    chart.complete_circuit()
    assert chart.heard == [("A", 1)]


def test_unsubscribing_and_stopping_end_the_delivery(fabric):
    chart, other = listener(fabric), listener(fabric)
    for one in (chart, other):
        one.subscribe("A")
        one.subscribe("B")
    assert chart.unsubscribe("A")
    assert not chart.unsubscribe("A")
    assert not fabric.subscribed(chart, signals.A)
    assert fabric.subscribed(chart, signals.B)
    chart.stop()
    assert not fabric.subscribed(chart, signals.B)
    fabric.publish(Event("A"))
    fabric.publish(Event("B"))
    other.complete_circuit()
    assert [name for name, _ in other.heard] == ["A", "B"]
    for refused in (lambda: chart.subscribe("A"), lambda: chart.publish(Event("A"))):
        with pytest.raises(ChartStopped):
            refused()
    other.stop()
    assert fabric.subscriptions == 0


def test_a_full_queue_keeps_nobody_else_from_getting_it(fabric):
    slow = listener(fabric, "slow", queue_size=1)
    lossy = listener(fabric, "lossy", queue_size=1, on_full="drop")
    quick = listener(fabric, "quick")
    for chart in (slow, lossy, quick):
        chart.subscribe("A")
    fabric.publish(Event("A", payload=1))
    with pytest.raises(QueueFull, match="slow") as caught:
        fabric.publish(Event("A", payload=2))
    assert "lossy" not in str(caught.value)
    for chart in (slow, lossy, quick):
        chart.complete_circuit()
    assert quick.heard == [("A", 1), ("A", 2)]
    assert slow.heard == lossy.heard == [("A", 1)]
    assert (slow.rejected, lossy.rejected, quick.rejected) == (1, 1, 0)
    assert "REFUSED_POST:A:dropped" in lossy.spy()
    assert "REFUSED_POST:A:raised" in slow.spy()


def test_the_publishing_step_is_the_cause_of_each_delivery(fabric):
    publisher, subscriber = listener(fabric), listener(fabric)
    subscriber.subscribe("A")
    do(publisher, lambda chart: chart.publish(Event("A")))
    subscriber.publish(Event("A"))
    subscriber.complete_circuit()
    serial = publisher.steps()[0].chart.serial
    assert [step.cause for step in subscriber.steps()[1:]] == [Cause(serial, 2), None]


def test_charts_share_the_fabric_of_the_process_unless_given_their_own(fabric):
    with Hsm() as one, Hsm() as other, Hsm(fabric=fabric) as apart:
        assert one._core.fabric is other._core.fabric is process_fabric
        for chart in (other, apart):
            chart.subscribe("A")
        one.publish(Event("A"))
        assert (len(other._core.queue), len(apart._core.queue)) == (1, 0)
    assert process_fabric.subscriptions == 0


def test_a_subscription_keeps_no_chart_alive(fabric):
    chart = Hsm(fabric=fabric)
    chart.subscribe("A")
    gone = weakref.ref(chart)
    del chart
    gc.collect()
    assert gone() is None
    assert fabric.subscriptions == 0
    fabric.publish(Event("A"))


def test_running_charts_hear_all_that_many_threads_publish_in_each_threads_order(fabric):
    heard = {}
    done = threading.Barrier(4)

    def state(chart, e):
        if e.signal == signals.A:
            heard[chart.name].append(e.payload)
            return return_status.HANDLED
        if e.signal == signals.B:
            done.wait(20)
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    charts = [ActiveObject(f"l{number}", fabric=fabric, queue_size=10_000) for number in range(3)]
    for chart in charts:
        heard[chart.name] = []
        chart.subscribe("A")
        chart.subscribe("B")
        chart.start_at(state)

    def publish(who):
        for number in range(500):
            fabric.publish(Event("A", payload=(who, number)))

    threads = [threading.Thread(target=publish, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fabric.publish(Event("B"))
    done.wait(20)
    for chart in charts:
        chart.stop()
        for who in range(4):
            assert [number for by, number in heard[chart.name] if by == who] == list(range(500))
