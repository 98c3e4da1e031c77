"""A picture shows the configuration of a chart with states of any kinds, and parsers accept every export."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farscope.views.diagram_text import mermaid as in_mermaid
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import Statechart, statecharts
from farscope.views.statechart.plantuml import plantuml_statecharts
from support.region_pictures import CHART, runs

NAMES = st.sampled_from("abcdefgh") | st.sampled_from(
    (
        "end",
        "[*]",
        "[H]",
        "--",
        "note",
        "<<history>>",
        "a b",
        "«x»",
        "state x",
        "a | b",
        "é" * 40,
        "x;y",
        "#35;",
    )
)
FEW = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(run=runs(NAMES))
@settings(FEW, max_examples=100)
def test_the_configuration_lit_is_the_one_in_which_the_last_step_ended(run):
    steps, structures = run
    chart = Statechart()
    chart.add_structure(structures[CHART])
    for step in steps:
        chart.add(step)
        assert chart.active == step.end_states
        assert set(chart.active) <= set(chart.states)
    (exported,) = statecharts(*run).values()
    assert exported.active == chart.active
    announced = {state.name for state in structures[CHART].states}
    assert all(state in announced or state == structures[CHART].initial for state in chart.states)


@given(run=runs(NAMES))
@FEW
def test_mermaid_reads_every_state_where_it_is_and_every_active_leaf_as_such(mermaid, run):
    charts = statecharts(*run)
    (chart,) = charts.values()
    source = "".join(mermaid_statecharts(charts))
    read = mermaid.read(source)
    names = {state: f"c0s{place}" for place, state in enumerate(chart.states)}
    holders = {names[state]: names.get(chart.holder(state), "") for state in chart.states}
    assert {state: holder for state, _, holder in read["states"]} == holders
    assert sorted(read["active"]) == sorted(names[leaf] for leaf in chart.active)
    assert all(in_mermaid(state) in source for state in chart.states)


@given(run=runs(NAMES))
@FEW
def test_plantuml_accepts_every_structure(plantuml, run):
    assert plantuml.accepts("".join(plantuml_statecharts(statecharts(*run)))).startswith("STATE")
