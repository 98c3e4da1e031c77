from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farscope.records.shape import StepKind
from farscope.records.step import ChartId, ChartKey
from farscope.views.terminal_width import width as cells_of
from farscope.views.top import columns
from farscope.views.top.columns import BY_KEY, Column
from farscope.views.top.controls import Controls
from farscope.views.top.glyphs import glyphs_of
from farscope.views.top.screen import (
    Header,
    Layout,
    Size,
    help_lines,
    page_size,
    plain_table,
    screen,
    text_of,
)
from farscope.views.top.table import SPARK_S, ChartRow

TRACEBACK = """Traceback (most recent call last):
  File "/srv/plant/lamp.py", line 7, in breaks
    raise OSError("bulb")
OSError: bulb
"""
LAMP = ChartId("lamp", "pi", 7, 1, "lamp")


@pytest.fixture
def head(now_ns) -> Header:
    return Header("sqlite:/x", now_ns, seen=1_234, lost=0, probes=1, charts=2)


@pytest.fixture
def rows(row, step) -> list[ChartRow]:
    ignored = step(LAMP, 2, 1.0, kind=StepKind.IGNORED, signal="D", states=("c2", "c2"))
    failed = step(LAMP, 3, 0.5, kind=StepKind.FAILED, states=("c2", "c2"), texts=(TRACEBACK,))
    return [
        row("door", state="closed", lost=2, status="silent", queued=12, deferred=3, rate=123.4),
        row("lamp", recent=(step(LAMP, 1, 2.0), ignored, failed)),
    ]


def test_the_whole_screen_line_by_line(rows, head):
    controls = Controls(selected=ChartKey("lamp", 1))
    assert text_of(screen(rows, controls, head, Size(98, 16))).splitlines() == [
        "farscope top  sqlite:/x                                                        2026-01-10 13:14:26",
        "2 charts, 1 probe, 125 steps/s, seen 1,234, lost 0",
        "CHART▲      STATUS   STATE         FOR   STEPS/S                EVENT      QUEUE   DEFER    LOST",
        "door        silent   closed       3.2s       123            ▄█  TICK          12       3       2",
        "lamp        alive    idle         3.2s       1.5            ▄█  TICK           0       0       0",
        "",
        "",
        "",
        "",
        "",
        "lamp  12 steps received",
        "[2026-01-10 13:14:24.000000] [lamp] e->B() c1->c2",
        "[2026-01-10 13:14:25.000000] [lamp, ignored] e->D() in c2",
        "[2026-01-10 13:14:25.500000] [lamp, failed] e->B() in c2: OSError: bulb (lamp.py, line 7)",
        "",
        "q quit  ? help  / search  p pause  f finished  arrows choose  nhasdreutl sort",
    ]


def test_names_that_end_differently_are_told_apart_on_a_narrow_screen_and_whole_on_a_wide_one(row, head):
    names = [f"very-long-name-of-a-charger-in-hall-{number:02}" for number in range(12)]
    rows = [row(name) for name in names]
    narrow = text_of(screen(rows, Controls(), head, Size(80, 24))).splitlines()[3:15]
    assert len({line.split()[0] for line in narrow}) == 12
    wide = text_of(screen(rows, Controls(), head, Size(200, 24))).splitlines()[3:15]
    assert [line.split()[0] for line in wide] == names


def test_charts_that_are_folded_away_are_counted_and_the_account_is_whole(rows, head):
    shown = text_of(screen(rows, Controls(), head._replace(charts=32, folded=30), Size(80, 16))).splitlines()
    assert shown[1] == "2 of 32 charts (f: 30 finished), 1 probe, 125 steps/s, seen 1,234, lost 0"


def test_a_step_below_gives_up_date_and_chart_before_what_happened(row, step, head):
    chart = LAMP._replace(name="very-long-name-of-a-charger-in-hall-07")
    name = chart.name
    long = row(name, recent=(step(chart, 1, 2.0, states=("waiting_for_a_vehicle", "charging")),))
    shown = text_of(screen([long], Controls(), head, Size(80, 16))).splitlines()
    assert shown[11] == "[13:14:24.000000] e->B() waiting_for_a_vehicle->charging"


