"""A picture shows the configuration of a chart with states of any kinds, and parsers accept every export."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farscope import Event
from farscope.records.facts import FactKind
from farscope.records.step import ChartId, RawStep, Step
from farscope.records.structure import ChartStructure
from farscope.views.diagram_text import mermaid as in_mermaid
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import Edge, Statechart, statecharts
from farscope.views.statechart.plantuml import plantuml_statecharts
from support.region_pictures import CHART, runs
from support.washer import Washer

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


class Recorded:
    """A sink that keeps steps and structures."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.structures: dict[ChartId, ChartStructure | None] = {}

    def step(self, step: RawStep) -> None:
        self.steps.append(Step._make(step))

    def announce(self, chart: ChartId, structure: ChartStructure, *_rest: object, **_more: object) -> None:
        self.structures[chart] = structure

    def stopped(self, *_rest: object, **_more: object) -> None:
        """Nothing more follows."""


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


@given(
    names=st.lists(
        st.sampled_from(("START", "SPUN", "EMPTY", "PAUSE", "RESUME", "START", "UNPLUG")), max_size=14
    )
)
@settings(FEW, max_examples=60)
def test_the_picture_of_a_running_chart_shows_what_the_chart_says_of_itself(names):
    washer, recorded = Washer("w", threaded=False), Recorded()
    washer.attach(recorded)
    washer.start_at()
    for name in names:
        if not washer.finished:
            washer.dispatch(Event(name))
    (chart,) = statecharts(recorded.steps, recorded.structures).values()
    assert chart.active == washer.configuration
    assert chart.finished is washer.finished
    taken = [
        (fact.name, fact.detail)
        for step in recorded.steps
        for fact in step.facts
        if fact.kind is FactKind.TRAN
    ]
    drawn = [(edge.source, edge.target) for edge, times in chart.seen.items() for _ in range(times)]
    assert sorted(drawn) == sorted(taken)
    by_leaf = Counter[Edge]()
    for (edge, leaf), times in chart.taken.items():
        assert edge.source in chart.path(leaf)
        by_leaf[edge] += times
    assert by_leaf <= chart.seen
