from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.views.web.step_history import StepHistory
from farscope.views.web.timeline_lanes import Window
from farscope.views.web.value_tracks import ValueTracks

CHART = ChartId("lamp", "far", 7, 1, "ab" * 16)
SHAPE = Shape(StepKind.HOOK, "GO", "a", "a", ())
VALUES = st.one_of(st.integers(-5, 5), st.floats(), st.sampled_from(["eco", "boost"]), st.booleans())


def stored(changes):
    history = StepHistory(CHART)
    for number, (time_ns, values) in enumerate(changes, 1):
        history.extend([(CHART, number, SHAPE, time_ns - 1, 1, 0, 0, 0, None, (), tuple(values.items()))])
    return history


def tracks(history, window, latest=None):
    drawn = ValueTracks(window, 0, history.values_before(window.from_ns))
    for time_ns, values in history.value_changes(window.from_ns, window.to_ns):
        drawn.add(time_ns, values)
    return {track["name"]: track for track in drawn.plain(latest or {})}


def test_a_number_is_a_line_and_anything_else_spans():
    history = stored(
        [(100, {"amps": 1.5, "mode": "eco", "ready": True}), (300, {"amps": 4, "mode": "boost"})]
    )
    shown = tracks(history, Window(0, 1_000, 100))
    assert shown["amps"] == {
        "name": "amps",
        "before": None,
        "points": [[100, 1.5, 1.5, 1.5], [300, 4, 4, 4]],
    }
    assert shown["mode"]["texts"] == ["eco", "boost"]
    assert shown["mode"]["spans"] == [[100, 0], [300, 1]]
    assert (shown["ready"]["texts"], shown["ready"]["spans"]) == (["true"], [[100, 0]])


def test_a_track_begins_with_the_value_that_held_before_the_window():
    history = stored([(100, {"amps": 1, "mode": "eco"}), (200, {"amps": 2}), (900, {"amps": 3})])
    shown = tracks(history, Window(500, 1_000, 100))
    assert (shown["amps"]["before"], shown["amps"]["points"]) == (2, [[900, 3, 3, 3]])
    assert shown["mode"]["texts"][shown["mode"]["before"]] == "eco"


def test_changes_on_one_pixel_are_one_point_from_the_lowest_to_the_highest():
    history = stored([(100, {"amps": 3}), (101, {"amps": 9}), (102, {"amps": 1}), (103, {"amps": 2})])
    assert tracks(history, Window(0, 10_000, 10))["amps"]["points"] == [[100, 2, 1, 9]]


def test_a_value_that_was_never_seen_to_change_has_been_as_it_is():
    assert tracks(stored([(100, {})]), Window(0, 1_000, 10), {"amps": 7})["amps"]["before"] == 7


def test_numbers_that_cannot_be_drawn_are_left_out():
    values = [float("inf"), float("nan"), -float("inf"), 2.0]
    history = stored([(100 * number, {"amps": value}) for number, value in enumerate(values, 1)])
    assert tracks(history, Window(0, 1_000, 1_000))["amps"]["points"] == [[400, 2.0, 2.0, 2.0]]


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2)),
        max_size=800,
    ),
    st.integers(0, 500),
)
def test_the_values_before_a_moment_are_the_last_ones_that_were_set(changes, time_ns):
    changes.sort(key=lambda change: change[0])
    expected = {}
    for at_ns, values in changes:
        if at_ns < time_ns:
            expected |= values
    assert repr(stored(changes).values_before(time_ns)) == repr(expected) or (
        sorted(map(repr, stored(changes).values_before(time_ns).items()))
        == sorted(map(repr, expected.items()))
    )
