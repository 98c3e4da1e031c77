"""Causes across probes: a token leads from the step that handed it out to the step it caused."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading

import pytest

import farscope
from farscope import ActiveObject, Event, Hsm, Scope, broadcast, return_status, signals
from farscope.engine import Fabric
from farscope.engine.async_chart import AsyncChart
from farscope.engine.definition.state import State
from farscope.records.cause_token import invalid_tokens
from farscope.records.step import Cause
from farscope.records.trace_context import parse_traceparent, span_id, trace_id
from farscope.testing.clock import VirtualClock
from farscope.testing.waiting import eventually
from farscope.wire.keyring import Keyring, new_key_text

SOON_S = 20.0
OUTSIDE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def state(chart, e):
    if e.signal_name == "CALL":
        e.payload(chart)
        return return_status.HANDLED
    if e.signal in (signals.DONE, signals.NEWS):
        return return_status.HANDLED
    chart.temp.fun = chart.top
    return return_status.SUPER


def started(name):
    chart = Hsm(name)
    chart.start_at(state)
    return chart


def call(chart, act):
    chart.post_fifo(Event("CALL", payload=act))
    chart.complete_circuit()


def last_cause(chart):
    return chart.steps()[-1].cause


def tokens_in_a_chain(*charts):
    """Return the tokens of charts of which each posts to the next."""
    tokens = []

    def relay(place):
        def act(_):
            tokens.append(farscope.cause())
            if place + 1 < len(charts):
                charts[place + 1].post_fifo(Event("CALL", payload=relay(place + 1)))

        return act

    charts[0].post_fifo(Event("CALL", payload=relay(0)))
    for chart in charts:
        chart.complete_circuit()
    return tokens


def test_outside_any_handler_there_is_no_cause():
    assert farscope.cause() is None


def test_a_token_is_a_traceparent_that_stays_the_same_during_a_step():
    tokens = []
    chart = started("teller")
    call(chart, lambda _: tokens.extend([farscope.cause(), farscope.cause()]))
    call(chart, lambda _: tokens.append(farscope.cause()))
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", tokens[0])
    assert tokens[0] == tokens[1] != tokens[2]


def test_an_entry_action_has_a_cause_too():
    tokens = []

    def telling(chart, e):
        if e.signal == signals.ENTRY_SIGNAL:
            tokens.append(farscope.cause())
            return return_status.HANDLED
        chart.temp.fun = chart.top
        return return_status.SUPER

    Hsm("teller").start_at(telling)
    assert parse_traceparent(tokens[0])


def test_steps_that_cause_each_other_are_in_one_trace_with_different_spans():
    tokens = tokens_in_a_chain(*map(started, "abcd"))
    parents = list(map(parse_traceparent, tokens))
    assert len({parent.trace_id for parent in parents}) == 1
    assert len({parent.span_id for parent in parents}) == 4


def test_a_broadcast_step_has_the_ids_that_can_be_computed_from_it():
    chart = started("teller")
    tokens = []
    url, key = "memory:ids", Keyring.from_text(new_key_text())
    with broadcast(chart, url=url, key=key) as probe:
        call(chart, lambda _: tokens.append(farscope.cause()))
    serial = chart.steps()[-1].chart.serial
    parent = parse_traceparent(tokens[0])
    assert parent[:2] == (trace_id(probe.id, serial, 2), span_id(probe.id, serial, 2))


def test_posts_publications_timed_posts_dispatches_and_starts_in_a_block_are_caused_by_the_token():
    clock, fabric = VirtualClock(), Fabric()
    chart = ActiveObject("receiver", clock=clock, fabric=fabric)
    with chart:
        with farscope.caused_by(OUTSIDE):
            chart.start_at(state)
            chart.subscribe("NEWS")
            chart.post_fifo(Event("DONE"))
            chart.post_lifo(Event("DONE"))
            chart.publish(Event("NEWS"))
            chart.post_fifo(Event("DONE"), period=0.5, times=2)
            direct = started("direct")
            direct.dispatch(Event("DONE"))
        clock.advance(2.0)
        clock.settle()
    expected = Cause(trace_id=OUTSIDE[3:35], span_id=OUTSIDE[36:52], claimed=True)
    assert [step.signal for step in chart.steps()].count("DONE") == 4
    assert {step.cause for step in [*chart.steps(), *direct.steps()]} == {expected}


def test_after_the_block_posts_have_no_cause_again():
    chart = started("receiver")
    with farscope.caused_by(OUTSIDE):
        pass
    chart.post_fifo(Event("DONE"))
    chart.complete_circuit()
    assert last_cause(chart) is None


def test_the_inner_of_two_blocks_applies_and_a_block_without_a_token_changes_nothing():
    inner = OUTSIDE.replace("b7", "b8")
    chart = started("receiver")
    causes = []
    for token in (inner, None, ""):
        with farscope.caused_by(OUTSIDE), farscope.caused_by(token):
            chart.post_fifo(Event("DONE"))
            assert farscope.cause() == (token or OUTSIDE)
        chart.complete_circuit()
        causes.append(last_cause(chart).span_id)
    assert causes == [inner[36:52], OUTSIDE[36:52], OUTSIDE[36:52]]


def test_in_a_handler_the_block_applies_to_its_own_posts_but_not_to_those_of_steps_inside():
    sender, inner, receiver = started("sender"), started("inner"), started("receiver")

    def send(_):
        with farscope.caused_by(OUTSIDE):
            receiver.post_fifo(Event("DONE"))
            inner.dispatch(Event("CALL", payload=lambda _: receiver.post_fifo(Event("DONE"))))
        receiver.post_fifo(Event("DONE"))

    call(sender, send)
    receiver.complete_circuit()
    by_token, by_inner, by_sender = [step.cause for step in receiver.steps()[-3:]]
    assert by_token.claimed
    assert by_inner == Cause(inner.steps()[-1].chart.serial, 2, trace_id=OUTSIDE[3:35])
    assert by_sender == Cause(sender.steps()[-1].chart.serial, 2)
    assert inner.steps()[-1].cause == by_token


def test_a_step_caused_by_a_token_passes_its_trace_on():
    charts = list(map(started, "abc"))
    with farscope.caused_by(OUTSIDE):
        tokens = tokens_in_a_chain(*charts)
    assert {parse_traceparent(token).trace_id for token in tokens} == {OUTSIDE[3:35]}
    assert OUTSIDE[36:52] not in {parse_traceparent(token).span_id for token in tokens}
    assert charts[2].steps()[-1].cause.trace_id == OUTSIDE[3:35]
    assert not charts[2].steps()[-1].cause.claimed


@pytest.mark.parametrize(
    "token", ["nonsense", OUTSIDE.upper(), OUTSIDE[:-1], OUTSIDE.encode(), 5, "0" * 5000]
)
def test_an_invalid_token_is_counted_and_changes_nothing(token):
    before = invalid_tokens.count
    chart = started("receiver")
    with farscope.caused_by(token):
        chart.post_fifo(Event("DONE"))
    chart.complete_circuit()
    assert last_cause(chart) is None
    assert invalid_tokens.count == before + 1


def test_only_the_first_invalid_token_is_logged_and_a_probe_shows_the_count(monkeypatch, caplog):
    monkeypatch.setattr(invalid_tokens, "count", 0)
    with caplog.at_level(logging.WARNING, "farscope"):
        for _ in range(3):
            farscope.caused_by("x" * 10_000)
    (record,) = caplog.records
    assert len(record.getMessage()) < 300
    with broadcast(started("receiver"), url="memory:invalid", key=Keyring.from_text(new_key_text())) as probe:
        assert probe.stats.invalid_tokens == 3


def test_a_block_does_not_reach_into_charts_of_other_threads():
    receiver = started("receiver")
    seen = threading.Event()

    def send(_):
        receiver.post_fifo(Event("DONE"))
        seen.set()

    with farscope.caused_by(OUTSIDE), ActiveObject("other") as other:
        other.start_at(state)
        other.post_fifo(Event("CALL", payload=send))
        assert seen.wait(SOON_S)
        eventually(lambda: len(other.steps()) == 2)
    receiver.complete_circuit()
    assert last_cause(receiver) == Cause(other.steps()[-1].chart.serial, 2, trace_id=OUTSIDE[3:35])
    assert last_cause(other).claimed


class Fetcher(AsyncChart):
    """Runs what a CALL brings, in a coroutine handler."""

    idle = State(initial=True)

    @idle.on("CALL")
    async def call(self, e):
        await e.payload(self)


def posters_of(act, *, around=contextlib.nullcontext):
    """Run ``act(post)`` in a chart on an event loop; return the chart's serial and what caused the posts."""
    receiver = started("receiver")

    async def main():
        with around():
            chart = Fetcher("fetcher")
            await chart.__aenter__()
        chart.post_fifo(Event("CALL", payload=lambda _: act(lambda: receiver.post_fifo(Event("DONE")))))
        await chart.settled()
        await chart.aclose()
        return chart.steps()[-1].chart.serial

    serial = asyncio.run(asyncio.wait_for(main(), SOON_S))
    receiver.complete_circuit()
    return serial, [step.cause for step in receiver.steps()[1:]]