def test_steps_below_all_give_up_date_and_chart_where_one_has_to(row, step, head):
    chart = LAMP._replace(name="very-long-name-of-a-charger-in-hall-07")
    states = ("waiting_for_a_vehicle", "charging")
    some = row(chart.name, recent=(step(chart, 1, 2.0), step(chart, 2, 3.0, states=states)))
    shown = text_of(screen([some], Controls(), head, Size(100, 16))).splitlines()
    assert [line[:24] for line in shown[11:13]] == ["[13:14:24.000000] e->B()", "[13:14:23.000000] e->B()"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_screen_holds_only_what_the_terminal_can_show(encoding, row, head):
    rows = [row("Ventil →", state="geöffnet → ok", event="→" * 40)]
    look = Layout(glyphs_of(encoding))
    lines = text_of(screen(rows, Controls(), head, Size(100, 16), look)).splitlines()
    assert all(line.encode(encoding).decode(encoding) == line for line in lines)
    assert lines[3].startswith(r"Ventil \u2192 ")
    assert lines[2].split()[0] == "CHART^"
    assert plain_table(rows, look.glyphs)[1].startswith(r"Ventil \u2192  ")


def test_of_a_silent_chart_what_was_lost_is_what_is_proven_and_perhaps_not_all(row, head):
    rows = [row("door", status="silent", lost=0, unknown=True), row("lamp", lost=345_678, unknown=True)]
    lines = screen(rows, Controls(), head._replace(unknown=2), Size(110, 16))
    assert [text_of([line]).split()[-1] for line in lines[3:5]] == ["0+?", "345k+?"]
    assert text_of([lines[1]]).endswith("lost 0, unknown after the last steps of 2 charts")


def test_a_plain_table_has_all_of_every_name(rows, row):
    long = row("x" * 60, state="s" * 50, in_state_ns=None)
    assert plain_table([*rows, long]) == [
        f"{'CHART':60}  HOST  STATUS  {'STATE':50}   FOR  STEPS/S  EVENT  QUEUE  DEFER  LOST",
        f"{'door':60}  pi:7  silent  {'closed':50}  3.2s      123  TICK      12      3     2",
        f"{'lamp':60}  pi:7  alive   {'idle':50}  3.2s      1.5  TICK       0      0     0",
        f"{'x' * 60}  pi:7  alive   {'s' * 50}     -      1.5  TICK       0      0     0",
    ]


def test_the_chosen_row_is_marked_and_what_is_wrong_is_red(rows, head):
    lines = screen(rows, Controls(selected=ChartKey("door", 1)), head._replace(lost=2), Size(100, 16))
    assert all(span.style.startswith("reverse") for span in lines[3])
    assert not any("reverse" in span.style for span in lines[4])
    assert [span.text.strip() for span in lines[3] if "red" in span.style] == ["silent", "2"]
    assert lines[1][0].style == "red"


def test_the_table_follows_the_choice(row, head):
    many = [row(f"{number:03}") for number in range(200)]
    for chosen in (0, 99, 199):
        shown = text_of(screen(many, Controls(selected=ChartKey(f"{chosen:03}", 1)), head, Size(100, 24)))
        assert f"\n{chosen:03} " in shown
        assert shown.count("TICK") == page_size(24)


def test_help_tells_every_key(head, rows):
    shown = text_of(screen(rows, Controls(help=True), head, Size(100, 40)))
    assert all(f"\n  {key} " in shown for key in (*BY_KEY, *"/p?q"))
    assert "door" not in shown
    assert len(help_lines()) < 24


def test_searching_pausing_reading_and_trouble_are_shown(rows, head):
    told = head._replace(reading=True, trouble="log unavailable: \x1b[2J", charts=9)
    shown = text_of(screen(rows, Controls(paused=True, typing=True, search="do"), told, Size(130, 16)))
    assert r"2 of 9 charts, 1 probe" in shown
    assert r"PAUSED  reading the past  log unavailable: \x1b[2J" in shown
    assert shown.endswith("search: do_")
    assert "Esc shows all" in text_of(screen(rows, Controls(search="do"), head, Size(100, 16)))


def test_nothing_at_all_is_shown_as_such(head):
    assert "no chart" in text_of(screen([], Controls(), head, Size(80, 24)))
    assert len(plain_table([])) == 1


@given(
    st.lists(st.text(max_size=30), max_size=5),
    st.builds(Controls, search=st.text(max_size=200), typing=st.booleans(), help=st.booleans()),
    st.builds(Size, st.integers(1, 200), st.integers(1, 60)),
)
def test_every_line_fits_any_terminal_and_holds_nothing_that_acts_on_it(texts, controls, size):
    rows = [
        ChartRow(ChartKey(t, n), t, t, t, "alive", t, None, 0.0, (1,) * SPARK_S, t, True, 1, 1, 1, 1, ())
        for n, t in enumerate(texts)
    ]
    lines = screen(rows, controls, Header("file:/x", 0, 1, 1, 1, 1, "\x07 trouble"), size)
    assert len(lines) == size.height
    for line in lines:
        text = "".join(span.text for span in line)
        assert cells_of(text) <= size.width
        assert text.isprintable()


def test_a_column_is_shown_sorted_and_explained_because_it_is_in_the_table_of_columns(
    rows, head, monkeypatch
):
    steps = Column("STEPS", "z", "steps", lambda row: str(row.steps), lambda row: row.steps, 6, right=True)
    monkeypatch.setattr(columns, "COLUMNS", (*columns.COLUMNS, steps))
    monkeypatch.setitem(BY_KEY, "z", steps)
    controls = Controls()
    controls.press("z", rows, 10)
    lines = text_of(screen(rows, controls, head, Size(120, 16))).splitlines()
    assert lines[2].split()[-1].startswith("STEPS")
    assert lines[3].split()[-1] == "12"
    assert any(" ".join(line.split()).startswith("z sort by steps;") for line in help_lines())
