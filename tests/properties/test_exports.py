"""Parsers that are not ours accept every export of any run, and read its steps from it."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from farscope.cli.otlp.http import readable
from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.records.structure import ChartStructure, Reaction, StateInfo
from farscope.views.csv_table import COLUMNS, csv_rows
from farscope.views.json_text import json_lines
from farscope.views.labels import visible
from farscope.views.otlp import otlp_lines
from farscope.views.otlp_spans import Spans
from farscope.views.perfetto import perfetto_trace
from farscope.views.sequence.ascii import ascii_sequence
from farscope.views.sequence.extract import by_chart, by_state
from farscope.views.sequence.mermaid import mermaid_sequence
from farscope.views.sequence.plantuml import plantuml_sequence
from farscope.views.sequence.svg import svg_sequence
from farscope.views.statechart.mermaid import mermaid_statecharts
from farscope.views.statechart.model import statecharts
from farscope.views.statechart.plantuml import plantuml_statecharts

SCHEMA = json.loads((Path(__file__).parents[1] / "views" / "trace_event_schema.json").read_text())

AWKWARD = (
    *("end", "End", "note", "loop", "class", "state", "[*]", "participant", "wrap:x", "title", "autonumber"),
    *("a->b", "c() d->e", "] e->", '"', "''", "a;b", "#35;", "#", "%%", "%%{init: {}}%%", "{", "}", "<<x>>"),
    *(
        "<script>alert(1)</script>",
        "</text>",
        "]]>",
        "&amp;",
        "<!--",
        "--",
        "==",
        "**b**",
        "__u__",
        "~~",
        "//",
    ),
    *("\\n", "\n", "\r\n", "\t", "\x00", "\x1b[31m", "\x7f", "\x9b", "\u2028", "\u202e", "\ufeff", "\ufffe"),
    *("style:x;", "classDef y", "direction LR", "!include x", "%date()", "[[http://x]]", "<U+0041>", "$$x$$"),
    *(
        "/' x '/",
        "' x",
        "@enduml",
        "@startuml",
        "<&x>",
        "<img:x>",
        "ﬂ°°35¶ß",
        "end note",
        "end box",
        "`",
        ":::",
        "|",
    ),
    *(
        "«x»",
        "“x”",
        "as x",
        "state x",
        "<<fork>>",
        "hide empty description",
        "accTitle: x",
        "click x",
        "loop x",
        "🦉",
        "日本語",
        "e\u0301",
        "=1+1",
        "@x",
        "-x",
        "+x",
        "",
        " ",
        "  x  ",
        "é" * 500,
        "x" * 500,
        "\ud800",
    ),
)
NAMES = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(max_size=8),
    st.lists(st.sampled_from(AWKWARD), min_size=2, max_size=3).map(" ".join),
    st.sampled_from("abcde"),
)
ONE_BY_ONE = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(ONE_BY_ONE, max_examples=50)


@st.composite
def facts(draw, states):
    kinds = draw(st.lists(st.sampled_from(list(FactKind)), max_size=5))
    return tuple(
        Fact(kind, draw(st.sampled_from(states)), draw(st.sampled_from(["", "fifo", "3"]))) for kind in kinds
    )


TRACES = st.sampled_from(["", "0123" * 8])
CAUSES = st.one_of(
    st.none(),
    st.builds(
        lambda serial, number, probe, trace: Cause(serial, number, probe, trace, claimed=bool(probe)),
        st.integers(1, 3),
        st.integers(1, 4),
        st.sampled_from(["", "ab" * 16, "cd" * 16]),
        TRACES,
    ),
    st.just(Cause(trace_id="4567" * 8, span_id="89ab" * 4, claimed=True)),
)


@st.composite
def runs(draw):
    """Steps of up to three charts in up to two processes, and what was announced of them."""
    states = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    signals = draw(st.lists(NAMES, min_size=1, max_size=3))
    charts = [
        ChartId(
            draw(NAMES),
            draw(st.sampled_from(["pi", "", "h:é"])),
            draw(st.sampled_from([0, 1, 7])),
            serial,
            probe,
        )
        for serial, probe in enumerate(
            draw(st.lists(st.sampled_from(["", "ab" * 16]), min_size=1, max_size=3)), 1
        )
    ]
    numbers = dict.fromkeys(charts, 0)
    resting = dict.fromkeys(charts, "top")
    now = draw(st.sampled_from([1_700_000_000_123_456_789, 0, 1]))
    steps = []
    for _ in range(draw(st.integers(0, 8))):
        chart = draw(st.sampled_from(charts))
        kind = draw(st.sampled_from(list(StepKind)))
        shape = Shape(
            kind,
            draw(st.sampled_from(signals)),
            resting[chart],
            draw(st.sampled_from(states)),
            draw(facts(states)),
        )
        numbers[chart] += 1
        now = max(0, now + draw(st.integers(-5, 3000)))
        cause = draw(CAUSES)
        texts = tuple(draw(NAMES) for _ in range(draw(st.integers(0, 2)))) if shape.has_text else ()
        steps.append(
            Step(chart, numbers[chart], shape, now, draw(st.integers(0, 2000)), 1, 0, 5, cause, texts)
        )
        resting[chart] = shape.end
    structure = ChartStructure(
        tuple(StateInfo(state, draw(st.sampled_from(["", *states]))) for state in states),
        tuple(
            Reaction(
                draw(st.sampled_from(states)),
                draw(st.sampled_from([*signals, "INIT_SIGNAL"])),
                draw(st.sampled_from(["", *states])),
            )
            for _ in range(draw(st.integers(0, 3)))
        ),
    )
    return steps * draw(st.sampled_from([1, 1, 4])), dict.fromkeys(charts[:2], structure)


def squeezed(text):
    """As a text is shown where runs of spaces count as one."""
    return " ".join(text.split(" ")).strip() if "  " not in text else re.sub(" +", " ", text).strip()


@pytest.mark.parametrize("extract", [by_state, by_chart])
@given(run=runs())
@ONE_BY_ONE
def test_mermaid_reads_every_text_of_a_sequence_as_it_was(mermaid, extract, run):
    diagram = extract(run[0])
    read = mermaid.read(mermaid_sequence(diagram, fold_from=0))
    lanes = ["(outside)"] * diagram.has_border + [visible(lane.label) for lane in diagram.lanes]
    assert [squeezed(lane) for lane in read["lanes"]] == [squeezed(lane) for lane in lanes]
    assert [squeezed(box) for box in read["boxes"]] == [
        squeezed(visible(each)) for each in diagram.groups if each
    ]
    messages = [f"({arrow.number}) {visible(arrow.label)}" for arrow in diagram.arrows]
    assert [squeezed(message) for message in read["messages"]] == [squeezed(message) for message in messages]
    notes = [visible(arrow.note) for arrow in diagram.arrows if arrow.note]
    assert [squeezed(note) for note in read["notes"]] == [squeezed(note) for note in notes]


@given(run=runs())
@ONE_BY_ONE
def test_mermaid_reads_folded_loops(mermaid, run):
    assert mermaid.read(mermaid_sequence(by_chart(run[0] * 3)))["type"] == "sequence"


@given(run=runs())
@ONE_BY_ONE
def test_mermaid_reads_every_state_where_it_is_nested(mermaid, run):
    charts = statecharts(*run)
    read = mermaid.read("".join(mermaid_statecharts(charts)))
    expected = {}
    for number, chart in enumerate(charts.values()):
        names = {state: f"c{number}s{place}" for place, state in enumerate(chart.states)}
        outer = f"chart{number}" if len(charts) > 1 else ""
        for holder, states in chart.children().items():
            expected |= {
                names[state]: (squeezed(visible(state)), names.get(holder, outer)) for state in states
            }
    assert {state: (squeezed(label), parent) for state, label, parent in read["states"]} == expected


@pytest.mark.parametrize("extract", [by_state, by_chart])
@given(run=runs())
@ONE_BY_ONE
def test_plantuml_accepts_every_sequence(plantuml, extract, run):
    diagram = extract(run[0])
    assert plantuml.accepts(plantuml_sequence(diagram)).startswith("SEQUENCE")


@given(run=runs())
@ONE_BY_ONE
def test_plantuml_accepts_every_state_diagram(plantuml, run):
    assert plantuml.accepts("".join(plantuml_statecharts(statecharts(*run)))).startswith("STATE")


@given(name=NAMES)
@settings(ONE_BY_ONE, max_examples=50)
def test_plantuml_shows_a_name_as_it_is(plantuml_pictures, name):
    step = Step(ChartId("c", "", 0, 1), 1, Shape(StepKind.TRANSITION, "B", name, name, ()), 1, 0, 0, 0)
    picture = plantuml_pictures.draw(plantuml_sequence(by_state([step])))
    texts = [
        text
        for element in ET.fromstring(picture).iter()  # noqa: S314 - made here
        if element.tag.endswith("}text")
        for text in element.itertext()
    ]
    assert squeezed(visible(name)).replace(" ", "") in "".join(texts).replace("\u00a0", "").replace(" ", "")


@pytest.mark.parametrize("extract", [by_state, by_chart])
@given(run=runs())
@MANY
def test_svg_is_xml_whose_texts_are_the_names(extract, run):
    diagram = extract(run[0])
    root = ET.fromstring(svg_sequence(diagram, fold_from=0))  # noqa: S314 - made here
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg",
        "style",
        "g",
        "rect",
        "text",
        "path",
    }
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for lane in diagram.lanes:
        assert visible(lane.label) in texts
    for arrow in diagram.arrows:
        assert f"({arrow.number}) {visible(arrow.label)}" in texts


@pytest.mark.parametrize("extract", [by_state, by_chart])
@given(run=runs())
@MANY
def test_no_label_is_ever_cut_or_written_over_in_characters(extract, run):
    diagram = extract(run[0])
    text = ascii_sequence(diagram, fold_from=0)
    assert all(line.isprintable() for line in text.split("\n"))
    for lane in diagram.lanes:
        assert visible(lane.label).rstrip() in text
    for arrow in diagram.arrows:
        assert visible(arrow.label) in text
        assert f"({arrow.number})" in text
        assert not arrow.note or visible(arrow.note) in text


@given(run=runs())
@MANY
def test_opentelemetry_reads_every_span_and_knows_every_field(run):
    steps, _ = run
    spans = [span for group in read_by_opentelemetry(steps) for span in group.scope_spans[0].spans]
    assert sorted((span.start_time_unix_nano, len(span.events), len(span.links)) for span in spans) == sorted(
        (step.time_ns, len(list(step.shape.fact_lines(step.texts))), int(step.cause is not None))
        for step in steps
    )


@given(run=runs())
@MANY
def test_spans_that_are_sent_are_the_spans_that_are_written(run):
    steps, _ = run
    made = Spans()
    sent = encode_spans([readable(made.span_of(step)) for step in steps]).resource_spans
    for group in sent:
        for span in group.scope_spans[0].spans:
            # They say that a context is not remote, which is all the same where there are no parents.
            span.ClearField("flags")
            for link in span.links:
                link.ClearField("flags")
            if not span.status.code:
                span.ClearField("status")
    assert sorted_groups(sent) == sorted_groups(read_by_opentelemetry(steps))


def read_by_opentelemetry(steps):
    """Return what is read of the lines, by resource; a process has one line, because runs are short."""
    groups = []
    for line in otlp_lines(steps):
        request = json.loads(line)
        for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            assert isinstance(span["startTimeUnixNano"], str)
            for holder in (span, *span.get("links", [])):
                for key, digits in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
                    if key not in holder and key == "parentSpanId":
                        continue
                    assert re.fullmatch(f"[0-9a-f]{{{digits}}}", holder[key])
                    assert int(holder[key], 16)
                    # OTLP/JSON departs from protobuf's own JSON here: hex, where that has base64.
                    holder[key] = base64.b64encode(bytes.fromhex(holder[key])).decode()
        message = json_format.ParseDict(request, TracesData(), ignore_unknown_fields=False)
        groups += message.resource_spans
    return groups


def sorted_groups(groups):
    return sorted(
        (
            sorted((attribute.key, str(attribute.value)) for attribute in group.resource.attributes),
            [str(span) for span in group.scope_spans[0].spans],
        )
        for group in groups
    )


@given(run=runs())
@MANY
def test_perfetto_events_follow_the_format_and_nest(run):
    steps, structures = run
    trace = json.loads("".join(perfetto_trace(steps, structures)))
    jsonschema.validate(trace, SCHEMA)
    events = trace["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    assert [event["args"]["time_ns"] for event in slices] == [str(step.time_ns) for step in steps]
    assert_slices_never_overlap(slices)
    assert_states_nest([event for event in events if event["ph"] in "be"])
    assert_flows_are_pairs_on_slices([event for event in events if event["ph"] in "sf"], slices)
    named = {(event["pid"], event["tid"]) for event in events if event.get("name") == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in slices} <= named
    counters = [event for event in events if event["ph"] == "C" and event["name"].startswith("queue of ")]
    assert len({(event["pid"], event["name"]) for event in counters}) == len({step.chart for step in steps})


def nanoseconds(microseconds):
    """Truncate as readers of the format do."""
    return int(microseconds * 1000)


def assert_slices_never_overlap(slices):
    tracks = defaultdict(list)
    for event in slices:
        begin = nanoseconds(event["ts"])
        tracks[event["pid"], event["tid"]].append((begin, begin + nanoseconds(event["dur"])))
    for track in tracks.values():
        for (_, end), (begin, _) in pairwise(track):
            assert begin >= end


def assert_states_nest(events):
    tracks = defaultdict(list)
    for event in events:
        tracks[event["cat"], event["id"]].append(event)
    for track in tracks.values():
        opened = []
        for event in track:
            if event["ph"] == "b":
                opened.append(event["name"])
            else:
                assert opened.pop() == event["name"]
        assert not opened
        assert all(nanoseconds(a["ts"]) <= nanoseconds(b["ts"]) for a, b in pairwise(track))


def assert_flows_are_pairs_on_slices(flows, slices):
    starts = {(event["pid"], event["tid"], event["ts"]) for event in slices}
    by_id = defaultdict(list)
    for event in flows:
        by_id[event["id"]].append(event["ph"])
        assert (event["pid"], event["tid"], event["ts"]) in starts
    assert all(phases == ["s", "f"] for phases in by_id.values())


@given(run=runs())
@MANY
def test_json_lines_say_what_spy_and_trace_say(run):
    steps, _ = run
    lines = list(json_lines(steps))
    for line, step in zip(lines, steps, strict=True):
        assert line.isascii()
        assert line.rstrip("\n").isprintable()
        read = json.loads(line)
        assert read["spy"] == [whole(text) for text in step.spy()]
        assert read["trace"] == (step.trace() and whole(step.trace()))


def whole(text):
    """As no parser refuses it: half surrogates replaced."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


@given(run=runs())
@MANY
def test_csv_has_a_row_of_plain_cells_for_each_step(run):
    steps, _ = run
    header, *rows = csv.reader(io.StringIO("".join(csv_rows(steps)), newline=""))
    assert tuple(header) == COLUMNS
    time, number = COLUMNS.index("time_ns"), COLUMNS.index("number")
    assert [(row[time], row[number]) for row in rows] == [
        (str(step.time_ns), str(step.number)) for step in steps
    ]
    for row in rows:
        assert len(row) == len(COLUMNS)
        assert all(cell.isprintable() for cell in row)
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
