from __future__ import annotations

from farscope.views.statechart.mermaid import mermaid_statecharts

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
