"""Effects wait for their causes, and no longer than they may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, RawStep, Step
from farscope.scope.ordering.causes import MAX_CHARTS, MAX_HELD_CHARTS, Causes, in_order_of_causes
from farscope.wire.batch import ChartEntry
from support.histories import effects_before_causes, key_of, make_history, order_of

SHAPE = Shape(StepKind.TRANSITION, "B", "c1", "c2", (Fact(FactKind.OFFER, "c1"),))
EVER_NS = 1 << 70


def step(serial: int, number: int, ended_ns: int, cause: tuple[int, int] | None = None) -> RawStep:
    chart = ChartId("chart", "far", 7, serial, "a")
    return (chart, number, SHAPE, ended_ns - 5, 5, 0, 0, 0, None if cause is None else Cause(*cause), (), ())


def entry(serial: int, number: int) -> ChartEntry:
    return ChartEntry(serial, "chart", ("c2",), number)


def numbers(steps) -> list[tuple[int, int]]:
    return [(one[0].serial, one[1]) for one in steps]


def heard(*serials: int) -> Causes:
    causes = Causes()
    causes.admit((), [entry(serial, 0) for serial in serials], 0)
    return causes


def test_an_effect_that_comes_before_its_cause_waits_for_it():
    causes = heard(1, 2)
    assert numbers(causes.admit([step(2, 1, 10, (1, 1))], (), 1)) == []
    assert numbers(causes.admit([step(1, 1, 20)], (), 2)) == [(1, 1), (2, 1)]
    assert len(causes) == 0


def test_in_one_batch_an_effect_comes_behind_its_cause():
    causes = Causes()
    steps = [step(2, 7, 10, (1, 3)), step(1, 3, 20)]
    assert numbers(causes.admit(steps, [entry(1, 3), entry(2, 7)], 1)) == [(1, 3), (2, 7)]


def test_what_a_chart_does_next_and_what_that_causes_waits_with_it():
    causes = heard(1, 2, 3)
    steps = [step(2, 1, 10, (1, 1)), step(2, 2, 11), step(3, 1, 12, (2, 2)), step(3, 2, 13)]
    assert numbers(causes.admit(steps, (), 1)) == []
    assert len(causes) == 4
    assert numbers(causes.admit([step(1, 1, 20)], (), 2)) == [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)]


def test_nothing_waits_for_a_chart_that_was_never_heard_of():
    assert numbers(heard(2).admit([step(2, 1, 10, (1, 1))], (), 1)) == [(2, 1)]


def test_nothing_waits_for_a_step_that_was_lost():
    causes = heard(1, 2)
    causes.admit([step(1, 1, 5)], (), 1)
    assert numbers(causes.admit([step(2, 1, 10, (1, 2))], (), 2)) == []
    assert numbers(causes.admit([step(1, 3, 20)], (), 3)) == [(1, 3), (2, 1)]


def test_nothing_waits_for_what_was_there_before_anybody_watched():
    causes = Causes()
    causes.admit([step(1, 50, 5)], [entry(1, 50)], 1)
    assert numbers(causes.admit([step(2, 9, 10, (1, 49))], [entry(2, 9)], 2)) == [(2, 9)]


def test_what_has_waited_for_long_enough_goes_on_and_is_marked_if_its_cause_is_running():
    causes = heard(1, 2, 3)
    causes.admit([step(2, 1, 10, (1, 1)), step(3, 1, 30, (2, 1))], (), 1)
    assert list(causes.heads) == [(1, 10)]
    assert causes.overdue(9) == ([], [])
    passed, running = causes.overdue(10)
    assert (numbers(passed), running) == ([(2, 1), (3, 1)], [(2, 1)])
    assert numbers(causes.admit([step(1, 1, 40)], (), 2)) == [(1, 1)]


def test_an_effect_whose_cause_was_lost_is_not_marked():
    causes = heard(1, 2)
    causes.admit([step(2, 1, 10, (1, 1))], (), 1)
    causes.admit((), [entry(1, 1)], 2)
    assert causes.overdue(EVER_NS) == ([step(2, 1, 10, (1, 1))], [])


def test_what_waits_for_each_other_without_sense_goes_on_in_the_end():
    causes = heard(1, 2)
    assert numbers(causes.admit([step(1, 1, 10, (2, 1)), step(2, 1, 11, (1, 1))], (), 1)) == []
    passed, _ = causes.overdue(EVER_NS)
    assert sorted(numbers(passed)) == [(1, 1), (2, 1)]


def test_a_chart_over_the_limit_does_not_wait():
    causes = heard(1, *range(2, MAX_HELD_CHARTS + 3))
    steps = [step(serial, 1, 10, (1, 1)) for serial in range(2, MAX_HELD_CHARTS + 3)]
    assert numbers(causes.admit(steps, (), 1)) == [(MAX_HELD_CHARTS + 2, 1)]


def test_no_more_charts_are_remembered_than_there_is_room_for():
    causes = Causes()
    for serial in range(1, 2 * MAX_CHARTS):
        causes.admit([step(serial, 1, 10)], [entry(serial, 1)], 1)
    assert len(causes._passed) == len(causes._announced) == MAX_CHARTS


@given(st.integers(0, 2**32), st.integers(1, 8))
def test_whatever_a_process_does_every_step_comes_once_and_behind_its_cause(seed, size):
    (process,) = make_history(seed, processes=1, charts=4)
    causes = Causes()
    out: list[RawStep] = []
    serials = sorted({one[0].serial for one in process.steps})
    causes.admit((), [entry(serial, 0) for serial in serials], 0)
    for start in range(0, len(process.steps), size):
        out += causes.admit(process.steps[start : start + size], (), start)
    assert len(causes) == 0
    assert sorted(map(key_of, out)) == sorted(map(key_of, process.steps))
    assert effects_before_causes(out) == []
    for serial in serials:
        its = [one[1] for one in out if one[0].serial == serial]
        assert its == sorted(its)


@given(st.integers(0, 2**32))
def test_steps_of_many_charts_are_put_into_the_order_in_which_a_scope_gives_them(seed):
    history = make_history(seed, processes=3)
    charts: dict[tuple[str, int], list[Step]] = {}
    for process in history:
        for one in sorted(process.steps, key=key_of):
            charts.setdefault(key_of(one)[:2], []).append(Step._make(one))
    given_in = [one for its in charts.values() for one in its]
    assert list(map(key_of, in_order_of_causes(given_in))) == order_of(given_in)


def test_steps_whose_numbers_make_no_sense_are_all_there():
    steps = [Step._make(step(1, 1, 10, (2, 1))), Step._make(step(2, 1, 11, (1, 1)))]
    assert in_order_of_causes(steps) == steps
