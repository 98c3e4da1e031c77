from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farscope.probe.announcements import CHANGES_KEPT, STOPPED_KEPT, UNSENT_KEPT, ChartDirectory
from farscope.records.step import CHART, MAX_VALUES, NUMBER, VALUES
from farscope.wire.batch import ChartEntry

A1, A2, B1 = ("a", 1), ("a", 2), ("b", "text")


@pytest.fixture
def directory():
    return ChartDirectory()


def test_an_announced_chart_is_a_change_once(directory, chart, kit):
    directory.announce(chart.id, kit.STRUCTURE, "inner", 3)
    assert directory.has_changes()
    [entry] = directory.changes(0)
    assert entry == ChartEntry(1, "chart", ("inner",), 3, structure=kit.STRUCTURE)
    assert not directory.has_changes()
    assert directory.changes(0) == []


def test_steps_bring_state_and_number_up_to_date(directory, chart, kit):
    directory.announce(chart.id, kit.STRUCTURE, "inner", 0)
    assert directory.note_steps([chart.step(), chart.step()]) == {1}
    [entry] = directory.all_entries(2)
    assert (entry.state, entry.number) == ("outer", 2)


def test_an_announcement_is_not_undone_by_steps_from_before_it(directory, chart, kit):
    step = chart.step()
    directory.announce(chart.id, kit.STRUCTURE, "elsewhere", 9)
    directory.note_steps([step])
    [entry] = directory.all_entries(1)
    assert (entry.state, entry.number) == ("elsewhere", 9)


def test_a_chart_that_was_never_announced_is_known_by_its_steps(directory, chart):
    directory.note_steps([chart.step()])
    [entry] = directory.short_entries({1}, 1)
    assert (entry.name, entry.state, entry.structure) == ("chart", "outer", None)


def test_a_stop_waits_until_the_charts_last_step_was_sent(directory, chart, kit):
    directory.announce(chart.id, kit.STRUCTURE, "inner", 0)
    directory.changes(0)
    directory.stopped(chart.id, 5)
    assert directory.changes(4) == []
    assert not directory.all_entries(4)[0].stopped
    assert directory.has_changes()
    assert directory.changes(5)[0].stopped


def test_a_chart_that_is_announced_after_its_stop_lives_again(directory, chart, kit):
    directory.stopped(chart.id, 0)
    directory.announce(chart.id, kit.STRUCTURE, "inner", 0)
    assert not directory.all_entries(0)[0].stopped


def test_charts_of_one_name_are_told_apart_by_serial(directory, kit):
    for serial in (1, 2):
        directory.announce(kit.SmallChart(serial, "twin").id, kit.STRUCTURE, "inner", serial)
    assert [(entry.serial, entry.number) for entry in directory.all_entries(0)] == [(1, 1), (2, 2)]


def test_of_stopped_charts_only_so_many_are_remembered(directory, kit):
    for serial in range(1, STOPPED_KEPT + 11):
        directory.stopped(kit.SmallChart(serial).id, 0)
    directory.changes(0)
    assert [entry.serial for entry in directory.all_entries(0)] == list(range(11, STOPPED_KEPT + 11))


def test_however_many_charts_stop_between_two_looks_each_stop_is_said(directory, kit):
    for serial in range(1, 1001):
        directory.announce(kit.SmallChart(serial).id, kit.STRUCTURE, "inner", 0)
        directory.stopped(kit.SmallChart(serial).id, 0)
    said = directory.changes(0)
    assert [(entry.serial, entry.stopped) for entry in said] == [(serial, True) for serial in range(1, 1001)]
    assert len(directory._known) == STOPPED_KEPT


def test_charts_that_come_and_go_while_nothing_can_be_sent_are_forgotten_in_the_end(directory, kit):
    for serial in range(1, UNSENT_KEPT + 101):
        directory.announce(kit.SmallChart(serial).id, kit.STRUCTURE, "inner", 0)
        directory.stopped(kit.SmallChart(serial).id, 1)
        if serial % 500 == 0:
            directory.changes(0)
    assert directory.changes(0) == []
    assert len(directory._known) == UNSENT_KEPT


def test_news_that_no_pump_hears_are_bounded(directory, kit):
    chart = kit.SmallChart(1)
    for _ in range(CHANGES_KEPT + 5):
        directory.stopped(chart.id, 0)
    assert len(directory._pending) == CHANGES_KEPT


