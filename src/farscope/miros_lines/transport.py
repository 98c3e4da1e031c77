"""Steps as miros lines: a trace line, then the spy lines, each in a separate token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from farscope.miros_lines.exchange import LineWriter, open_lines
from farscope.miros_lines.tokens import SPY, TRACE, Line, LineSealer
from farscope.probe.route import Route
from farscope.probe.transport import STORED, Delivery, DeliveryReport, Kept
from farscope.records.step import RawStep, Step
from farscope.wire.batch import Batch
from farscope.wire.envelope import Flags
from farscope.wire.keyring import Keyring

UNCONFIRMED: Final = "unconfirmed"
"""Drop reason for the steps of a batch whose lines were published but not all confirmed: they may have been
seen, so they are never sent again."""


class Sheet:
    """The lines of one batch, and whether they were sent."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.confirmed: bool | None = None
        """None until they were sent."""


class LinesTransport:
    """Publishes each line at most once.

    The format has no numbers: a line sent twice looks like two lines, and a missing line like one that never
    existed. So lines that were sent but not confirmed count as dropped and are not repeated; lines that could
    not be sent wait. Heartbeats, structures and the goodbye have no lines.
    """

    def __init__(self, writer: LineWriter, keyring: Keyring) -> None:
        self._writer = writer
        self._sealer = LineSealer(keyring)
        self._next_key = 0
        self._report = DeliveryReport()

    def encode(self, batch: Batch, flags: Flags) -> Sheet:
        """Return the sealed lines of a batch's steps."""
        del flags
        return Sheet([line for step in batch.steps for line in self._lines(step)])

    def _lines(self, raw: RawStep) -> list[Line]:
        step = Step._make(raw)
        trace = step.trace()
        seal = self._sealer.seal
        traced = [] if trace is None else [Line(TRACE, seal(trace.replace("\n", "")))]
        return traced + [Line(SPY, seal(text)) for text in step.spy()]

    def size(self, payload: Sheet) -> int:
        """Return the total size of the tokens in bytes."""
        return sum(len(line.token) for line in payload.lines)

    def send(self, payloads: Sequence[Sheet], timeout_s: float) -> Delivery:
        """Publish what was not sent yet; return once the broker has confirmed it or will not."""
        for sheet in payloads:
            if sheet.confirmed is None:
                sheet.confirmed = self._writer.publish(sheet.lines, timeout_s)
        if all(sheet.confirmed for sheet in payloads):
            return STORED
        first = self._next_key
        self._next_key += len(payloads)
        stored = [key for key, sheet in enumerate(payloads, first) if sheet.confirmed]
        lost = [(key, UNCONFIRMED) for key, sheet in enumerate(payloads, first) if not sheet.confirmed]
        report = self._report
        self._report = DeliveryReport((*report.stored, *stored), (*report.lost, *lost))
        return Kept(first)

    def delivery_report(self) -> DeliveryReport:
        """Return the outcome of batches in which not every line was confirmed."""
        report, self._report = self._report, DeliveryReport()
        return report

    def interrupt(self) -> None:
        """End a wait for confirms soon."""
        self._writer.interrupt()

    def close(self, timeout_s: float) -> None:
        """Close the connection."""
        self._writer.close(timeout_s)


def route(url: str | None, keyring: Keyring) -> Route:
    """Return the route for lines to ``url``; does not connect.

    Raises:
        BadUrl, LogRefused: the address cannot be used.
    """
    exchanges = open_lines(url)
    return Route(lambda probe: LinesTransport(exchanges.writer(probe.hex()), keyring), exchanges.url)
