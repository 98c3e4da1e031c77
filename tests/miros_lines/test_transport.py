"""Lines are sent at most once, and the account reports the fate of their steps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from farscope.errors import BadUrl, LogUnavailable
from farscope.miros_lines.tokens import Line, LineOpener
from farscope.miros_lines.transport import UNCONFIRMED, LinesTransport
from farscope.probe.broadcast import Probe, broadcast
from farscope.testing.waiting import eventually


class ToldLines:
    """A line writer that does what it is told, one outcome a call."""

    def __init__(self) -> None:
        self.sent: list[Line] = []
        self.outcomes: list[bool | Exception] = []

    def publish(self, lines: Sequence[Line], timeout_s: float) -> bool:
        del timeout_s
        outcome = self.outcomes.pop(0) if lines and self.outcomes else True
        if isinstance(outcome, Exception):
            raise outcome
        self.sent += lines
        return outcome

    def close(self, timeout_s: float = 2.0) -> None:
        pass

    def interrupt(self) -> None:
        pass


@pytest.fixture
def lines() -> ToldLines:
    return ToldLines()


@pytest.fixture
def probe(lines, keyring, chart):
    probe = Probe(lambda _: LinesTransport(lines, keyring), "told:")
    probe.add(chart)
    probe.start()
    yield probe
    probe.close()


def test_each_line_is_a_token_and_a_queue_line_ends_each_step(probe, lines, chart, keyring):
    chart.go(3)
    assert probe.flush()
    opener = LineOpener(keyring)
    assert [(line.exchange, opener.open(line.token).text) for line in lines.sent] == [
        ("spy", "B:inner"),
        ("spy", "<- Queued:(0) Deferred:(0)"),
    ] * 3
    assert (probe.stats.stored, probe.stats.bytes) == (3, sum(len(line.token) for line in lines.sent))


def test_what_could_not_go_out_is_sent_later(probe, lines, chart):
    lines.outcomes = [LogUnavailable("away"), LogUnavailable("away")]
    chart.go(3)
    assert probe.flush()
    assert len(lines.sent) == 6
    assert probe.stats.stored == 3


def test_what_went_out_unconfirmed_counts_as_dropped_and_is_not_sent_again(probe, lines, chart):
    lines.outcomes = [False]
    chart.go(3)
    eventually(lambda: probe.stats.dropped == {UNCONFIRMED: 3})
    chart.go(2)
    assert probe.flush()
    assert len(lines.sent) == 10
    assert probe.stats.stored == 2
    stats = probe.stats
    assert stats.emitted == stats.stored + sum(stats.dropped.values()) + stats.pending


def test_lines_travel_through_rabbitmq_only(chart, keyring, tmp_path):
    with pytest.raises(BadUrl, match="RabbitMQ"):
        broadcast(chart, url=f"sqlite:{tmp_path}", key=keyring, wire="lines")
