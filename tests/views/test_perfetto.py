from __future__ import annotations

import json
from itertools import count, islice

from farscope.records.facts import Fact, FactKind
from farscope.records.shape import Shape, StepKind
from farscope.records.step import Cause, ChartId, Step
from farscope.records.structure import ChartStructure, StateInfo
from farscope.views.perfetto import perfetto_trace
from support.charger import STRUCTURE

NOW = 1_700_000_000_123_456_789
CHART = ChartId("p", "pi", 42, 1, "ab")
NESTED = ChartStructure((StateInfo("outer"), StateInfo("c1", "outer"), StateInfo("c2", "outer")))


def step(number, shape, *, chart=CHART, time_ns=None, duration_ns=1000, cause=None):
    return Step(chart, number, shape, time_ns or NOW + 10_000 * number, duration_ns, 2, 1, 0, cause)


def moved(start, end, *facts, kind=StepKind.TRANSITION):
    return Shape(kind, "S", start, end, tuple(Fact(*fact) for fact in facts))


STARTED = moved("top", "c1", (FactKind.ENTRY, "outer"), (FactKind.ENTRY, "c1"), kind=StepKind.START)


def events(steps, structures=None):
    return json.loads("".join(perfetto_trace(steps, structures or {})))["traceEvents"]


def states(found):
    return [(event["ph"], event["name"]) for event in found if event["ph"] in "be"]


def test_only_the_states_that_were_left_end():
    within = moved("c1", "c2", (FactKind.EXIT, "c1"), (FactKind.ENTRY, "c2"))
    assert states(events([step(1, STARTED), step(2, within)], {CHART: NESTED})) == [
        ("b", "outer"), ("b", "c1"), ("e", "c1"), ("b", "c2"), ("e", "c2"), ("e", "outer"),
    ]  # fmt: skip


def test_a_transition_back_to_the_same_state_ends_what_it_left_on_the_way():
    around = moved(
        "c1", "c1", *((kind, name) for kind in (FactKind.EXIT, FactKind.ENTRY) for name in ("c1", "outer"))
    )
    assert states(events([step(1, STARTED), step(2, around)], {CHART: NESTED})) == [
        *[("b", "outer"), ("b", "c1"), ("e", "c1"), ("e", "outer")] * 2,
    ]  # fmt: skip


def test_a_chart_first_seen_in_the_middle_rests_in_its_state_from_then_on():
    found = events([step(7, moved("c1", "c1", kind=StepKind.HOOK))], {CHART: NESTED})
    assert states(found) == [("b", "outer"), ("b", "c1"), ("e", "c1"), ("e", "outer")]


def test_steps_that_were_lost_leave_the_next_ones_right():
    found = events([step(1, STARTED), step(9, moved("c2", "c1"))], {CHART: NESTED})
    assert states(found)[2:6] == [("e", "c1"), ("b", "c2"), ("e", "c2"), ("b", "c1")]


def test_an_arrow_is_drawn_whichever_of_its_steps_comes_first():
    other = ChartId("q", "pi", 42, 2, "ab")
    posting, posted = step(1, STARTED), step(1, STARTED, chart=other, cause=Cause(1, 1))
    for steps in ([posting, posted], [posted, posting]):
        arrows = [(event["ph"], event["tid"], event["ts"]) for event in events(steps) if event["ph"] in "sf"]
        slices = {event["tid"]: event["ts"] for event in events(steps) if event["ph"] == "X"}
        tids = {steps[0].chart: 1, steps[1].chart: 2}
        assert arrows == [
            ("s", tids[CHART], slices[tids[CHART]]), ("f", tids[other], slices[tids[other]]),
        ]  # fmt: skip


ELSEWHERE = ChartId("q", "other", 7, 1, "cd")


def test_a_claimed_arrow_leads_to_another_process_whichever_of_its_steps_comes_first():
    posting = step(1, STARTED)
    posted = step(1, STARTED, chart=ELSEWHERE, cause=Cause(1, 1, "ab", claimed=True))
    for steps in ([posting, posted], [posted, posting]):
        flows = [event for event in events(steps) if event["ph"] in "sf"]
        assert [(event["ph"], event["name"]) for event in flows] == [("s", "claimed"), ("f", "claimed")]
        assert flows[0]["pid"] != flows[1]["pid"]


