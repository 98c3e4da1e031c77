from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farscope.records.facts import Fact, FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId
from farscope.views.regions import Regions
from farscope.views.web.step_history import StepHistory
from farscope.views.web.timeline_lanes import Window, lane
from support.charger import STRUCTURE

CHART = ChartId("lamp", "far", 7, 1, "ab" * 16)


def track_of(times, kinds=None):
    stored = StepHistory(CHART)
    steps = []
    for number, time_ns in enumerate(sorted(times), 1):
        kind = kinds[number - 1] if kinds else StepKind.TRANSITION
        shape = Shape(kind, f"S{number}", f"s{number - 1}", f"s{number}", ())
        steps.append((CHART, number, shape, time_ns - 1, 1, 0, 0, 0, None, (), ()))
    if steps:
        stored.extend(steps)
    return stored


@given(
    st.lists(st.integers(0, 5_000), max_size=300),
    st.integers(0, 5_000),
    st.integers(1, 5_000),
    st.integers(1, 200),
)
def test_a_lane_has_one_item_a_pixel_at_most_and_every_step_is_in_one(times, from_ns, span, width):
    window = Window(from_ns, from_ns + span, width)
    drawn = lane(track_of(times), window, 0)
    items = drawn["items"]
    inside = [time for time in times if from_ns <= time <= window.to_ns]
    assert sum(item[1] for item in items) == len(inside)
    # The window's last moment falls on the pixel behind the last one.
    pixels = [window.pixel(item[0]) for item in items]
    assert len(pixels) == len(set(pixels)) <= width + 1
    assert pixels == sorted(pixels)
    if inside:
        last = sorted(times).index(max(inside)) + times.count(max(inside))
        assert drawn["states"][items[-1][2]] == f"s{last}"


def test_a_lane_begins_with_the_state_the_chart_was_in():
    stored = track_of([100, 200], [StepKind.START, StepKind.TRANSITION])
    begun = lane(stored, Window(150, 300, 10), 0)
    assert begun["states"][begun["before"]] == "s1"
    unborn = lane(stored, Window(0, 300, 10), 0)
    assert unborn["states"][unborn["before"]] == ""


def test_before_what_is_remembered_the_state_is_not_made_up():
    assert lane(track_of([100]), Window(0, 300, 10), 0)["before"] == -1


def test_a_refused_event_shows_among_many_on_its_pixel():
    kinds = [StepKind.TRANSITION] * 600
    kinds[550] = StepKind.REFUSED
    drawn = lane(track_of(range(600), kinds), Window(0, 10_000, 1), 0)
    assert [item[4] for item in drawn["items"]] == [StepKind.REFUSED]


def test_a_failure_shows_before_a_refusal_and_on_its_own_pixel_only():
    kinds = [StepKind.TRANSITION] * 600
    kinds[150], kinds[450], kinds[550] = StepKind.REFUSED, StepKind.REFUSED, StepKind.FAILED
    drawn = lane(track_of(range(600), kinds), Window(0, 600, 3), 0)
    assert [item[4] for item in drawn["items"]] == [StepKind.REFUSED, StepKind.TRANSITION, StepKind.FAILED]


def test_times_are_told_from_the_origin():
    assert lane(track_of([1_000]), Window(0, 2_000, 10), 900)["items"][0][0] == 100


def test_steps_that_took_long_are_told_from_begin_to_end_also_where_they_end_beyond_the_window():
    stored = StepHistory(CHART)
    shape = Shape(StepKind.TRANSITION, "GO", "a", "b", ())
    for number, (begin, took) in enumerate(((100, 1), (200, 50), (300, 10_000)), 1):
        stored.extend([(CHART, number, shape, begin, took, 0, 0, 0, None, (), ())])
    drawn = lane(stored, Window(0, 1_000, 100), 0)
    assert drawn["busy"] == [[200, 250], [300, 10_300]]
    assert [item[:2] for item in drawn["items"]] == [[101, 1], [250, 1]]
    assert lane(stored, Window(210, 240, 100), 0)["busy"] == [[200, 250]]


def charger_lane(*shapes):
    stored = StepHistory(CHART)
    for number, shape in enumerate(shapes, 1):
        stored.extend([(CHART, number, shape, 100 * number - 1, 1, 0, 0, 0, None, (), ())])
    return lane(stored, Window(0, 1_000, 1_000), 0, Regions(STRUCTURE))


def test_a_chart_with_regions_has_what_is_active_in_each_for_every_configuration():
    drawn = charger_lane(
        Shape(StepKind.START, "start_at", "top", "off", ()),
        Shape(StepKind.TRANSITION, "PLUG", "off", ("idle", "open"), ()),
        Shape(StepKind.TRANSITION, "FILL", ("idle", "open"), ("full", "open"), ()),
    )
    shown = [(drawn["states"][item[2]], drawn["split"][item[2]]) for item in drawn["items"]]
    assert shown == [
        ("off", ("off", None, None)),
        ("idle | open", ("operating", "idle", "open")),
        ("full | open", ("operating", "full", "open")),
    ]
    assert drawn["finals"] == ["full"]
    assert drawn["states"][drawn["before"]] == ""


def test_a_step_that_followed_history_or_completed_something_says_so():
    facts = (Fact(FactKind.TRAN, "off", "power again"), Fact(FactKind.DONE, "power"))
    drawn = charger_lane(Shape(StepKind.TRANSITION, "BACK", "off", ("full", "open"), facts))
    assert drawn["marks"][drawn["items"][0][5]] == "by history, completed power"


def test_a_chart_without_regions_sends_no_regions():
    assert lane(track_of([100]), Window(0, 300, 10), 0)["split"] is None


def test_a_kind_of_step_from_a_later_release_is_sent_by_name():
    drawn = charger_lane(Shape(UnknownKind(9, "POSTPONED"), "GO", "off", "off", ()))
    assert (drawn["items"][0][4], drawn["kinds"]) == (9, {9: "postponed"})