def test_posts_of_a_coroutine_handler_and_of_the_tasks_it_gathers_are_caused_by_its_step():
    tokens = set()

    async def act(post):
        async def task():
            post()
            await asyncio.sleep(0)
            tokens.add(farscope.cause())
            post()

        post()
        await asyncio.gather(task(), task())
        tokens.add(farscope.cause())
        post()

    serial, causes = posters_of(act)
    assert causes == [Cause(serial, 2)] * 6
    assert len(tokens) == 1
    assert parse_traceparent(tokens.pop())


def test_a_task_that_outlives_its_step_is_still_caused_by_it():
    left = []

    async def main():
        receiver, resume = started("receiver"), asyncio.Event()

        async def late():
            await resume.wait()
            receiver.post_fifo(Event("DONE"))

        async def act(_):
            left.append(asyncio.create_task(late()))
            await asyncio.sleep(0)

        async def nothing(_):
            await asyncio.sleep(0)

        async with Fetcher("fetcher") as chart:
            chart.post_fifo(Event("CALL", payload=act))
            chart.post_fifo(Event("CALL", payload=nothing))
            await chart.settled()
            resume.set()
            await left[0]
            receiver.complete_circuit()
            return chart.steps()[-1].chart.serial, last_cause(receiver)

    serial, cause = asyncio.run(asyncio.wait_for(main(), SOON_S))
    assert cause == Cause(serial, 2)


