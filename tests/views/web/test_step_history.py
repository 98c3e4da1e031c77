from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farscope.errors import Invariant
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.views.web.history import History, SharedShapes
from farscope.views.web.step_columns import BLOCK_WEIGHT, LATEST_NS, STEP_BYTES, StepColumns
from farscope.views.web.step_history import StepHistory

CHART = ChartId("lamp", "far", 7, 1, "ab" * 16)
CAUSES = (Cause(1, 9), Cause(2, 1), Cause(2, 1, "cd" * 16), Cause(0, 0, "", "ab" * 16, "cd" * 8, True))
NUMBERS = st.integers(0, 2**63 - 1)


@st.composite
def raw_steps(draw, most=60):
    count = draw(st.integers(1, most))
    time_ns, steps = draw(st.integers(0, 10**9)), []
    for number in range(1, count + 1):
        time_ns = max(0, time_ns + draw(st.integers(-5, 20)))
        shape = Shape(StepKind.TRANSITION, draw(st.sampled_from("AB")), "off", "on", ())
        cause = draw(st.none() | st.sampled_from(CAUSES))
        texts = draw(st.just(()) | st.tuples(st.text(max_size=90)))
        values = draw(st.just(()) | st.just((("amps", 3.5), ("door", "open"))))
        more = [draw(NUMBERS) if draw(st.booleans()) else draw(st.integers(0, 300)) for _ in range(4)]
        steps.append((CHART, number, shape, time_ns, *more, cause, texts, values))
    return steps


def times_of(steps):
    """Where steps stand: where they ended, or where the one before it did where the clock was set back."""
    reached, times = 0, []
    for step in steps:
        reached = min(max(reached, step[3] + step[4]), LATEST_NS)
        times.append(reached)
    return times


def standing(steps):
    return [
        Step._make(step)._replace(time_ns=time - step[4])
        for step, time in zip(steps, times_of(steps), strict=True)
    ]


@given(raw_steps())
def test_steps_come_back_as_they_were_taken_in(steps):
    stored = StepHistory(CHART)
    for start in range(0, len(steps), 7):
        stored.extend(steps[start : start + 7])
    assert stored.newest(10**6, 0, 2**62) == standing(steps)
    places = [stored.numbered(step[1]) for step in steps]
    assert [stored.own_ns(place) for place in places] == [step[3] for step in steps]


@given(raw_steps(), st.integers(0, 10**9 + 2_000))
def test_searching_by_time_agrees_with_looking_at_every_step(steps, moment):
    stored = StepHistory(CHART)
    stored.extend(steps)
    times = times_of(steps)
    assert stored.count_until(moment) == sum(time <= moment for time in times)
    last, first = stored.last_until(moment), stored.first_from(moment)
    assert (last and stored.time_at(last)) == max((time for time in times if time <= moment), default=None)
    assert (first and stored.time_at(first)) == min((time for time in times if time >= moment), default=None)
    after = [step[2] for step, time in zip(steps, times, strict=True) if time > moment]
    assert stored.shapes_after(moment) == {shape: after.count(shape) for shape in set(after)}
    kept = [step for step in standing(steps) if step.ended_ns <= moment]
    assert stored.newest(5, 0, moment) == kept[-5:]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 700), min_size=1, max_size=8), st.integers(1, 3))
def test_a_history_forgets_the_oldest_and_counts_them(sizes, blocks):
    history, number = History(limit=blocks * (BLOCK_WEIGHT + 100)), 0
    shape = Shape(StepKind.HOOK, "A", "off", "off", ())
    for size in sizes:
        steps = [(CHART, number + i, shape, number + i, 0, 0, 0, 0, None, (), ()) for i in range(1, size + 1)]
        number += size
        history.extend(CHART, steps)
    stored = history.charts[CHART.key]
    kept = [step.number for step in stored.newest(10**6, 0, 2**62)]
    assert kept == list(range(number - len(kept) + 1, number + 1))
    assert len(history) == len(stored) == len(kept)
    assert history.forgotten == stored.forgotten == number - len(kept)
    assert len(kept) <= blocks * (BLOCK_WEIGHT + 100) + BLOCK_WEIGHT
    assert stored.count_until(number) == number
    assert [step.number for step in stored.newest_after(number - 3, 9)] == kept[-3:]


def test_a_busy_chart_does_not_drive_out_the_few_steps_of_a_quiet_one(make_step):
    quiet = CHART._replace(serial=2)
    history = History(limit=2 * BLOCK_WEIGHT)
    history.extend(quiet, [make_step(1, 1, chart=quiet)])
    for number in range(1, 20 * BLOCK_WEIGHT, 100):
        history.extend(CHART, [make_step(number + i, number + i) for i in range(100)])
    assert len(history.charts[quiet.key]) == 1
    assert history.forgotten > 0


def test_long_texts_count_as_several_steps(make_step):
    history = History(limit=4 * BLOCK_WEIGHT)
    for number in range(1, 200):
        history.extend(CHART, [make_step(number, number, texts=("x" * 6_400,))])
    assert len(history) < 40


def test_a_step_is_found_by_its_number_also_if_it_arrived_late(make_step):
    stored = StepHistory(CHART)
    stored.extend([make_step(number, number) for number in (1, 2, 5, 6, 3)])
    assert [stored.numbered(number) is not None for number in (3, 4, 5)] == [True, False, True]


SHAPE = Shape(StepKind.TRANSITION, "A", "off", "on", ())
DELTAS = st.lists(st.integers(-50, 200), min_size=1, max_size=40)


def steps_apart(deltas):
    times = [10_000 + time for time in accumulate(deltas)]
    return [
        (CHART, number, SHAPE, time - 5, 5, 0, 0, 0, None, (), ()) for number, time in enumerate(times, 1)
    ]


