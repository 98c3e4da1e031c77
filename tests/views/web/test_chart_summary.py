from __future__ import annotations

from farscope.records.shape import StepKind
from farscope.records.step import NANOSECONDS, ChartId
from farscope.scope.chart import ChartView
from farscope.views.web.chart_summary import MAX_ARROWS, SPARK, UNCOUNTED, ChartSummary, PictureRoom

CHART = ChartId("lamp", "far", 7, 1, "ab" * 16)
KNOWN = {
    "id": CHART,
    "name": "lamp",
    "host": "far",
    "pid": 7,
    "label": "lamp",
    "state": "off",
    "status": "alive",
    "steps": 0,
    "lost": 0,
    "last_number": 0,
    "last_ns": 0,
    "structure": None,
}


def view_of(**more) -> ChartView:
    return ChartView(**KNOWN | more)


def test_time_in_state_begins_with_the_last_entry_and_not_with_the_last_event(make_step):
    row = ChartSummary(1, view_of())
    row.add_steps([make_step(1, 100), make_step(2, 200, start="on", kind=StepKind.HOOK)], 300)
    assert (row.activity.state, row.activity.since_ns, row.activity.last_ns, row.activity.outcome) == (
        "on",
        100,
        200,
        StepKind.HOOK,
    )


def test_the_spark_line_counts_steps_in_their_own_seconds(make_step):
    row, now_ns = ChartSummary(1, view_of()), 1_000 * NANOSECONDS
    times = [now_ns - 3 * NANOSECONDS, now_ns - 3 * NANOSECONDS + 1, now_ns - NANOSECONDS]
    row.add_steps([make_step(number, time_ns) for number, time_ns in enumerate(times, 1)], now_ns)
    assert row.tick(now_ns)
    assert row.spark[-4:] == [0, 2, 0, 1]
    assert row.rate == 1
    assert not row.tick(now_ns)
    assert row.tick(now_ns + SPARK * NANOSECONDS)
    assert row.spark == [0] * SPARK


def test_a_clock_ahead_of_ours_counts_into_the_present(make_step):
    row, now_ns = ChartSummary(1, view_of()), 1_000 * NANOSECONDS
    row.add_steps([make_step(1, 2_000 * NANOSECONDS)], now_ns)
    row.tick(now_ns + NANOSECONDS)
    assert row.rate == 1


def test_an_announcement_ahead_of_the_steps_tells_the_state(make_step):
    row = ChartSummary(1, view_of())
    row.add_steps([make_step(1, 100, end="on")], 200)
    assert not row.update(row.view)
    assert row.update(view_of(state="broken", last_number=9))
    assert row.activity.state == "broken"
    assert row.update(view_of(state="stale", last_number=1))
    assert row.activity.state == "broken"


def test_every_step_is_in_the_picture_when_it_is_asked_for(make_step):
    row = ChartSummary(1, view_of())
    for number in range(1, UNCOUNTED + 10):
        row.add_steps([make_step(number, number)], 10**9)
    assert sum(row.picture.seen.values()) == UNCOUNTED + 9


def test_a_chart_with_endless_arrows_is_counted_and_not_kept(make_step):
    row = ChartSummary(1, view_of())
    for number in range(1, MAX_ARROWS + 101):
        row.add_steps([make_step(number, number, signal=f"S{number}")], 10**9)
    assert len(row.picture.seen) == MAX_ARROWS
    assert row.uncounted == 100
    row.add_steps([make_step(1, 1, signal="S1")], 10**9)
    assert row.picture.seen["off", "on", "S1"] == 2


def test_names_in_pictures_take_no_more_than_their_room_and_the_rest_is_counted(make_step):
    room = PictureRoom(limit=60_000)
    rows = [ChartSummary(number, view_of(), room=room) for number in (1, 2)]
    for number in range(1, 101):
        for row in rows:
            row.add_steps([make_step(number, number, end=f"{number} {'x' * 2_000}")], number)
    drawn = [len(row.picture.seen) for row in rows]
    assert 0 < sum(drawn) <= 60_000 // 2_000
    assert [row.uncounted + seen for row, seen in zip(rows, drawn, strict=True)] == [100, 100]
    for row in rows:
        row.give_back()
    assert room.left == 60_000