def test_steps_of_charts_that_were_forgotten_bring_none_of_them_back_for_good(directory, kit):
    for serial in range(1, 1001):
        directory.note_steps([kit.SmallChart(serial).step()])
    assert len(directory._known) == STOPPED_KEPT


def test_after_a_fork_charts_are_announced_once_they_show_life(directory, kit):
    living, still = kit.SmallChart(1), kit.SmallChart(2)
    for chart in (living, still):
        directory.announce(chart.id, kit.STRUCTURE, "inner", 0)
    directory.reset()
    assert directory.all_entries(0) == []
    assert not directory.has_changes()
    directory.note_steps([living.step()])
    [entry] = directory.changes(1)
    assert (entry.serial, entry.structure) == (1, kit.STRUCTURE)


def test_values_of_steps_are_reduced_to_those_that_differ_and_restated_as_a_whole(directory, chart):
    steps = [with_values(chart.step(), *values) for values in ([A1, B1], [A1, B1], [A2, B1], [B1], [])]
    directory.keep_changed_values(steps)
    assert [step[VALUES] for step in steps] == [(A1, B1), (), (A2,), (), ()]
    directory.note_steps(steps)
    [entry] = directory.short_entries({1}, 5)
    assert entry.values == (A2, B1)


def test_values_that_are_equal_and_look_different_are_changes(directory, chart):
    given = [("x", 1), ("x", 1.0), ("x", True), ("x", 1), ("x", math.nan), ("x", math.nan), ("x", math.inf)]
    steps = [with_values(chart.step(), pair) for pair in given]
    directory.keep_changed_values(steps)
    assert [bool(step[VALUES]) for step in steps] == [True, True, True, True, True, False, True]


def test_only_the_values_named_last_are_kept_if_there_are_more_than_travel(directory, chart):
    steps = [with_values(chart.step(), (f"v{number}", number)) for number in range(20)]
    directory.keep_changed_values(steps)
    directory.note_steps(steps)
    [entry] = directory.short_entries({1}, 20)
    assert entry.values == tuple((f"v{number}", number) for number in range(4, 20))


VALUE = st.one_of(st.integers(0, 3), st.sampled_from([0.5, math.inf, "idle", "", True]))
GIVEN = st.dictionaries(st.sampled_from([f"v{number}" for number in range(20)]), VALUE, max_size=16)


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.tuples(st.integers(1, 2), GIVEN)), max_size=40),
    st.integers(1, 12),
    st.sampled_from(["newest", "oldest"]),
)
def test_any_single_batch_gives_all_current_values_and_steps_only_changes_whatever_is_dropped(
    kit, acts, capacity, policy
):
    """Each act is a step of one of two charts with some values, or a turn of the pump."""
    bench = kit.Bench(capacity, policy)
    charts = {serial: kit.SmallChart(serial) for serial in (1, 2)}
    given: dict[tuple[int, int], dict] = {}
    for act in [*acts, None]:
        if act is None:
            bench.pump.turn()
            continue
        serial, values = act
        step = with_values(charts[serial].step(), *values.items())
        given[serial, step[NUMBER]] = values
        bench.outbox.offer(step)
    known: dict[int, dict] = {1: {}, 2: {}}
    expected: dict[int, dict] = {1: {}, 2: {}}
    for batch, _ in bench.transport.stored:
        for step in batch.steps:
            serial = step[CHART].serial
            changed = dict(step[VALUES])
            assert all(not same(known[serial].get(name), value) for name, value in changed.items())
            update(known[serial], changed)
            update(expected[serial], given[serial, step[NUMBER]])
            # A value forgotten because of others comes again with the next step that has it.
            assert all(same(known[serial].get(name), value) for name, value in expected[serial].items())
        for entry in batch.charts:
            if batch.steps and entry.serial in {step[CHART].serial for step in batch.steps}:
                assert dict(entry.values) == known[entry.serial]


def with_values(step, *pairs):
    return (*step[:VALUES], tuple(pairs))


def same(one, other):
    return type(one) is type(other) and one == other


def update(values, changes):
    values.update(changes)
    while len(values) > MAX_VALUES:
        del values[next(iter(values))]
