"""Spans arrive in a real HTTP server that reads them with OpenTelemetry's own parser."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from farscope import Event, Factory, Scope, broadcast
from farscope.cli.otlp.live import Order, send_spans
from farscope.cli.selecting import EVERYTHING
from farscope.errors import install_hint
from farscope.probe.service import service_name
from farscope.testing.waiting import PATIENCE_S, eventually
from farscope.views.otlp import otlp_lines
from farscope.views.otlp_spans import UNKNOWN_SERVICE
from support.program import Program
from support.span_collector import Reply, span_collector


@pytest.fixture(autouse=True)
def no_settings_of_others(monkeypatch):
    for name in list(os.environ):
        if name.startswith("OTEL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def collector():
    with span_collector() as running:
        yield running


@pytest.fixture
def dead():
    """Give an address where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def command(*arguments: str) -> list[str]:
    return ["-W", "error", "-m", "farscope", "export", "--format", "otlp", *arguments]


def export(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command(*arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def attributes(holder) -> dict[str, object]:
    return {
        each.key: each.value.string_value if each.value.HasField("string_value") else each.value.int_value
        for each in holder.attributes
    }


def bell_and_lamp() -> tuple[Factory, Factory]:
    """Make a bell whose ringing presses the lamp's button: the lamp's steps are caused by the bell's."""
    lamp, bell = Factory("lamp"), Factory("bell")
    off = lamp.create("off").catch("PRESS", lambda chart, _: chart.trans("on")).to_method()
    on = lamp.create("on").catch("PRESS", lambda chart, _: chart.trans("off")).to_method()
    lamp.nest(off, parent=None).nest(on, parent=None)

    def ring(chart, _):
        lamp.post_fifo(Event("PRESS"))
        return chart.trans("ringing")

    quiet = bell.create("quiet").catch("RING", ring).to_method()
    ringing = bell.create("ringing").catch("RING", ring).to_method()
    bell.nest(quiet, parent=None).nest(ringing, parent=None)
    return lamp, bell


def test_spans_of_two_charts_arrive_while_they_run_and_lead_to_what_posted_the_event(log_url, collector):
    lamp, bell = bell_and_lamp()
    with (
        broadcast(lamp, bell, url=log_url),
        lamp,
        bell,
        Program(*command(log_url, "--to", collector.address, "--follow")) as exporter,
    ):
        lamp.start_at("off")
        bell.start_at("quiet")
        eventually(lambda: len(collector.spans) == 2)
        bell.post_fifo(Event("RING"))
        eventually(lambda: len(collector.spans) == 4)
        spans = {span.name: span for span in collector.spans}
        assert set(spans) == {"lamp start_at", "bell start_at", "bell RING", "lamp PRESS"}
        (link,) = spans["lamp PRESS"].links
        assert (link.trace_id, link.span_id) == (spans["bell RING"].trace_id, spans["bell RING"].span_id)
        assert not spans["bell RING"].links
        assert spans["lamp PRESS"].kind == 5
        assert spans["bell RING"].kind == 1
        facts = [event.name for event in spans["lamp PRESS"].events]
        assert facts == lamp.spy()[-len(facts) - 1 : -1]
        assert "EXIT_SIGNAL:off" in facts or "PRESS:off" in facts
        exporter.interrupt()
        assert exporter.wait() == 0
        assert (
            f"exported 4 spans to {collector.address}/v1/traces, not delivered 0, refused 0" in exporter.err
        )


def test_spans_tell_what_the_json_export_tells(log_url, play, collector):
    play("hall", "stairs")
    assert export(log_url, "--to", collector.address).returncode == 0
    with Scope(log_url, since="start") as scope:
        assert scope.wait_for(lambda scope: scope.caught_up, timeout_s=30)
        request = json.loads(next(otlp_lines(scope.take(5))))
    told = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [
        (span.trace_id.hex(), span.span_id.hex(), span.name, str(span.start_time_unix_nano))
        for span in collector.spans
    ] == [(each["traceId"], each["spanId"], each["name"], each["startTimeUnixNano"]) for each in told]
    (group,) = collector.taken[0].resource_spans
    assert attributes(group.resource)["service.name"] == (service_name(None) or UNKNOWN_SERVICE)
    assert attributes(group.resource)["process.pid"] == os.getpid()


def test_a_collector_that_is_busy_a_few_times_loses_nothing(log_url, play, collector):
    play("hall", presses=9)
    collector.replies.extend([Reply(503), Reply(429, headers={"Retry-After": "1"}), Reply(502)])
    done = export(log_url, "--to", collector.address)
    assert done.returncode == 0
    assert [attributes(span)["statechart.step"] for span in collector.spans] == list(range(1, 11))
    assert collector.statuses == [503, 429, 502, 200]
    assert "] collector unavailable, spans wait: 503 Service Unavailable\n" in done.stderr
    assert "] collector available\n" in done.stderr
    assert done.stderr.endswith("not delivered 0, refused 0, 3 failed attempts\n")


def test_without_a_collector_the_end_tells_how_many_were_not_delivered(log_url, play, dead):
    play("hall")
    done = export(log_url, "--to", dead, "--for", "1s")
    assert done.returncode == 1
    assert f"exported 0 spans to {dead}/v1/traces, not delivered 4, refused 0" in done.stderr
    assert f"error: 4 spans not taken by {dead}/v1/traces: connection refused\nhint: " in done.stderr
    assert "seen 4 steps" in done.stderr


def test_ctrl_c_ends_the_waiting_for_a_collector(log_url, play, dead):
    play("hall")
    with Program(*command(log_url, "--to", dead, "--follow")) as exporter:
        exporter.wait_err("spans wait: connection refused")
        exporter.interrupt()
        assert exporter.wait() == 1
        assert "not delivered 4, refused 0" in exporter.err


def test_a_second_ctrl_c_does_not_wait_for_a_collector_that_hangs(log_url, play, collector):
    play("hall")
    collector.answering.clear()
    with Program(*command(log_url, "--to", collector.address)) as exporter:
        assert collector.asked.wait(PATIENCE_S)

        exporter.interrupt()
        eventually(lambda: not _has_pending_signals(exporter.pid))
        exporter.interrupt()
        assert exporter.wait() == 130
        assert "exported 0 spans" in exporter.err
        assert "not delivered 4" in exporter.err


def test_ctrl_c_while_a_large_recording_is_looked_through_ends_that_at_once(monkeypatch, collector):
    class Large:
        """A log whose opening is interrupted."""

        url, shared = "file:large.farscope", False

        def reader(self, *_args):
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("went on")

    monkeypatch.setattr("farscope.cli.otlp.live.open_log", lambda _: Large())
    order = Order("file:large.farscope", "start", None, EVERYTHING, collector.address, True, None)
    with pytest.raises(KeyboardInterrupt):
        send_spans(order)


def _has_pending_signals(pid: int) -> bool:
    """Tell whether a signal was sent that has not arrived; a second of its kind would be merged with it."""
    (pending,) = re.findall(r"^ShdPnd:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(pending, 16) != 0


def test_what_a_collector_throws_away_is_told_and_no_success(log_url, play, collector):
    play("hall")
    collector.replies.append(Reply(rejected=3))
    done = export(log_url, "--to", collector.address)
    assert done.returncode == 1
    assert "collector refused 3 spans: too old" in done.stderr
    assert "exported 1 span to" in done.stderr
    assert "not delivered 0, refused 3" in done.stderr


def test_a_request_that_is_too_large_is_cut_until_it_is_taken(log_url, play, collector):
    play("hall", presses=9)
    collector.most = 3
    assert export(log_url, "--to", collector.address).returncode == 0
    assert [attributes(span)["statechart.step"] for span in collector.spans] == list(range(1, 11))


def test_a_redirection_is_no_success_and_ends_it(log_url, play, collector):
    play("hall")
    collector.replies.append(Reply(301, headers={"Location": collector.address}))
    done = export(log_url, "--to", collector.address, "--follow")
    assert done.returncode == 1
    assert "not delivered 4" in done.stderr
    assert "301 Moved Permanently\nhint: check the address" in done.stderr


def test_another_path_and_headers_of_opentelemetrys_variables_are_used(log_url, play, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=abc")
    play("hall")
    done = export(log_url, "--to", f"{collector.address}/elsewhere")
    assert "404 Not Found" in done.stderr
    assert collector.headers[0]["x-token"] == "abc"


def test_only_chosen_charts_are_sent(log_url, play, collector):
    play("hall", "stairs")
    assert export(log_url, "--to", collector.address, "--chart", "st*").returncode == 0
    assert {attributes(span)["statechart.chart"] for span in collector.spans} == {"stairs"}


def test_trace_lines_are_sent_too(tmp_path, collector):
    text = tmp_path / "trace.txt"
    text.write_text("[2024-01-01 10:00:00.000001] [lamp] e->PRESS() off->on\n")
    assert export(str(text), "--to", collector.address).returncode == 0
    assert [span.name for span in collector.spans] == ["lamp PRESS"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--follow"], "--follow and --for are for sending"),
        (["--to", "http://localhost:1", "--out", "x.json"], "only otlp can be sent"),
        (["--to", "localhost:4318"], "localhost:4318 is not an address to send to"),
        (["--to", "http://"], "is not an address to send to"),
        (["-", "--to", "http://localhost:1", "--follow"], "only a log can be followed"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line_with_the_remedy(arguments, told):
    done = export(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "hint: " in done.stderr


def test_a_password_in_the_address_is_not_shown(log_url, play, dead):
    play("hall")
    done = export(log_url, "--to", dead.replace("//", "//me:secret@"), "--for", "100ms")
    assert "not delivered 4" in done.stderr
    assert "secret" not in done.stderr


def test_without_opentelemetry_one_line_says_what_to_install(log_url):
    program = (
        "import sys; sys.modules['opentelemetry'] = None; from farscope.cli.main import main; "
        "sys.argv[0] = 'farscope'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "export", log_url, "--format", "otlp", "--to", "http://localhost:1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"error: sending spans needs OpenTelemetry's SDK and exporter\nhint: {install_hint('otel')}\n"
    )
