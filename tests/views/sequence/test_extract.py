from __future__ import annotations

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.views.selection import Selection
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.sequence.model import BORDER

ASKS = ChartId("asks", "pi", 1, 1, "ab")
ANSWERS = ChartId("answers", "pi", 1, 2, "ab")


def step(chart, number, time_ns, *, cause=None, kind=StepKind.TRANSITION, start="x", end="y", signal="S"):
    return Step(chart, number, Shape(kind, signal, start, end, ()), time_ns, 0, 0, 0, 0, cause)


def test_only_steps_with_a_trace_line_are_arrows_between_states():
    kinds = list(StepKind)
    diagram = by_state(step(ASKS, number, number, kind=kind) for number, kind in enumerate(kinds))
    assert len(diagram.arrows) == 2


def test_charts_that_share_a_name_get_groups_that_can_be_told_apart():
    twin = ASKS._replace(pid=2, probe="cd")
    diagram = by_state([step(ASKS, 1, 1), step(twin, 1, 2)])
    assert diagram.groups == ("Chart: asks@pi:1", "Chart: asks@pi:2")


def test_an_event_is_drawn_from_the_chart_whose_step_posted_it():
    steps = [step(ASKS, 1, 1), step(ANSWERS, 1, 2, cause=Cause(1, 1)), step(ANSWERS, 2, 3, cause=Cause(2, 1))]
    diagram = by_chart(steps)
    assert [(arrow.source, arrow.target) for arrow in diagram.arrows] == [(BORDER, 0), (0, 1), (1, 1)]


def test_a_poster_that_is_seen_only_later_is_found_all_the_same():
    steps = [step(ANSWERS, 1, 1, cause=Cause(1, 1)), step(ASKS, 1, 2)]
    assert [arrow.source for arrow in by_chart(steps).arrows] == [1, BORDER]


def test_a_serial_means_a_chart_of_the_same_process_only():
    elsewhere = ANSWERS._replace(host="elsewhere", probe="cd")
    diagram = by_chart([step(ASKS, 1, 1), step(elsewhere, 1, 2, cause=Cause(1, 1))])
    assert [arrow.source for arrow in diagram.arrows] == [BORDER, BORDER]


CLAIMED = Cause(1, 1, "ab", claimed=True)


def test_an_event_from_another_process_is_drawn_from_its_chart_and_marked_as_claimed():
    elsewhere = ANSWERS._replace(host="elsewhere", probe="cd")
    diagram = by_chart([step(ASKS, 1, 1), step(elsewhere, 1, 2, cause=CLAIMED)])
    assert [(arrow.source, arrow.claimed) for arrow in diagram.arrows] == [(BORDER, False), (0, True)]


def test_an_event_whose_token_names_no_known_step_comes_from_the_border_and_is_marked_as_claimed():
    diagram = by_chart([step(ASKS, 1, 1, cause=Cause(trace_id="01" * 16, span_id="02" * 8, claimed=True))])
    assert [(arrow.source, arrow.claimed) for arrow in diagram.arrows] == [(BORDER, True)]


def test_a_cause_that_becomes_known_after_its_effect_is_drawn_too():
    unknown = step(ANSWERS._replace(probe="cd"), 1, 1, cause=Cause(span_id="02" * 8, claimed=True))

    def resolved(each):
        return each._replace(cause=CLAIMED) if each.cause else each

    diagram = by_chart([unknown, step(ASKS, 1, 2)], resolved=resolved)
    assert [arrow.source for arrow in diagram.arrows] == [1, BORDER]


def test_a_claimed_arrow_is_not_folded_into_arrows_that_are_not():
    steps = [step(ASKS, 1, 1)]
    steps += [step(ANSWERS, number, number, cause=Cause(1, 1, claimed=number == 3)) for number in range(2, 6)]
    assert [arrow.claimed for arrow in by_chart(steps).arrows] == [False, False, True, False, False]
    deeds = [arrow.deed for arrow in by_chart(steps).arrows]
    assert deeds[1] == deeds[3] != deeds[2]


def test_an_event_from_a_chart_that_is_not_shown_comes_from_the_border():
    steps = [step(ASKS, 1, 1), step(ANSWERS, 1, 2, cause=Cause(1, 1))]
    diagram = by_chart(steps, Selection(charts=("answers",)))
    assert [
        (lane.label, arrow.source) for lane, arrow in zip(diagram.lanes, diagram.arrows, strict=True)
    ] == [("answers", BORDER)]


def test_notes_tell_the_state_or_what_else_became_of_the_event():
    diagram = by_chart(step(ASKS, number, number, kind=kind) for number, kind in enumerate(StepKind))
    assert [arrow.note for arrow in diagram.arrows] == [
        "y", "y", "(handled)", "(ignored)", "(refused)", "(failed)",
    ]  # fmt: skip


def test_lanes_of_a_process_stand_side_by_side():
    far = ChartId("far", "mars", 1, 1, "cd")
    diagram = by_chart([step(ASKS, 1, 1), step(far, 1, 2), step(ANSWERS, 1, 3)])
    assert [(lane.label, lane.group) for lane in diagram.lanes] == [("asks", 0), ("answers", 0), ("far", 1)]
    assert diagram.groups == ("pi:1", "mars:1")


def region_step(number, start, end, *facts):
    shape = Shape(StepKind.TRANSITION, "S", start, end, facts)
    return Step(ASKS, number, shape, number, 0, 0, 0)


def drawn(diagram):
    labels = [lane.label for lane in diagram.lanes]
    return [(labels[arrow.source], labels[arrow.target], arrow.note) for arrow in diagram.arrows]


def test_each_transition_of_a_step_is_an_arrow_and_the_last_has_the_configuration():
    facts = (Fact(FactKind.TRAN, "idle", "charging"), Fact(FactKind.TRAN, "open", "locked"))
    diagram = by_state([region_step(1, ("idle", "open"), ("charging", "locked"), *facts)])
    assert drawn(diagram) == [("idle", "charging", ""), ("open", "locked", "charging | locked")]


def test_without_recorded_transitions_what_was_left_leads_to_what_was_entered():
    steps = [
        region_step(1, "top", ("idle", "open")),
        region_step(2, ("idle", "open"), ("idle", "locked")),
        region_step(3, ("idle", "locked"), "off"),
        region_step(4, ("idle", "open"), ()),
    ]
    assert drawn(by_state(steps)) == [
        ("top", "idle", ""),
        ("top", "open", "idle | open"),
        ("open", "locked", "idle | locked"),
        ("idle", "off", "off"),
        ("idle", "top", "top"),
    ]


def test_notes_have_configurations_completions_and_signals_sent_elsewhere():
    done, sent = Fact(FactKind.DONE, "power"), Fact(FactKind.TRANSMIT, "PING", "amqp://plant")
    diagram = by_chart([region_step(1, ("idle", "open"), ("full", "open"), done, sent)])
    assert [arrow.note for arrow in diagram.arrows] == [
        "full | open; completed power; sent PING to amqp://plant"
    ]
    (arrow,) = by_state([region_step(1, "a", "b", done, sent)]).arrows
    assert arrow.note == "completed power; sent PING to amqp://plant"
