from __future__ import annotations

from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import statecharts
from support.region_pictures import BOTH, CHART, ENDED, MACHINE, STARTED, steps_of

DRAWN = """\
stateDiagram-v2
    state "oven" as c0s0 {
        state "shut" as c0s1 {
            state "off" as c0s2
            state "on" as c0s3 {
                state "lit" as c0s4
                c0s4 : TICK (not seen)
                [*] --> c0s4 : (not seen)
            }
            note right of c0s3 : TOAST (not seen)
        }
        state "open" as c0s5
        [*] --> c0s1 : off
    }
    [*] --> c0s0
    c0s1 --> c0s5 : OPEN x 2
    c0s2 --> c0s3 : START (not seen)
"""


def test_what_was_only_announced_says_so_and_initial_transitions_are_dots(oven):
    assert "".join(mermaid_statecharts({"kitchen": oven})) == DRAWN


def test_several_charts_stand_in_a_state_each_and_arrows_outside(oven):
    lines = "".join(mermaid_statecharts({"kitchen": oven, "cellar": oven})).splitlines()
    assert [line for line in lines if "chart" in line] == [
        '    state "kitchen" as chart0 {',
        '    state "cellar" as chart1 {',
    ]
    assert lines[-4:] == [
        "    c0s1 --> c0s5 : OPEN x 2",
        "    c0s2 --> c0s3 : START (not seen)",
        "    c1s1 --> c1s5 : OPEN x 2",
        "    c1s2 --> c1s3 : START (not seen)",
    ]


def test_regions_history_final_states_and_active_leaves_are_drawn():
    drawn = "".join(mermaid_statecharts(statecharts(steps_of(STARTED, BOTH), {CHART: MACHINE})))
    lines = [line.strip() for line in drawn.splitlines()]
    assert lines.count("--") == 1
    assert {'state "[H] again" as c0s6', 'state "[H*] resume" as c0s12', "c0s5 --> [*]"} <= set(lines)
    assert 'state "«choice» fork" as c0s13' in lines
    assert lines[-2:] == ["class c0s4 active", "class c0s9 active"]


def test_arrows_show_guards_and_delays():
    drawn = "".join(mermaid_statecharts(statecharts(steps_of(STARTED, BOTH), {CHART: MACHINE})))
    assert "c0s3 --> c0s4 : GO [amps #62; 3] x 1\n" in drawn
    assert "c0s4 --> c0s3 : after 200 ms (not seen)\n" in drawn


def test_a_chart_that_has_finished_says_so():
    charts = statecharts(steps_of(STARTED, ENDED), {CHART: MACHINE})
    assert "".join(mermaid_statecharts(charts)).startswith("---\ntitle: finished\n---\nstateDiagram-v2\n")
    both = "".join(
        mermaid_statecharts({"one": charts["machine"], "other": statecharts([], {CHART: MACHINE})["machine"]})
    )
    assert 'state "one (finished)" as chart0 {' in both
    assert 'state "other" as chart1 {' in both