@settings(deadline=None)
@given(DELTAS, st.lists(st.integers(-100, 100), max_size=5), st.integers(1, 20))
def test_a_correction_that_becomes_better_known_moves_everything_together(deltas, corrections, size):
    steps = steps_apart(deltas)
    stored, correction_ns = StepHistory(CHART, 7), 7
    for number, start in enumerate(range(0, len(steps), size)):
        if number < len(corrections):
            correction_ns = corrections[number]
            stored.correct(correction_ns, was_set=False)
        stored.extend(steps[start : start + size])
    times = [time - correction_ns for time in times_of(steps)]
    assert [step.ended_ns for step in stored.newest(10**6, -(2**62), 2**62)] == times
    assert [stored.own_ns(stored.numbered(step[1])) for step in steps] == [step[3] for step in steps]
    moment = times[len(times) // 2]
    assert stored.count_until(moment) == sum(time <= moment for time in times)
    assert stored.time_at(stored.first_from(moment)) == moment
    assert stored.at(stored.last_until(moment)).ended_ns == moment
    assert (stored.first_ns, stored.last_ns) == (times[0], times[-1])


@settings(deadline=None)
@given(DELTAS, st.lists(st.tuples(st.integers(-100, 100), st.booleans()), max_size=5), st.integers(1, 9))
def test_a_charts_own_steps_never_go_back_in_time_whatever_becomes_of_its_clock(deltas, corrections, size):
    steps = steps_apart(deltas)
    stored, history = StepHistory(CHART), History()
    for number, start in enumerate(range(0, len(steps), size)):
        if number < len(corrections):
            correction_ns, was_set = corrections[number]
            stored.correct(correction_ns, was_set=was_set)
            history.correct(CHART.probe, correction_ns, was_set=was_set)
        stored.extend(steps[start : start + size])
        history.extend(CHART, steps[start : start + size])
        times = [step.ended_ns for step in stored.newest(10**6, -(2**62), 2**62)]
        assert times == sorted(times)
        assert [step[1] for step in steps[: start + size]] == [
            step.number for step in stored.newest(10**6, -(2**62), 2**62)
        ]
    assert [stored.own_ns(stored.numbered(step[1])) for step in steps] == [step[3] for step in steps]
    assert history.newest([CHART.key], 10**6, 2**62) == stored.newest(10**6, -(2**62), 2**62)


def test_when_a_clock_was_set_what_was_before_stays_where_it_is(make_step):
    stored = StepHistory(CHART, -5_000)
    stored.extend([make_step(1, 100), make_step(2, 200)])
    stored.correct(0, was_set=True)
    stored.extend([make_step(3, 5_300)])
    assert [step.ended_ns for step in stored.newest(9, 0, 2**62)] == [5_100, 5_200, 5_300]
    stored.correct(-1, was_set=False)
    assert [step.ended_ns for step in stored.newest(9, 0, 2**62)] == [5_101, 5_201, 5_301]


def test_a_history_tells_from_when_on_it_is_whole(make_step):
    history = History(limit=2 * BLOCK_WEIGHT)
    history.extend(CHART, [make_step(number, number) for number in range(1, BLOCK_WEIGHT)])
    assert history.whole_from_ns < 0
    history.extend(CHART, [make_step(number, number) for number in range(BLOCK_WEIGHT, 5 * BLOCK_WEIGHT)])
    assert history.whole_from_ns == history.first_ns > 1


def test_a_removed_chart_leaves_nothing_behind(make_step):
    history = History()
    history.extend(CHART, [make_step(number, number) for number in range(1, 2_000)])
    history.remove(CHART.key)
    history.remove(CHART.key)
    assert (len(history), history.first_ns, history.forgotten) == (0, None, 1_999)


def test_a_packed_block_refuses_more(make_step):
    block = StepColumns()
    block.extend([make_step(1, 1)], 0)
    block.pack()
    with pytest.raises(Invariant):
        block.extend([make_step(2, 2)], 0)


def test_the_nearest_steps_of_some_charts_are_found_in_both_directions(make_step):
    history = History()
    other = CHART._replace(serial=2)
    history.extend(CHART, [make_step(1, 100), make_step(2, 300)])
    history.extend(other, [make_step(1, 200, chart=other)])
    both = [CHART.key, other.key]
    assert history.next_after(100, both) == 200
    assert history.next_after(100, both[:1]) == 300
    assert history.last_before(300, both) == 200
    assert history.last_before(100, both) is None
    assert [step.ended_ns for step in history.newest(both, 2, 250)] == [100, 200]


def test_shapes_that_are_all_different_count_as_what_they_take(make_step):
    history = History(limit=10_000)
    for number in range(1, 2_001):
        history.extend(CHART, [make_step(number, number, end=f"{number} {'x' * 3_000}")])
    shapes = {
        id(shape): shape
        for stored in history.charts.values()
        for block in stored.blocks
        for shape in block.table
    }
    assert sum(shape.size for shape in shapes.values()) <= 10_000 * STEP_BYTES + BLOCK_WEIGHT * STEP_BYTES * 4
    assert 0 < len(history) < 2_000
    assert history.forgotten == 2_000 - len(history)


def test_shapes_count_until_the_last_block_that_has_them_is_gone(make_step):
    shapes, shape = SharedShapes(), make_step(1, 1)[2]
    shapes.add([shape])
    shapes.add([shape])
    shapes.remove([shape])
    assert shapes.bytes == shape.size
    shapes.remove([shape])
    assert shapes.bytes == 0


def test_a_chart_that_is_removed_takes_its_shapes_along(make_step):
    history = History()
    history.extend(CHART, [make_step(number, number, end=f"s{number}") for number in range(1, 2_000)])
    history.remove(CHART.key)
    assert history._shapes.bytes == 0
