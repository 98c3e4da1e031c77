"""A token that passes through three processes forms one chain in every view."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from farscope import Scope
from farscope.records.step import Step
from farscope.records.trace_context import parse_traceparent
from farscope.testing.waiting import eventually
from farscope.views.json_text import json_lines
from farscope.views.otlp import otlp_lines
from farscope.views.perfetto import perfetto_trace
from farscope.views.sequence.ascii import ascii_sequence
from farscope.views.sequence.extract import by_chart
from farscope.views.sequence.mermaid import mermaid_sequence
from farscope.views.sequence.plantuml import plantuml_sequence
from farscope.views.sequence.svg import svg_sequence
from farscope.wire.keys import new_key_file
from support.program import Program

NAMES = ("one", "two", "three")
REQUEST = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STEPS = 2 * len(NAMES)
SOON_S = 60.0


def relayed(url: str, folder: Path, first: str) -> tuple[list[str], list[Step]]:
    """Return the tokens that went from process to process, and the steps that a scope saw."""
    new_key_file(folder / "key")
    tokens = [first]
    with ExitStack() as stack:
        relays = [
            stack.enter_context(Program("-m", "support.relay", url, str(folder / "key"), name))
            for name in NAMES
        ]
        for relay in relays:
            relay.type_in(f"{tokens[-1]}\n")
            eventually(lambda relay=relay: relay.out.endswith("\n"), SOON_S)
            tokens.append(relay.out.strip())
        for relay in relays:
            relay.end_input()
            assert relay.wait(SOON_S) == 0, relay.err
    return tokens, steps_in(url, folder)


def steps_in(url: str, folder: Path) -> list[Step]:
    with Scope(url, folder / "key", since="start") as scope:
        scope.catch_up(SOON_S)
        steps: list[Step] = []
        eventually(lambda: steps.extend(scope.take(0.1)) or len(steps) >= STEPS, SOON_S)
        return [scope.resolved(step) for step in steps]


@pytest.mark.processes
@pytest.mark.parametrize("first", ["", REQUEST], ids=["own trace", "trace of a request"])
def test_every_view_shows_one_chain_through_three_processes(tmp_path: Path, first: str):
    check_chain(*relayed(f"sqlite:{tmp_path}/log", tmp_path, first))


@pytest.mark.parametrize("first", ["", REQUEST], ids=["own trace", "trace of a request"])
def test_every_view_shows_one_chain_through_a_broker(
    fresh_log_url: Callable[..., str], tmp_path: Path, first: str
):
    check_chain(*relayed(fresh_log_url(), tmp_path, first))


def test_every_view_shows_one_chain_through_a_request_and_a_message(amqp_url: str, tmp_path: Path):
    """One sends an HTTP request to two, which sends a message through the broker to three."""
    url, queue = f"sqlite:{tmp_path}/log", f"{amqp_url}#farscope-test-{uuid4().hex}"
    new_key_file(tmp_path / "key")

    def started(name: str, *ends: str) -> Program:
        return Program("-m", "support.relay", url, str(tmp_path / "key"), name, *ends)

    with started("two", "http", queue) as two, started("three", queue, "-") as three:
        eventually(lambda: two.out.endswith("\n"), SOON_S)
        port = two.out.strip()
        with started("one", "-", f"http:{port}") as one:
            one.type_in("\n")
            one.end_input()
            for program in (one, two, three):
                assert program.wait(SOON_S) == 0, program.err
            tokens = ["", *" ".join((one.out, two.out.removeprefix(port), three.out)).split()]
    check_chain(tokens, steps_in(url, tmp_path))


def check_chain(tokens: list[str], steps: list[Step]) -> None:
    assert [(step.chart.name, step.signal) for step in steps] == [
        (name, signal) for name in NAMES for signal in ("RECEIVED", "FORWARDED")
    ]
    traces = {parse_traceparent(token).trace_id for token in tokens if token}
    assert len(traces) == 1
    check_causes(steps, from_request=bool(tokens[0]))
    check_sequence(steps)
    check_perfetto(steps)
    check_opentelemetry(steps, traces.pop(), tokens)


def check_causes(steps: list[Step], *, from_request: bool) -> None:
    read = [json.loads(line)["cause"] for line in json_lines(steps)]
    first = read[0]
    assert (first is not None and first["claimed"] and not first["serial"]) if from_request else first is None
    for before, step, cause in zip(steps, steps[1:], read[1:], strict=False):
        assert (cause["serial"], cause["number"]) == (before.chart.serial, before.number)
        same = step.chart == before.chart
        assert (cause["probe"], cause["claimed"]) == (("", False) if same else (before.chart.probe, True))


def check_sequence(steps: list[Step]) -> None:
    diagram = by_chart(steps, ordered=True)
    arrows = [(arrow.source, arrow.target, arrow.claimed) for arrow in diagram.arrows[1:]]
    assert arrows == [(0, 0, False), (0, 1, True), (1, 1, False), (1, 2, True), (2, 2, False)]
    assert len(re.findall(r"\+\.*RECEIVED\(\)\.+>\|", ascii_sequence(diagram))) == 2
    assert mermaid_sequence(diagram).count("lane1-->>lane2: (5) RECEIVED()") == 1
    assert plantuml_sequence(diagram).count("lane1 --> lane2 : (5) RECEIVED()") == 1
    assert svg_sequence(diagram).count('class="arrow claimed"') >= 2


def check_perfetto(steps: list[Step]) -> None:
    flows = [
        event for event in json.loads("".join(perfetto_trace(steps)))["traceEvents"] if event["ph"] in "sf"
    ]
    assert [event["name"] for event in flows if event["ph"] == "f"] == [
        "posted",
        "claimed",
        "posted",
        "claimed",
        "posted",
    ]
    across = [event["pid"] for event in flows if event["name"] == "claimed"]
    assert across[0] != across[1] == across[2] != across[3]


def check_opentelemetry(steps: list[Step], trace: str, tokens: list[str]) -> None:
    spans = [
        span
        for line in otlp_lines(steps)
        for group in json.loads(line)["resourceSpans"]
        for span in group["scopeSpans"][0]["spans"]
    ]
    spans.sort(key=lambda span: int(span["startTimeUnixNano"]))
    assert {span["traceId"] for span in spans} == {trace}
    parents = [parse_traceparent(tokens[0]).span_id if tokens[0] else None]
    parents += [span["spanId"] for span in spans[:-1]]
    assert [span.get("parentSpanId") for span in spans] == parents
    assert [span["spanId"] for span in spans[1::2]] == [
        parse_traceparent(token).span_id for token in tokens[1:]
    ]