def test_an_arrow_is_drawn_if_its_cause_becomes_known_at_the_end_only():
    unknown = step(1, STARTED, chart=ELSEWHERE, cause=Cause(span_id="01" * 8, claimed=True))

    def resolved(each):
        return each._replace(cause=Cause(1, 1, "ab", claimed=True)) if each.cause else each

    text = "".join(perfetto_trace([unknown, step(1, STARTED)], resolved=resolved))
    assert [event["ph"] for event in json.loads(text)["traceEvents"] if event["ph"] in "sf"] == ["s", "f"]
    assert not [event for event in events([unknown, step(1, STARTED)]) if event["ph"] in "sf"]


def test_two_receivers_of_one_step_get_an_arrow_each():
    others = [ChartId(name, "pi", 42, serial, "ab") for serial, name in enumerate("qr", start=2)]
    found = events([step(1, STARTED), *(step(1, STARTED, chart=each, cause=Cause(1, 1)) for each in others)])
    assert [event["id"] for event in found if event["ph"] in "sf"] == [1, 1, 2, 2]


def test_a_microsecond_float_keeps_every_nanosecond():
    text = "".join(perfetto_trace([step(1, STARTED, time_ns=NOW)]))
    document = json.loads(text)
    (found,) = [event for event in document["traceEvents"] if event["ph"] == "X"]
    assert round(found["ts"] * 1000) + int(document["otherData"]["base_time_ns"]) == NOW


def test_charts_and_processes_of_one_name_get_tracks_of_their_own():
    charts = [CHART, CHART._replace(serial=2), CHART._replace(host="elsewhere", probe="cd")]
    found = events([step(1, STARTED, chart=chart) for chart in charts])
    names = {(event["pid"], event["args"]["name"]) for event in found if event["name"] == "thread_name"}
    assert len(names) == 3
    assert len({event["pid"] for event in found}) == 2


def test_a_run_without_end_is_written_as_it_comes():
    endless = (step(number, moved("c1", "c2")) for number in count(1))
    assert len(list(islice(perfetto_trace(endless), 10_000))) == 10_000


def test_no_steps_are_a_trace_without_events():
    assert events([]) == []


def test_each_region_has_a_track_for_its_states():
    started = Shape(StepKind.START, "start_at", "top", "off", ())
    plugged = Shape(StepKind.TRANSITION, "PLUG", "off", ("idle", "open"), (Fact(FactKind.EXIT, "off"),))
    charging = Shape(
        StepKind.TRANSITION, "GO", ("idle", "open"), ("charging", "open"), (Fact(FactKind.EXIT, "idle"),)
    )
    finished = Shape(StepKind.TRANSITION, "BREAK", ("charging", "open"), (), ())
    steps = [step(number, shape) for number, shape in enumerate((started, plugged, charging, finished), 1)]
    found = [event for event in events(steps, {CHART: STRUCTURE}) if event["ph"] in "be"]
    tracks = {event["cat"]: event["id"] for event in found}
    assert len(set(tracks.values())) == len(tracks) == 3
    by_track = {cat: [(each["ph"], each["name"]) for each in found if each["cat"] == cat] for cat in tracks}
    assert by_track == {
        "state": [("b", "off"), ("e", "off"), ("b", "operating"), ("e", "operating")],
        "region power": [("b", "idle"), ("e", "idle"), ("b", "charging"), ("e", "charging")],
        "region lock": [("b", "open"), ("e", "open")],
    }


def test_a_leaf_that_was_left_and_entered_again_ends_and_begins():
    facts = (Fact(FactKind.EXIT, "open"), Fact(FactKind.ENTRY, "open"))
    again = Shape(StepKind.TRANSITION, "AGAIN", ("idle", "open"), ("idle", "open"), facts)
    found = events([step(1, again), step(2, again)], {CHART: STRUCTURE})
    assert sum(event["ph"] == "b" and event["name"] == "open" for event in found) == 3
    assert sum(event["ph"] == "b" and event["name"] == "idle" for event in found) == 1


def test_numbers_are_counters_and_the_slice_has_all_values_and_log_records():
    shape = Shape(StepKind.HOOK, "GO", "a", "a", (Fact(FactKind.LOG, "relay", "INFO"),))
    values = (("amps", 16.5), ("mode", "eco"), ("ready", True), ("lost", float("nan")))
    found = events([step(1, shape)._replace(values=values, texts=("hot",))])
    counters = {event["name"]: event["args"] for event in found if event["ph"] == "C"}
    assert counters["amps of p"] == {"value": 16.5}
    assert len(counters) == 2
    (slice_,) = [event for event in found if event["ph"] == "X"]
    assert slice_["args"]["values"] == {"amps": 16.5, "mode": "eco", "ready": True, "lost": "nan"}
    assert slice_["args"]["log"] == ["INFO relay: hot"]
