from __future__ import annotations

from farscope.records.shape import Shape, StepKind
from farscope.records.structure import ChartStructure, StateInfo, StateKind
from farscope.views.statechart.model import statecharts
from farscope.views.statechart.plantuml import plantuml_statecharts
from support.region_pictures import BOTH, CHART, ENDED, MACHINE, STARTED, facts, steps_of

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


def machine(*shapes: Shape, structure: ChartStructure = MACHINE) -> str:
    return "".join(plantuml_statecharts(statecharts(steps_of(*shapes), {CHART: structure})))


def test_regions_are_divided_by_a_line_and_active_leaves_are_coloured():
    drawn = machine(STARTED, BOTH)
    assert drawn.count("--\n") == 1
    assert [line.split()[1] for line in drawn.splitlines() if line.endswith("#palegreen")] == [
        '"on"',
        '"lit"',
    ]
    assert "dashed]gray" not in drawn


def test_history_and_final_states_have_the_signs_of_uml():
    drawn = machine()
    assert 'state "again" as c0s6 <<history>>\n' in drawn
    assert 'state "resume" as c0s12 <<history*>>\n' in drawn
    assert "c0s5 --> [*]\n" in drawn


def test_regions_that_no_line_can_divide_are_states_with_dashed_borders():
    out = Shape(StepKind.TRANSITION, "OUT", ("on", "lit"), "paused", facts("OFFER on", "TRAN on paused"))
    beside = (*MACHINE.states, StateInfo("beside", "work", StateKind.HISTORY))
    for drawn in (machine(STARTED, BOTH, out), machine(structure=MACHINE._replace(states=beside))):
        assert "--\n" not in drawn
        assert 'state "motor" as c0s2 ##[dashed]gray {' in drawn
        assert 'state "lamp" as c0s7 ##[dashed]gray {' in drawn


def test_a_chart_that_has_finished_says_so():
    assert machine(STARTED, ENDED).endswith("caption finished\n@enduml\n")
