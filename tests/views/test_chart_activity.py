from __future__ import annotations

from farscope.records.shape import Shape, StepKind
from farscope.records.step import NANOSECONDS, ChartId, Step
from farscope.scope.chart import ChartView
from farscope.views.chart_activity import ChartActivity

CHART = ChartId("lamp", "far", 7, 1, "ab" * 16)
NOW_NS = 1_000 * NANOSECONDS


def step(number: int, time_ns: int, end: str = "on", kind: StepKind = StepKind.TRANSITION) -> Step:
    return Step(CHART, number, Shape(kind, "GO", "off", end, ()), time_ns, 0, 2, 1)


def view(state: str, last_number: int) -> ChartView:
    return ChartView(
        id=CHART,
        name="lamp",
        host="far",
        pid=7,
        label="lamp",
        state=state,
        status="alive",
        steps=0,
        lost=0,
        last_number=last_number,
        last_ns=0,
        structure=None,
    )


def test_it_shows_what_the_last_step_left():
    activity = ChartActivity()
    activity.add_steps([step(1, 100), step(2, 200, kind=StepKind.HOOK)], 300, correction_ns=10)
    shown = activity.state, activity.event, activity.outcome, activity.queued, activity.deferred
    assert shown == ("on", "GO", StepKind.HOOK, 2, 1)
    assert (activity.since_ns, activity.last_ns) == (90, 190)


def test_a_state_that_was_announced_stays_until_the_steps_have_caught_up():
    activity = ChartActivity(view("idle", 0))
    activity.update(view("broken", 3))
    activity.add_steps([step(2, 100)], NOW_NS)
    assert activity.state == "broken"
    activity.add_steps([step(3, 200)], NOW_NS)
    assert activity.state == "on"


def test_steps_count_in_their_own_seconds_and_never_in_future_ones():
    activity = ChartActivity()
    moments = (NOW_NS - 2 * NANOSECONDS, NOW_NS - NANOSECONDS, NOW_NS + 50 * NANOSECONDS)
    activity.add_steps([step(number, time_ns) for number, time_ns in enumerate(moments, 1)], NOW_NS)
    assert activity.steps_per_second(NOW_NS + NANOSECONDS, 4) == [0, 1, 1, 1]
    assert activity.steps_per_second(NOW_NS + 90 * NANOSECONDS, 4) == [0, 0, 0, 0]


def test_a_live_step_of_a_clock_that_is_far_behind_has_ended_just_now():
    activity = ChartActivity()
    activity.add_steps([step(1, 5)], NOW_NS, oldest_ns=NOW_NS - NANOSECONDS)
    assert (activity.last_ns, activity.since_ns) == (NOW_NS, NOW_NS)


def test_times_that_are_known_are_shifted_and_others_stay_unknown():
    activity = ChartActivity()
    activity.shift(-5)
    assert (activity.last_ns, activity.since_ns) == (0, 0)
    activity.add_steps([step(1, 100)], NOW_NS)
    activity.shift(-5)
    assert (activity.last_ns, activity.since_ns) == (95, 95)
