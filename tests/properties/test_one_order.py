"""Every view shows a run in one order: by the ends of steps, each after its cause."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farscope.cli.replay import Part, TimeSpan
from farscope.cli.source import open_source
from farscope.logs.base import Entry
from farscope.logs.recording.log import FOREVER_NS, RecordingLog
from farscope.records.step import Step
from farscope.scope.scope import Scope
from farscope.views.csv_table import csv_rows
from farscope.views.json_text import json_lines
from farscope.views.matching import Matching
from farscope.views.otlp_spans import Spans
from farscope.views.perfetto import perfetto_trace
from farscope.views.selection import Selection
from farscope.views.sequence.extract import by_chart
from farscope.views.web.history import History
from farscope.wire.batch import Batch, ChartEntry
from farscope.wire.codec import encode_body
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring
from farscope.wire.keys import new_key_file
from farscope.wire.seal import Sealer
from support.histories import Process, StepKey, effects_before_causes, key_of, make_history, order_of
from support.recorded_probe import recording

MILLISECOND = 1_000_000
HISTORIES = st.integers(0, 2**32).map(make_history)
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    new_key_file(tmp_path / "key")
    return tmp_path / "key"


def recorded(history: list[Process], size: int, key_path: Path) -> RecordingLog:
    """Record a history in batches of so many steps, each stored a millisecond after its last step ended."""
    keyring = Keyring.load(key_path)
    entries = [entry for process in history for entry in batches(process, size, keyring)]
    path = key_path.parent / "run.farscope"
    path.unlink(missing_ok=True)
    return recording(path, sorted(entries, key=lambda entry: entry.stored_ns))


def batches(process: Process, size: int, keyring: Keyring) -> list[Entry]:
    """Return a process's steps as its probe would send them, all charts told in the first batch."""
    sealer = Sealer(keyring, process.probe)
    charts = {step[0].serial: step[0] for step in process.steps}
    numbers = dict.fromkeys(charts, 0)
    entries = []
    for number, start in enumerate(range(0, len(process.steps), size)):
        steps = process.steps[start : start + size]
        sent_ns = steps[-1][3] + steps[-1][4] + MILLISECOND
        numbers |= {step[0].serial: step[1] for step in steps}
        mentioned = charts if number == 0 else {step[0].serial for step in steps}
        batch = Batch(
            host=process.host,
            pid=7,
            started_ns=0,
            sent_ns=sent_ns,
            next_number=start + len(steps),
            charts=tuple(
                ChartEntry(one, charts[one].name, ("a",), numbers[one]) for one in sorted(mentioned)
            ),
            numbers=list(range(start, start + len(steps))),
            steps=steps,
        )
        entries.append(Entry(sealer.seal(number, Flags.NONE, encode_body(batch)), sent_ns))
    return entries


def keys_of(steps: list[Step]) -> list[StepKey]:
    return list(map(key_of, steps))


@few
@given(HISTORIES, st.integers(1, 20))
def test_a_recording_its_exports_its_sequence_and_its_page_have_one_order(key_path, history, size):
    log = recorded(history, size, key_path)
    expected = order_of(step for process in history for step in process.steps)
    with Scope(log, key_path) as scope:
        steps = list(scope)
        assert keys_of(steps) == expected
        assert effects_before_causes(steps) == []
        assert scope.stats.late == 0
        assert not any(map(scope.ran_ahead, steps))
    with open_source(log.url, "start", key_path) as source:
        rows = [json.loads(line) for line in json_lines(source.steps, source.clock, source.ran_ahead)]
    assert [(row["probe"], row["serial"], row["number"]) for row in rows] == expected
    table = list(csv.DictReader(csv_rows(steps)))
    assert [(row["probe"], int(row["serial"]), int(row["number"])) for row in table] == expected
    diagram = by_chart(steps, ordered=True)
    drawn = [(diagram.lanes[arrow.target].label, arrow.label) for arrow in diagram.arrows]
    assert drawn == [(label_in(diagram, step), f"{step.signal}()") for step in steps]
    assert keys_of(on_the_page(steps)) == expected


@few
@given(HISTORIES, st.integers(1, 20), st.integers(0, 2_000), st.integers(0, 2_000))
def test_replay_and_sequence_choose_the_same_steps_by_the_times_of_their_lines(
    key_path, history, size, from_ms, for_ms
):
    log = recorded(history, size, key_path)
    begin_ns = min(step[3] for process in history for step in process.steps)
    from_ns = begin_ns + from_ms * MILLISECOND
    to_ns = from_ns + for_ms * MILLISECOND
    with Scope(log, key_path) as scope:
        part = Part(scope, TimeSpan(from_ns, to_ns + 1), Matching(Selection()))
        replayed = [item[1] for item in part.items() if item is not None and isinstance(item[1], Step)]
    with Scope(log, key_path) as scope:
        selection = Selection(from_ns=from_ns, to_ns=to_ns)
        drawn = by_chart(scope, selection, ordered=True).arrows
        assert len(drawn) == len(replayed)
    assert all(from_ns <= step.ended_ns <= to_ns for step in replayed)
    within = [
        key_of(step) for process in history for step in process.steps if from_ns <= step[3] + step[4] <= to_ns
    ]
    assert sorted(keys_of(replayed)) == sorted(within)


@few
@given(HISTORIES)
def test_traces_for_other_tools_have_the_begin_and_the_end_of_every_step(history):
    steps = [Step._make(step) for process in history for step in process.steps]
    made = Spans()
    for step in steps:
        span = made.span_of(step)
        assert (span.start_ns, span.end_ns) == (step.time_ns, step.ended_ns)
    trace = json.loads("".join(perfetto_trace(steps)))
    base_ns = int(trace["otherData"]["base_time_ns"])
    tracks: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] == "X":
            begin_ns = base_ns + round(event["ts"] * 1000)
            tracks[event["pid"], event["tid"]].append((begin_ns, begin_ns + round(event["dur"] * 1000)))
    # Slices of a chart are kept a nanosecond apart; several charts may begin a step in the same microsecond.
    drawn = sorted(
        (span for spans in tracks.values() for span in spans), key=lambda span: (round(span[0], -3), span[1])
    )
    made = sorted(steps, key=lambda step: (round(step.time_ns, -3), step.ended_ns))
    for (begin_ns, end_ns), step in zip(drawn, made, strict=True):
        assert abs(begin_ns - step.time_ns) <= len(steps)
        assert abs(end_ns - step.ended_ns) <= len(steps)


def label_in(diagram, step: Step) -> str:
    """Return the label of a step's chart, whose name another process's chart may have as well."""
    (label,) = [
        lane.label
        for lane in diagram.lanes
        if lane.label.split("@")[0] == step.chart.name
        and diagram.groups[lane.group] == f"{step.chart.host}:{step.chart.pid}"
    ]
    return label


def on_the_page(steps: list[Step]) -> list[Step]:
    """Return the steps as the page tells them in a sequence."""
    history = History()
    for step in steps:
        history.extend(step.chart, [step])
    return history.newest({step.chart.key for step in steps}, len(steps), FOREVER_NS)