def test_the_step_of_a_coroutine_does_not_follow_its_context_into_another_thread_but_a_block_does():
    async def act(post):
        await asyncio.to_thread(post)
        with farscope.caused_by(OUTSIDE):
            await asyncio.to_thread(post)

    _, (by_step, by_token) = posters_of(act)
    assert by_step is None
    assert by_token.span_id == OUTSIDE[36:52]


def test_a_block_in_a_coroutine_covers_its_awaits_and_tasks_only():
    async def act(post):
        async def task():
            post()

        with farscope.caused_by(OUTSIDE):
            await asyncio.sleep(0)
            post()
            await asyncio.gather(task())
        await asyncio.gather(task())

    serial, (inside, in_task, after) = posters_of(act)
    assert (inside.claimed, in_task.claimed, after) == (True, True, Cause(serial, 2))


def test_a_chart_started_in_a_block_does_not_keep_its_token():
    async def act(post):
        asyncio.get_running_loop().call_soon(post)
        post()
        await asyncio.sleep(0)

    serial, causes = posters_of(act, around=lambda: farscope.caused_by(OUTSIDE))
    assert causes == [Cause(serial, 2)] * 2


@pytest.fixture
def watched(request):
    """Return what broadcasts charts, each by its own probe, and a scope of all of them."""
    url, key = f"memory:{request.node.name}", Keyring.from_text(new_key_text())
    with contextlib.ExitStack() as stack:
        scope = stack.enter_context(Scope(url, key, since="start"))

        def broadcasting(*charts):
            return [stack.enter_context(broadcast(chart, url=url, key=key)) for chart in charts]

        yield broadcasting, scope


def taken(scope, count):
    steps = []
    eventually(lambda: steps.extend(scope.take(0.01)) or len(steps) >= count, SOON_S)
    return [scope.resolved(step) for step in steps]


def test_a_scope_finds_the_step_of_a_token_in_another_probe(watched):
    broadcasting, scope = watched
    sender, receiver = started("sender"), started("receiver")
    probes = broadcasting(sender, receiver)
    tokens = []
    call(sender, lambda _: tokens.append(farscope.cause()))
    with farscope.caused_by(tokens[0]):
        receiver.post_fifo(Event("DONE"))
    receiver.complete_circuit()
    probes[0].flush()
    cause = {step.signal: step.cause for step in taken(scope, 2)}["DONE"]
    assert cause == Cause(
        sender.steps()[-1].chart.serial,
        2,
        probes[0].id,
        parse_traceparent(tokens[0]).trace_id,
        claimed=True,
    )


def test_an_effect_that_arrives_before_its_cause_is_resolved_later(watched):
    broadcasting, scope = watched
    sender, receiver = started("sender"), started("receiver")
    sending, receiving = broadcasting(sender, receiver)
    early = []

    def act(_):
        with farscope.caused_by(farscope.cause()):
            receiver.post_fifo(Event("DONE"))
        receiver.complete_circuit()
        receiving.flush()
        eventually(lambda: early.extend(scope.take(0.01)) or early, SOON_S)

    call(sender, act)
    sending.flush()
    (effect,) = [step for step in early if step.signal == "DONE"]
    (cause_step,) = [step for step in taken(scope, 1) if step.signal == "CALL"]
    known = scope.resolved(effect).cause
    assert (known.probe, known.serial, known.number) == (
        cause_step.chart.probe,
        cause_step.chart.serial,
        cause_step.number,
    )


def test_a_chart_that_several_probes_broadcast_is_found_by_any_scope(watched, request):
    broadcasting, scope = watched
    sender, receiver = started("sender"), started("receiver")
    tokens = []
    with broadcast(sender, url=f"memory:{request.node.name} first", key=Keyring.from_text(new_key_text())):
        second, _ = broadcasting(sender, receiver)
        call(sender, lambda _: tokens.append(farscope.cause()))
        with farscope.caused_by(tokens[0]):
            receiver.post_fifo(Event("DONE"))
        receiver.complete_circuit()
        second.flush()
        cause = {step.signal: step.cause for step in taken(scope, 2)}["DONE"]
    assert (cause.probe, cause.number) == (second.id, 2)


def test_a_made_up_token_stays_a_span_that_nobody_knows(watched):
    broadcasting, scope = watched
    receiver = started("receiver")
    broadcasting(receiver)
    with farscope.caused_by(OUTSIDE):
        receiver.post_fifo(Event("DONE"))
    receiver.complete_circuit()
    (step,) = taken(scope, 1)
    assert step.cause == Cause(trace_id=OUTSIDE[3:35], span_id=OUTSIDE[36:52], claimed=True)
