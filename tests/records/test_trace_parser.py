from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from farscope.records import trace_parser as trace_lines
from farscope.records.shape import Shape, StepKind
from farscope.records.step import ChartId, Step
from farscope.records.text import remarks
from farscope.records.trace_parser import MAX_LINE_CHARACTERS, parse_trace

SECOND = 1_000_000_000
PIECES = st.lists(
    st.sampled_from(["->", "a", "b", " ", "[", "]", "e", "(", ")", "()", "top", "é", "🦉", "\\n"]),
    min_size=1,
    max_size=4,
).map("".join)


def step(name: str, signal: str, start: str, end: str, time_ns: int) -> Step:
    kind = StepKind.START if signal == "start_at" else StepKind.TRANSITION
    return Step(ChartId(name, "", 0, 1), 1, Shape(kind, signal, start, end, ()), time_ns, 0, 0, 0)


def reported(found: Step) -> tuple[str, str, str, str, int]:
    return found.chart.name, found.signal, found.start, found.end, found.time_ns


@given(
    name=PIECES,
    hops=st.lists(st.tuples(PIECES, PIECES), min_size=1, max_size=5),
    time_us=st.integers(0, 4_000_000_000_000_000),
)
def test_a_charts_trace_from_its_start_on_comes_back_as_it_was(name, hops, time_us):
    assume("] e->" not in name)
    steps, resting = [], "top"
    for place, (signal, end) in enumerate(hops):
        # A signal that spells out the very place where it ends cannot be told apart by anybody.
        assume(f"() {resting}->" not in f"{signal}() {resting}-"[:-2])
        steps.append(step(name, "start_at" if place == 0 else signal, resting, end, time_us * 1000))
        resting = end
    lines = [each.trace() for each in steps]
    assume(not any("] e->start_at() top->" in line for line in lines[1:]))
    found = list(parse_trace(lines))
    assert [reported(each) for each in found] == [reported(each) for each in steps]
    assert [each.trace() for each in found] == lines
    assert [each.number for each in found] == list(range(1, len(steps) + 1))


@given(st.lists(st.tuples(PIECES, PIECES, PIECES, PIECES), max_size=5))
def test_any_trace_line_is_read_and_says_the_same_line_again(parts):
    lines = [step(*each, 5 * SECOND).trace() for each in parts]
    assert [found.trace() for found in parse_trace(lines)] == lines


@given(st.lists(st.text()))
def test_noise_never_raises(lines):
    list(parse_trace(lines))


def test_what_stands_between_trace_lines_and_before_them_is_passed_over():
    lines = [
        "starting up\n",
        "  [2018-01-10 13:14:26.739622] [p] e->start_at() top->c1\r\n",
        "[2018-01-10 13:14:26.800000] [p] no arrow here\n",
        "[2018-13-10 13:14:26.800000] [p] e->B() c1->c1\n",
        "\n",
        "INFO:root: [2018-01-10 13:14:27.024377] [p] e->B() c1->c1\n",
    ]
    assert [found.trace() for found in parse_trace(lines)] == [
        "[2018-01-10 13:14:26.739622] [p] e->start_at() top->c1",
        "[2018-01-10 13:14:27.024377] [p] e->B() c1->c1",
    ]


def test_a_line_of_absurd_length_is_passed_over():
    line = step("p", "B", "a", "b" * MAX_LINE_CHARACTERS, 0).trace()
    assert list(parse_trace([line])) == []


def test_names_stand_for_charts():
    lines = [step(name, "B", "a", "b", 0).trace() for name in ("x", "y", "x")]
    charts = [found.chart for found in parse_trace(lines)]
    assert charts[0] == charts[2] != charts[1]


def test_what_a_watcher_puts_behind_a_line_tells_how_long_the_step_took():
    slow = step("door", "GO", "a", "b", 1_515_590_066 * SECOND)._replace(duration_ns=310_000_000)
    line = f"{slow.trace()}{remarks(slow, ran_ahead=True)}"
    (found,) = parse_trace([line])
    assert reported(found) == reported(slow)
    assert (found.duration_ns, found.ended_ns) == (slow.duration_ns, slow.ended_ns)


def test_charts_with_long_names_are_read_and_only_some_remembered(monkeypatch):
    monkeypatch.setattr(trace_lines, "MAX_KNOWN_BYTES", 100_000)
    reader = trace_lines.TraceReader()
    for number in range(100):
        name = f"{number} " + "x" * 5_000
        assert reader.read(f"[2018-01-10 18:23:35.647035] [{name}] e->start_at() top->c1").chart.name == name
    assert 0 < len(reader._charts) <= 100_000 // 10_000


def test_a_line_of_a_chart_with_regions_names_all_its_leaves():
    (step,) = parse_trace(["[2026-11-30 12:00:00.000001] [c] e->GO() a | b->a2 | b"])
    assert step.start_states == ("a", "b")
    assert step.end_states == ("a2", "b")
    assert step.end == "a2 | b"
