from __future__ import annotations

import json
from itertools import count, islice

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.records.trace_context import span_id, trace_id
from farscope.views import otlp
from farscope.views.otlp import SPANS_A_LINE, otlp_lines
from farscope.views.otlp_spans import Spans

CHART = ChartId("p", "pi", 42, 1, "ab")


def step(number, *, chart=CHART, cause=None, kind=StepKind.TRANSITION, texts=()):
    facts = (Fact(FactKind.FAILED, "a"),) if texts else (Fact(FactKind.EXIT, "a"), Fact(FactKind.ENTRY, "b"))
    return Step(chart, number, Shape(kind, "S", "a", "b", facts), 10**18 + number, 500, 0, 0, 0, cause, texts)


def spans(*steps):
    requests = [json.loads(line) for line in otlp_lines(steps)]
    return [span for request in requests for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]]


def test_a_cause_links_to_the_span_of_the_step_that_posted():
    posting, posted = spans(step(1), step(1, chart=CHART._replace(name="q", serial=2), cause=Cause(1, 1)))
    (link,) = posted["links"]
    assert (link["traceId"], link["spanId"]) == (posting["traceId"], posting["spanId"])
    assert (posting["kind"], posted["kind"]) == (1, 5)


def test_a_causal_chain_is_one_trace_whose_spans_are_each_others_parents():
    second, third = CHART._replace(name="q", serial=2), CHART._replace(name="r", serial=3)
    first, *others = spans(
        step(1), step(1, chart=second, cause=Cause(1, 1)), step(1, chart=third, cause=Cause(2, 1))
    )
    assert {span["traceId"] for span in others} == {first["traceId"]}
    assert "parentSpanId" not in first
    assert [span["parentSpanId"] for span in others] == [first["spanId"], others[0]["spanId"]]


def test_steps_without_a_cause_begin_traces():
    assert len({span["traceId"] for span in spans(step(1), step(2))}) == 2


def test_ids_are_those_of_the_tokens_of_the_step():
    (span,) = spans(step(7))
    assert (span["traceId"], span["spanId"]) == (trace_id("ab", 1, 7), span_id("ab", 1, 7))


def test_a_step_caused_by_a_request_is_a_child_of_its_span_in_its_trace():
    outside = Cause(trace_id="0a" * 16, span_id="0b" * 8, claimed=True)
    first, second = spans(step(1, cause=outside), step(2, cause=Cause(1, 1, trace_id="0a" * 16)))
    assert (first["traceId"], first["parentSpanId"]) == ("0a" * 16, "0b" * 8)
    assert (second["traceId"], second["parentSpanId"]) == ("0a" * 16, first["spanId"])
    assert [span["links"][0]["attributes"][0]["value"]["stringValue"] for span in (first, second)] == [
        "claimed",
        "posted by",
    ]


def test_a_step_of_another_process_is_the_parent_under_its_own_ids():
    elsewhere = CHART._replace(pid=43, probe="cd")
    token_trace = trace_id("ab", 1, 1)
    cause = Cause(1, 1, "ab", token_trace, claimed=True)
    first, second = spans(step(1), step(1, chart=elsewhere, cause=cause))
    assert (second["traceId"], second["parentSpanId"]) == (first["traceId"], first["spanId"])


def test_beyond_the_limit_the_traces_of_the_oldest_steps_are_forgotten():
    made = Spans(limit=2)
    chain = [step(1), step(2, cause=Cause(1, 1)), step(3, cause=Cause(1, 2)), step(4, cause=Cause(1, 1))]
    *together, alone = [made.span_of(each).id.trace for each in chain]
    assert len(set(together)) == 1
    # The first step's own trace is derived from it, so it is the same even if forgotten.
    assert alone == together[0]
    assert made.span_of(step(5, cause=Cause(1, 2))).id.trace != together[0]


def test_facts_are_events_named_as_the_spy_names_them():
    (span,) = spans(step(1))
    assert [event["name"] for event in span["events"]] == ["EXIT_SIGNAL:a", "ENTRY_SIGNAL:b"]


def test_a_handler_that_raised_is_an_error_with_its_text():
    (span,) = spans(step(1, kind=StepKind.FAILED, texts=("Traceback\nOSError: bulb",)))
    assert span["status"] == {"code": 2, "message": "Traceback\nOSError: bulb"}


def test_exporting_again_gives_the_same_ids():
    assert spans(step(1), step(2)) == spans(step(1), step(2))


def test_each_process_is_a_resource_of_its_own():
    lines = list(otlp_lines([step(1), step(1, chart=CHART._replace(pid=43, probe="cd")), step(2)]))
    assert [len(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]) for line in lines] == [2, 1]


def test_a_run_without_end_is_written_as_it_comes():
    first, second = islice(otlp_lines(step(number) for number in count(1)), 2)
    assert first.count('"spanId"') == second.count('"spanId"') == SPANS_A_LINE


def test_spans_of_large_steps_are_not_gathered_without_bound(monkeypatch):
    monkeypatch.setattr(otlp, "WAITING_BYTES", 1_000_000)
    written = 0

    def steps():
        for number in range(1, 101):
            chart = ChartId("c", "h", number % 7, 1)
            assert number - written <= 12
            yield Step(
                chart, number, Shape(StepKind.HOOK, "B", "a", "a", ()), 1, 0, 0, 0, texts=("x" * 100_000,)
            )

    for line in otlp.otlp_lines(steps()):
        written += line.count('"traceId"')
    assert written == 100


def test_a_span_has_states_values_status_and_the_details_of_its_facts():
    facts = (Fact(FactKind.TRAN, "a", "b"), Fact(FactKind.LOG, "relay", "INFO"), Fact(FactKind.DONE, "top"))
    shape = Shape(StepKind.TRANSITION, "S", ("a", "x"), (), facts)
    values = (("amps", 16.5), ("count", 3), ("big", 1 << 70), ("mode", "eco"), ("ready", False))
    (span,) = spans(Step(CHART, 1, shape, 10**18, 500, 0, 0, texts=("hot",), values=values))
    known = {attribute["key"]: attribute["value"] for attribute in span["attributes"]}
    assert known["statechart.start_states"] == {
        "arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "x"}]}
    }
    assert known["statechart.end_states"] == {"arrayValue": {"values": []}}
    assert known["statechart.status"] == {"stringValue": "finished"}
    assert {key: value for key, value in known.items() if "value." in key} == {
        "statechart.value.amps": {"doubleValue": 16.5},
        "statechart.value.count": {"intValue": "3"},
        "statechart.value.big": {"stringValue": str(1 << 70)},
        "statechart.value.mode": {"stringValue": "eco"},
        "statechart.value.ready": {"boolValue": False},
    }
    log = span["events"][0]
    assert {each["key"]: each["value"]["stringValue"] for each in log["attributes"]} == {
        "statechart.fact": "log",
        "statechart.name": "relay",
        "statechart.detail": "INFO",
    }


def test_a_step_that_went_on_after_an_error_is_an_error_as_well():
    facts = (Fact(FactKind.SCRIBBLE), Fact(FactKind.FAILED, "a", "bulb"))
    shape = Shape(StepKind.TRANSITION, "S", "a", "b", facts)
    (span,) = spans(Step(CHART, 1, shape, 10**18, 500, 0, 0, texts=("note", "bulb is broken")))
    assert span["status"] == {"code": 2, "message": "bulb is broken"}
