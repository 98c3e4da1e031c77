"""Every view shows the states that a chart with regions, history and final states was in after each step."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import NamedTuple

from hypothesis import HealthCheck, assume, given, settings

from farscope.engine import Event, Factory
from farscope.records.configuration import text_of
from farscope.records.facts import Fact, FactKind
from farscope.records.kinds import UnknownKind
from farscope.records.shape import Shape
from farscope.records.step import ChartId, RawStep, Step
from farscope.records.structure import (
    AnyChartStatus,
    ChartStatus,
    ChartStructure,
    Reaction,
    StateInfo,
    StateKind,
)
from farscope.records.trace_parser import TraceReader
from farscope.scope.chart import Chart, ChartView
from farscope.views.csv_table import csv_rows
from farscope.views.json_text import json_lines
from farscope.views.otlp_spans import Spans
from farscope.views.perfetto import perfetto_trace
from farscope.views.perfetto_states import OpenStates
from farscope.views.regions import Regions
from farscope.views.selection import Selection
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import statecharts
from farscope.views.statechart.plantuml import plantuml_statecharts
from farscope.views.text import chart_line, outcome_line, step_dict, trace_line
from farscope.views.top.screen import plain_table
from farscope.views.top.table import Table
from farscope.views.web.chart_summary import ChartSummary
from farscope.views.web.serialize import STEP_FIELDS, plain_row, plain_step, plain_structure
from farscope.views.web.statistics import figures
from farscope.views.web.step_history import StepHistory
from farscope.views.web.timeline_lanes import Window, lane
from support.region_charts import Story, stories
from support.region_twins import Log, built
from support.scxml_model import Interpreter

FAST = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
APART_NS = 1_000
"""Time between the ends of two steps, as they are shown here."""
Configuration = tuple[str, ...]


class Run(NamedTuple):
    """What a chart did, and the states it was in after each step."""

    structure: ChartStructure
    steps: list[Step]
    configurations: list[Configuration]
    status: AnyChartStatus


class Observer:
    """Keeps everything that a chart reports."""

    def __init__(self) -> None:
        self.steps: list[RawStep] = []
        self.structure = ChartStructure()
        self.status: AnyChartStatus = ChartStatus.RUNNING

    def step(self, step: RawStep) -> None:
        self.steps.append(step)

    def announce(self, _chart, structure, *_more, **_named) -> None:
        self.structure = structure

    def stopped(self, _chart, status=ChartStatus.STOPPED) -> None:
        self.status = status


def run_of(story: Story) -> Run:
    """Run a story on the real engine, which says itself where it is after every event."""
    log = Log()
    chart: Factory = built(story, log)
    observer = Observer()
    chart.attach(observer)
    model = Interpreter(story.nodes)
    known: list[Configuration] = []

    def note() -> None:
        while len(known) < len(observer.steps):
            known.append(Step._make(observer.steps[len(known)]).end_states)
        # Completions make further steps; after the last one the chart is where it says.
        assert known[-1] == chart.configuration

    model.start(story.start)
    assume(not model.internal)
    chart.start_at(f"s{story.start}")
    note()
    for event in story.events:
        if not model.running:
            break
        log.now += 1
        model.external(event)
        if model.internal:
            break
        chart.dispatch(Event(event))
        note()
    assert (observer.status is ChartStatus.FINISHED) is chart.finished
    steps = [
        Step._make(step)._replace(time_ns=number * APART_NS - 1, duration_ns=1)
        for number, step in enumerate(observer.steps, 1)
    ]
    return Run(observer.structure, steps, known, observer.status)


@FAST
@given(stories())
def test_lines_rows_spans_and_notes_have_the_configuration_after_each_step(story):
    run = run_of(story)
    reader, spans = TraceReader(), Spans()
    lines = [json.loads(line) for line in json_lines(run.steps)]
    cells = list(csv.DictReader(io.StringIO("".join(csv_rows(run.steps)), newline="")))
    notes = by_chart(run.steps).arrows
    for place, (step, states) in enumerate(zip(run.steps, run.configurations, strict=True)):
        text = text_of(states)
        assert step_dict(step)["end_states"] == lines[place]["end_states"] == list(states)
        assert lines[place]["end"] == cells[place]["end"] == text
        assert json.loads(cells[place]["end_states"]) == list(states)
        assert spans.span_of(step).attributes["statechart.end_states"] == states
        shown = trace_line(step) or outcome_line(step)
        if step.shape.traced:
            assert shown.endswith(f"->{text}")
            read = reader.read(step.trace())
            assert (read.start, read.end) == (step.start, text)
            assert notes[place].note.split("; ")[0] == text
        else:
            assert shown.endswith(f" in {text}")
        row = dict(zip(STEP_FIELDS, plain_step(step, 0), strict=True))
        assert row["end"] == text
        assert (row["more"] or {}).get("ends") == (list(states) if len(states) > 1 else None)


@FAST
@given(stories())
def test_lists_tables_and_pictures_have_the_configuration_after_each_step(story):
    run = run_of(story)
    table, tracked, summary = Table(), Chart(run.steps[0].chart), None
    for step, states in zip(run.steps, run.configurations, strict=True):
        table.add_steps([step], step.ended_ns)
        (row,) = table.rows(step.ended_ns)
        assert (row.states, row.state) == (states, text_of(states))
        assert f" {text_of(states)} " in plain_table([row])[1]
        tracked.add_steps([step])
        assert (tracked.states, tracked.state) == (states, text_of(states))
        if summary is None:
            summary = ChartSummary(1, view_of(run, step))
        summary.add_steps([step], step.ended_ns)
        assert summary.active == states
        assert plain_row(summary, 0)[1] == text_of(states)


@FAST
@given(stories())
def test_the_timeline_and_its_regions_have_the_configuration_after_each_step(story):
    run = run_of(story)
    regions = Regions(run.structure)
    kinds = {state.name: state.kind for state in run.structure.states}
    stored = StepHistory(run.steps[0].chart)
    stored.extend(run.steps)
    drawn = lane(stored, Window(0, (len(run.steps) + 1) * APART_NS, 4_000), 0, regions)
    assert len(drawn["items"]) == len(run.steps)
    for item, states in zip(drawn["items"], run.configurations, strict=True):
        assert drawn["states"][item[2]] == text_of(states)
        if drawn["split"] is None:
            continue
        active = [name for name in drawn["split"][item[2]] if name is not None]
        # Around regions, the composite state that they belong to is active.
        assert sorted(name for name in active if kinds.get(name) is not StateKind.PARALLEL) == sorted(states)
        assert {name for name in active if name in drawn["finals"]} == {
            name for name in states if kinds[name] is StateKind.FINAL
        }


@FAST
@given(stories())
def test_the_open_states_of_a_trace_are_the_configuration_after_each_step(story):
    run = run_of(story)
    kinds = {state.name: state.kind for state in run.structure.states}
    states = OpenStates(run.structure)
    opened: dict[int, list[str]] = {}
    for step, expected in zip(run.steps, run.configurations, strict=True):
        for change in states.change(step.shape, step.time_ns, step.ended_ns):
            stack = opened.setdefault(change.part, [])
            if change.begins:
                stack.append(change.state)
            else:
                assert stack.pop() == change.state
        tops = [stack[-1] for stack in opened.values() if stack]
        assert sorted(top for top in tops if kinds.get(top) is not StateKind.PARALLEL) == sorted(expected)
    json.loads("".join(perfetto_trace(run.steps, {run.steps[0].chart: run.structure})))


@FAST
@given(stories())
def test_the_time_in_each_state_is_the_time_between_the_steps_that_found_it_active(story):
    run = run_of(story)
    until_ns = (len(run.steps) + 5) * APART_NS
    ends_ns = [*(step.ended_ns for step in run.steps[1:]), until_ns]
    expected: Counter[str] = Counter()
    for step, states, end_ns in zip(run.steps, run.configurations, ends_ns, strict=True):
        expected.update(dict.fromkeys(states, end_ns - step.ended_ns))
    told = figures(run.steps, until_ns, 0)
    assert {row["state"]: row["total"] for row in told["states"]} == dict(expected)


@FAST
@given(stories())
def test_a_sequence_by_states_ends_each_step_where_the_chart_is(story):
    run = run_of(story)
    diagram = by_state(run.steps)
    traced = [place for place, step in enumerate(run.steps) if step.shape.traced]
    several = [
        place
        for place in traced
        if max(len(run.steps[place].start_states), len(run.steps[place].end_states)) > 1
    ]
    notes = [arrow.note.split("; ")[0] for arrow in diagram.arrows if arrow.note]
    assert [note for note in notes if not note.startswith("completed ")] == [
        text_of(run.configurations[place]) for place in several
    ]
    selected = by_chart(run.steps, Selection(states=(run.steps[-1].end,)))
    assert text_of(run.configurations[-1]) in {arrow.note.split("; ")[0] for arrow in selected.arrows} or (
        not run.steps[-1].shape.traced
    )


def view_of(run: Run, step: Step, **more) -> ChartView:
    chart = step.chart
    known = {
        "id": chart,
        "name": chart.name,
        "host": chart.host,
        "pid": chart.pid,
        "label": chart.name,
        "state": "",
        "status": "alive",
        "steps": 0,
        "lost": 0,
        "last_number": 0,
        "last_ns": 0,
        "structure": run.structure,
    }
    return ChartView(**(known | more))


STATE = UnknownKind(60, "FORK")
FACT = UnknownKind(140, "BRANCHED")
KIND = UnknownKind(30, "POSTPONED")
STATUS = UnknownKind(40, "RETIRED")
FLAG = UnknownKind(50, "URGENT")


def test_kinds_that_a_later_release_defined_are_shown_by_name_and_break_no_view():
    structure = ChartStructure(
        (StateInfo("a"), StateInfo("f", "", STATE)), (Reaction("a", "GO", "f", flags=(FLAG,)),)
    )
    chart = ChartId("c", "h", 1, 1, "ab" * 16)
    shape = Shape(KIND, "GO", "a", "a", (Fact(FactKind.OFFER, "a"), Fact(FACT, "f", "two")))
    step = Step(chart, 1, shape, 1_000, 5, 0, 0, texts=("told",))
    run = Run(structure, [step], [("a",)], STATUS)
    view = view_of(run, step, status="retired", condition=STATUS, state="a", states=("a",))

    assert "BRANCHED:f:two:told" in step.spy()
    assert "[c, postponed] e->GO() in a" in outcome_line(step)
    told = json.loads(next(json_lines([step])))
    assert (told["kind"], told["facts"][1]["kind"]) == ("postponed", "branched")
    (row,) = csv.DictReader(io.StringIO("".join(csv_rows([step])), newline=""))
    assert row["kind"] == "postponed"
    assert "BRANCHED:f:two:told" in row["spy"]
    assert "retired" in chart_line(view)

    table = Table()
    table.add_steps([step], 2_000)
    table.update([view])
    assert " retired " in plain_table(table.rows(2_000))[1]

    assert by_chart([step]).arrows[0].note == "(postponed)"
    trace = "".join(perfetto_trace([step], {chart: structure}))
    assert '"postponed"' in trace
    assert "BRANCHED:f:two:told" in trace
    span = Spans().span_of(step)
    assert span.attributes["statechart.kind"] == "postponed"
    assert span.events[1].attributes["statechart.fact"] == "branched"

    stored = StepHistory(chart)
    stored.extend([step])
    drawn = lane(stored, Window(0, 2_000, 100), 0, Regions(structure))
    assert drawn["kinds"] == {30: "postponed"}
    assert figures([step], 2_000, 0)["kinds"] == {"postponed": 1}
    summary = ChartSummary(1, view)
    summary.add_steps([step], 2_000)
    assert plain_row(summary, 0)[3] == "retired"
    assert dict(zip(STEP_FIELDS, plain_step(step, 0), strict=True))["more"]["kind"] == "postponed"
    assert "urgent" in json.dumps(plain_structure(summary.picture, structure))
    charts = statecharts([step], {chart: structure})
    for text in ("".join(mermaid_statecharts(charts)), "".join(plantuml_statecharts(charts))):
        assert "fork" in text
