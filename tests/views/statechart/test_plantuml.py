from __future__ import annotations

from farscope.views.statechart.plantuml import plantuml_statecharts

DRAWN = """\
@startuml
hide empty description
state "oven" as c0s0 {
  state "shut" as c0s1 {
    state "off" as c0s2
    state "on" as c0s3 {
      state "lit" as c0s4
      c0s4 : <color:gray>TICK (not seen)</color>
      [*] -[#gray,dashed]-> c0s4
    }
    c0s3 : <color:gray>TOAST (not seen)</color>
  }
  state "open" as c0s5
  [*] --> c0s2
}
[*] --> c0s0
c0s1 --> c0s5 : OPEN x 2
c0s2 -[#gray,dashed]-> c0s3 : START
@enduml
"""


def test_what_was_only_announced_is_grey_and_initial_transitions_are_dots(oven):
    assert "".join(plantuml_statecharts({"kitchen": oven})) == DRAWN


def test_several_charts_stand_in_a_state_each_with_their_arrows(oven):
    lines = "".join(plantuml_statecharts({"kitchen": oven, "cellar": oven})).splitlines()
    assert lines[2] == 'state "kitchen" as chart0 {'
    assert lines[-4:] == [
        "  c1s1 --> c1s5 : OPEN x 2",
        "  c1s2 -[#gray,dashed]-> c1s3 : START",
        "}",
        "@enduml",
    ]
