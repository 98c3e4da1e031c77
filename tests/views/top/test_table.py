from __future__ import annotations

import pytest

from farscope.records.shape import StepKind
from farscope.records.step import ChartId
from farscope.views.top import table as table_of_charts
from farscope.views.top.table import RATE_S, RECENT, SPARK_S, Table

LAMP = ChartId("lamp", "pi", 7, 1, "aa")
DOOR = ChartId("door", "pi", 7, 2, "aa")


@pytest.fixture
def table() -> Table:
    return Table()


def rows(table: Table, now_ns: int):
    return {row.label: row for row in table.rows(now_ns)}


def test_a_row_tells_where_a_chart_is_since_when_and_what_brought_it_there(table, step, now_ns):
    table.add_steps(
        [step(LAMP, 1, 5.0), step(LAMP, 2, 3.0, signal="C", states=("c2", "c3"), queued=4)], now_ns
    )
    row = rows(table, now_ns)["lamp"]
    assert (row.state, row.event, row.queued, row.host) == ("c3", "C", 4, "pi:7")
    assert (row.in_state_ns, row.steps, row.failed) == (3_000_000_000, 2, False)


def test_steps_without_a_transition_do_not_begin_the_time_in_a_state_anew(table, step, now_ns):
    hook = step(LAMP, 2, 1.0, kind=StepKind.HOOK, states=("c2", "c2"))
    table.add_steps([step(LAMP, 1, 5.0), hook], now_ns)
    assert rows(table, now_ns)["lamp"].in_state_ns == 5_000_000_000


def test_the_time_in_a_state_nobody_saw_entered_is_not_known(table, chart_view, now_ns):
    table.update([chart_view(LAMP, state="c9", last_number=12)])
    row = rows(table, now_ns)["lamp"]
    assert (row.state, row.in_state_ns, row.event, row.rate) == ("c9", None, "", 0.0)


@pytest.mark.parametrize("status", ["closed", "stopped"])
def test_the_time_in_a_state_ends_with_the_chart(table, step, chart_view, now_ns, status):
    table.add_steps([step(LAMP, 1, 5.0)], now_ns)
    table.update([chart_view(LAMP, status=status, last_number=1, ended_ns=now_ns - 2 * 10**9)])
    assert rows(table, now_ns + 60 * 10**9)["lamp"].in_state_ns == 3_000_000_000


def test_how_long_a_silent_chart_is_in_its_state_is_not_known(table, step, chart_view, now_ns):
    table.add_steps([step(LAMP, 1, 5.0)], now_ns)
    table.update([chart_view(LAMP, status="silent", last_number=1)])
    assert rows(table, now_ns)["lamp"].in_state_ns is None


def test_a_state_that_was_announced_is_newer_than_the_steps_that_wait(table, step, chart_view, now_ns):
    table.add_steps([step(LAMP, 1)], now_ns)
    table.update([chart_view(LAMP, state="c9", last_number=5)])
    assert rows(table, now_ns)["lamp"].state == "c9"
    table.add_steps([step(LAMP, 5, states=("c9", "c10"))], now_ns)
    assert rows(table, now_ns)["lamp"].state == "c10"


def test_steps_are_counted_in_the_seconds_they_were_made_in(table, step, now_ns):
    table.add_steps(
        [step(LAMP, n, ago_s) for n, ago_s in enumerate([0.0, 0.5, 1.0, 2.5, 2.7, 40.0], 1)], now_ns
    )
    row = rows(table, now_ns)["lamp"]
    assert row.spark == (0,) * (SPARK_S - 3) + (2, 0, 2)
    assert row.rate == 4 / RATE_S
    later = rows(table, now_ns + 30 * 10**9)["lamp"]
    assert (later.rate, set(later.spark)) == (0.0, {0})


def test_steps_from_a_clock_that_is_ahead_count_now(table, step, now_ns):
    table.add_steps([step(LAMP, 1, -100.0)], now_ns)
    assert rows(table, now_ns + 10**9)["lamp"].spark[-1] == 1


def test_times_are_corrected_where_a_clock_is_known_to_be_off(table, step, chart_view, now_ns):
    table.update([chart_view(LAMP, clock_offset_s=-100.0)])
    table.add_steps([step(LAMP, 1, 102.0)], now_ns)
    row = rows(table, now_ns)["lamp"]
    assert (row.in_state_ns, row.spark[-2]) == (2_000_000_000, 1)


def test_what_has_just_come_has_just_happened_whatever_its_clock_says(table, step, now_ns):
    table.add_steps([step(LAMP, 1, 3_600.0), step(LAMP, 2, 2.0)], now_ns, live=True)
    assert rows(table, now_ns + 10**9)["lamp"].spark[-3:] == (1, 0, 1)


def test_charts_are_strangers_until_the_scope_tells_of_them(table, step, chart_view, now_ns):
    table.add_steps([step(LAMP, 1)], now_ns)
    assert table.has_strangers
    table.update([chart_view(LAMP, label="lamp@pi", status="silent", lost=3)])
    assert not table.has_strangers
    row = rows(table, now_ns)["lamp@pi"]
    assert (row.name, row.status, row.lost, row.steps) == ("lamp", "silent", 3, 1)


def test_charts_the_scope_forgot_are_forgotten(table, step, chart_view, now_ns):
    table.add_steps([step(LAMP, 1), step(DOOR, 1)], now_ns)
    table.update([chart_view(DOOR)])
    assert set(rows(table, now_ns)) == {"door"}
    assert len(table) == 1


def test_the_name_stands_alone_where_host_and_process_tell_the_rest(table, chart_view, now_ns):
    other = DOOR._replace(name="lamp")
    table.update([chart_view(LAMP, label="lamp@pi:7#1"), chart_view(other, label="lamp@pi:7#2")])
    assert sorted(row.name for row in table.rows(now_ns)) == ["lamp@pi:7#1", "lamp@pi:7#2"]


def test_a_row_does_not_change_any_more_and_keeps_a_bounded_past(table, step, now_ns):
    table.add_steps([step(LAMP, n) for n in range(1, 200)], now_ns)
    row = rows(table, now_ns)["lamp"]
    table.add_steps([step(LAMP, 200)], now_ns)
    assert [each[1] for each in row.recent] == list(range(200 - RECENT, 200))


def test_nothing_recorded_is_called_alive(step, chart_view, now_ns):
    table = Table(ends=True)
    table.add_steps([step(LAMP, 1), step(DOOR, 1)], now_ns)
    assert {row.status for row in table.rows(now_ns)} == {"ended"}
    table.update([chart_view(LAMP), chart_view(DOOR, status="silent")])
    assert {label: row.status for label, row in rows(table, now_ns).items()} == {
        "lamp": "ended",
        "door": "silent",
    }


def test_long_texts_of_recent_steps_take_little_memory_and_the_last_state_stays(step, now_ns, monkeypatch):
    monkeypatch.setattr(table_of_charts, "RECENT_BYTES", 200_000)
    table = Table()
    for number in range(1, 60):
        table.add_steps([step(LAMP, number, states=("a", "b"), texts=("x" * 30_000,))], now_ns)
        (row,) = table.rows(now_ns)
        assert sum(len(text) for kept in row.recent for text in kept[9]) <= 200_000
        assert row.recent
    table.add_steps([step(LAMP, 60, signal="LONG", states=("b", "c"), texts=("x" * 300_000,))], now_ns)
    (row,) = table.rows(now_ns)
    assert (row.state, row.event, row.steps, row.recent) == ("c", "LONG", 60, ())
