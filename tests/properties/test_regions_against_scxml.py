"""Random charts with regions, history and final states do what a model of the SCXML algorithm does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings

from farscope.engine import AsyncChart, Event, Factory
from farscope.engine.core import completions
from farscope.errors import ChartError
from support.region_charts import Story, stories
from support.region_twins import RING_STEPS, Log, built, calls_in, declared, did
from support.scxml_model import MICROSTEPS, Interpreter, Microstep
from support.walked_chart import Walked

ENOUGH = MICROSTEPS - 1
"""Completions after which a chart here sees an endless chain, as the model does."""


@pytest.fixture(autouse=True, scope="module")
def _short_chains() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completions, "MAX_COMPLETIONS", ENOUGH)
        yield


def agree(story: Story) -> None:
    model, walked = Interpreter(story.nodes), Walked(story.nodes)
    assert walked.start(story.start) == model.start(story.start)
    for event in story.events:
        assert walked.finished is not model.running
        if walked.finished or walked.pending:
            # At its end, or in an endless chain of completions.
            return
        assert walked.external(event) == model.external(event)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_walks_enter_leave_and_complete_the_states_that_the_model_does(story):
    agree(story)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_ten_thousand_walks_do_what_the_model_does(story):
    agree(story)


def run(chart: Factory, story: Story, log: Log) -> None:
    """Run a chart through a story and compare each of its steps with the model's."""
    model = Interpreter(story.nodes)
    expected = model.start(story.start)
    if model.internal:
        with pytest.raises(ChartError, match=f"{ENOUGH} completions followed from one step"):
            chart.start_at(f"s{story.start}")
    else:
        chart.start_at(f"s{story.start}")
    for event in story.events:
        if not model.running or model.internal:
            break
        log.now += 1
        expected += model.external(event)
        if model.internal:
            with pytest.raises(ChartError, match=f"{ENOUGH} completions followed from one step"):
                chart.dispatch(Event(event))
        else:
            chart.dispatch(Event(event))
    assert [did(step) for step in chart.steps()] == expected
    assert log.calls == calls_in(expected)
    assert chart.finished is not model.running


def check_in_both_styles(story: Story) -> None:
    log = Log()
    run(built(story, log), story, log)
    kind = declared(story)
    for _ in ("its steps are new", "its steps are known from its twin"):
        log = Log()
        chart = kind("twin", threaded=False, ring_size=RING_STEPS)
        chart.log = log
        run(chart, story, log)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_charts_of_both_styles_do_what_the_model_does(story):
    check_in_both_styles(story)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories())
def test_ten_thousand_charts_of_both_styles_do_what_the_model_does(story):
    check_in_both_styles(story)


async def live_through(chart: AsyncChart, story: Story, log: Log) -> list[Microstep]:
    """Run a chart on the loop until its story or the model ends; return what its steps should have done."""
    model = Interpreter(story.nodes)
    expected = model.start(story.start)
    chart.start_at(f"s{story.start}")
    await chart.settled()
    for event in story.events:
        if not model.running or model.internal:
            break
        log.now += 1
        expected += model.external(event)
        await chart.post(Event(event))
        await chart.settled()
    await chart.aclose()
    # What ends an endless chain is recorded as a failed step, which the model knows nothing of.
    assume(not model.internal)
    return expected


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories())
def test_charts_whose_actions_wait_on_a_loop_do_what_the_model_does(story):
    log = Log()
    chart = declared(story, AsyncChart)("twin", ring_size=RING_STEPS)
    chart.log = log
    expected = asyncio.run(live_through(chart, story, log))
    assert [did(step) for step in chart.steps()] == expected
    assert log.calls == calls_in(expected)
